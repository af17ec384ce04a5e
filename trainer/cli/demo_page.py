"""The demo's page, built of Gradio's parts; nothing comes from another host."""

from __future__ import annotations

import html
import json
import os
from typing import Any

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import demo_answers
from t2t_lite.trainer.cli.demo_answers import Model

# Controls by group: the wish, and what the page says of it.
_NUMBERS = {
    "Search": {
        "beam_size": "hypotheses kept",
        "num_results": "outputs of each line",
        "num_groups": "diverse parts of a beam",
        "alpha": "of the length penalty",
        "length_offset": "5: GNMT's penalty",
        "repetition_penalty": "1: none",
        "min_length": "least tokens",
        "max_length": "most tokens; 0: any",
        "no_repeat_ngram": "size; 0: may repeat",
    },
    "Sampling in place of a search": {
        "temperature": "above 0",
        "top_k": "0: all",
        "top_p": "1: all",
        "seed": "a number",
    },
}
_PHRASES = {
    "prefix": "what the output begins with",
    "required": "phrases that must appear, one a line",
    "forbidden": "phrases that must not appear, one a line",
}
_RESULTS = 4
_HEADERS = ["Line", "Rank", "Score", "Tokens", "Translation"]
_WIDTHS = ["8%", "8%", "11%", "11%", "62%"]
_CSS = """
#title h2 { margin: 0; overflow-wrap: anywhere; }
#table :is([role=gridcell], [role=columnheader]) { font-family: var(--font); }
#table [role=gridcell] { font-variant-numeric: tabular-nums; }
#table [role=gridcell]:nth-child(-n+4) :is(div, span) {
  justify-content: flex-end;
  text-align: right;
}
"""


def application(model: Model) -> Any:
    """Returns the page as an ASGI application.

    Raises:
        UserError: Gradio is not installed.
    """
    gradio = import_gradio()
    import fastapi

    return gradio.mount_gradio_app(
        fastapi.FastAPI(openapi_url=None),
        _page(gradio, model),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        max_file_size=1,  # nothing is uploaded
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        theme=gradio.themes.Default(primary_hue="blue"),
        css=_CSS,
    )


def import_gradio() -> Any:
    """Imports Gradio with all that calls home turned off.

    Raises:
        UserError: it is not installed.
    """
    # Read while Gradio is imported, and later.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio
    except ModuleNotFoundError as error:
        raise UserError(
            f'the page needs the module {error.name}: pip install ".[demo]"'
        ) from error
    return gradio


def _page(gradio, model: Model):
    """Returns the page's Blocks."""
    title = f"t2t_lite: {model.name}"
    with gradio.Blocks(
        title=title, analytics_enabled=False, fill_width=True
    ) as page:
        gradio.HTML(
            f"<h2>{html.escape(title)}</h2>", padding=False, elem_id="title"
        )
        with gradio.Row():
            with gradio.Column(scale=2, min_width=380):
                text, button, controls = _inputs(gradio, model)
            with gradio.Column(scale=3, min_width=480):
                outputs, kept = _outputs(gradio)
        names = list(controls)

        def pressed(text, *values):
            return _shown(
                gradio, model, text, dict(zip(names, values, strict=True))
            )

        gradio.on(
            [button.click, text.submit],
            pressed,
            [text, *controls.values()],
            [*outputs, kept],
            api_visibility="private",
        )
        choice, picture = outputs[2:]
        choice.input(
            lambda lines, place: _picture_of(gradio, lines, place),
            [kept, choice],
            picture,
            api_visibility="private",
        )
    return page


def _inputs(gradio, model: Model):
    """Returns the text box, the button, and the controls by wish."""
    text = gradio.Textbox(
        label="Text, a sentence a line (Shift+Enter translates)",
        lines=2,
        max_lines=8,
        autofocus=True,
        elem_id="text",
    )
    button = gradio.Button("Translate", variant="primary", elem_id="translate")
    controls: dict[str, Any] = {}
    for group, names in _NUMBERS.items():
        with gradio.Accordion(group, open=group == "Search"):
            known = {k: v for k, v in names.items() if k in model.wishes}
            with gradio.Row():
                for name, info in known.items():
                    controls[name] = gradio.Number(
                        _default(model, name),
                        label=name,
                        info=info,
                        min_width=90 if len(known) == 4 else 130,
                        elem_id=name,
                        elem_classes="number",
                    )
    with gradio.Accordion("Prefix and phrases", open=False):
        for name, info in _PHRASES.items():
            controls[name] = gradio.Textbox(
                label=name, info=info, lines=1, max_lines=4, elem_id=name
            )
    return text, button, controls


def _default(model: Model, name: str) -> float | None:
    """Returns what a control shows at first."""
    value = getattr(model.options, name) or 0
    if name == "num_results":
        return max(value, min(_RESULTS, model.options.beam_size))
    return value


def _outputs(gradio):
    """Returns what an answer fills, in its order, and the kept lines."""
    message = gradio.Textbox(
        label="Note",
        visible=False,
        interactive=False,
        elem_id="message",
        elem_classes="message",
    )
    table = gradio.Dataframe(
        headers=_HEADERS,
        column_widths=_WIDTHS,
        interactive=False,
        wrap=True,
        label="Translations, best first",
        elem_id="table",
        max_height=330,
    )
    choice = gradio.Dropdown(
        label="Attention of line", visible=False, elem_id="choice"
    )
    picture = gradio.Plot(
        label="Attention of the best translation", visible=False, elem_id="map"
    )
    return [message, table, choice, picture], gradio.State(time_to_live=3600)


def _shown(gradio, model: Model, text: str, typed: dict[str, Any]):
    """Returns the outputs' new values and the lines to keep."""
    label = "Note"
    try:
        note, lines = demo_answers.answer(model, text or "", typed)
    except UserError as error:
        label, note, lines = "Not translated", str(error), []
    choices = [
        (f"{line.number}: {line.text[:60]}", i) for i, line in enumerate(lines)
    ]
    return (
        gradio.Textbox(note, label=label, visible=bool(note)),
        demo_answers.rows(lines),
        gradio.Dropdown(
            choices, value=0 if lines else None, visible=len(lines) > 1
        ),
        _picture_of(gradio, lines, 0),
        lines,
    )


def _picture_of(gradio, lines, place: int):
    """Returns the heat map of one of the lines, hidden if there is none."""
    if not lines or not lines[place].translation.output_tokens:
        return gradio.Plot(visible=False)
    figure = demo_answers.heat_map(lines[place].translation)
    # Plotly's JSON as it is: Plotly's Python package is not needed.
    data = gradio.components.plot.PlotData(
        type="plotly", plot=json.dumps(figure)
    )
    return gradio.Plot(data, visible=True)

"""What the demo's page shows, made from what was typed into it."""

from __future__ import annotations

import dataclasses
import html
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from t2t_lite.errors import UserError
from t2t_lite.hparams import field_types

# What one request may take of the machine.
MOST_LINES = 32
MOST_HYPOTHESES = 256
MOST_CHARACTERS = 1000
# More labels would cover each other; the others show under the pointer.
_MOST_LABELS = 60
_CROWD = 20  # labels side by side that stand upright
_MARGIN = 125  # above the map: the input's tokens
_COLORS = [[0.0, "#f7fbff"], [0.5, "#6baed6"], [1.0, "#08306b"]]
_WORD = "\u2581"  # a SentencePiece piece that begins a word
_SMALLER = "give fewer lines, or a smaller beam_size and num_results"
_TEXTS = ("required", "forbidden")


class Model(NamedTuple):
    """A model as the page needs it.

    Fields:
        name: str, what the page is headed by.
        translate: from texts and wishes to a Translation of each, as
            `Predictor.translate`.
        options: SearchOptions, its defaults.
        wishes: names of what `translate` may be asked for.
    """

    name: str
    translate: Callable[..., list[Any]]
    options: Any
    wishes: frozenset[str]


class Found(NamedTuple):
    """A line and what became of it."""

    number: int
    text: str
    translation: Any


class Answer(NamedTuple):
    """What one press of the button gives.

    Fields:
        note: str, what there is to say of it, a line each; "" = nothing.
        lines: the lines that had text, as Found.
    """

    note: str
    lines: list[Found]


def answer(model: Model, text: str, typed: Mapping[str, Any]) -> Answer:
    """Translates each line of `text` that has a visible character.

    Args:
        model: Model.
        text: str, whatever was typed.
        typed: values by the name of the wish: a number or None, or text;
            nothing typed leaves the model's default.
    Raises:
        UserError: a value is wrong, or all that is asked is too much.
    """
    lines = _lines(text)
    if not lines:
        return Answer("Nothing to translate yet: type a sentence.", [])
    wishes = read_wishes(typed)
    made = _translated(model, [line.text for line in lines], wishes)
    found = [
        Found(line.number, line.text, translation)
        for line, translation in zip(lines, made, strict=True)
    ]
    notes = [
        f"line {line.number}: {note}"
        for line, one in zip(lines, made, strict=True)
        for note in filter(None, [line.note, *_notes(one)])
    ]
    return Answer("\n".join(notes), found)


def read_wishes(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the wishes that were typed, as `Predictor.translate` takes them.

    Raises:
        UserError: a text is longer than 1,000 characters.
    """
    wishes = {}
    for name, value in typed.items():
        if isinstance(value, str):
            _check_length(name, value)
            parts = [line.text.strip() for line in _lines(value)]
            value = parts if name in _TEXTS else " ".join(parts)
        elif isinstance(value, float) and value.is_integer():
            value = int(value)  # as a browser's 4 may come
        if value not in (None, "", []):
            wishes[name] = value
    if wishes.get("max_length") == 0:
        del wishes["max_length"]  # none, as in an export's inputs
    return wishes


def rows(lines: Sequence[Found]) -> list[list[str]]:
    """Returns line, rank, score, tokens and text of each result."""
    return [
        [str(line.number), str(rank), f"{score:.3f}", str(length), output]
        for line in lines
        for rank, (output, score, length) in enumerate(
            _results(line.translation), start=1
        )
    ]


def heat_map(translation: Any) -> dict[str, Any]:
    """Returns the attention as a figure in Plotly's JSON.

    Rows are the best output's tokens, from above, columns the input's.

    Args:
        translation: Translation.
    """
    pieces = translation.output_tokens, translation.input_tokens
    outputs, inputs = ([_shown(piece) for piece in side] for side in pieces)
    trace = {
        "type": "heatmap",
        "z": [
            [round(float(x), 4) for x in row] for row in translation.attention
        ],
        "customdata": [[[o, i] for i in inputs] for o in outputs],
        "hovertemplate": "%{customdata[0]} looks at %{customdata[1]}: "
        "%{z:.3f}<extra></extra>",
        "zmin": 0,
        "colorscale": _COLORS,
        "xgap": 1,
        "ygap": 1,
        "colorbar": {"title": {"text": "attention"}, "thickness": 12},
    }
    height = _MARGIN + max(200, 28 * min(len(outputs), _MOST_LABELS))
    layout = {
        "height": height,
        "margin": {"l": 10, "r": 10, "t": 20, "b": 10},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "font": {"size": 13},
        "xaxis": {
            **_axis("input", inputs),
            "side": "top",
            "tickangle": -45 if len(inputs) < _CROWD else -90,
        },
        "yaxis": {**_axis("output", outputs), "autorange": "reversed"},
    }
    config = {"displayModeBar": False}
    return {"data": [trace], "layout": layout, "config": config}


def _axis(title: str, pieces: Sequence[str]) -> dict[str, Any]:
    step = max(1, -(-len(pieces) // _MOST_LABELS))
    places = list(range(0, len(pieces), step))
    return {
        "title": {"text": title, "standoff": 12},
        "tickmode": "array",
        "tickvals": places,
        "ticktext": [
            pieces[place].removeprefix(_WORD) or _WORD for place in places
        ],
        "automargin": True,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }


def _shown(piece: str) -> str:
    """Returns a token so that it is seen, and taken for no markup."""
    return html.escape(piece.replace(" ", "\u2423"), quote=False)


def _lines(text: str) -> list[Any]:
    """Returns the lines with a visible character, mended as a file's are."""
    from t2t_lite.decoding.lines import read_lines

    content = text.replace("\r\n", "\n").encode("utf-8", "replace")
    lines = read_lines(io.BytesIO(content))
    return [line for line in lines if line.text.strip()]


def _check_length(name: str, text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise UserError(
            f"{name}: expected at most {MOST_CHARACTERS:,} characters, got "
            f"{len(text):,}"
        )


def _translated(
    model: Model, texts: list[str], wishes: dict[str, Any]
) -> list[Any]:
    """Returns a Translation of each text.

    Raises:
        UserError: a wish is wrong, or all that is asked is too much.
    """
    import tensorflow as tf

    fields = field_types(type(model.options))
    numbers = {k: v for k, v in wishes.items() if k in fields}
    try:
        _check_size(len(texts), dataclasses.replace(model.options, **numbers))
        return model.translate(texts, **wishes)
    except UserError as error:
        raise UserError(str(error).removeprefix("decode_hparams: ")) from None
    except tf.errors.ResourceExhaustedError as error:
        raise UserError(f"not enough memory; {_SMALLER}") from error


def _check_size(lines: int, options: Any) -> None:
    if lines > MOST_LINES:
        raise UserError(
            f"{lines:,} lines: expected at most {MOST_LINES}; "
            "t2t_lite_decoder translates files"
        )
    kept = max(options.beam_size, options.num_results)
    if lines * kept > MOST_HYPOTHESES:
        raise UserError(
            f"{lines * kept:,} hypotheses: expected at most {MOST_HYPOTHESES} "
            f"for all lines together; {_SMALLER}"
        )


def _results(translation: Any) -> list[tuple[str, float, int]]:
    """Returns text, score and length of each result that was found."""
    return [
        result
        for result in zip(
            translation.outputs,
            translation.scores,
            translation.lengths,
            strict=True,
        )
        if result[1] > float("-inf")
    ]


def _notes(translation: Any) -> list[str]:
    """Returns what there is to say of a translation."""
    notes = []
    if translation.truncated:
        count = len(translation.input_tokens)
        notes.append(f"input cut to {count} tokens")
    wanted, count = len(translation.scores), len(_results(translation))
    if count < wanted:
        notes.append(f"{count} of {wanted} results were found")
    if not translation.finished[0]:
        notes.append(
            f"the output was stopped at {translation.lengths[0]} tokens"
        )
    return notes

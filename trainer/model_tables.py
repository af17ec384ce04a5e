"""The registered models and their hyperparameter sets as a table."""

from __future__ import annotations

from typing import Any

from t2t_lite.errors import UserError
from t2t_lite.models.resolve import model_of
from t2t_lite.registry import HPARAMS, MODELS

BEGIN = "<!-- models: python -m t2t_lite.trainer.cli.model_tables -->"
END = "<!-- end of models -->"
_HEAD = (
    "| `--model=` | from, to | layers and sizes | what it is |",
    "|---|---|---|---|",
)


def models_table() -> str:
    """Returns the library's own models, each with its sets, in Markdown.

    A model's row is followed by its sets'; names are in their order.
    """
    rows = []
    for model in _own(MODELS):
        factory = MODELS.get(model)
        kinds = ", ".join(" to ".join(kind) for kind in factory.kinds)
        default = f"by default `{factory.default_set}`"
        text = MODELS.describe(model)
        rows.append((f"**`{model}`**", kinds, default, text))
        for name in _own(HPARAMS):
            hparams = HPARAMS.get(name)()
            if model_of(hparams) == model:
                text = HPARAMS.describe(name)
                rows.append((f"`{name}`", "", _sizes(hparams), text))
    return "\n".join([*_HEAD, *(f"| {' | '.join(row)} |" for row in rows)])


def _own(registry: Any) -> list[str]:
    """Returns the names that this library registers, and no user's."""
    return [
        name
        for name in registry.names()
        if registry.get(name).__module__.startswith("t2t_lite.")
    ]


def _sizes(hparams: Any) -> str:
    """Returns the layers of a set and their sizes, as far as it has them."""
    size = getattr(hparams, "hidden_size", None)
    parts = [f"{_layers(hparams)} of {size}"] if size else []
    for name, word in (("filter_size", "filter"), ("num_heads", "heads")):
        if value := getattr(hparams, name, None):
            parts.append(f"{word} {value}")
    return ", ".join(parts)


def _layers(hparams: Any) -> str:
    count = getattr(hparams, "num_hidden_layers", 1)
    names = ("num_encoder_layers", "num_decoder_layers")
    both = [getattr(hparams, name, None) for name in names]
    if any(both):
        return " + ".join(str(number or count) for number in both)
    return str(count)


def with_table(text: str) -> str:
    """Returns a page with the present table between its two marks.

    Raises:
        UserError: a mark is missing, or they stand the other way round.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UserError(f"expected the lines {BEGIN} and {END}, in this order")
    return f"{before}{BEGIN}\n{models_table()}\n{END}{after}"

"""The registered models and their hyperparameter sets as a table."""

from __future__ import annotations

from typing import Any

from t2t_lite.errors import UserError
from t2t_lite.models.resolve import model_of
from t2t_lite.registry import HPARAMS, MODELS

_COLUMNS = ("`--model=`", "from, to", "layers and sizes", "what it is")


def models() -> str:
    """Returns the library's own models, each with its sets, in Markdown.

    A model's row is followed by its sets'; names are in their order.
    """
    rows: list[tuple[str, ...]] = [_COLUMNS, ("---",) * len(_COLUMNS)]
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
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


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


def refreshed(text: str, path: str) -> str:
    """Returns a document whose table of models is as it should be now.

    Args:
        text: str, the document, with the lines `<!-- table of models -->` and
            `<!-- end of table of models -->`.
        path: str, the document's, for the message.
    Raises:
        UserError: the document has no place for it.
    """
    begin, end = (
        f"<!-- {words} of models -->" for words in ("table", "end of table")
    )
    before, found, rest = text.partition(f"{begin}\n")
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise UserError(f"{path}: no lines {begin} and {end}; add them")
    return f"{before}{begin}\n\n{models()}\n{end}{after}"

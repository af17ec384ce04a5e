"""What an import prints: what became of every tensor and hyperparameter."""

from __future__ import annotations

import collections
import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from t2t_lite.trainer.reporting import aligned
from t2t_lite.trainer.t2t_hparams import shown
from t2t_lite.trainer.t2t_import import Imported
from t2t_lite.trainer.t2t_tensors import ROOT, SLOTS, Weight

_WIDTH = 79
_SHOWN_PARTS = 3
_LAYER = re.compile(r"\blayer_\d+\b")


def lines(imported: Imported) -> Iterator[str]:
    """Yields the lines of a report.

    Args:
        imported: from `t2t_import.read`.
    """
    hparams, encoder = imported.hparams, imported.encoder
    numbers = sum(
        value.size
        for name, value in imported.tensors.items()
        if name.startswith("model/")
    )
    yield f"Tensor2Tensor checkpoint {imported.prefix}"
    yield from aligned(
        [
            ("model", f"{numbers:,} parameters, {hparams.norm}-norm"),
            ("vocabulary", f"{encoder.vocab_size:,} subwords"),
            ("step", f"{imported.step:,}"),
            *imported.notes,
        ]
    )
    yield ""
    yield f"tensors used, below {ROOT}/"
    yield from aligned(_weights(imported.weights))
    slots = collections.Counter(
        name.rpartition("/")[2]
        for name in imported.uses.values()
        if name.startswith("optimizer/")
    )
    for theirs, ours in SLOTS.items():
        if slots[ours]:
            yield (
                f"  and the {slots[ours]} slots .../{theirs} of the same, as "
                f"the optimizer's .../{ours}"
            )
    yield ""
    yield "tensors left out"
    yield from aligned(_left_out(imported.left_out))
    yield ""
    yield "hyperparameters"
    yield from aligned([("Tensor2Tensor", "here"), *imported.converted.mapped])
    yield from _named("as they have to be", imported.converted.fixed)
    yield from _named(
        "of the training, missing here: it goes on without",
        imported.converted.lost,
    )
    yield from _named("left out", imported.converted.left_out)


def _weights(weights: Sequence[Weight]) -> list[tuple[str, str, str, str]]:
    """Returns a row for each kind of weight, layers taken together."""
    tensors: collections.Counter = collections.Counter()
    numbers: collections.Counter = collections.Counter()
    for weight in weights:
        key = (_theirs(weight), _short(weight.path))
        tensors[key] += len(weight.parts)
        numbers[key] += sum(math.prod(shape) for _, shape in weight.parts)
    rows = [("there", "here", "tensors", "numbers")]
    rows += [(*k, f"{tensors[k]:,}", f"{numbers[k]:,}") for k in tensors]
    totals = (f"{tensors.total():,}", f"{numbers.total():,}")
    return [*rows, ("in all", "", *totals)]


def _theirs(weight: Weight) -> str:
    """Returns the names of a weight's tensors in one word."""
    names = [_short(name) for name, _ in weight.parts]
    if len(names) == 1:
        return names[0]
    words = [
        dict.fromkeys(word)
        for word in zip(*[name.split("/") for name in names], strict=True)
    ]
    return "/".join(_one_word(list(word)) for word in words)


def _one_word(words: Sequence[str]) -> str:
    if len(words) > _SHOWN_PARTS:
        return f"{words[0]} to {words[-1]}"
    return words[0] if len(words) == 1 else f"({', '.join(words)})"


def _short(name: str) -> str:
    return _LAYER.sub("layer_*", name.removeprefix(f"{ROOT}/"))


def _left_out(left_out: Mapping[str, str]) -> list[tuple[str, str]]:
    """Returns a row for each tensor, the slots of an optimizer together."""
    slots = [n for n, why in left_out.items() if why.startswith("slots")]
    rows = [
        (shown(name), why)
        for name, why in left_out.items()
        if not why.startswith("slots")
    ]
    if slots:
        rows.append((f"{slots[0]} and {len(slots) - 1}", left_out[slots[0]]))
    return rows or [("none", "")]


def _named(title: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    text = f"{title}: {', '.join(names)}"
    return textwrap.wrap(
        text, _WIDTH, initial_indent="  ", subsequent_indent="    "
    )

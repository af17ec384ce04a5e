"""Weights of a mix: how many examples of each, and at which places."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TypeVar

from t2t_lite.errors import UserError

_WEIGHT = re.compile(r"\d{1,7}(\.\d{1,6})?")

T = TypeVar("T")


def at_places(
    step: float, number: int, items: Iterator[T]
) -> Iterator[tuple[float, int, T]]:
    """Yields (place, number, item), the places one step apart."""
    for i, item in enumerate(items):
        yield (i + 0.5) * step, number, item


def shares(total: int, weights: Mapping[str, Fraction]) -> dict[str, int]:
    """Returns whole numbers that are as the weights, `total` together."""
    whole = sum(weights.values())
    found, begun = {}, Fraction(0)
    for name, weight in weights.items():
        end = begun + total * weight / whole
        found[name] = math.floor(end) - math.floor(begun)
        begun = end
    return found


def parse(text: str) -> dict[str, Fraction]:
    """Returns weights by name of "a:2,b:0.5,c"; without one it is 1.

    Raises:
        UserError: a weight is no number above 0, or a name is given twice.
    """
    weights: dict[str, Fraction] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, colon, weight = (word.strip() for word in part.partition(":"))
        if not colon:
            weight = "1"
        if not _WEIGHT.fullmatch(weight) or not Fraction(weight):
            raise UserError(
                f"--mix={text}: {part!r:.80}: expected <problem>:<weight>, a"
                " number above 0, such as 2 or 0.5"
            )
        if name in weights:
            raise UserError(f"--mix={text}: {name!r:.80} is given twice")
        weights[name] = Fraction(weight)
    return weights


def text_of(weight: Fraction) -> str:
    """Returns a weight as it may be typed."""
    return f"{float(weight):.6f}".rstrip("0").rstrip(".")

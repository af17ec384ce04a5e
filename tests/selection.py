"""Which of a test's many cases run every time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def few(cases: Iterable[Any], always: Sequence[int] = (0,)) -> list[Any]:
    """Marks all cases but a few as thorough.

    Args:
        cases: what `pytest.mark.parametrize` takes: a value, or a tuple of
            them, of each case.
        always: the places of those that run every time.
    """
    return [
        case
        if place in always
        else pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=pytest.mark.thorough,
        )
        for place, case in enumerate(cases)
    ]

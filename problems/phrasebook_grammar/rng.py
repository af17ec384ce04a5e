"""A linear congruential generator: the same draws on every Python version."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")
_MASK = (1 << 64) - 1


class Rng:
    """A deterministic source of draws, seeded by a text.

    `state = (a state + c) mod 2^64`; a draw uses the upper 32 bits.

    Args:
        name: str; its SHA-256 gives the first state.
    Reference: Knuth 1997, The Art of Computer Programming 2, section 3.3.4
        (a and c of MMIX).
    """

    def __init__(self, name: str):
        digest = hashlib.sha256(name.encode("utf-8")).digest()
        self._state = int.from_bytes(digest[:8], "big")

    def below(self, limit: int) -> int:
        """Returns an int in [0, limit)."""
        self._state = state = (
            self._state * 6364136223846793005 + 1442695040888963407
        ) & _MASK
        return ((state >> 32) * limit) >> 32

    def choice(self, items: Sequence[Item]) -> Item:
        """Returns one of `items`, all equally likely."""
        return items[self.below(len(items))]

    def percent(self, chance: int) -> bool:
        """Returns True in `chance` of 100 draws."""
        return self.below(100) < chance

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """Returns a shuffled copy of `items` (Fisher-Yates)."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result

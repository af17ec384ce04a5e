"""A part of the training examples, held out for validation."""

from __future__ import annotations

import functools
import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

# Enough for a steady score, and never much of a small corpus.
SHARE = 20
MOST = 2_000
WORDS = f"1 in {SHARE} (at most {MOST:,}), chosen by a checksum"

T = TypeVar("T")


class HeldOut(Generic[T]):
    """One in 20 of some examples, at least one and at most 2,000.

    Those whose keys have the smallest checksums: the choice depends on the
    keys alone, not on their order, and what is there twice is never on both
    sides.

    Args:
        read: returns all examples, always the same.
        key: returns the text or the bytes that stand for an example.
    """

    def __init__(
        self, read: Callable[[], Iterable[T]], key: Callable[[T], str | bytes]
    ):
        self._read = read
        self._key = key

    def part(self, split: str) -> Iterator[T]:
        """Yields the examples of "train" or of "validation", in their order.

        The first time all are read twice.
        """
        threshold = self._threshold
        for example in self._read():
            if (self._checksum(example) <= threshold) == (split != "train"):
                yield example

    @functools.cached_property
    def _threshold(self) -> int:
        """The largest checksum that is held out; -1 without examples."""
        largest_first: list[int] = []
        total = 0
        for example in self._read():
            total += 1
            entry = -self._checksum(example)
            if total <= MOST:
                heapq.heappush(largest_first, entry)
            else:
                heapq.heappushpop(largest_first, entry)
        if not total:
            return -1
        count = min(MOST, max(1, total // SHARE))
        return sorted(-entry for entry in largest_first)[count - 1]

    def _checksum(self, example: T) -> int:
        key = self._key(example)
        content = key.encode() if isinstance(key, str) else key
        digest = hashlib.blake2b(content, digest_size=8).digest()
        return int.from_bytes(digest, "big")

"""A part of the training examples, held out for validation."""

from __future__ import annotations

import functools
import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from t2t_lite.problems.problem import Example

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


class HoldsOut:
    """Of a problem whose source has training and test examples alone.

    1 in 20 of the training examples are the validation part. A subclass comes
    before Problem, and writes `part` and `describe_part`.
    """

    splits = ("train", "validation", "test")

    def part(self, name: str) -> Iterator[Example]:
        """Yields the examples of "train", with those held out, or "test"."""
        raise NotImplementedError

    def describe_part(self, name: str) -> str:
        """Returns one line about where "train" or "test" comes from."""
        raise NotImplementedError

    def key(self, example: Example) -> str | bytes:
        """Returns what of an example decides whether it is held out."""
        return example["inputs"]

    def describe_source(self, split: str) -> str:
        if split == "test":
            return self.describe_part(split)
        train = self.describe_part("train")
        return f"{train}; {WORDS}, are held out for validation"

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        if split == "test":
            return self.part(split)
        return self._held_out.part(split)

    @functools.cached_property
    def _held_out(self) -> HeldOut[Example]:
        return HeldOut(lambda: self.part("train"), self.key)

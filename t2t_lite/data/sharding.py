"""How a split's examples are cut into files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from t2t_lite.errors import UserError

_EXAMPLES_PER_SHARD = 8192
_USUAL_SHARDS = 128


def shard_counts(
    source, num_shards: int | None, largest: int
) -> dict[str, int]:
    """Returns the number of files per split.

    Args:
        source: per split a dict with its `count` of examples.
        num_shards: optional int, files of the train split; None = by size.
        largest: int, examples that a file may hold, where the size decides.
    Raises:
        UserError: a split is empty or `num_shards` is not positive.
    """
    if num_shards is not None and num_shards < 1:
        raise UserError(f"num_shards must be at least 1, not {num_shards}")
    counts = {}
    for split, facts in source.items():
        count = facts["count"]
        if not count:
            raise UserError(f"the source of the split {split} is empty")
        usual = min(_USUAL_SHARDS, -(-count // _EXAMPLES_PER_SHARD))
        counts[split] = max(1, usual, -(-count // largest))
        if num_shards and split == "train":
            counts[split] = num_shards
    return counts


def shard_bounds(count: int, num_shards: int) -> list[int]:
    """Returns where each shard starts, and the end: num_shards + 1 numbers."""
    return [count * i // num_shards for i in range(num_shards + 1)]


def chunks(problem, split: str, bounds: list[int]) -> Iterator[list]:
    """Yields the examples of each shard, in order.

    Raises:
        UserError: the source does not hold as many examples as it said.
    """
    examples = iter(problem.examples(split))
    read = 0
    for start, end in itertools.pairwise(bounds):
        chunk = list(itertools.islice(examples, end - start))
        read += len(chunk)
        if len(chunk) < end - start:
            break
        yield chunk
    extra = sum(1 for _ in examples)
    if read + extra != bounds[-1]:
        raise UserError(
            f"the source of the split {split} gave {read + extra} examples"
            f" instead of {bounds[-1]}: it changed while it was read; prepare"
            " the data again"
        )

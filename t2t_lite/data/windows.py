"""Shuffles that depend on numbers only, and windows of shards."""

from __future__ import annotations

import numpy as np

from t2t_lite.data.records import Split

# Each use of the seed has a stream of its own.
SHARD_ORDER, WINDOW_ORDER, EXAMPLE_ORDER = range(3)
BATCH_ORDER, ROW_ORDER, ROW_SAMPLE = range(3, 6)


def permutation(size: int, key: tuple[int, ...]) -> np.ndarray:
    """Returns a permutation of `size` numbers, decided by `key` alone, int64.

    Sorts the raw stream of a bit generator, which NumPy keeps the same over
    its versions (NEP 19), unlike `Generator.permutation`.

    Args:
        size: int.
        key: ints, at least 0.
    """
    # SeedSequence takes (1,) and (1, 0) for the same key: the length differs.
    seed = np.random.SeedSequence([len(key), *key])
    raw = np.random.PCG64(seed).random_raw(size)
    return np.argsort(raw, kind="stable")


def group_shards(
    split: Split, seed: int, window_tokens: int
) -> list[list[int]]:
    """Groups the shards of a split into windows.

    Args:
        split: the prepared split.
        seed: int, decides which shards go together.
        window_tokens: int, at most so many ids (all features) per window; a
            larger shard is a window of its own.
    Returns:
        List of windows, each a list of shard numbers.
    """
    tokens = _shard_tokens(split)
    if tokens.sum() <= window_tokens:
        return [list(range(len(tokens)))]
    result: list[list[int]] = []
    room = 0
    for shard in permutation(len(tokens), (seed, SHARD_ORDER)):
        if not result or tokens[shard] > room:
            result.append([])
            room = window_tokens
        result[-1].append(int(shard))
        room -= tokens[shard]
    return result


def _shard_tokens(split: Split) -> np.ndarray:
    """Returns the ids per shard, all features together, int64."""
    totals = np.sum(
        [lengths.astype(np.int64) for lengths in split.lengths.values()], axis=0
    )
    bounds = np.concatenate([[0], np.cumsum(split.shard_sizes)])
    cumulative = np.concatenate([[0], np.cumsum(totals)])
    return np.diff(cumulative[bounds])

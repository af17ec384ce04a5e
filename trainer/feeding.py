"""The batches of each update, made ahead on another thread."""

from __future__ import annotations

import concurrent.futures
import itertools
from collections.abc import Iterator

import numpy as np

from t2t_lite.data.batching import Batch, TrainBatches

_AHEAD = 4


class Feed:
    """Gives the batches of updates by number.

    Args:
        batches: TrainBatches, by number from 0.
        per_update: int, batches of one update.
    Attributes:
        jumped: int, updates whose batches were passed over.
    """

    def __init__(self, batches: TrainBatches, per_update: int):
        self._batches = batches
        self._per_update = per_update
        self.jumped = 0

    def first_batch(self, step: int) -> int:
        """Returns the number of the first batch of the update `step`."""
        return (step - 1 + self.jumped) * self._per_update

    def of(self, step: int) -> list[Batch]:
        """Returns the batches of the update `step`, counted from 1."""
        first = self.first_batch(step)
        return [self._batches.batch(first + i) for i in range(self._per_update)]

    def ahead(self, first: int, last: int) -> Iterator[tuple[int, list[Batch]]]:
        """Yields (step, its batches) for the steps `first` to `last`."""
        steps = iter(range(first, last + 1))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = [
                (step, pool.submit(self.of, step))
                for step in itertools.islice(steps, _AHEAD)
            ]
            while waiting:
                step, batches = waiting.pop(0)
                yield step, batches.result()
                for following in itertools.islice(steps, 1):
                    waiting.append((following, pool.submit(self.of, following)))


def rows_of_part(
    rows: np.ndarray, part: int, parts: int, multiple: int = 1
) -> np.ndarray:
    """Returns one of `parts` equal shares of a batch's rows.

    Args:
        rows: int array (rows, length), padded with rows of zeros, which count
            nothing, up to a multiple of `parts * multiple`.
        part: int, from 0.
        parts: int.
        multiple: int, what a share's number of rows is a multiple of.
    """
    size = -(-len(rows) // (parts * multiple)) * multiple
    mine = rows[part * size : (part + 1) * size]
    return np.pad(mine, [(0, size - len(mine)), (0, 0)])

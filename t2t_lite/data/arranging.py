"""Which examples make which batch of an epoch, one example in a row."""

from __future__ import annotations

import numpy as np

from t2t_lite.data import bucketing, windows
from t2t_lite.data.bucketing import BucketPlan, BucketShape
from t2t_lite.data.columns import Columns

SIDES = ("inputs", "targets")


class BucketArranger:
    """Cuts the examples of a window into batches of the plan's shapes.

    Args:
        plan: the plan.
        seed: int.
        lengths: per window, lengths of "inputs" and "targets".
    Attributes:
        num_batches: list of int, batches per window; the same in each epoch.
        batches_by_shape: int64 array, batches of an epoch of each shape.
        padding_share: float, share of an epoch's positions that hold padding.
    """

    def __init__(self, plan: BucketPlan, seed: int, lengths: list[dict]):
        self.plan = plan
        self.seed = seed
        # A byte per example: plans have far fewer than 128 shapes.
        self._buckets = [plan.assign(w).astype(np.int8) for w in lengths]
        cuts = [
            bucketing.batches_for(
                plan, np.bincount(b[b >= 0], minlength=len(plan.shapes))
            )
            for b in self._buckets
        ]
        self._takers = [takers for takers, _ in cuts]
        self.num_batches = [int(batches.sum()) for _, batches in cuts]
        shown = [
            {name: window[name][buckets >= 0] for name in SIDES}
            for window, buckets in zip(lengths, self._buckets, strict=True)
        ]
        self.batches_by_shape = np.sum([b for _, b in cuts], axis=0)
        self.padding_share = bucketing.padding_share(
            plan, self.batches_by_shape, shown
        )

    def arrange(self, epoch: int, window: int) -> list[tuple]:
        """Returns the batches of a window in an epoch.

        Returns:
            List of (shape index, int64 array of positions in the window).
        """
        buckets = self._buckets[window]
        order = windows.permutation(
            len(buckets), (self.seed, windows.EXAMPLE_ORDER, epoch, window)
        )
        batches = cut(order, buckets, self.plan, self._takers[window])
        shuffled = windows.permutation(
            len(batches), (self.seed, windows.BATCH_ORDER, epoch, window)
        )
        return [batches[i] for i in shuffled]

    def fill(self, columns: Columns, batch: tuple) -> dict[str, np.ndarray]:
        """Returns the arrays of one arranged batch."""
        shape, indices = batch
        return padded_batch(columns, self.plan.shapes[shape], indices)


def padded_batch(
    columns: Columns, shape: BucketShape, indices: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the examples `indices` in the static `shape`, with fillers."""
    example_ids = np.full(shape.rows, -1, np.int64)
    example_ids[: len(indices)] = columns.example_ids[indices]
    lengths = (shape.inputs_length, shape.targets_length)
    return {
        **{
            name: columns.padded(name, indices, (shape.rows, length))
            for name, length in zip(SIDES, lengths, strict=True)
        },
        "example_ids": example_ids,
    }


def cut(
    order: np.ndarray, buckets: np.ndarray, plan: BucketPlan, takers: list[int]
) -> list[tuple[int, np.ndarray]]:
    """Cuts shuffled rows into (shape index, members) batches.

    Args:
        order: int array, a permutation of the rows.
        buckets: int array, each row's shape, -1 for none.
        plan: the plan.
        takers: from `bucketing.promotions` for the counts of `buckets`.
    """
    batches = []
    promoted: list[list[np.ndarray]] = [[] for _ in plan.shapes]
    shuffled = buckets[order]
    for i, shape in enumerate(plan.shapes):
        members = np.concatenate([order[shuffled == i], *promoted[i]])
        if takers[i] != i:
            whole = len(members) // shape.rows * shape.rows
            promoted[takers[i]].append(members[whole:])
            members = members[:whole]
        batches.extend((i, part) for part in parts_of(members, shape.rows))
    return batches


def parts_of(members: np.ndarray, rows: int) -> list[np.ndarray]:
    """Returns `members` in parts of `rows`; the last may be shorter."""
    return [members[i : i + rows] for i in range(0, len(members), rows)]

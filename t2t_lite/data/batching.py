"""Batches whose order is a pure function of (seed, step).

Nothing is replayed: any step's batch is found by the lengths alone, so a run
that resumes at step n sees exactly what an undisturbed run sees.
"""

from __future__ import annotations

import functools

import numpy as np

from t2t_lite.data import windows
from t2t_lite.data.arranging import (
    SIDES,
    BucketArranger,
    padded_batch,
    parts_of,
)
from t2t_lite.data.bucketing import BucketPlan, BucketShape
from t2t_lite.data.columns import Columns
from t2t_lite.data.packing import PackedArranger
from t2t_lite.data.records import Split
from t2t_lite.errors import UserError

Batch = dict[str, np.ndarray]
_LENGTH_STEP = 16


class TrainBatches:
    """The training batches of a split, by step.

    An epoch shows each example that the plan keeps exactly once. The shards
    are grouped into windows of at most `window_tokens` ids, by the seed; per
    epoch, the order of the windows, the examples inside a window and the
    batches of a window are shuffled by (seed, epoch). At most two windows are
    in memory.

    Features of a batch, all of the static shape of one of the plan's shapes:
    "inputs" and "targets", int32 `(rows, length)`, ids that end in EOS, then
    zeros; "example_ids", int64 `(rows,)`, -1 for filler rows of zeros, which
    complete the last batch of a shape.

    With a packed plan, rows hold several examples: also
    "inputs_segments", "inputs_positions", "targets_segments" and
    "targets_positions", int32 `(rows, length)`. Segments count from 1, 0 is
    padding, the same number on both sides is one pair; positions count from 0
    in each segment. "example_ids" is int64 `(rows, max_segments)`, -1 where a
    row has fewer.

    Args:
        split: the prepared split.
        plan: from `plan_buckets` or `plan_packing`.
        seed: int, at least 0.
        window_tokens: int, ids (both sides) held in memory per window.
    Raises:
        UserError: the plan keeps no example of the split.
    """

    def __init__(
        self,
        split: Split,
        plan: BucketPlan,
        seed: int,
        window_tokens: int = 1 << 26,
    ):
        self.plan = plan
        self.seed = seed
        self._split = split
        self._windows = windows.group_shards(split, seed, window_tokens)
        arranger = PackedArranger if plan.packed else BucketArranger
        lengths = [self._window_lengths(i) for i in range(len(self._windows))]
        self._arranger = arranger(plan, seed, lengths)
        self._counts = np.array(self._arranger.num_batches, np.int64)
        if not self._counts.sum():
            raise UserError(
                f"no example of the split {split.name} is as short as"
                f" max_length={plan.max_length}: raise it"
            )
        self._columns = functools.lru_cache(maxsize=2)(self._load)
        self._arranged = functools.lru_cache(maxsize=2)(self._arranger.arrange)

    def batches_per_epoch(self, epoch: int = 0) -> int:
        """Returns the number of batches of an epoch; all have the same."""
        del epoch  # windows and rows are decided once
        return int(self._counts.sum())

    @property
    def shapes(self) -> tuple[BucketShape, ...]:
        """The shapes of the plan that an epoch has batches of."""
        batches = self._arranger.batches_by_shape
        return tuple(
            shape
            for shape, number in zip(self.plan.shapes, batches, strict=True)
            if number
        )

    @property
    def padding_share(self) -> float:
        """Share of an epoch's positions, both sides, that hold padding."""
        return self._arranger.padding_share

    def epoch_of(self, step: int) -> int:
        """Returns the epoch, from 0, that `step`, from 0, belongs to."""
        return step // self.batches_per_epoch()

    def batch(self, step: int) -> Batch:
        """Returns the batch of a step, counted from 0.

        Raises:
            UserError: a shard is missing or damaged.
        """
        epoch, window, index = self._locate(step)
        arranged = self._arranged(epoch, window)
        return self._arranger.fill(self._columns(window), arranged[index])

    def _locate(self, step: int) -> tuple[int, int, int]:
        """Returns (epoch, window, batch within the window) of a step."""
        epoch, index = divmod(step, self.batches_per_epoch())
        order = windows.permutation(
            len(self._windows), (self.seed, windows.WINDOW_ORDER, epoch)
        )
        ends = np.cumsum(self._counts[order])
        place = int(np.searchsorted(ends, index, side="right"))
        window = int(order[place])
        return epoch, window, int(index - ends[place] + self._counts[window])

    def _load(self, window: int) -> Columns:
        return self._split.load(self._windows[window])

    def _window_lengths(self, window: int) -> dict[str, np.ndarray]:
        """Returns the lengths of a window's examples in the loaded order."""
        bounds = np.concatenate([[0], np.cumsum(self._split.shard_sizes)])
        return {
            name: np.concatenate(
                [
                    self._split.lengths[name][bounds[i] : bounds[i + 1]]
                    for i in self._windows[window]
                ]
            )
            for name in SIDES
        }


def eval_batches(
    split: Split, plan: BucketPlan, limit: int | None = None
) -> list[Batch]:
    """Returns a split's batches, each example exactly once, in a fixed order.

    Examples that fit none of the plan's shapes get one more shape, which is a
    multiple of 16 long.

    Args:
        split: the prepared split.
        plan: the plan of the training batches.
        limit: optional int, take the first `limit` examples only.
    Returns:
        List of batches as `TrainBatches` gives them, one example in a row.
    """
    columns = split.load()
    lengths = {
        name: columns.lengths(name)[:limit].astype(np.int64) for name in SIDES
    }
    buckets = plan.assign(lengths)
    shapes = list(plan.shapes)
    if (buckets < 0).any():
        shapes.append(_shape_for_rest(plan, lengths, buckets < 0))
        buckets = np.where(buckets < 0, len(shapes) - 1, buckets)
    return [
        padded_batch(columns, shape, part)
        for i, shape in enumerate(shapes)
        for part in parts_of(np.flatnonzero(buckets == i), shape.rows)
    ]


def _shape_for_rest(plan, lengths, rest: np.ndarray) -> BucketShape:
    """Returns a shape for the examples that fit none of the plan's."""
    longest = [
        int(-(-lengths[name][rest].max() // _LENGTH_STEP) * _LENGTH_STEP)
        for name in SIDES
    ]
    rows = plan.batch_tokens // max(longest) // plan.row_multiple
    return BucketShape(max(1, rows) * plan.row_multiple, *longest)

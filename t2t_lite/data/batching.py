"""Batches whose order is a pure function of (seed, step).

Nothing is replayed: any step's batch is found by the lengths alone, so a run
that resumes at step n sees exactly what an undisturbed run sees.
"""

from __future__ import annotations

import functools

import numpy as np

from t2t_lite.data import bucketing, packing, windows
from t2t_lite.data.bucketing import BucketPlan, BucketShape
from t2t_lite.data.records import Columns, Split
from t2t_lite.errors import UserError

Batch = dict[str, np.ndarray]
_SIDES = ("inputs", "targets")
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

    With `pack`, rows of the plan's last shape hold several examples: also
    "inputs_segments", "inputs_positions", "targets_segments" and
    "targets_positions", int32 `(rows, length)`. Segments count from 1, 0 is
    padding, the same number on both sides is one pair; positions count from 0
    in each segment. "example_ids" is int64 `(rows, max_segments)`, -1 where a
    row has fewer.

    Args:
        split: the prepared split.
        plan: from `plan_buckets`, or `plan_packing` with `pack`.
        seed: int, at least 0.
        pack: bool.
        window_tokens: int, ids (both sides) held in memory per window.
    Raises:
        UserError: the plan keeps no example of the split.
    """

    def __init__(
        self,
        split: Split,
        plan: BucketPlan,
        seed: int,
        pack: bool = False,
        window_tokens: int = 1 << 26,
    ):
        self.plan = plan
        self.seed = seed
        self._split = split
        self._windows = windows.group_shards(split, seed, window_tokens)
        arranger = packing.PackedArranger if pack else BucketArranger
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
        del epoch  # windows and packing are decided once, by the seed
        return int(self._counts.sum())

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
            for name in _SIDES
        }


class BucketArranger:
    """Cuts the examples of a window into batches of the plan's shapes.

    Args:
        plan: the plan.
        seed: int.
        lengths: per window, lengths of "inputs" and "targets".
    Attributes:
        num_batches: list of int, batches per window; the same in each epoch.
        padding_share: float, share of an epoch's positions that hold padding.
    """

    def __init__(self, plan: BucketPlan, seed: int, lengths: list[dict]):
        self.plan = plan
        self.seed = seed
        # A byte per example: plans have far fewer than 128 shapes.
        self._buckets = [plan.assign(w).astype(np.int8) for w in lengths]
        self._takers = []
        self.num_batches = []
        positions = real = 0
        sizes = np.array([shape.tokens for shape in plan.shapes])
        for window, buckets in zip(lengths, self._buckets, strict=True):
            counts = np.bincount(
                buckets[buckets >= 0], minlength=len(plan.shapes)
            )
            takers = bucketing.promotions(plan, counts)
            counts = bucketing.promoted_counts(plan, counts, takers)
            self._takers.append(takers)
            batches = bucketing.num_batches(plan, counts)
            self.num_batches.append(int(batches.sum()))
            positions += int((batches * sizes).sum())
            real += sum(int(window[n][buckets >= 0].sum()) for n in _SIDES)
        self.padding_share = 1 - real / max(1, positions)

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

    def fill(self, columns: Columns, batch: tuple) -> Batch:
        """Returns the arrays of one arranged batch."""
        shape, indices = batch
        return padded_batch(columns, self.plan.shapes[shape], indices)


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
        List of batches as `TrainBatches` gives them without `pack`.
    """
    columns = split.load()
    lengths = {
        name: columns.lengths(name)[:limit].astype(np.int64) for name in _SIDES
    }
    buckets = plan.assign(lengths)
    shapes = list(plan.shapes)
    if (buckets < 0).any():
        shapes.append(_shape_for_rest(plan, lengths, buckets < 0))
        buckets = np.where(buckets < 0, len(shapes) - 1, buckets)
    return [
        padded_batch(columns, shape, part)
        for i, shape in enumerate(shapes)
        for part in _parts(np.flatnonzero(buckets == i), shape.rows)
    ]


def padded_batch(
    columns: Columns, shape: BucketShape, indices: np.ndarray
) -> Batch:
    """Returns the examples `indices` in the static `shape`, with fillers."""
    example_ids = np.full(shape.rows, -1, np.int64)
    example_ids[: len(indices)] = columns.example_ids[indices]
    lengths = (shape.inputs_length, shape.targets_length)
    return {
        **{
            name: columns.padded(name, indices, (shape.rows, length))
            for name, length in zip(_SIDES, lengths, strict=True)
        },
        "example_ids": example_ids,
    }


def cut(
    order: np.ndarray, buckets: np.ndarray, plan: BucketPlan, takers: list[int]
) -> list[tuple[int, np.ndarray]]:
    """Cuts shuffled examples into (shape index, positions) batches.

    Args:
        order: int array, a permutation of the examples.
        buckets: int array, each example's shape, -1 for none.
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
        batches.extend((i, part) for part in _parts(members, shape.rows))
    return batches


def _parts(members: np.ndarray, rows: int) -> list[np.ndarray]:
    """Returns `members` in parts of `rows`; the last may be shorter."""
    return [members[i : i + rows] for i in range(0, len(members), rows)]


def _shape_for_rest(plan, lengths, rest: np.ndarray) -> BucketShape:
    """Returns a shape for the examples that fit none of the plan's."""
    longest = [
        int(-(-lengths[name][rest].max() // _LENGTH_STEP) * _LENGTH_STEP)
        for name in _SIDES
    ]
    rows = plan.batch_tokens // max(longest) // plan.row_multiple
    return BucketShape(max(1, rows) * plan.row_multiple, *longest)

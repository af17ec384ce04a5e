"""Several examples in one row, told apart by segment numbers."""

from __future__ import annotations

import numpy as np

from t2t_lite.data import bucketing, row_filling, windows
from t2t_lite.data.arranging import SIDES, cut
from t2t_lite.data.bucketing import BucketPlan
from t2t_lite.data.columns import Columns, ranges


class PackedArranger:
    """Packs the examples of a window into batches of the plan's shapes.

    Which lengths share a row is decided once per window, by the lengths, so
    that each epoch has the same number of batches; which of the examples with
    these lengths, and the order of the rows, differ by (seed, epoch). Examples
    of lengths that no others have meet in the same row in every epoch.

    Args:
        plan: the plan, from `plan_packing`.
        seed: int.
        lengths: per window, lengths of "inputs" and "targets".
    Attributes:
        num_batches: list of int, batches per window; the same in each epoch.
        batches_by_shape: int64 array, batches of an epoch of each shape.
        max_segments: int, most examples in a row.
        padding_share: float, share of an epoch's positions that hold padding.
    """

    def __init__(self, plan: BucketPlan, seed: int, lengths: list[dict]):
        self.plan = plan
        self.seed = seed
        self._classes = [_length_classes(w) for w in lengths]
        self._rows = [
            row_filling.fill_rows(w, plan.shapes, plan.max_length)
            for w in lengths
        ]
        cuts = [
            bucketing.batches_for(
                plan, np.bincount(rows.shapes, minlength=len(plan.shapes))
            )
            for rows in self._rows
        ]
        self._takers = [takers for takers, _ in cuts]
        self.num_batches = [int(batches.sum()) for _, batches in cuts]
        slots = [rows.of_example for rows in self._rows]
        self.max_segments = max(
            int(np.bincount(s[s >= 0], minlength=1).max()) for s in slots
        )
        shown = [
            {name: window[name][s >= 0] for name in SIDES}
            for window, s in zip(lengths, slots, strict=True)
        ]
        self.batches_by_shape = np.sum([b for _, b in cuts], axis=0)
        self.padding_share = bucketing.padding_share(
            plan, self.batches_by_shape, shown
        )

    def arrange(self, epoch: int, window: int) -> list[tuple]:
        """Returns the batches of a window in an epoch.

        Returns:
            List of (shape index, rows); each row is an int64 array of
            positions in the window.
        """
        rows = self._filled(epoch, window)
        key = (epoch, window)
        order = windows.permutation(
            len(rows), (self.seed, windows.ROW_ORDER, *key)
        )
        shapes = self._rows[window].shapes
        batches = cut(order, shapes, self.plan, self._takers[window])
        shuffled = windows.permutation(
            len(batches), (self.seed, windows.BATCH_ORDER, *key)
        )
        return [
            (shape, [rows[row] for row in members])
            for shape, members in (batches[i] for i in shuffled)
        ]

    def fill(self, columns: Columns, batch: tuple) -> dict[str, np.ndarray]:
        """Returns the arrays of one arranged batch."""
        index, members = batch
        shape = self.plan.shapes[index]
        sizes = [len(row) for row in members]
        rows, segments = np.repeat(np.arange(len(sizes)), sizes), ranges(sizes)
        examples = np.concatenate(members)
        ids = np.full((shape.rows, self.max_segments), -1, np.int64)
        ids[rows, segments] = columns.example_ids[examples]
        result = {"example_ids": ids}
        lengths = (shape.inputs_length, shape.targets_length)
        for name, length in zip(SIDES, lengths, strict=True):
            result |= _packed_side(
                columns, name, (shape.rows, length), (rows, segments, examples)
            )
        return result

    def _filled(self, epoch: int, window: int) -> list[np.ndarray]:
        """Returns the examples of each row, int64 positions."""
        slots = self._rows[window].of_example
        examples = self._exchanged(epoch, window)
        kept = slots >= 0
        order = np.argsort(slots[kept], kind="stable")
        counts = np.bincount(slots[kept])
        return np.split(examples[kept][order], np.cumsum(counts)[:-1])

    def _exchanged(self, epoch: int, window: int) -> np.ndarray:
        """Returns which example takes each example's place in an epoch.

        Examples of equal lengths change places among themselves.
        """
        classes = self._classes[window]
        shuffled = windows.permutation(
            len(classes), (self.seed, windows.EXAMPLE_ORDER, epoch, window)
        )
        result = np.empty_like(shuffled)
        places = np.argsort(classes, kind="stable")
        result[places] = shuffled[np.argsort(classes[shuffled], kind="stable")]
        return result


def _packed_side(columns: Columns, name: str, shape, where) -> dict:
    """Returns ids, segments and positions of one side, int32 of `shape`.

    Args:
        columns: the window's examples.
        name: "inputs" or "targets".
        shape: (rows, length).
        where: int arrays `(n,)`: row, segment within the row from 0, and
            position in the window, of each example, row by row.
    """
    rows, segments, examples = where
    starts = columns.offsets[name][examples]
    lengths = columns.offsets[name][examples + 1] - starts
    within = ranges(lengths)
    # where an example starts in its row: what the row's earlier ones take
    before = np.cumsum(lengths) - lengths
    first_of_row = np.flatnonzero(segments == 0)
    place = before - before[first_of_row][rows]
    index = (np.repeat(rows, lengths), np.repeat(place, lengths) + within)
    result = {key: np.zeros(shape, np.int32) for key in ("", "_s", "_p")}
    result[""][index] = columns.values[name][
        np.repeat(starts, lengths) + within
    ]
    result["_s"][index] = np.repeat(segments + 1, lengths)
    result["_p"][index] = within
    return {
        name: result[""],
        f"{name}_segments": result["_s"],
        f"{name}_positions": result["_p"],
    }


def _length_classes(lengths: dict) -> np.ndarray:
    """Returns one number per pair of lengths, int64 `(n,)`."""
    targets = lengths["targets"].astype(np.int64)
    return lengths["inputs"].astype(np.int64) * (targets.max() + 1) + targets

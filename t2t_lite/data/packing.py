"""Several examples in one row, told apart by segment numbers."""

from __future__ import annotations

import numpy as np

from t2t_lite.data import windows
from t2t_lite.data.bucketing import BucketPlan
from t2t_lite.data.records import Columns, ranges
from t2t_lite.errors import UserError

_SIDES = ("inputs", "targets")
# Rows that are filled at the same time: more pack tighter and slower.
_OPEN_ROWS = 32


def pack_rows(
    inputs: np.ndarray,
    targets: np.ndarray,
    room: tuple[int, int, int],
) -> np.ndarray:
    """Puts examples into rows: the first open row that has room.

    Args:
        inputs, targets: int arrays `(n,)`, lengths in the order of packing.
        room: (inputs length, targets length, most segments) of a row.
    Returns:
        int64 array `(n,)`, the row of each example, -1 if it is too long.
    """
    rows = np.full(len(inputs), -1, np.int64)
    open_rows: list[list[int]] = []  # [row, inputs, targets, segments left]
    next_row = 0
    pairs = zip(inputs.tolist(), targets.tolist(), strict=True)
    for i, (first, second) in enumerate(pairs):
        if first > room[0] or second > room[1]:
            continue
        for place in open_rows:
            if place[1] >= first and place[2] >= second and place[3]:
                break
        else:
            if len(open_rows) == _OPEN_ROWS:
                open_rows.remove(min(open_rows, key=lambda p: min(p[1], p[2])))
            place = [next_row, *room]
            open_rows.append(place)
            next_row += 1
        place[1] -= first
        place[2] -= second
        place[3] -= 1
        rows[i] = place[0]
    return rows


class PackedArranger:
    """Packs the examples of a window into batches of the plan's last shape.

    Which lengths share a row is decided once per window, by the seed, so that
    each epoch has the same number of batches; which of the examples with
    these lengths, and the order of the rows, differ by epoch.

    Args:
        plan: the plan; its last shape is used.
        seed: int.
        lengths: per window, lengths of "inputs" and "targets".
    Attributes:
        num_batches: list of int, batches per window; the same in each epoch.
        max_segments: int, most examples in a row: twice the mean number that
            would fit.
        padding_share: float, share of an epoch's positions that hold padding.
    """

    def __init__(self, plan: BucketPlan, seed: int, lengths: list[dict]):
        self.shape = plan.shapes[-1]
        self.seed = seed
        self._check_room(plan, lengths)
        self.max_segments = self._most_segments(lengths)
        self._classes = [_length_classes(w) for w in lengths]
        self._rows = [self._pack(i, w) for i, w in enumerate(lengths)]
        self.num_batches = [
            -(-(int(rows.max(initial=-1)) + 1) // self.shape.rows)
            for rows in self._rows
        ]
        real = sum(
            int(w[name][rows >= 0].sum())
            for w, rows in zip(lengths, self._rows, strict=True)
            for name in _SIDES
        )
        positions = sum(self.num_batches) * self.shape.tokens
        self.padding_share = 1 - real / max(1, positions)

    def arrange(self, epoch: int, window: int) -> list[list[np.ndarray]]:
        """Returns the batches of a window in an epoch.

        Returns:
            List of batches; each is a list of rows; each is an int64 array of
            positions in the window.
        """
        slots = self._rows[window]
        examples = self._exchanged(epoch, window)
        kept = slots >= 0
        order = np.argsort(slots[kept], kind="stable")
        counts = np.bincount(slots[kept])
        rows = np.split(examples[kept][order], np.cumsum(counts)[:-1])
        shuffled = windows.permutation(
            len(rows), (self.seed, windows.BATCH_ORDER, epoch, window)
        )
        size = self.shape.rows
        return [
            [rows[i] for i in shuffled[start : start + size]]
            for start in range(0, len(rows), size)
        ]

    def fill(self, columns: Columns, batch: list[np.ndarray]) -> dict:
        """Returns the arrays of one arranged batch."""
        rows = np.repeat(np.arange(len(batch)), [len(row) for row in batch])
        segments = ranges([len(row) for row in batch])
        examples = np.concatenate(batch)
        ids = np.full((self.shape.rows, self.max_segments), -1, np.int64)
        ids[rows, segments] = columns.example_ids[examples]
        result = {"example_ids": ids}
        sizes = (self.shape.inputs_length, self.shape.targets_length)
        for name, size in zip(_SIDES, sizes, strict=True):
            shape = (self.shape.rows, size)
            result |= _packed_side(
                columns, name, shape, (rows, segments, examples)
            )
        return result

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

    def _pack(self, window: int, lengths: dict) -> np.ndarray:
        """Returns the row of each place of a window, int64, -1 for none."""
        order = windows.permutation(
            len(lengths["inputs"]), (self.seed, windows.PACK_ORDER, window)
        )
        room = (
            self.shape.inputs_length,
            self.shape.targets_length,
            self.max_segments,
        )
        rows = np.empty(len(order), np.int64)
        rows[order] = pack_rows(
            lengths["inputs"][order], lengths["targets"][order], room
        )
        return rows

    def _most_segments(self, lengths: list[dict]) -> int:
        longer = np.concatenate(
            [np.maximum(w["inputs"], w["targets"]) for w in lengths]
        )
        size = max(self.shape.inputs_length, self.shape.targets_length)
        return max(1, int(np.ceil(2 * size / longer.mean())))

    def _check_room(self, plan: BucketPlan, lengths: list[dict]) -> None:
        if all((plan.assign(w) < 0).all() for w in lengths):
            raise UserError(
                "no example is as short as the packed rows of"
                f" {self.shape.inputs_length} and {self.shape.targets_length}"
                " tokens: raise max_length"
            )


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

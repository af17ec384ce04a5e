"""Which examples share a row, so that few rows of few lengths hold them all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from t2t_lite.data.bucketing import BucketShape

# Row length at which attention doubles what a position costs: with hidden
# sizes of 128 and 256 on a CPU it was 340 and 1,150, more on larger models.
_ATTENTION_LENGTH = 1024
# Pairs of lengths that are told apart; more are rounded up to fewer.
_MAX_CLASSES = 8192


@dataclasses.dataclass(frozen=True)
class Rows:
    """Examples in rows.

    Attributes:
        of_example: int64 `(examples,)`, the row of each, -1 for none.
        shapes: int64 `(rows,)`, index of each row's shape.
    """

    of_example: np.ndarray
    shapes: np.ndarray


def row_cost(shape: BucketShape) -> float:
    """Returns what a row of a shape costs, in positions without attention."""
    positions = shape.inputs_length + shape.targets_length
    return positions * (1 + positions / 2 / _ATTENTION_LENGTH)


def fill_rows(
    lengths: Mapping[str, np.ndarray],
    shapes: Sequence[BucketShape],
    max_length: int | None = None,
) -> Rows:
    """Puts the examples that fit one of the shapes into rows.

    Every row begins with the longest example left; of those that still fit,
    the one that fills both sides most follows, in proportion to their room.
    All shapes are tried, and the row that costs least for what it holds is
    repeated while there are examples of the same lengths. A pure function of
    the arguments; examples of equal lengths can be exchanged.

    Args:
        lengths: "inputs" and "targets", int arrays `(n,)`.
        shapes: of the rows, by ascending size.
        max_length: optional int, longer examples are left out.
    """
    sides = np.stack([lengths["inputs"], lengths["targets"]], axis=1)
    rooms = np.array([[s.inputs_length, s.targets_length] for s in shapes])
    fits = (sides[:, None] <= rooms).all(axis=2).any(axis=1)
    if max_length is not None:
        fits &= sides.max(axis=1) <= max_length
    of_example = np.full(len(sides), -1, np.int64)
    kinds, members, counts = _classes(sides[fits].astype(np.int64), rooms)
    costs = np.array([row_cost(shape) for shape in shapes])
    patterns = list(_patterns(kinds, counts, rooms, costs))
    times = np.array([times for _, _, times in patterns], np.int64)
    first_rows = np.cumsum(times) - times
    # Every place in a row as (class, row), then by class, as the members are.
    places = [
        (np.repeat(classes, times), np.tile(np.arange(times), len(classes)))
        for _, classes, times in patterns
    ]
    classes = _joined([place[0] for place in places])
    sizes = [len(place[0]) for place in places]
    rows = _joined([place[1] for place in places])
    rows += np.repeat(first_rows, sizes)
    filled = np.empty(len(members), np.int64)
    filled[np.argsort(members, kind="stable")] = rows[
        np.argsort(classes, kind="stable")
    ]
    of_example[fits] = filled
    kinds_of_rows = np.array([shape for shape, _, _ in patterns], np.int64)
    return Rows(of_example, np.repeat(kinds_of_rows, times))


def _classes(sides: np.ndarray, rooms: np.ndarray):
    """Groups examples by their lengths, rounded up where there are too many.

    Returns:
        (int64 `(classes, 2)` lengths, the longest first; int64 `(n,)` class
        of each example; int64 `(classes,)` examples of each).
    """
    step, limit = 1, rooms.max(axis=0)
    while True:
        rounded = np.minimum(-(-sides // step) * step, limit)
        codes = rounded.sum(axis=1) * (limit[1] + 1) + rounded[:, 1]
        found, first, members, counts = np.unique(
            -codes, return_index=True, return_inverse=True, return_counts=True
        )
        if len(found) <= _MAX_CLASSES:
            return rounded[first], members.reshape(-1), counts
        step *= 2


def _patterns(kinds, counts, rooms, costs):
    """Yields (shape, classes of one row's examples, number of such rows)."""
    numbers, left = np.arange(len(counts)), counts.copy()
    while len(left):
        options = [
            (costs[i] / max(1, held), i, taken)
            for i, room in enumerate(rooms)
            if (kinds[0] <= room).all()
            for held, taken in [_fill(room, kinds, left)]
        ]
        _, shape, taken = min(options, key=lambda option: option[:2])
        used = np.flatnonzero(taken)
        times = int((left[used] // taken[used]).min())
        yield shape, np.repeat(numbers[used], taken[used]), times
        left[used] -= times * taken[used]
        some = left > 0
        if not some.all():
            kinds, left, numbers = kinds[some], left[some], numbers[some]


def _fill(room: np.ndarray, kinds: np.ndarray, left: np.ndarray):
    """Returns (tokens held, examples taken of each class) of one row."""
    taken = np.zeros(len(left), np.int64)
    size, index = room.sum(), 0
    while True:
        taken[index] += 1
        room = room - kinds[index]
        fits = (kinds <= room).all(axis=1) & (taken < left)
        if not fits.any():
            return size - room.sum(), taken
        index = int(np.where(fits, kinds @ room, -1).argmax())


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *arrays])

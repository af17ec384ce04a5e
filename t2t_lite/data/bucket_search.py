"""Finds the bounds of few length buckets that need the least padding."""

from __future__ import annotations

import numpy as np

# Bounds are chosen among at most this many lengths per side.
_MAX_CANDIDATES = 64


class Histogram:
    """Counts of (inputs, targets) lengths over few candidate bounds.

    Attributes:
        bounds: two int arrays, the candidate bounds of each side, ascending.
        counts: int64 `(inputs candidates, targets candidates)`.
    """

    def __init__(self, inputs: np.ndarray, targets: np.ndarray):
        sides = [inputs, targets]
        self.bounds = [_candidates(side) for side in sides]
        cells = [
            np.searchsorted(bounds, side)
            for bounds, side in zip(self.bounds, sides, strict=True)
        ]
        shape = tuple(len(bounds) for bounds in self.bounds)
        flat = np.ravel_multi_index(cells, shape)
        self.counts = np.bincount(flat, minlength=np.prod(shape)).reshape(shape)

    def lengths_of(
        self, shapes: list[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Returns (inputs, targets) bounds for pairs of candidate indices."""
        return [
            (int(self.bounds[0][i]), int(self.bounds[1][j])) for i, j in shapes
        ]

    def cost(self, shapes: list[tuple[int, int]]) -> float:
        """Returns the positions that all examples take in their best shapes.

        Args:
            shapes: pairs of candidate indices (inputs, targets).
        """
        cheapest = np.full(self.counts.shape, np.inf)
        for i, j in shapes:
            area = cheapest[: i + 1, : j + 1]
            np.minimum(area, self.bounds[0][i] + self.bounds[1][j], out=area)
        used = self.counts > 0
        return float((cheapest[used] * self.counts[used]).sum())


def best_chains(
    histogram: Histogram, max_shapes: int
) -> list[list[tuple[int, int]]]:
    """Returns the best chains of 1, 2, .. max_shapes shapes.

    In a chain each shape contains the one before; an example takes the first
    that holds it. With N(s) the number of examples that shape s holds and
    size(s) the sum of its two bounds, dynamic programming over shapes finds

        f[k, s] = min over r inside s of f[k - 1, r] + (N(s) - N(r)) size(s).

    Returns:
        Per number of shapes, a list of pairs of candidate indices (inputs,
        targets); fewer shapes where more do not help.
    """
    held = np.cumsum(np.cumsum(histogram.counts, axis=0), axis=1)
    cost = np.full((max_shapes, *held.shape), np.inf)
    back = np.full((max_shapes, *held.shape), -1, np.int64)
    for i, j in np.ndindex(*held.shape):
        size = int(histogram.bounds[0][i] + histogram.bounds[1][j])
        cost[:, i, j] = held[i, j] * size
        # r = s would read the cost that is being computed
        inside = cost[:-1, : i + 1, : j + 1].copy()
        inside[:, i, j] = np.inf
        inside -= held[: i + 1, : j + 1] * size
        flat = inside.reshape(max_shapes - 1, (i + 1) * (j + 1))
        saved = flat.min(axis=1, initial=np.inf)
        better = np.flatnonzero(saved < 0)
        cost[better + 1, i, j] += saved[better]
        back[better + 1, i, j] = flat[better].argmin(axis=1)
    return [_trace(back, k) for k in range(max_shapes)]


def _trace(back: np.ndarray, k: int) -> list[tuple[int, int]]:
    """Returns the chain of k + 1 shapes that ends in the largest shape."""
    i, j = (size - 1 for size in back.shape[1:])
    shapes = [(i, j)]
    while k > 0 and back[k, i, j] >= 0:
        # the pointer counts the shapes inside (i, j), row by row
        i, j = divmod(int(back[k, i, j]), j + 1)
        shapes.append((i, j))
        k -= 1
    return shapes[::-1]


def descend(histogram: Histogram, shapes: list[tuple[int, int]]):
    """Moves one bound of one shape at a time while that lowers the cost."""
    shapes, cost = list(shapes), histogram.cost(shapes)
    improved = True
    while improved:
        improved = False
        for i in range(len(shapes)):
            for moved in _moves(histogram, shapes[i]):
                trial = [*shapes[:i], moved, *shapes[i + 1 :]]
                trial_cost = histogram.cost(trial)
                if trial_cost < cost:
                    shapes, cost, improved = trial, trial_cost, True
    return shapes


def _moves(histogram: Histogram, shape: tuple[int, int]):
    """Returns the neighbours of a shape in candidate indices."""
    steps = (-4, -2, -1, 0, 1, 2, 4)
    rows, columns = histogram.counts.shape
    return [
        (shape[0] + di, shape[1] + dj)
        for di in steps
        for dj in steps
        if 0 <= shape[0] + di < rows and 0 <= shape[1] + dj < columns
    ]


def _candidates(lengths: np.ndarray) -> np.ndarray:
    """Returns at most 64 of the lengths, the largest included.

    Half of them are quantiles of the tokens; half are evenly spaced, so that
    a thin tail of long examples has bounds to choose from too.
    """
    distinct, counts = np.unique(lengths, return_counts=True)
    if len(distinct) <= _MAX_CANDIDATES:
        return distinct
    mass = np.cumsum(counts * distinct.astype(np.float64))
    parts = np.arange(1, _MAX_CANDIDATES // 2 + 1) / (_MAX_CANDIDATES // 2)
    chosen = np.concatenate(
        [
            np.searchsorted(mass, mass[-1] * parts),
            np.searchsorted(distinct, distinct[-1] * parts),
        ]
    )
    return distinct[np.unique(np.minimum(chosen, len(distinct) - 1))]

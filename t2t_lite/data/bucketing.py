"""Plans the few static shapes that batches come in, with little padding."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from t2t_lite.data import bucket_search
from t2t_lite.errors import UserError


@dataclasses.dataclass(frozen=True)
class BucketShape:
    """A static shape: inputs `(rows, inputs_length)`, targets likewise."""

    rows: int
    inputs_length: int
    targets_length: int

    @property
    def tokens(self) -> int:
        """Positions of both sides of one batch."""
        return self.rows * (self.inputs_length + self.targets_length)


@dataclasses.dataclass(frozen=True)
class BucketPlan:
    """The shapes of a data set's batches.

    Attributes:
        shapes: tuple of BucketShape, by ascending `inputs_length +
            targets_length`; the last one holds every example that is kept.
        padding_share: float in [0, 1], share of an epoch's positions (both
            sides, filler rows included) that hold padding.
        dropped: int, examples longer than `max_length` on either side.
        batch_tokens: int, limit of rows * max(inputs_length, targets_length).
        max_length: int, longest length kept, EOS included.
        row_multiple: int, rows are a multiple of it.
        packed: bool, a row may hold several examples.
    """

    shapes: tuple[BucketShape, ...]
    padding_share: float
    dropped: int
    batch_tokens: int
    max_length: int
    row_multiple: int = 1
    packed: bool = False

    def assign(self, lengths: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns the index of each example's cheapest shape, -1 for none.

        Args:
            lengths: "inputs" and "targets", int arrays `(n,)`.
        Returns:
            int32 array `(n,)`.
        """
        result = np.full(len(lengths["inputs"]), -1, np.int32)
        # Packed rows are longer than the longest example that is kept.
        most = self.max_length
        for i in reversed(range(len(self.shapes))):
            shape = self.shapes[i]
            fits = (lengths["inputs"] <= min(shape.inputs_length, most)) & (
                lengths["targets"] <= min(shape.targets_length, most)
            )
            result[fits] = i
        return result

    def describe(self) -> str:
        """Returns one line about the plan."""
        shapes = ", ".join(
            f"{s.rows}x({s.inputs_length}, {s.targets_length})"
            for s in self.shapes
        )
        return (
            f"{len(self.shapes)} batch shapes, rows x (inputs, targets):"
            f" {shapes}; {self.padding_share:.1%} padding;"
            f" {self.dropped} examples longer than {self.max_length} dropped"
        )


def plan_buckets(
    lengths: Mapping[str, np.ndarray],
    batch_tokens: int,
    max_length: int,
    max_shapes: int = 8,
    row_multiple: int = 1,
) -> BucketPlan:
    """Chooses at most `max_shapes` shapes that minimise padding.

    Inputs and targets have bounds of their own. Dynamic programming over the
    histogram of both lengths finds the best chain of shapes, each containing
    the one before; coordinate descent over all bounds, each example in its
    cheapest shape, may improve it. All of it is a pure function of the
    arguments.

    Args:
        lengths: "inputs" and "targets", int arrays `(n,)`, EOS included.
        batch_tokens: int, limit of rows * max(inputs_length, targets_length).
        max_length: int, examples longer than it on either side are dropped.
        max_shapes: int, at least 1; each costs a trace or a compilation.
        row_multiple: int, rows are a multiple of it (devices, micro-batches).
    Raises:
        UserError: no example is short enough, or one row of the longest
            example does not fit `batch_tokens`.
    """
    kept, dropped = kept_lengths(lengths, max_length)
    histogram = bucket_search.Histogram(kept["inputs"], kept["targets"])
    limits = (batch_tokens, row_multiple, len(kept["inputs"]), max_length)

    def plan_of(shapes) -> BucketPlan:
        return _plan(histogram.lengths_of(shapes), kept, dropped, limits)

    chains = bucket_search.best_chains(histogram, max_shapes)
    start = min(chains, key=lambda shapes: plan_of(shapes).padding_share)
    found = [start, bucket_search.descend(histogram, start)]
    return min(map(plan_of, found), key=lambda plan: plan.padding_share)


def promotions(plan: BucketPlan, counts: np.ndarray) -> list[int]:
    """Returns, per shape, the shape that takes its last, incomplete batch.

    Where a shape's number of examples is no multiple of its rows, the
    remainder may fill rows of a larger shape at less cost than a batch of its
    own with fillers.

    Args:
        plan: the plan; shapes ascend.
        counts: int array `(shapes,)`, examples per shape.
    Returns:
        One index per shape; its own index where the remainder stays.
    """
    counts = np.array(counts)
    takers = list(range(len(plan.shapes)))
    for i, shape in enumerate(plan.shapes):
        rest = counts[i] % shape.rows
        if not rest:
            continue
        costs = {i: shape.tokens}
        for j in range(i + 1, len(plan.shapes)):
            if _contains(plan.shapes[j], shape):
                costs[j] = _added_cost(plan.shapes[j], counts[j], rest)
        takers[i] = min(costs, key=lambda j: (costs[j], j))
        if takers[i] != i:
            counts[i] -= rest
            counts[takers[i]] += rest
    return takers


def promoted_counts(
    plan: BucketPlan, counts: np.ndarray, takers: list[int]
) -> np.ndarray:
    """Returns the examples per shape after `promotions`, int64 `(shapes,)`."""
    result = np.array(counts, np.int64)
    for i, taker in enumerate(takers):
        if taker != i:
            rest = result[i] % plan.shapes[i].rows
            result[i] -= rest
            result[taker] += rest
    return result


def batches_for(
    plan: BucketPlan, counts: np.ndarray
) -> tuple[list[int], np.ndarray]:
    """Returns (`promotions`, batches per shape after them, int64).

    Args:
        plan: the plan.
        counts: int array `(shapes,)`, rows that are needed of each shape.
    """
    takers = promotions(plan, counts)
    rows = np.array([shape.rows for shape in plan.shapes])
    return takers, -(-promoted_counts(plan, counts, takers) // rows)


def padding_share(
    plan: BucketPlan,
    batches: np.ndarray,
    lengths: Sequence[Mapping[str, np.ndarray]],
) -> float:
    """Returns the share of all batches' positions that hold padding.

    Args:
        plan: the plan.
        batches: int array `(shapes,)`, batches of each shape.
        lengths: "inputs" and "targets" of all examples in them, in parts.
    """
    positions = sum(
        int(number) * shape.tokens
        for number, shape in zip(batches, plan.shapes, strict=True)
    )
    real = sum(int(side.sum()) for part in lengths for side in part.values())
    return 1 - real / max(1, positions)


def rows_for(lengths: tuple[int, int], limits: tuple[int, int, int]) -> int:
    """Returns the rows of a shape.

    Args:
        lengths: (inputs_length, targets_length).
        limits: (batch_tokens, row_multiple, most rows that make sense).
    Raises:
        UserError: not one row fits.
    """
    batch_tokens, multiple, most = limits
    rows = batch_tokens // max(lengths) // multiple * multiple
    if not rows:
        raise UserError(
            f"batch_size={batch_tokens} tokens cannot hold {multiple} rows of"
            f" {max(lengths)} tokens: raise it to {multiple * max(lengths)} or"
            " lower max_length"
        )
    return min(rows, -(-most // multiple) * multiple)


def kept_lengths(lengths, max_length: int):
    """Returns the lengths of the examples kept and the number dropped."""
    inputs, targets = (
        np.asarray(lengths[name]) for name in ("inputs", "targets")
    )
    kept = np.maximum(inputs, targets) <= max_length
    if not kept.any():
        raise UserError(
            f"all {len(kept)} examples are longer than max_length={max_length}"
            " tokens: raise it"
        )
    return (
        {"inputs": inputs[kept], "targets": targets[kept]},
        int((~kept).sum()),
    )


def _plan(bounds, kept, dropped: int, limits) -> BucketPlan:
    """Returns the plan of the given bounds with its true padding share."""
    batch_tokens, multiple, most, max_length = limits
    shapes = tuple(
        BucketShape(rows_for(pair, (batch_tokens, multiple, most)), *pair)
        for pair in sorted(set(bounds), key=lambda pair: (sum(pair), pair))
    )
    plan = BucketPlan(shapes, 0.0, dropped, batch_tokens, max_length, multiple)
    counts = np.bincount(plan.assign(kept), minlength=len(shapes))
    _, batches = batches_for(plan, counts)
    share = padding_share(plan, batches, [kept])
    return dataclasses.replace(plan, padding_share=share)


def _contains(large: BucketShape, small: BucketShape) -> bool:
    return (
        large.inputs_length >= small.inputs_length
        and large.targets_length >= small.targets_length
    )


def _added_cost(shape: BucketShape, count: int, extra: int) -> int:
    """Returns the positions of the batches that `extra` more rows need."""
    more = -(-(count + extra) // shape.rows) - -(-count // shape.rows)
    return int(more) * shape.tokens

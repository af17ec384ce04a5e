"""Plans the row lengths of packed batches."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping

import numpy as np

from t2t_lite.data import bucketing, row_filling, windows
from t2t_lite.data.bucketing import BucketPlan, BucketShape
from t2t_lite.data.row_filling import row_cost

# A shape costs a compilation, and its last batch fillers.
_WORTH_A_SHAPE = 0.99
# Up to 8 devices, lanes or turns share a batch's rows without fillers.
_SHARED_BY = 8
# The update and other costs of any batch, as a share of a full one's tokens.
_EACH_BATCH = 0.1
_SAMPLE = 1024
_GROWTH = 2**0.25  # from one row length that is tried to the next

Pair = tuple[int, int]
Shapes = tuple[BucketShape, ...]


def plan_packing(
    lengths: Mapping[str, np.ndarray],
    batch_tokens: int,
    max_length: int,
    max_shapes: int = 8,
    row_multiple: int = 1,
) -> BucketPlan:
    """Chooses the shapes of batches whose rows hold several examples.

    The first shape's rows hold the longest example, or are up to twice as
    long; then shorter ones are added while each lowers the costs of an epoch
    by 1% or more. Costs count padding, fillers and the attention over long
    rows (`row_filling.row_cost`); what rows hold is tried on a sample of the
    examples. A pure function of the arguments.

    Args:
        lengths: "inputs" and "targets", int arrays `(n,)`, EOS included.
        batch_tokens: int, limit of rows * max(inputs_length, targets_length);
            rows are so long that they make the most of it.
        max_length: int, examples longer than it on either side are dropped.
        max_shapes: int, at least 1; each costs a trace or a compilation.
        row_multiple: int, rows are a multiple of it (devices, micro-batches),
            and of 8 times it where a batch has twice as many.
    Raises:
        UserError: no example is short enough, or `batch_tokens` cannot hold
            `row_multiple` rows as long as the longest example.
    """
    kept, dropped = bucketing.kept_lengths(lengths, max_length)
    longest = (int(kept["inputs"].max()), int(kept["targets"].max()))
    multiple = row_multiple
    if batch_tokens >= 2 * _SHARED_BY * multiple * max(longest):
        multiple *= _SHARED_BY
    limits = (batch_tokens, multiple, len(kept["inputs"]))
    cost = _cost_on_sample(kept, batch_tokens)
    long, short = _tried(kept, longest, limits)
    best = min([_shapes([pair], limits) for pair in long], key=cost)
    while len(best) < max_shapes:
        pairs = [(s.inputs_length, s.targets_length) for s in best]
        more = [_shapes([*pairs, p], limits) for p in short if p not in pairs]
        found = min(more, key=cost, default=best)
        if cost(found) >= _WORTH_A_SHAPE * cost(best):
            break
        best = found
    facts = (0.0, dropped, batch_tokens, max_length, row_multiple)
    plan = BucketPlan(best, *facts, packed=True)
    return dataclasses.replace(plan, padding_share=_padding(plan, kept))


def _shapes(pairs: list[Pair], limits) -> Shapes:
    return tuple(
        BucketShape(bucketing.rows_for(pair, limits), *pair)
        for pair in sorted(pairs, key=lambda pair: (sum(pair), pair))
    )


def _tried(kept, longest: Pair, limits) -> tuple[list[Pair], list[Pair]]:
    """Returns the row lengths that may hold all examples, and shorter ones.

    They grow from the mean example to twice the longest. Both sides are as
    long as their shares of the tokens ask for.
    """
    totals = [kept["inputs"].sum(), kept["targets"].sum()]
    shares = np.maximum(totals, 1) / max(*totals, 1)
    long, short = [], []
    size = max(totals) / len(kept["inputs"])
    while size <= 2 * max(longest):
        pair = _snapped(size, shares, limits)
        size *= _GROWTH
        if pair is None:
            break
        if pair[0] >= longest[0] and pair[1] >= longest[1]:
            long.append(pair)
        elif max(pair) < max(longest):
            short.append(tuple(map(min, pair, longest)))
    return sorted({longest, *long}), sorted(set(short))


def _snapped(size: float, shares: np.ndarray, limits) -> Pair | None:
    """Returns the longest sides with as many rows as `size` allows, or None."""
    batch_tokens, multiple, _ = limits
    rows = int(batch_tokens // np.ceil(size)) // multiple * multiple
    if not rows:
        return None
    sides = np.maximum(1, np.rint(batch_tokens // rows * shares).astype(int))
    return int(sides[0]), int(sides[1])


def _cost_on_sample(kept, batch_tokens: int) -> Callable[[Shapes], float]:
    """Returns a function of shapes: an epoch's cost, told by a sample."""
    number = len(kept["inputs"])
    chosen = windows.permutation(number, (windows.ROW_SAMPLE,))[:_SAMPLE]
    sample = {name: side[chosen] for name, side in kept.items()}

    @functools.cache
    def cost(shapes: Shapes) -> float:
        rows = row_filling.fill_rows(sample, shapes)
        counts = np.bincount(rows.shapes, minlength=len(shapes))
        return sum(
            math.ceil(count * number / len(chosen) / shape.rows)
            * (_EACH_BATCH * 2 * batch_tokens + shape.rows * row_cost(shape))
            for count, shape in zip(counts, shapes, strict=True)
        )

    return cost


def _padding(plan: BucketPlan, kept) -> float:
    """Returns the padding share of an epoch in one window."""
    rows = row_filling.fill_rows(kept, plan.shapes)
    counts = np.bincount(rows.shapes, minlength=len(plan.shapes))
    _, batches = bucketing.batches_for(plan, counts)
    return bucketing.padding_share(plan, batches, [kept])

import itertools

import numpy as np
import pytest

from t2t_lite.data import BucketShape, bucketing, plan_buckets
from t2t_lite.data.bucket_search import Histogram, best_chains
from t2t_lite.errors import UserError


def _lengths(size=2000, longest=60, seed=0):
    rng = np.random.default_rng(seed)
    inputs = np.clip(rng.gamma(4, 5, size).astype(int), 1, longest)
    targets = np.clip(inputs + rng.integers(-3, 5, size), 1, longest)
    return {"inputs": inputs, "targets": targets}


@pytest.mark.parametrize("max_shapes", [1, 3, 8])
@pytest.mark.parametrize("row_multiple", [1, 8])
def test_shapes_keep_their_limits(max_shapes, row_multiple):
    plan = plan_buckets(_lengths(), 1024, 50, max_shapes, row_multiple)
    assert 1 <= len(plan.shapes) <= max_shapes
    sizes = [
        shape.inputs_length + shape.targets_length for shape in plan.shapes
    ]
    assert sizes == sorted(sizes)
    for shape in plan.shapes:
        longer = max(shape.inputs_length, shape.targets_length)
        assert shape.rows * longer <= 1024
        assert (shape.rows + row_multiple) * longer > 1024
        assert shape.rows % row_multiple == 0


def test_every_kept_example_fits_its_cheapest_shape():
    lengths = _lengths()
    plan = plan_buckets(lengths, 1024, 40, 5)
    assigned = plan.assign(lengths)
    pairs = zip(lengths["inputs"], lengths["targets"], assigned, strict=True)
    for first, second, index in pairs:
        fitting = [
            i
            for i, shape in enumerate(plan.shapes)
            if shape.inputs_length >= first and shape.targets_length >= second
        ]
        assert index == (fitting[0] if fitting else -1)
        assert bool(fitting) == (max(first, second) <= 40)
    assert plan.dropped == (assigned < 0).sum() > 0


def test_more_shapes_mean_less_padding():
    shares = [
        plan_buckets(_lengths(20000), 1024, 60, n).padding_share
        for n in (1, 2, 4, 8)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 2 * shares[-1]


def test_padding_share_of_a_literal_plan():
    lengths = {"inputs": np.array([2, 2, 4]), "targets": np.array([2, 2, 4])}
    plan = plan_buckets(lengths, 4, 9, 2)
    assert plan.shapes == (BucketShape(2, 2, 2), BucketShape(1, 4, 4))
    assert plan.padding_share == 0
    plan = plan_buckets(lengths, 4, 9, 1)
    assert plan.shapes == (BucketShape(1, 4, 4),)
    assert plan.padding_share == pytest.approx(1 - 16 / 24)


def test_outlier_does_not_cost_a_batch_of_its_own():
    lengths = {"inputs": np.array([5] * 100 + [50]), "targets": None}
    lengths["targets"] = lengths["inputs"]
    plan = plan_buckets(lengths, 500, 60, 8)
    assert plan.shapes[-1].inputs_length == 50
    assert plan.dropped == 0


def test_chain_is_the_best_of_all_chains():
    rng = np.random.default_rng(1)
    histogram = Histogram(rng.integers(1, 6, 40), rng.integers(1, 6, 40))
    cells = list(itertools.product(*map(range, histogram.counts.shape)))
    for number, found in enumerate(best_chains(histogram, 3), 1):
        costs = [
            histogram.cost(shapes)
            for shapes in itertools.combinations(cells, number)
            if all(
                small[0] <= large[0] and small[1] <= large[1]
                for small, large in itertools.pairwise(shapes)
            )
        ]
        assert len(found) == number
        assert histogram.cost(found) == min(costs)


def test_no_bucket_is_wasted_on_a_thin_tail():
    rng = np.random.default_rng(2)
    inputs = np.clip(rng.gamma(3, 10, 50000).astype(int) + 2, 2, 400)
    targets = np.clip(inputs + rng.integers(-2, 3, 50000), 2, 400)
    plan = plan_buckets({"inputs": inputs, "targets": targets}, 4096, 256, 8)
    assert plan.padding_share < 0.18
    lengths = [shape.inputs_length for shape in plan.shapes]
    assert lengths == sorted(lengths)


def test_plan_is_a_pure_function():
    first, second = (plan_buckets(_lengths(), 512, 60, 6) for _ in range(2))
    assert first == second


def test_many_lengths_are_planned_by_quantiles():
    rng = np.random.default_rng(0)
    long = {name: rng.integers(1, 5000, 3000) for name in ("inputs", "targets")}
    plan = plan_buckets(long, 65536, 5000, 4)
    assert plan.dropped == 0
    assert (plan.assign(long) >= 0).all()


def test_promotion_fills_free_rows_of_a_larger_shape():
    shapes = (BucketShape(10, 2, 2), BucketShape(5, 4, 4))
    plan = bucketing.BucketPlan(shapes, 0.0, 0, 20, 4)
    counts = np.array([12, 3])
    takers = bucketing.promotions(plan, counts)
    assert takers == [1, 1]
    assert bucketing.promoted_counts(plan, counts, takers).tolist() == [10, 5]
    # 6 left over would need two more batches of the large shape: they stay
    assert bucketing.promotions(plan, np.array([16, 5])) == [0, 1]


def test_promotion_needs_a_shape_that_contains():
    shapes = (BucketShape(10, 3, 1), BucketShape(5, 2, 4))
    plan = bucketing.BucketPlan(shapes, 0.0, 0, 20, 4)
    assert bucketing.promotions(plan, np.array([11, 4])) == [0, 1]


def test_too_long_and_too_small():
    with pytest.raises(UserError, match="all 2000 examples are longer than"):
        plan_buckets(_lengths(), 512, 0)
    with pytest.raises(
        UserError,
        match=r"batch_size=100 tokens cannot hold 4 rows of 60 tokens: raise"
        r" it to 240 or lower max_length",
    ):
        plan_buckets(_lengths(), 100, 60, 8, 4)


def test_description():
    plan = plan_buckets(_lengths(), 1024, 50, 2)
    assert plan.describe().startswith(
        "2 batch shapes, rows x (inputs, targets)"
    )
    assert f"{plan.dropped} examples longer than 50 dropped" in plan.describe()

"""Rows of several examples: the rows, their plan, and their batches."""

import collections

import numpy as np
import pytest

from t2t_lite.data import (
    BucketShape,
    TrainBatches,
    plan_buckets,
    plan_packing,
    prepare,
)
from t2t_lite.data.packing import PackedArranger
from t2t_lite.data.row_filling import fill_rows
from t2t_lite.errors import UserError
from tests.data.fake import FakeProblem, quiet

SIDES = ("inputs", "targets")


def _lengths(size=3000, longest=60, seed=0):
    rng = np.random.default_rng(seed)
    inputs = np.clip(rng.gamma(4, 5, size).astype(int), 1, longest)
    targets = np.clip(inputs + rng.integers(-3, 5, size), 1, longest)
    return {"inputs": inputs, "targets": targets}


def test_rows_of_a_literal_case():
    lengths = {
        "inputs": np.array([3, 3, 2, 9, 2]),
        "targets": np.array([1, 1, 4, 1, 1]),
    }
    rows = fill_rows(lengths, [BucketShape(1, 5, 5)])
    assert rows.of_example.tolist() == [1, 2, 0, -1, 0] or (
        rows.of_example.tolist() == [0, 1, 0, -1, 1]
    )


def test_a_short_row_is_taken_where_it_wastes_less():
    lengths = {name: np.array([4, 4, 7, 3]) for name in SIDES}
    shapes = [BucketShape(1, 4, 4), BucketShape(1, 10, 10)]
    rows = fill_rows(lengths, shapes)
    assert rows.of_example[2] == rows.of_example[3]
    assert rows.shapes[rows.of_example].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_hold_every_fitting_example_in_their_room(seed):
    lengths = _lengths(seed=seed)
    shapes = [BucketShape(1, 20, 21), BucketShape(1, 50, 52)]
    rows = fill_rows(lengths, shapes)
    fits = (lengths["inputs"] <= 50) & (lengths["targets"] <= 52)
    assert (~fits).any()
    np.testing.assert_array_equal(rows.of_example >= 0, fits)
    used = np.bincount(rows.of_example[fits], minlength=len(rows.shapes))
    assert used.min() >= 1
    for name, room in (("inputs", [20, 50]), ("targets", [21, 52])):
        held = np.bincount(rows.of_example[fits], lengths[name][fits])
        assert (held <= np.array(room)[rows.shapes]).all()


def test_many_lengths_are_rounded_up_and_still_fit(monkeypatch):
    monkeypatch.setattr("t2t_lite.data.row_filling._MAX_CLASSES", 50)
    lengths = _lengths()
    rows = fill_rows(lengths, [BucketShape(1, 60, 60)])
    assert (rows.of_example >= 0).all()
    for name in SIDES:
        assert np.bincount(rows.of_example, lengths[name]).max() <= 60
    held = sum(lengths[name].sum() for name in SIDES)
    assert held > 0.85 * 120 * len(rows.shapes)


def test_nothing_to_put_into_rows():
    lengths = {name: np.array([7, 8]) for name in SIDES}
    rows = fill_rows(lengths, [BucketShape(1, 5, 5)])
    assert rows.of_example.tolist() == [-1, -1]
    assert rows.shapes.tolist() == []


@pytest.mark.parametrize("max_shapes", [1, 2, 8])
@pytest.mark.parametrize("row_multiple", [1, 3])
def test_plan_keeps_its_limits(max_shapes, row_multiple):
    lengths = _lengths()
    plan = plan_packing(lengths, 2048, 50, max_shapes, row_multiple)
    assert plan.packed
    assert 1 <= len(plan.shapes) <= max_shapes
    assert plan.dropped == (np.maximum(*lengths.values()) > 50).sum() > 0
    for shape in plan.shapes:
        longer = max(shape.inputs_length, shape.targets_length)
        assert 0.75 * 2048 < shape.rows * longer <= 2048
        assert shape.rows % row_multiple == 0
        assert shape.rows % 8 == 0 or row_multiple == 3
    assert plan.shapes[-1].inputs_length >= 50
    assert plan.shapes[-1].targets_length >= 50
    assert plan == plan_packing(lengths, 2048, 50, max_shapes, row_multiple)


def test_more_shapes_cost_less():
    """Shorter rows are added while they save attention or padding."""
    one, more = (plan_packing(_lengths(20000), 2048, 60, n) for n in (1, 8))
    assert len(more.shapes) > 1
    assert max(more.padding_share, one.padding_share) < 0.02
    assert more.shapes[0].inputs_length < 0.6 * one.shapes[0].inputs_length


def test_packing_wastes_less_than_as_many_shapes_without():
    lengths = _lengths(20000)
    packed = plan_packing(lengths, 4096, 60)
    alone = plan_buckets(lengths, 4096, 60)
    assert packed.padding_share < 0.2 * alone.padding_share


def test_examples_of_one_length_fill_rows_of_it():
    lengths = {"inputs": np.full(960, 7), "targets": np.full(960, 9)}
    plan = plan_packing(lengths, 256, 32)
    assert plan.shapes == (BucketShape(24, 7, 9),)
    assert plan.padding_share == 0


def test_too_long_and_too_small():
    with pytest.raises(UserError, match="all 3000 examples are longer than"):
        plan_packing(_lengths(), 512, 0)
    with pytest.raises(
        UserError, match=r"batch_size=50 tokens cannot hold 1 rows of 60 tokens"
    ):
        plan_packing(_lengths(), 50, 60)


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("data"))
    problem = FakeProblem(2000)
    return prepare(problem, "bpe", 300, folder, num_shards=8, log=quiet).split(
        "train"
    )


@pytest.fixture(scope="module")
def plan(split):
    return plan_packing(split.lengths, 1000, 100, max_shapes=3)


@pytest.mark.parametrize("window_tokens", [1 << 26, 20000])
def test_batches_hold_each_pair_once(split, plan, window_tokens):
    columns = split.load()
    batches = TrainBatches(split, plan, 2, window_tokens)
    shapes = {(s.rows, s.inputs_length, s.targets_length) for s in plan.shapes}
    seen = []
    for step in range(batches.batches_per_epoch()):
        batch = batches.batch(step)
        rows = len(batch["example_ids"])
        assert (rows, *(batch[name].shape[1] for name in SIDES)) in shapes
        for row, ids in enumerate(batch["example_ids"]):
            seen.extend(i for i in ids if i >= 0)
            _check_row(batch, row, ids, columns)
    kept = np.flatnonzero(plan.assign(split.lengths) >= 0)
    assert sorted(seen) == kept.tolist()


def _check_row(batch, row, ids, columns):
    """A row is its examples one after the other, then zeros."""
    ids = ids[ids >= 0]
    for name in SIDES:
        expected = [columns.row(name, i) for i in ids]
        segments = [np.full(len(r), s + 1) for s, r in enumerate(expected)]
        positions = [np.arange(len(r)) for r in expected]
        parts = (("", expected), ("_segments", segments))
        for ending, arrays in (*parts, ("_positions", positions)):
            found = batch[name + ending][row]
            assert found.dtype == np.int32
            joined = np.concatenate([*arrays, np.zeros(0)])
            np.testing.assert_array_equal(found[: len(joined)], joined)
            assert not found[len(joined) :].any()


def test_rows_differ_by_epoch_and_seed():
    lengths = _lengths()
    plan = plan_packing(lengths, 2048, 60)

    def rows(seed, epoch):
        batches = PackedArranger(plan, seed, [lengths]).arrange(epoch, 0)
        members = [row for _, rows in batches for row in rows]
        assert sorted(np.concatenate(members)) == list(range(3000))
        return {frozenset(row.tolist()) for row in members}

    first = rows(1, 0)
    assert first == rows(1, 0)
    for other in (rows(1, 1), rows(2, 0)):
        assert len(first & other) < len(first) / 10


@pytest.mark.parametrize("window_tokens", [1 << 26, 20000])
def test_padding_share_is_what_an_epoch_shows(split, plan, window_tokens):
    batches = TrainBatches(split, plan, 2, window_tokens)
    total, padding = collections.Counter(), collections.Counter()
    for step in range(batches.batches_per_epoch()):
        batch = batches.batch(step)
        for name in SIDES:
            total[name] += batch[name].size
            padding[name] += (batch[f"{name}_segments"] == 0).sum()
    share = sum(padding.values()) / sum(total.values())
    assert batches.padding_share == pytest.approx(share)
    if window_tokens > 1e6:
        assert plan.padding_share == pytest.approx(share)
        assert share < 0.08


def test_batches_mix_lengths(split, plan):
    """Unlike buckets', a packed batch has short and long examples."""

    def spread(plan):
        batches = TrainBatches(split, plan, 2)
        lengths = split.lengths["targets"]
        means = []
        for step in range(batches.batches_per_epoch()):
            ids = batches.batch(step)["example_ids"]
            means.append(lengths[ids[ids >= 0]].mean())
        return np.std(means) / lengths.std()

    assert spread(plan) < 0.4 * spread(plan_buckets(split.lengths, 1000, 100))

import numpy as np
import pytest

from t2t_lite.data import (
    EOS_ID,
    TrainBatches,
    eval_batches,
    plan_buckets,
    plan_packing,
    prepare,
)
from t2t_lite.data.windows import group_shards, permutation
from t2t_lite.errors import UserError
from tests.data.fake import FakeProblem, quiet

SIDES = ("inputs", "targets")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    data_dir = str(tmp_path_factory.mktemp("data"))
    problem = FakeProblem(2000)
    return prepare(problem, "bpe", 300, data_dir, num_shards=8, log=quiet)


@pytest.fixture(scope="module")
def split(data):
    return data.split("train")


@pytest.fixture(scope="module")
def columns(split):
    return split.load()


@pytest.fixture(scope="module")
def plan(split):
    return plan_buckets(split.lengths, 1000, 70, 4)


def _train(split, plan, window_tokens=1 << 26, **options):
    return TrainBatches(split, plan, window_tokens=window_tokens, **options)


def _assert_same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def _check_shape(batch, plan):
    shapes = {(s.rows, s.inputs_length, s.targets_length) for s in plan.shapes}
    rows = len(batch["example_ids"])
    assert (rows, *(batch[n].shape[1] for n in SIDES)) in shapes


def _check_rows(batch, columns):
    """Each row is its example, then zeros."""
    ids = batch["example_ids"]
    assert ids.dtype == np.int64
    for name in SIDES:
        assert batch[name].dtype == np.int32
        for row, example in zip(batch[name], ids, strict=True):
            if example < 0:
                assert not row.any()
                continue
            expected = columns.row(name, example)
            np.testing.assert_array_equal(row[: len(expected)], expected)
            assert expected[-1] == EOS_ID
            assert not row[len(expected) :].any()


@pytest.mark.parametrize("window_tokens", [1 << 26, 20000])
def test_each_example_exactly_once_per_epoch(
    split, columns, plan, window_tokens
):
    batches = _train(split, plan, window_tokens, seed=3)
    assert plan.dropped > 0
    kept = set(np.flatnonzero(plan.assign(split.lengths) >= 0))
    step, orders = 0, []
    for epoch in range(3):
        seen = []
        for _ in range(batches.batches_per_epoch(epoch)):
            assert batches.epoch_of(step) == epoch
            batch = batches.batch(step)
            if epoch == 0:
                _check_shape(batch, plan)
                _check_rows(batch, columns)
            seen.extend(i for i in batch["example_ids"] if i >= 0)
            step += 1
        assert len(seen) == len(kept)
        assert set(seen) == kept
        orders.append(seen)
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("window_tokens", [1 << 26, 20000])
def test_batch_is_a_pure_function_of_the_step(split, pack, window_tokens):
    planner = plan_packing if pack else plan_buckets
    plan = planner(split.lengths, 1000, 100)
    first = _train(split, plan, window_tokens, seed=1)
    second = _train(split, plan, window_tokens, seed=1)
    steps = range(2 * first.batches_per_epoch())
    forward = [first.batch(step) for step in steps]
    shuffled = np.random.default_rng(0).permutation(len(steps))[:40]
    for step in shuffled:
        _assert_same(second.batch(int(step)), forward[step])
        _assert_same(first.batch(int(step)), forward[step])


def test_another_seed_gives_another_order(split, plan):
    first, second = (_train(split, plan, seed=seed) for seed in (0, 1))
    ids = [b.batch(0)["example_ids"].tolist() for b in (first, second)]
    assert ids[0] != ids[1]


def test_order_is_the_same_in_every_version():
    """Literal: a resumed run depends on it."""
    assert permutation(8, (1, 2, 3)).tolist() == [5, 2, 4, 7, 1, 6, 3, 0]
    assert permutation(0, (1,)).tolist() == []
    assert permutation(8, (1, 2)).tolist() != permutation(8, (1, 2, 0)).tolist()


def test_few_fillers(split, plan):
    batches = _train(split, plan, seed=0)
    ids = np.concatenate(
        [
            batches.batch(step)["example_ids"]
            for step in range(batches.batches_per_epoch())
        ]
    )
    assert (ids < 0).mean() < 0.05
    _, counts = np.unique(ids[ids >= 0], return_counts=True)
    assert (counts == 1).all()


def test_padding_share_is_what_an_epoch_shows(split, plan):
    batches = _train(split, plan, seed=0)
    zeros = total = 0
    for step in range(batches.batches_per_epoch()):
        batch = batches.batch(step)
        for name in SIDES:
            zeros += (batch[name] == 0).sum()
            total += batch[name].size
    assert batches.padding_share == pytest.approx(zeros / total)
    assert plan.padding_share == pytest.approx(zeros / total)


def test_windows_hold_at_most_their_tokens(split):
    totals = sum(split.lengths.values())
    tokens = np.array([part.sum() for part in np.split(totals, 8)])
    limit = int(tokens.max() * 2.5)
    windows = group_shards(split, 5, limit)
    assert sorted(i for window in windows for i in window) == list(range(8))
    assert len(windows) > 2
    assert all(tokens[window].sum() <= limit for window in windows)
    assert windows != group_shards(split, 6, limit)
    assert group_shards(split, 5, 1) != windows
    assert all(len(window) == 1 for window in group_shards(split, 5, 1))


def test_at_most_two_windows_are_read_again_and_again(split, plan, monkeypatch):
    loads = []
    load = type(split).load
    monkeypatch.setattr(
        type(split),
        "load",
        lambda self, shards: loads.append(shards) or load(self, shards),
    )
    batches = _train(split, plan, 20000, seed=0)
    assert loads == []
    for step in range(batches.batches_per_epoch()):
        batches.batch(step)
    assert len(loads) == len(group_shards(split, 0, 20000))


def test_no_example_is_short_enough(split, plan):
    import dataclasses

    tiny = dataclasses.replace(plan.shapes[0], inputs_length=1)
    none = dataclasses.replace(plan, shapes=(tiny,))
    for packed in (False, True):
        with pytest.raises(UserError, match="raise"):
            _train(split, dataclasses.replace(none, packed=packed), seed=0)


@pytest.mark.parametrize("limit", [None, 33, 0])
def test_eval_batches_show_each_example_once(data, plan, limit):
    split = data.split("validation")
    columns = split.load()
    batches = eval_batches(split, plan, limit)
    ids = [i for b in batches for i in b["example_ids"] if i >= 0]
    assert sorted(ids) == list(range(50 if limit is None else limit))
    for batch in batches:
        _check_rows(batch, columns)


def test_eval_batches_keep_examples_that_are_too_long(data):
    split = data.split("validation")
    fitting = plan_buckets(split.lengths, 400, 120, 2, row_multiple=2)
    for batch in eval_batches(split, fitting):
        _check_shape(batch, fitting)
    plan = plan_buckets(split.lengths, 400, 30, 2, row_multiple=2)
    assert plan.dropped > 0
    batches = eval_batches(split, plan)
    ids = [i for b in batches for i in b["example_ids"] if i >= 0]
    assert sorted(ids) == list(range(50))
    extra = batches[-1]
    assert extra["inputs"].shape[0] % 2 == 0
    assert all(extra[name].shape[1] % 16 == 0 for name in SIDES)
    columns = split.load()
    for row, i in zip(extra["targets"], extra["example_ids"], strict=True):
        expected = columns.row("targets", i) if i >= 0 else []
        np.testing.assert_array_equal(row[row > 0], expected)

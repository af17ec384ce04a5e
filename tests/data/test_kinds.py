"""Prepared data of images, audio, labels, tags and texts alone."""

import numpy as np
import pytest

from t2t_lite.data import open_prepared
from t2t_lite.data.arranging import SIDES
from t2t_lite.data.batching import eval_batches
from t2t_lite.data.bucketing import plan_buckets
from t2t_lite.errors import UserError
from tests.data import kinds
from tests.data.kinds import COUNTS, KINDS, Images, Labels, Speech, Tags, Texts


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def found(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return kinds.prepared(request.param, folder, num_shards=2)


def _of(kind, tmp_path):
    problem, data = kinds.prepared(kind, tmp_path)
    return problem, data.split("validation")


def test_opened_again_it_is_the_same_task(found):
    problem, data = found
    again = open_prepared(data.folder)
    assert again.task == data.task == problem.task(259)
    again.check()
    counts = {name: data.split(name).num_examples for name in data.splits}
    assert counts == COUNTS


def test_numbers_come_back(found):
    problem, data = found
    for name in data.splits:
        split = data.split(name)
        expected = problem.encode_batch(
            list(problem.examples(name)), data.encoder
        )
        columns = split.load()
        for side in SIDES:
            rows = expected.get(side)
            unit = data.task.unit(side)
            for i in range(COUNTS[name]):
                row = columns.row(side, i)
                wanted = rows[i] if rows is not None else np.zeros(0, np.int32)
                np.testing.assert_array_equal(row, wanted)
                assert split.lengths[side][i] == -(-len(wanted) // unit)
                assert columns.lengths(side)[i] == split.lengths[side][i]


def test_batches_hold_them_whole(found):
    _, data = found
    split = data.split("train")
    plan = plan_buckets(split.lengths, 64, 64, 3)
    rows = {}
    for batch in eval_batches(split, plan):
        for i, number in enumerate(batch["example_ids"]):
            if number >= 0:
                rows[int(number)] = {side: batch[side][i] for side in SIDES}
    columns = split.load()
    assert sorted(rows) == list(range(COUNTS["train"]))
    for number, row in rows.items():
        for side in SIDES:
            values = columns.row(side, number)
            np.testing.assert_array_equal(row[side][: len(values)], values)
            assert not row[side][len(values) :].any()
            assert len(row[side]) % data.task.unit(side) == 0


def test_sources_are_what_a_predictor_is_given(found):
    problem, data = found
    split = data.split("validation")
    sources = split.sources()
    examples = list(problem.examples("validation"))
    side = "targets" if isinstance(problem, Texts) else "inputs"
    for source, example in zip(sources, examples, strict=True):
        np.testing.assert_array_equal(source, example[side])
        if not isinstance(source, str):
            assert source.dtype == example[side].dtype
    assert len(split.sources(2)) == 2


def test_texts_of_a_side_that_is_no_text(tmp_path):
    _, split = _of(Images, tmp_path)
    assert split.texts("targets") == ["a", "b", "a", "b"]
    with pytest.raises(UserError, match="holds no text 'inputs'"):
        split.texts("inputs")


def test_a_side_that_is_not_there_is_empty(tmp_path):
    _, split = _of(Texts, tmp_path)
    assert split.feature_names == ("targets",)
    assert split.lengths["inputs"].tolist() == [0] * COUNTS["validation"]
    assert split.load().padded("inputs", np.arange(2), (2, 1)).tolist() == [
        [0],
        [0],
    ]


def test_audio_counts_in_units(tmp_path):
    _, split = _of(Speech, tmp_path)
    assert split.task.unit("inputs") == 10
    assert split.lengths["inputs"].tolist() == [2, 3, 5, 6]


def test_an_image_counts_as_one(tmp_path):
    _, split = _of(Images, tmp_path)
    assert split.lengths["inputs"].tolist() == [1] * COUNTS["validation"]
    assert split.lengths["targets"].tolist() == [1] * COUNTS["validation"]


def test_tags_are_as_many_as_ids(tmp_path):
    _, split = _of(Tags, tmp_path)
    np.testing.assert_array_equal(
        split.lengths["inputs"], split.lengths["targets"]
    )


def test_long_examples_fill_more_files(tmp_path):
    class Long(Labels):
        """At most four a file."""

        largest_shard = 4

    _, data = kinds.prepared(Long, tmp_path)
    assert data.split("train").shard_sizes == (3, 3, 3)
    assert data.split("validation").shard_sizes == (4,)


def test_another_label_is_refused_before_anything_is_written(tmp_path):
    class Wrong(Labels):
        """Its last label is none."""

        def example(self, rng, i):
            return {"inputs": "x", "targets": "d" if i == 8 else "a"}

    with pytest.raises(UserError, match=r"kind: no label 'd' .did you mean"):
        kinds.prepared(Wrong, tmp_path)
    assert not list(tmp_path.rglob("manifest.json"))

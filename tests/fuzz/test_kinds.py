"""Damaged data of other kinds than text: every hash agrees, and nothing else.

Numbers out of bounds, lengths that no image, label or row of tags has, and
tasks that the data are not of.
"""

import gzip
import io
import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import strategies as st

from t2t_lite.data import manifest as manifests
from t2t_lite.data import open_prepared
from t2t_lite.data.records import block_of
from t2t_lite.errors import UserError
from tests.data import kinds
from tests.data.kinds import COUNTS, KINDS, Images, Labels, Speech, Tags, Texts
from tests.fuzz import counting, folders, mutations

SPLIT = "validation"


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Prepared folders by kind."""
    return {
        kind: kinds.prepared(kind, tmp_path_factory.mktemp("data"))[1].folder
        for kind in KINDS
    }


@pytest.fixture
def copy(originals, tmp_path):
    """Returns a function: a folder of a kind, and its manifest."""

    def make(kind):
        folder = shutil.copytree(originals[kind], tmp_path / kind.__name__)
        content = (folder / manifests.MANIFEST_FILE).read_text()
        return str(folder), json.loads(content)

    return make


def _rows(kind, folder):
    """Returns the numbers of the split by side."""
    columns = open_prepared(folder).split(SPLIT).load()
    return {
        side: [columns.row(side, i).copy() for i in range(COUNTS[SPLIT])]
        for side in open_prepared(folder).split(SPLIT).feature_names
    }


def _put(folder, manifest, rows):
    """Writes numbers as the split's only shard, with lengths that agree."""
    entry = manifest["splits"][SPLIT]
    (shard,) = entry["shards"]
    content = gzip.compress(folders.record(block_of(rows, {})))
    folders.replace(folder, manifest, shard, content)
    names = manifest["features"]
    table = [[len(row) for row in rows[name]] for name in names]
    buffer = io.BytesIO()
    np.save(buffer, np.array(table, np.int32), allow_pickle=False)
    folders.replace(folder, manifest, entry["lengths"], buffer.getvalue())


def _use(folder):
    """Reads a folder as a run does."""
    data = open_prepared(folder)
    data.check()
    for name in data.splits:
        split = data.split(name)
        columns = split.load()
        sources = split.sources()
        assert len(sources) == len(columns) == split.num_examples
        for side in ("inputs", "targets"):
            np.testing.assert_array_equal(
                columns.lengths(side), split.lengths[side]
            )
            longest = int(split.lengths[side].max())
            assert longest * data.task.unit(side) < 1 << 28
            columns.padded(side, np.arange(2), (2, max(longest, 1)))


def _use_numbers(folder):
    """Reads the numbers alone: what `_put` writes has no texts."""
    split = open_prepared(folder).split(SPLIT)
    split.load()


@pytest.mark.parametrize("kind", KINDS)
def test_undamaged(kind, copy):
    folder, manifest = copy(kind)
    _use(folder)
    _put(folder, manifest, _rows(kind, folder))
    _use_numbers(folder)


@pytest.mark.parametrize(
    ("kind", "side", "number", "message"),
    [
        (Labels, "inputs", 259, "inputs have ids outside of 0..258"),
        (Labels, "targets", 0, "targets have ids outside of 1..3"),
        (Labels, "targets", 4, "targets have ids outside of 1..3"),
        (Tags, "targets", 4, "targets have ids outside of 0..3"),
        (Tags, "targets", -1, "targets have ids outside of 0..3"),
        (Texts, "targets", 259, "targets have ids outside of 0..258"),
        (Images, "inputs", 256, "inputs have values outside of 0..255"),
        (Images, "inputs", -1, "inputs have values outside of 0..255"),
        (Images, "targets", 3, "targets have ids outside of 1..2"),
        (
            Speech,
            "inputs",
            2**15,
            "inputs have values outside of -32768..32767",
        ),
        (Speech, "inputs", -(2**15) - 1, "outside of -32768..32767"),
        (Speech, "targets", -1, "targets have ids outside of 0..258"),
    ],
)
def test_numbers_out_of_bounds(kind, side, number, message, copy):
    folder, manifest = copy(kind)
    rows = _rows(kind, folder)
    rows[side][-1][-1] = number
    _put(folder, manifest, rows)
    with pytest.raises(UserError, match=f"is damaged .*{message}"):
        _use_numbers(folder)


@pytest.mark.parametrize(
    ("kind", "side", "change", "message"),
    [
        (Images, "inputs", lambda r: r[:-1], "lengths that no image has"),
        (
            Images,
            "inputs",
            lambda r: np.tile(r, 2),
            "lengths that no image has",
        ),
        (Images, "targets", lambda r: np.tile(r, 2), "lengths that no label"),
        (Labels, "targets", lambda r: np.tile(r, 2), "lengths that no label"),
        (Tags, "targets", lambda r: r[:-1], "lengths that no tags has"),
        (Tags, "inputs", lambda r: np.tile(r, 2), "lengths that no tags has"),
    ],
)
def test_lengths_that_a_kind_has_not(kind, side, change, message, copy):
    folder, manifest = copy(kind)
    rows = _rows(kind, folder)
    rows[side][0] = change(rows[side][0])
    _put(folder, manifest, rows)
    with pytest.raises(UserError, match=f"is damaged .*{message}"):
        _use_numbers(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_numbers_are(kind, copy):
    folder, manifest = copy(kind)
    good = _rows(kind, folder)
    number = st.integers(-(2**31), 2**31 - 1) | st.integers(-2, 300)
    row = st.lists(number, min_size=1, max_size=14)
    count = COUNTS[SPLIT]
    rows = st.fixed_dictionaries(
        {
            side: st.just(good[side])
            | st.lists(row, min_size=count, max_size=count)
            for side in good
        }
    )
    task = open_prepared(folder).task

    def attempt(drawn):
        found = {s: [np.array(r, np.int32) for r in drawn[s]] for s in drawn}
        _put(folder, manifest, found)
        try:
            _use_numbers(folder)
        except UserError as error:
            counting.check_message(error, "is damaged")
            return
        for side, values in found.items():
            least, end = task.bounds(side)
            assert all(((v >= least) & (v < end)).all() for v in values)
            if length := task.exact_length(side):
                assert {len(v) for v in values} == {length}

    counting.run("numbers of a kind", attempt, rows)


@pytest.mark.parametrize("kind", KINDS)
def test_manifests(kind, copy):
    folder, manifest = copy(kind)
    task = mutations.edited(manifest["task"]).map(
        lambda edited: {**manifest, "task": edited}
    )
    edited = (task | mutations.edited(manifest)).map(folders.sign)

    def attempt(content):
        folders.write(folder, manifests.MANIFEST_FILE, content)
        try:
            _use(folder)
        except UserError as error:
            counting.check_message(error)

    counting.run("manifests of a kind", attempt, edited.map(mutations.as_json))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_the_task_of_other_data(kind, other, copy, originals):
    """It is refused, or it happens to be one of these data."""
    folder, manifest = copy(kind)
    path = os.path.join(originals[other], manifests.MANIFEST_FILE)
    with open(path) as file:
        manifest["task"] = json.load(file)["task"]
    folders.write(
        folder,
        manifests.MANIFEST_FILE,
        mutations.as_json(folders.sign(manifest)),
    )
    if kind is other:
        _use(folder)
        return
    try:
        _use(folder)
    except UserError as error:
        counting.check_message(error, folder)

"""Prepared folders whose files are not what they were written as."""

import gzip
import io
import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import strategies as st
from tensorflow.core.example import example_pb2

from t2t_lite.data import manifest as manifests
from t2t_lite.data import open_prepared, prepare
from t2t_lite.data.records import block_of
from t2t_lite.errors import UserError
from tests.data.fake import FakeProblem, quiet
from tests.fuzz import counting, folders, mutations

SIDES = ("inputs", "targets")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    data_dir = str(tmp_path_factory.mktemp("data"))
    problem = FakeProblem(60)
    data = prepare(problem, "byte", 0, data_dir, num_shards=2, log=quiet)
    return data.folder


@pytest.fixture
def manifest(folder):
    """The content of manifest.json, which is put back afterwards."""
    path = os.path.join(folder, manifests.MANIFEST_FILE)
    with open(path, "rb") as file:
        content = file.read()
    yield json.loads(content)
    with open(path, "wb") as file:
        file.write(content)


def _use(folder):
    data = open_prepared(folder)
    data.check()
    for name in data.splits:
        split = data.split(name)
        columns = split.load()
        assert len(columns) == split.num_examples == len(split.texts("inputs"))
        for feature in SIDES:
            np.testing.assert_array_equal(
                columns.lengths(feature), split.lengths[feature]
            )


def _answer_or_user_error(folder):
    try:
        _use(folder)
    except UserError as error:
        counting.check_message(error)
        return str(error)
    return ""


def test_manifests(folder, manifest):
    raw = mutations.mangled(json.dumps(manifest).encode())
    signed = mutations.edited(manifest).map(folders.sign).map(mutations.as_json)

    def attempt(content):
        folders.write(folder, manifests.MANIFEST_FILE, content)
        _answer_or_user_error(folder)

    counting.run("manifests", attempt, st.one_of(signed, signed, raw))


@pytest.mark.parametrize("name", mutations.NAMES[:-1])
def test_files_of_a_manifest_are_in_its_folder(folder, manifest, name):
    """Also where the file is there, has the size and the hash."""
    for entry in (
        manifest["tokenizer"],
        manifest["splits"]["train"]["lengths"],
        manifest["splits"]["train"]["shards"][1],
    ):
        told, entry["file"] = entry["file"], name
        folders.write(
            folder,
            manifests.MANIFEST_FILE,
            mutations.as_json(folders.sign(manifest)),
        )
        with pytest.raises(UserError, match="is damaged"):
            open_prepared(folder)
        entry["file"] = told


def test_a_path_to_a_real_file_is_refused(folder, manifest, tmp_path):
    entry = manifest["splits"]["train"]["shards"][0]
    shutil.copyfile(os.path.join(folder, entry["file"]), tmp_path / "shard")
    for name in (
        str(tmp_path / "shard"),
        os.path.relpath(tmp_path / "shard", folder),
    ):
        entry["file"] = name
        folders.write(
            folder,
            manifests.MANIFEST_FILE,
            mutations.as_json(folders.sign(manifest)),
        )
        with pytest.raises(UserError, match="is no plain file name"):
            open_prepared(folder)


def test_journals_of_interrupted_runs(folder, manifest, tmp_path):
    problem = FakeProblem(60)
    partial = {k: v for k, v in manifest.items() if k != "data_hash"}
    expected = manifest["data_hash"]
    contents = st.one_of(
        mutations.edited(partial).map(mutations.as_json),
        mutations.mangled(json.dumps(partial).encode()),
    )

    def attempt(content):
        again = tmp_path / os.path.basename(folder)
        again.mkdir(exist_ok=True)
        for name in os.listdir(again):
            os.remove(again / name)
        for name in os.listdir(folder):
            if name != manifests.MANIFEST_FILE:
                os.link(os.path.join(folder, name), again / name)
        (again / manifests.PARTIAL_FILE).write_bytes(content)
        data = prepare(
            problem, "byte", 0, str(tmp_path), num_shards=2, log=quiet
        )
        assert data.data_hash == expected
        data.check()

    counting.run("journals", attempt, contents)


def test_shards(folder, manifest):
    """Bytes of a shard altered, packed and unpacked; every hash agrees."""
    entry = manifest["splits"]["train"]["shards"][0]
    path = os.path.join(folder, entry["file"])
    with open(path, "rb") as file:
        packed = file.read()
    mutants = st.one_of(
        mutations.mangled(packed),
        mutations.mangled(gzip.decompress(packed)).map(gzip.compress),
    )

    def attempt(content):
        folders.replace(folder, manifest, entry, content)
        _answer_or_user_error(folder)

    try:
        counting.run("shards", attempt, mutants)
    finally:
        folders.write(folder, entry["file"], packed)


def _blocks(examples):
    """Draws blocks whose ids, lengths and texts need not fit together."""
    ids = st.integers(-(2**31), 2**31 - 1) | st.integers(0, 300)
    row = st.lists(ids, max_size=3).map(lambda r: np.array(r, np.int32))
    few = st.lists(row, max_size=5)
    many = row.map(lambda one: [one] * examples)
    texts = st.lists(st.text(max_size=3), max_size=4)
    names = st.sampled_from(["inputs", "targets", "others"])
    return st.tuples(
        st.dictionaries(names, few, max_size=3)
        | st.fixed_dictionaries({"inputs": many, "targets": many}),
        st.dictionaries(names, texts, max_size=2),
    ).map(lambda parts: block_of(*parts))


def _with_another_feature(good):
    """Draws a good block in which one feature holds something else."""
    numbers = st.lists(st.integers(-(2**31), 2**31 - 1), max_size=60)
    data = numbers.map(lambda n: np.array(n, np.int32).tobytes())
    value = st.lists(data | st.binary(max_size=9), max_size=2)

    def replaced(change):
        name, values = change
        block = example_pb2.Example.FromString(good)
        block.features.feature[name].bytes_list.value[:] = values
        return block.SerializeToString()

    return st.tuples(
        st.sampled_from(
            [f"{s}/{p}" for s in SIDES for p in ("values", "lengths")]
        ),
        value,
    ).map(replaced)


def test_records_that_are_well_formed_but_wrong(folder, manifest):
    entry = manifest["splits"]["validation"]["shards"][0]
    path = os.path.join(folder, entry["file"])
    with open(path, "rb") as file:
        packed = file.read()

    good = gzip.decompress(packed)[12:-4]
    block = _blocks(entry["examples"]) | _with_another_feature(good)

    def attempt(blocks):
        content = gzip.compress(b"".join(map(folders.record, blocks)))
        folders.replace(folder, manifest, entry, content)
        assert "is damaged" in _answer_or_user_error(folder)

    try:
        counting.run("records", attempt, st.lists(block, max_size=2))
    finally:
        folders.write(folder, entry["file"], packed)


def _npy(shape, descr="<i4", fortran=False, data=b""):
    header = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': "
    header = f"{header}{shape}, }}".ljust(117) + "\n"
    size = len(header).to_bytes(2, "little")
    return b"\x93NUMPY\x01\x00" + size + header.encode() + data


def _pickled():
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"an": "object"}]), allow_pickle=True)
    return buffer.getvalue()


def test_tables_of_lengths(folder, manifest):
    entry = manifest["splits"]["validation"]["lengths"]
    path = os.path.join(folder, entry["file"])
    with open(path, "rb") as file:
        good = file.read()
    headers = st.builds(
        _npy,
        st.sampled_from(
            [
                "(2, 999999999999)",
                "(99999999999999999999, 2)",
                "(2, -50)",
                "(50,)",
                "()",
                "(50, 2)",
                "2",
                "(" * 90,
                "__import__('os').abort()",
            ]
        ),
        st.sampled_from(["<i4", "|O", ">i4", "<f8", "|V999999999"]),
        st.booleans(),
        st.binary(max_size=8) | st.just(bytes(400)),
    )
    mutants = st.one_of(headers, mutations.mangled(good), st.just(_pickled()))

    def attempt(content):
        folders.replace(folder, manifest, entry, content)
        assert "is damaged" in _answer_or_user_error(folder)

    try:
        counting.run("lengths", attempt, mutants)
    finally:
        folders.write(folder, entry["file"], good)

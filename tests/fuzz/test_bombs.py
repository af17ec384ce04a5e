"""Inputs that unpack, nest or promise more than there is: bounded memory."""

import gzip
import json
import os
import shutil
import tracemalloc
import zlib

import numpy as np
import pytest

from t2t_lite.data import manifest as manifests
from t2t_lite.data import (
    open_prepared,
    prepare,
    record_checks,
    storage,
    untrusted,
)
from t2t_lite.data.text_encoder import MAX_VOCABULARY_BYTES, load_encoder
from t2t_lite.decoding.lines import MAX_LINE_BYTES, map_lines, read_lines
from t2t_lite.errors import UserError
from t2t_lite.problems import text_files
from t2t_lite.trainer import checkpoints, inference
from t2t_lite.trainer.run_folder import RunFolder
from tests.data.fake import FakeProblem, quiet

MIB = 1 << 20


@pytest.fixture
def peak():
    """peak() -> bytes that Python has taken at most since the start."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    data_dir = str(tmp_path_factory.mktemp("data"))
    return prepare(FakeProblem(60), "byte", 0, data_dir, log=quiet).folder


@pytest.fixture
def folder(prepared, tmp_path):
    return str(shutil.copytree(prepared, tmp_path / "data"))


def _packed(byte, size):
    """Returns `size` bytes as gzip, without having them in memory."""
    packer = zlib.compressobj(1, wbits=31)
    parts = [packer.compress(byte * MIB) for _ in range(size // MIB)]
    return b"".join([*parts, packer.flush()])


def _manifest(folder):
    with open(os.path.join(folder, manifests.MANIFEST_FILE)) as file:
        return json.load(file)


def _sign(folder, manifest):
    manifest["data_hash"] = manifests.data_hash(manifest)
    path = os.path.join(folder, manifests.MANIFEST_FILE)
    with open(path, "w") as file:
        json.dump(manifest, file)


def _replace(folder, manifest, entry, content):
    storage.write_bytes(os.path.join(folder, entry["file"]), content)
    entry["bytes"] = len(content)
    entry["sha256"] = storage.sha256_of_bytes(content)
    _sign(folder, manifest)


def _endless_file(path, size):
    """Makes a file of `size` zeros that takes no room on the disk."""
    with open(path, "wb") as file:
        file.truncate(size)


def test_the_bounds_are_those_that_are_stated():
    assert untrusted.MAX_JSON_BYTES == 16 * MIB
    assert record_checks.MAX_UNPACKED == 1 << 30
    assert MAX_VOCABULARY_BYTES == 64 * MIB
    assert MAX_LINE_BYTES == MIB
    assert text_files.MAX_LINE_BYTES == 16 * MIB
    assert text_files.MAX_UNPACKED_BYTES == 1 << 30


def test_shard_that_unpacks_to_too_much(folder, monkeypatch, peak):
    monkeypatch.setattr(record_checks, "MAX_UNPACKED", 4 * MIB)
    manifest = _manifest(folder)
    entry = manifest["splits"]["train"]["shards"][0]
    _replace(folder, manifest, entry, _packed(b"\0", 256 * MIB))
    with pytest.raises(UserError, match=r"unpacks to more than 4,194,304"):
        open_prepared(folder).split("train").load()
    assert peak() < 16 * MIB


def test_no_shard_is_written_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(record_checks, "MAX_UNPACKED", 2000)
    with pytest.raises(UserError, match="with a larger --num_shards"):
        prepare(FakeProblem(60), "byte", 0, str(tmp_path), log=quiet)
    assert not list(tmp_path.rglob("*.tfrecord.gz"))


def test_shard_of_many_members(folder):
    """gzip allows it; each would be unpacked on its own."""
    manifest = _manifest(folder)
    entry = manifest["splits"]["train"]["shards"][0]
    _replace(folder, manifest, entry, gzip.compress(b"") * 200_000)
    with pytest.raises(UserError, match="too early or too late"):
        open_prepared(folder).split("train").load()


@pytest.mark.parametrize("number", [2**62, 2**40, 10**9])
def test_manifest_of_huge_numbers(folder, number, peak):
    manifest = _manifest(folder)
    split = manifest["splits"]["train"]
    split["examples"] = split["shards"][0]["examples"] = number
    manifest["source"]["train"]["count"] = number
    for told in (split["lengths"]["bytes"], 8 * number + 128):
        split["lengths"]["bytes"] = told
        _sign(folder, manifest)
        with pytest.raises(UserError, match="is damaged"):
            open_prepared(folder)
    assert peak() < MIB


def test_deep_and_large_json(folder, tmp_path, peak):
    path = os.path.join(folder, manifests.MANIFEST_FILE)
    for content in (b"[" * 10**6, b'{"a":' * 10**5, b"[" * 40 + b"]" * 40):
        storage.write_bytes(path, content)
        with pytest.raises(UserError, match=r"no JSON\)|nested deeper"):
            open_prepared(folder)
    _endless_file(path, 1 << 40)
    with pytest.raises(UserError, match="at most 16,777,216 are read"):
        open_prepared(folder)
    _endless_file(tmp_path / "hparams.json", 1 << 40)
    with pytest.raises(UserError, match="at most 16,777,216 are read"):
        RunFolder(str(tmp_path)).describe()
    _endless_file(tmp_path / "vocab.model", 1 << 40)
    with pytest.raises(UserError, match="at most 67,108,864 are read"):
        load_encoder(str(tmp_path))
    assert peak() < 32 * MIB


def test_pipes_in_place_of_files_are_not_waited_for(folder, tmp_path):
    for name in ("hparams.json", "vocab.model"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="it is no regular file"):
        RunFolder(str(tmp_path)).describe()
    with pytest.raises(UserError, match="it is no regular file"):
        load_encoder(str(tmp_path))
    shard = _manifest(folder)["splits"]["train"]["shards"][0]["file"]
    os.remove(os.path.join(folder, shard))
    os.mkfifo(os.path.join(folder, shard))
    with pytest.raises(UserError, match="it is no regular file"):
        open_prepared(folder)
    checkpoint = str(tmp_path / "step-00000001")
    checkpoints.write(checkpoint, {"a": np.float32(1)}, {"step": 1})
    os.remove(os.path.join(checkpoint, "tensors.index"))
    os.mkfifo(os.path.join(checkpoint, "tensors.index"))
    with pytest.raises(UserError, match="is no regular file"):
        checkpoints.read(checkpoint)


def test_decoding_a_line_without_an_end(tmp_path, peak):
    path = tmp_path / "bomb.gz"
    path.write_bytes(_packed(b"x", 512 * MIB))
    (line,) = read_lines(str(path))
    assert len(line.text) == MAX_LINE_BYTES
    assert line.note == f"cut to {MAX_LINE_BYTES} bytes"
    assert peak() < 16 * MIB


def test_decoding_many_long_lines(tmp_path, peak):
    path = tmp_path / "long.gz"
    packer = zlib.compressobj(1, wbits=31)
    line = b"x" * (MIB - 1) + b"\n"
    parts = [packer.compress(line) for _ in range(150)]
    path.write_bytes(b"".join([*parts, packer.flush()]))
    pairs = map_lines(
        lambda batch: [len(item.text) for item in batch],
        read_lines(str(path)),
        batch_tokens=4096,
        window=2048,
    )
    assert sum(length for _, length in pairs) == 150 * (MIB - 1)
    assert peak() < 48 * MIB


def test_training_file_without_line_ends(tmp_path, peak):
    path = tmp_path / "bomb.gz"
    path.write_bytes(_packed(b"x", 256 * MIB))
    with pytest.raises(UserError, match="line 1: longer than 16,777,216"):
        list(text_files.read_lines(str(path)))
    assert peak() < 64 * MIB


def test_training_file_of_endless_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_UNPACKED_BYTES", MIB)
    path = tmp_path / "bomb.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\n" * 10**6))
    with pytest.raises(UserError, match=r"unpacks to more than 1,048,576"):
        list(text_files.read_pairs(str(path), None))
    path.write_bytes(gzip.compress(b"a\tb\n" * 10**5))
    assert len(list(text_files.read_pairs(str(path), None))) == 10**5


def test_checkpoint_that_promises_more_than_it_holds(tmp_path):
    folder = str(tmp_path / "step-00000001")
    tensors = {"model/a": np.zeros(4 * MIB, np.float32)}
    checkpoints.write(folder, tensors, {"step": 1})
    os.truncate(os.path.join(folder, "tensors.data-00000-of-00001"), 100)
    with pytest.raises(
        checkpoints.DamagedCheckpointError,
        match="100 bytes of data, its index says 16777216",
    ):
        checkpoints.read(folder)


def test_checkpoint_of_texts(tmp_path):
    folder = str(tmp_path / "step-00000001")
    checkpoints.write(folder, {"model/a": np.array([b"a"])}, {"step": 1})
    with pytest.raises(UserError, match="holds no numbers but string"):
        checkpoints.read(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 2**30},
        {"filter_size": 2**31 - 1},
        {"num_hidden_layers": 2**31 - 1},
        {"num_encoder_layers": 10**9},
        {"key_head_size": 2**30},
        {"num_heads": 2**20, "key_head_size": 9, "value_head_size": 9},
        {"position": "learned", "max_length": 2**31 - 1},
        {"position": "relative", "max_relative_position": 2**31 - 1},
        {
            "position": "t5_bias",
            "relative_attention_num_buckets": 2**31 - 2,
            "relative_attention_max_distance": 2**31 - 1,
        },
    ],
)
def test_run_folder_of_a_huge_model(run, tmp_path, change):
    folder = tmp_path / "run"
    shutil.copytree(run.path, folder)
    with open(folder / "hparams.json") as file:
        values = json.load(file)
    values["hparams"] |= change
    (folder / "hparams.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match="but the run's hparams make a model"):
        inference.load(str(folder))

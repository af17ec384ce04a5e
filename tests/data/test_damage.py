import json
import os
import shutil

import pytest

from t2t_lite.data import open_prepared, prepare
from t2t_lite.errors import UserError
from tests.data.fake import FakeProblem, quiet

SHARD = "train-00001-of-00002.tfrecord.gz"
LENGTHS = "validation.lengths.npy"
VOCABULARY = "vocab.model"
MANIFEST = "manifest.json"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    data_dir = str(tmp_path_factory.mktemp("data"))
    problem = FakeProblem(200)
    data = prepare(problem, "bpe", 300, data_dir, num_shards=2, log=quiet)
    return data.folder


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "data")


def _use(folder):
    data = open_prepared(str(folder))
    for name in data.splits:
        split = data.split(name)
        assert split.lengths
        split.load()


def _message(folder):
    with pytest.raises(UserError) as error:
        _use(folder)
    return str(error.value)


def _mend(folder):
    return f"; delete the folder {folder} and prepare the data again"


def test_undamaged(folder):
    _use(folder)


@pytest.mark.parametrize("name", [SHARD, LENGTHS, VOCABULARY])
def test_missing_file(folder, name):
    os.remove(folder / name)
    assert _message(folder) == f"{folder / name} is missing" + _mend(folder)


@pytest.mark.parametrize("name", [SHARD, LENGTHS, VOCABULARY])
def test_truncated_file(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-3])
    assert _message(folder) == (
        f"{folder / name} is damaged ({len(content) - 3} bytes, the manifest"
        f" says {len(content)})" + _mend(folder)
    )


@pytest.mark.parametrize("name", [SHARD, LENGTHS, VOCABULARY])
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_flipped_byte(folder, name, place):
    content = bytearray((folder / name).read_bytes())
    content[int(len(content) * place)] ^= 64
    (folder / name).write_bytes(content)
    assert _message(folder) == (
        f"{folder / name} is damaged (its SHA-256 is not the manifest's)"
        + _mend(folder)
    )


def test_check_finds_damage_in_unread_files(folder):
    content = bytearray((folder / SHARD).read_bytes())
    content[40] ^= 1
    (folder / SHARD).write_bytes(content)
    data = open_prepared(str(folder))
    with pytest.raises(UserError, match=f"{SHARD} is damaged"):
        data.check()


def test_missing_manifest(folder):
    os.remove(folder / MANIFEST)
    assert _message(folder) == (
        f"{folder} holds no prepared data (no manifest.json)" + _mend(folder)
    )


def test_missing_folder(tmp_path):
    assert _message(tmp_path / "no") == (
        f"there is no folder {tmp_path / 'no'}; prepare the data first"
    )


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_manifest_is_no_json(folder, content):
    (folder / MANIFEST).write_bytes(content)
    assert _message(folder) == (
        f"{folder / MANIFEST} is damaged (it is no JSON)" + _mend(folder)
    )


def test_manifest_is_no_object(folder):
    (folder / MANIFEST).write_text("[]")
    assert _message(folder) == (
        f"{folder / MANIFEST} is damaged (it is no JSON object)" + _mend(folder)
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("source"),
        lambda m: m.pop("splits"),
        lambda m: m.pop("data_hash"),
        lambda m: m.update(source=[]),
        lambda m: m.update(problem="other"),
        lambda m: m["splits"]["train"].update(examples=1),
    ],
)
def test_edited_manifest(folder, change):
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert _message(folder) == (
        f"{folder / MANIFEST} is damaged (its content does not match its"
        " data_hash)" + _mend(folder)
    )


def test_version_of_another_program(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["format_version"] = 99
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert _message(folder) == (
        f"{folder / MANIFEST} has format version 99, this program reads"
        " version 3" + _mend(folder)
    )


def test_prepare_does_not_hide_damage(folder):
    moved = folder.parent / "fake-bpe300"
    folder.rename(moved)
    os.remove(moved / SHARD)
    with pytest.raises(UserError, match=f"{SHARD} is missing"):
        prepare(FakeProblem(200), "bpe", 300, str(folder.parent), log=quiet)


def test_unknown_split_and_text(folder):
    data = open_prepared(str(folder))
    with pytest.raises(UserError, match=r"no split 'trian' .did you mean"):
        data.split("trian")
    with pytest.raises(UserError, match=r"no text 'input' .did you mean"):
        data.split("train").texts("input")


def test_nothing_is_pickled(folder):
    import numpy as np

    for path in folder.glob("*.npy"):
        np.load(path, allow_pickle=False)

import os
import pathlib

import numpy as np
import pytest

from t2t_lite.errors import UserError
from t2t_lite.trainer import checkpoints

TENSORS = {
    "model/a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "model/b": np.float32(2.0),
    "optimizer/a/m": np.ones((2, 3), np.float32),
}


def _write(root, step, scale=1.0):
    folder = checkpoints.path(str(root), step)
    tensors = {k: v * np.float32(scale) for k, v in TENSORS.items()}
    checkpoints.write(folder, tensors, {"step": step})
    return folder


def test_round_trip(tmp_path):
    folder = _write(tmp_path, 7)
    tensors, state = checkpoints.read(folder)
    assert state["step"] == 7
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], value)
    assert os.listdir(tmp_path) == ["step-00000007"]


def test_listing_is_by_step(tmp_path):
    folders = [_write(tmp_path, step) for step in (2, 10, 1)]
    found = checkpoints.listing(str(tmp_path))
    assert found == [folders[2], folders[0], folders[1]]
    assert checkpoints.step_of(folders[1]) == 10


@pytest.mark.parametrize(
    "damage", ["truncate", "flip", "remove", "state", "empty_state", "digit"]
)
def test_damaged_newest_is_skipped_and_named(tmp_path, damage):
    good, bad = _write(tmp_path, 1), _write(tmp_path, 2)
    data = os.path.join(bad, "tensors.data-00000-of-00001")
    state = os.path.join(bad, "state.json")
    if damage == "truncate":
        os.truncate(data, os.path.getsize(data) // 2)
    elif damage == "flip":
        with open(data, "r+b") as file:
            file.seek(5)
            byte = file.read(1)
            file.seek(5)
            file.write(bytes([byte[0] ^ 255]))
    elif damage == "remove":
        os.remove(data)
    elif damage == "state":
        with open(state, "w") as file:
            file.write('{"step": 2')
    elif damage == "digit":
        text = pathlib.Path(state).read_text()
        pathlib.Path(state).write_text(text.replace('"step": 2', '"step": 3'))
    else:
        open(state, "w").close()
    with pytest.raises(checkpoints.DamagedCheckpointError, match=bad):
        checkpoints.read(bad)
    lines = []
    folder, tensors, _ = checkpoints.read_newest(str(tmp_path), lines.append)
    assert folder == good
    assert set(tensors) == set(TENSORS)
    assert len(lines) == 1
    assert bad in lines[0]


def test_nothing_whole_is_an_error_and_nothing_at_all_is_none(tmp_path):
    assert checkpoints.read_newest(str(tmp_path), print) is None
    folder = _write(tmp_path, 1)
    os.remove(os.path.join(folder, "state.json"))
    with pytest.raises(UserError, match=r"every checkpoint .* is damaged"):
        checkpoints.read_newest(str(tmp_path), lambda line: None)


def test_average_is_the_mean_of_the_weights(tmp_path):
    folders = [_write(tmp_path, s, scale=s) for s in (1, 2, 6)]
    mean = checkpoints.average(folders)
    assert set(mean) == {"model/a", "model/b"}
    np.testing.assert_allclose(mean["model/a"], TENSORS["model/a"] * 3)


def test_failed_write_leaves_nothing(tmp_path):
    class Unwritable:
        def __array__(self, dtype=None, copy=None):
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        checkpoints.write(
            checkpoints.path(str(tmp_path), 3), {"a": Unwritable()}, {}
        )
    assert os.listdir(tmp_path) == []


def test_leftovers_of_a_killed_write_are_removed(tmp_path):
    kept = _write(tmp_path, 1)
    os.makedirs(tmp_path / "step-00000002.tmp-123")
    checkpoints.remove_leftovers(str(tmp_path))
    assert [str(tmp_path / n) for n in os.listdir(tmp_path)] == [kept]

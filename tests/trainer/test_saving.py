import os

import numpy as np
import pytest

from t2t_lite.trainer import checkpoints
from t2t_lite.trainer.progress import Progress
from t2t_lite.trainer.saving import Saver

TENSORS = {"model/a": np.ones(3, np.float32)}


def _saver(root, seconds=0.0, asynchronous=False, keep_last=2):
    return Saver(str(root), (10, 45), keep_last, seconds, asynchronous)


def _steps(root):
    return [checkpoints.step_of(f) for f in checkpoints.listing(str(root))]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_disturbed_run_keeps_what_an_undisturbed_one_keeps(
    tmp_path, asynchronous
):
    saver = _saver(tmp_path, asynchronous=asynchronous)
    seen = []
    for step in (10, 13, 17, 20, 30, 31, 40, 45):
        saver.save(TENSORS, Progress(step=step))
        saver.wait()
        seen.append(_steps(tmp_path))
    saver.close()
    assert seen == [
        [10],
        [10, 13],
        [10, 17],
        [10, 20],
        [20, 30],
        [20, 30, 31],
        [30, 40],
        [40, 45],
    ]


def test_progress_comes_back_and_can_be_noted(tmp_path):
    saver = _saver(tmp_path)
    progress = Progress(step=10, best=[[31.25, 10]], jumped=3)
    progress.window.sums["loss"] = 0.1 + 0.2
    saver.save(TENSORS, progress)
    progress.evaluated = 10
    saver.note(progress)
    tensors, state = checkpoints.read(saver.newest)
    assert Progress.from_state(state) == progress
    np.testing.assert_array_equal(tensors["model/a"], TENSORS["model/a"])


def test_a_failure_beside_the_training_is_raised_and_keeps_the_old(
    tmp_path, monkeypatch
):
    saver = _saver(tmp_path, asynchronous=True)
    saver.save(TENSORS, Progress(step=10))
    saver.wait()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "write", full)
    saver.save(TENSORS, Progress(step=20))
    with pytest.raises(OSError, match="No space left"):
        saver.save(TENSORS, Progress(step=30))
    saver.close()
    assert _steps(tmp_path) == [10]
    checkpoints.read(checkpoints.path(str(tmp_path), 10))


def test_due_by_time(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    saver = _saver(tmp_path, seconds=60.0)
    assert not saver.due
    now[0] += 60
    assert saver.due
    saver.save(TENSORS, Progress(step=3))
    assert not saver.due
    assert not _saver(tmp_path).due


def test_leftovers_are_cleaned(tmp_path):
    saver = _saver(tmp_path)
    saver.save(TENSORS, Progress(step=10))
    os.makedirs(tmp_path / "step-00000020.tmp-7")
    half = tmp_path / "step-00000010" / ".state.json.7-a.tmp"
    half.write_text("{")
    saver.clean()
    assert os.listdir(tmp_path) == ["step-00000010"]
    assert not half.exists()

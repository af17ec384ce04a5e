"""The short form of the fault tests; see `python -m tests.faults --help`."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from t2t_lite.trainer import checkpoints
from tests.faults import runs
from tests.faults.harness import Harness
from tests.selection import few


@pytest.mark.parametrize(
    ("name", "kills"),
    few(
        [
            ("one worker", 1),
            ("datagen", 1),
            ("one worker", 2),
            ("two workers", 1),
        ],
        always=(0, 1),
    ),
)
def test_killed_runs_end_as_undisturbed_ones(tmp_path, name, kills):
    # Exports are made, and killed, by `python -m tests.faults` alone.
    harness = Harness(
        tmp_path, steps=40, seed=5, log=print, latest=0.7, export=False
    )
    harness.disturb(name, kills)
    assert harness.tally.finished == {name: 1}
    assert harness.tally.total_kills >= 1
    assert harness.tally.faults == []


def _started(tmp_path, workers, *flags):
    """Starts a long run and waits until it trains."""
    log = tmp_path / "log"
    strategy = ["--strategy=multi_worker"] if workers > 1 else []
    command = runs.train_command(tmp_path, 100_000, *strategy, *flags)
    processes = runs.Processes.start(command, workers, log)
    end = time.monotonic() + 300
    while "step " not in log.read_text(errors="replace"):
        assert time.monotonic() < end, log.read_text(errors="replace")
        assert processes.running[0].poll() is None, log.read_text()
        time.sleep(0.2)
    return processes, log


def test_a_signal_saves_and_the_status_says_so(tmp_path):
    processes, log = _started(tmp_path, 1)
    processes.running[0].send_signal(signal.SIGINT)
    assert processes.wait(60)
    assert processes.running[0].returncode == 130
    last = log.read_text().splitlines()[-1]
    assert "SIGINT" in last
    assert "the same command goes on from there" in last
    root = str(tmp_path / "run" / "checkpoints")
    newest = checkpoints.listing(root)[-1]
    assert f"saved {newest}" in last
    assert checkpoints.read(newest)[1]["step"] == checkpoints.step_of(newest)
    assert not (tmp_path / "run" / "lock").exists()


def test_a_signal_to_one_worker_stops_all_at_one_update(tmp_path):
    processes, log = _started(tmp_path, 2)
    processes.running[1].send_signal(signal.SIGTERM)
    assert processes.wait(90)
    assert [p.returncode for p in processes.running] == [143, 143]
    assert "SIGTERM at step" in log.read_text()


def _can_mount(folder):
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or not _can_mount(disk):
        pytest.skip("only root may mount the small disk that is filled here")
    try:
        _fill_and_go_on(tmp_path, disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _fill(path):
    with open(path, "wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)


def _fill_and_go_on(tmp_path, disk):
    flags = [f"--output_dir={disk / 'run'}", "--keep_last=1", "--noexport"]
    command = runs.train_command(tmp_path, 20, *flags)
    log = tmp_path / "log"
    assert runs.Processes.start(command, 1, log).wait(300)
    root = str(disk / "run" / "checkpoints")
    before = checkpoints.read(checkpoints.listing(root)[-1])[0]
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        _fill(filler)
    command = runs.train_command(tmp_path, 40, *flags)
    processes = runs.Processes.start(command, 1, log)
    assert processes.wait(300)
    assert processes.running[0].returncode == 1
    last = log.read_text().splitlines()[-1]
    assert "no space left on device" in last
    after = checkpoints.read(checkpoints.listing(root)[-1])[0]
    assert all((after[k] == before[k]).all() for k in before)
    filler.unlink()
    processes = runs.Processes.start(command, 1, log)
    assert processes.wait(300)
    assert processes.ended_well, log.read_text()
    assert runs.leftovers(pathlib.Path(disk)) == []

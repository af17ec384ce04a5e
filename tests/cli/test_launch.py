"""t2t_lite_launch with small programs: output, ends, signals, no orphans."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import launch

# What each worker knows of itself.
HEAD = """
import json, os, signal, sys, time
task = json.loads(os.environ["TF_CONFIG"])["task"]
me = task["index"]
"""


def start(source, *arguments, **options):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "t2t_lite.trainer.cli.launch",
            *arguments,
            "--",
            sys.executable,
            "-S",
            "-c",
            HEAD + source,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def run(source, *arguments):
    """Returns (status, stdout, stderr, seconds)."""
    began = time.monotonic()
    process = start(source, *arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err, time.monotonic() - began


def lives(pid):
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_lines_carry_the_workers_number():
    status, out, err, _ = run(
        "print('a'); print('ü%d' % me); print(end='no newline')\n"
        "print('wrong', file=sys.stderr)",
        "--num_workers=3",
    )
    assert status == 0
    for index in range(3):
        mine = [x for x in out.splitlines() if x.startswith(f"[{index}] ")]
        head = f"[{index}] "
        assert mine == [f"{head}a", f"{head}ü{index}", f"{head}no newline"]
    assert sorted(err.splitlines()) == [f"[{i}] wrong" for i in range(3)]


def test_long_output_is_whole():
    status, out, _, _ = run(
        "print('x' * 300_000)\nfor i in range(3000): print(i)",
        "--num_workers=2",
    )
    assert status == 0
    expected = ["x" * 300_000, *map(str, range(3000))]
    for index in range(2):
        mine = [x[4:] for x in out.splitlines() if x[:4] == f"[{index}] "]
        assert mine == expected


def test_each_has_its_place_in_one_cluster():
    _, out, _, _ = run("print(os.environ['TF_CONFIG'])", "--num_workers=3")
    found = sorted(
        (json.loads(line[4:]) for line in out.splitlines()),
        key=lambda config: config["task"]["index"],
    )
    assert [c["task"] for c in found] == [
        {"type": "worker", "index": index} for index in range(3)
    ]
    workers = found[0]["cluster"]["worker"]
    assert len(set(workers)) == 3
    assert all(c["cluster"] == {"worker": workers} for c in found)


def test_output_is_live():
    process = start("print('early'); time.sleep(60)", "--num_workers=1")
    try:
        assert process.stdout.readline() == "[0] early\n"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_the_others_may_end_by_themselves():
    status, out, err, _ = run(
        "if me: sys.exit(7)\ntime.sleep(0.5)\nprint('saved'); sys.exit(9)"
    )
    assert (status, out) == (7, "[0] saved\n")
    assert "worker 1 failed with status 7; the others have 30 seconds" in err


def test_the_others_are_terminated_then_killed():
    status, out, err, seconds = run(
        "if me == 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "if me == 1: time.sleep(60)\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('no'))\n"
        "while True: time.sleep(60)",
        "--num_workers=3",
        "--grace_seconds=1",
    )
    assert (status, out) == (128 + signal.SIGKILL, "[2] no\n")
    assert "worker 0 was ended by SIGKILL" in err
    assert "still running: 1, 2; sending SIGTERM" in err
    assert "killing 2" in err
    assert seconds < 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_every_worker_once(number):
    process = start(
        "def stop(number, frame):\n"
        "    print(number)\n"
        "    time.sleep(0.2 * me)\n"
        "    sys.exit(128 + number)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('ready')\n"
        "while True: time.sleep(60)"
    )
    ready = {process.stdout.readline() for _ in range(2)}
    assert ready == {"[0] ready\n", "[1] ready\n"}
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert sorted(out.splitlines()) == [f"[0] {number}", f"[1] {number}"]
    assert process.returncode == 128 + number
    assert "seconds to end" not in err


def test_a_second_signal_bounds_the_wait():
    process = start(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready')\n"
        "while True: time.sleep(60)",
        "--grace_seconds=0.5",
    )
    for _ in range(2):
        process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGKILL


def test_a_killed_launcher_leaves_no_orphans():
    process = start("print(os.getpid()); time.sleep(60)")
    pids = [int(process.stdout.readline()[4:]) for _ in range(2)]
    assert all(map(lives, pids))
    process.kill()
    process.communicate(timeout=20)
    wait_for(lambda: not any(map(lives, pids)))


def test_children_of_workers_end_too():
    status, out, _, _ = run(
        "import subprocess\n"
        "print(subprocess.Popen(['sleep', '60']).pid)\n"
        "sys.exit(me)"
    )
    assert status == 1
    pids = [int(line[4:]) for line in out.splitlines()]
    wait_for(lambda: not any(map(lives, pids)))


def test_a_reader_that_leaves_ends_the_workers():
    process = start("while True: print('x' * 1000)")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) == 128 + 13
    process.stderr.close()


@pytest.mark.parametrize(
    ("words", "added"),
    [
        (["t2t_lite_trainer", "--problem=x"], True),
        (["python", "-m", "t2t_lite.trainer.cli.train"], True),
        (["t2t_lite_trainer", "--strategy=multi_worker"], False),
        (["t2t_lite_trainer", "--strategy", "multi_worker"], False),
        (["python", "-c", "pass"], False),
    ],
)
def test_the_trainer_gets_its_strategy(words, added, monkeypatch, capsys):
    monkeypatch.setattr(launch.shutil, "which", lambda name, path="": name)
    expected = [*words, "--strategy=multi_worker"] if added else words
    assert launch._command_line(words) == expected
    said = capsys.readouterr().err
    assert said.startswith("t2t_lite_launch: adding --str") == added


def test_a_strategy_for_one_process_is_refused(monkeypatch):
    monkeypatch.setattr(launch.shutil, "which", lambda name, path="": name)
    with pytest.raises(UserError, match="--strategy=auto: each worker would"):
        launch._command_line(["t2t_lite_trainer", "--strategy=auto"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no command to start: write the command after --, as in"),
        (["--"], "no command to start: write the command after --, as in"),
        (["--", "--problem=x"], "--problem=x is no command: write the"),
        (["--", "nosuch"], "no such command: 'nosuch'; check its name"),
        (["nosuch"], "unexpected argument 'nosuch': values belong to"),
        (["--num_workers=0", "--", "true"], "--num_workers=0: "),
    ],
)
def test_mistakes(arguments, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["t2t_lite_launch", *arguments])
    launch.FLAGS.unparse_flags()
    for name in launch.FLAGS:
        launch.FLAGS[name].unparse()
    with pytest.raises(SystemExit) as stop:
        launch.main()
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert err.startswith(f"t2t_lite_launch: {said}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("0,2,5", ["0", "2", "5"]), ("1,-1,3", ["1"]), ("", []), ("-1", [])],
)
def test_visible_gpus(visible, expected):
    assert launch._gpus({"CUDA_VISIBLE_DEVICES": visible}) == expected


def test_gpus_are_shared_out():
    shares = launch._gpu_shares(["0", "1", "4", "5", "6"], 2)
    assert [s["CUDA_VISIBLE_DEVICES"] for s in shares] == ["0,1", "4,5"]
    assert launch._gpu_shares([], 2) == [{}, {}]
    with pytest.raises(UserError, match="--num_workers=2: only 1 GPUs; st"):
        launch._gpu_shares(["0"], 2)


def test_tensorflow_is_not_loaded():
    source = (
        "import sys\n"
        "from t2t_lite.trainer.cli import launch\n"
        "try:\n"
        "    launch.main()\n"
        "except SystemExit as stop:\n"
        "    assert stop.code == 0\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)\n"
    )
    words = [sys.executable, "-c", source, "--num_workers=1", "--", "true"]
    done = subprocess.run(words, timeout=60, check=False, env=os.environ)
    assert done.returncode == 0

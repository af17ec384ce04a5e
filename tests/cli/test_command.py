"""Commands: flags, --help, and what each failure prints and returns."""

import errno
import gc
import os
import pathlib
import subprocess
import sys
import textwrap
import tomllib

import pytest
from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command
from t2t_lite.trainer.roll_call import PeerError

LIGHT = """
from absl import flags
from t2t_lite.trainer.cli import command
import sys
FLAGS = flags.FlagValues()
flags.DEFINE_integer("lines", 1, "Lines printed.", flag_values=FLAGS)
def main(values):
    assert "tensorflow" not in sys.modules
    for _ in range(values.lines):
        print("x" * 1000)
command.run(main, FLAGS, "Prints lines.", tensorflow=False)
"""


def console_scripts():
    root = pathlib.Path(__file__).parents[2]
    with open(root / "pyproject.toml", "rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    return [target.partition(":")[0] for target in scripts.values()]


@pytest.fixture
def values():
    found = flags.FlagValues()
    flags.DEFINE_string("output_dir", None, "Run folder.", flag_values=found)
    flags.DEFINE_integer(
        "train_steps", 100, "Updates.", lower_bound=1, flag_values=found
    )
    flags.DEFINE_float("alpha", 0.6, "Penalty.", flag_values=found)
    flags.DEFINE_multi_string("text", [], "A text.", flag_values=found)
    with command.group(found, "Speed"):
        flags.DEFINE_bool("export", True, "Export.", flag_values=found)
        flags.DEFINE_enum(
            "xla", "auto", ["auto", "on", "off"], "XLA.", flag_values=found
        )
    return found


@pytest.fixture
def run(values, monkeypatch, capsys):
    """Runs a command in this process: (status, stdout, stderr)."""

    def call(*arguments, main=lambda values: None):
        monkeypatch.setattr(
            sys, "argv", ["/usr/bin/t2t_lite_trainer", *arguments]
        )
        with pytest.raises(SystemExit) as stop:
            command.run(main, values, "Trains.", ["t2t_lite_trainer --x=1"])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return call


def script(source, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", source, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    ("arguments", "name", "expected"),
    [
        (["--train_steps=7"], "train_steps", 7),
        (["--train_steps", "7"], "train_steps", 7),
        (["--noexport"], "export", False),
        (["--export=false"], "export", False),
        (["--export"], "export", True),
        (["--output_dir", "a b"], "output_dir", "a b"),
        (["--text=a,b", "--text", "-c"], "text", ["a,b", "-c"]),
        ([], "train_steps", 100),
    ],
)
def test_flag_forms(run, arguments, name, expected):
    seen = []
    status, _, _ = run(*arguments, main=lambda v: seen.append(v[name].value))
    assert (status, seen) == (0, [expected])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--train_step=3"],
            "unknown flag --train_step (did you mean --train_steps?); --help "
            "lists all",
        ),
        (["--zzzzz"], "unknown flag --zzzzz; --help lists all"),
        (["--train_steps=abc"], "--train_steps=abc: expected a whole number"),
        (
            ["--train_steps=0"],
            "--train_steps=0: 0 is not a positive integer",
        ),
        (["--alpha=x"], "--alpha=x: expected a number"),
        (["--export=maybe"], "--export=maybe: expected true or false"),
        (
            ["--xla=om"],
            "--xla=om: expected one of auto, on, off (did you mean 'on'?)",
        ),
        (["--train_steps"], "no value after --train_steps; --help lists all"),
        (
            ["--noexport=1"],
            "--noexport=1 does not take an argument; --help lists all",
        ),
        (
            ["--export", "false"],
            "unexpected argument 'false': values belong to flags, as in "
            "--flag=value, in quotes if they hold spaces; --help lists all",
        ),
    ],
)
def test_wrong_flags_give_one_line_and_status_2(run, arguments, message):
    status, out, err = run(*arguments)
    assert (status, out, err) == (2, "", f"t2t_lite_trainer: {message}\n")


def test_missing_flagfile_is_named(run):
    status, _, err = run("--flagfile=/no/such/file")
    assert status == 2
    assert err.startswith("t2t_lite_trainer: Unable to open flagfile: ")
    assert "'/no/such/file'" in err
    assert err.count("\n") == 1


def test_flagfile_is_read(run, tmp_path):
    (tmp_path / "flags").write_text("--train_steps=5\n--noexport\n")
    seen = []
    run(
        f"--flagfile={tmp_path}/flags",
        main=lambda v: seen.append((v.train_steps, v.export)),
    )
    assert seen == [(5, False)]


def test_help_names_every_flag_by_group_with_its_default(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, err = run("--help", "--no_such_flag")
    assert (status, err) == (0, "")
    expected = """\
    t2t_lite_trainer: Trains.

    Examples:
      t2t_lite_trainer --x=1

    Flags:
      --output_dir=TEXT         Run folder.
      --train_steps=INT         Updates. (default: 100)
      --alpha=FLOAT             Penalty. (default: 0.6)
      --text=TEXT               A text. (may be repeated)

    Speed:
      --[no]export              Export. (default: true)
      --xla=auto|on|off         XLA. (default: auto)

    """
    assert out.startswith(textwrap.dedent(expected))
    assert max(map(len, out.splitlines())) <= 80


def test_help_as_a_value_is_a_value(run):
    seen = []
    run("--text=--help", main=lambda v: seen.extend(v.text))
    assert seen == ["--help"]


def test_status_of_main_is_the_exit_status(run):
    assert run(main=lambda values: 3) == (3, "", "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--train_steps=7", "--", "ls", "--", "-l"], (7, ["ls", "--", "-l"])),
        (["--train_steps=7", "--"], (7, [])),
        (["--", "--help"], (100, ["--help"])),
        ([], (100, [])),
    ],
)
def test_a_command_behind_dashes(values, monkeypatch, arguments, expected):
    seen = []
    monkeypatch.setattr(sys, "argv", ["t2t_lite_launch", *arguments])
    with pytest.raises(SystemExit) as stop:
        command.run(
            lambda v, words: seen.append((v.train_steps, words)),
            values,
            "Starts.",
            tensorflow=False,
            takes_command=True,
        )
    assert (stop.value.code, seen) == (0, [expected])


def raising(error):
    def main(values):
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (UserError("--problem is missing"), 2, "--problem is missing"),
        (command.CommandError("no answer"), 1, "no answer"),
        (PeerError("worker 1 was lost"), 1, "worker 1 was lost"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/runs/x"),
            1,
            "permission denied: /runs/x; change its permissions or choose "
            "another place",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", b"/runs/y"),
            1,
            "no space left on device: /runs/y; free some space or choose "
            "another disk",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "a.txt"),
            1,
            "no such file or directory: a.txt; check the path",
        ),
    ],
)
def test_failures_give_one_line(run, error, status, message):
    expected = (status, "", f"t2t_lite_trainer: {message}\n")
    assert run(main=raising(error)) == expected


def test_full_disk_without_a_path_names_the_folders_in_use(run, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/scratch")
    full = raising(OSError(errno.ENOSPC, "No space left on device"))
    status, _, err = run("--output_dir=/runs/x", main=full)
    assert status == 1
    assert "device: one of --output_dir=/runs/x, /scratch; free some" in err


def test_full_disk_may_be_that_of_standard_output(run, tmp_path, monkeypatch):
    full = raising(OSError(errno.ENOSPC, "No space left on device"))
    with open(tmp_path / "out", "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        _, _, err = run("--output_dir=/runs/x", main=full)
    assert "one of --output_dir=/runs/x, standard output, " in err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_standard_output_is_named():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "t2t_lite.trainer.cli.train", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.endswith(
        "train: no space left on device: standard output; free some space or "
        "choose another disk\n"
    )
    assert done.stderr.count("\n") == 1


def test_tensorflows_full_disk_is_one_line(run):
    import tensorflow as tf

    full = tf.errors.ResourceExhaustedError(
        None, None, "{{node save/SaveV2}} /my runs/ckpt-1; No space left on "
        "device [Op:SaveV2]"
    )  # fmt: skip
    status, _, err = run(main=raising(full))
    assert status == 1
    assert "no space left on device: /my runs/ckpt-1; free some" in err
    assert err.count("\n") == 1


def test_a_lost_worker_is_one_line(run):
    import tensorflow as tf

    text = "Collective ops is aborted by: Socket closed /job:worker/task:3"
    lost = raising(tf.errors.UnavailableError(None, None, text))
    status, _, err = run(main=lost)
    assert status == 1
    assert err.startswith("t2t_lite_trainer: worker 3 was lost: it ended; see")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "bug", [ZeroDivisionError("bug"), ValueError("bug"), OSError("bug")]
)
def test_a_bug_keeps_its_traceback(values, monkeypatch, bug):
    monkeypatch.setattr(sys, "argv", ["t2t_lite_trainer"])
    with pytest.raises(type(bug), match="bug"):
        command.run(raising(bug), values, "Trains.")


def test_real_permission_error_without_traceback(run, tmp_path):
    locked = tmp_path / "file"
    locked.write_text("")

    def main(values):
        os.makedirs(locked / "run")

    status, _, err = run(main=main)
    assert status == 1
    assert err == (
        f"t2t_lite_trainer: not a directory: {locked}/run; a part of the "
        "path is a file: choose another path\n"
    )


def test_tensorflow_is_quiet_and_not_imported():
    source = LIGHT.replace(
        'assert "tensorflow" not in sys.modules',
        'assert "tensorflow" not in sys.modules\n    import os\n'
        '    print(os.environ["TF_CPP_MIN_LOG_LEVEL"])',
    )
    environment = dict(os.environ)
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    done = script(source, "--lines=0", env=environment)
    assert (done.returncode, done.stdout) == (0, "3\n")
    environment["TF_CPP_MIN_LOG_LEVEL"] = "0"
    assert script(source, "--lines=0", env=environment).stdout == "0\n"


def test_what_a_process_holds_may_become_garbage(run):
    """Only what a command itself imports is never looked through again."""
    before = gc.get_freeze_count()
    assert run()[0] == 0
    assert gc.get_freeze_count() <= before


def test_a_reader_that_leaves_is_no_error():
    pipe = '"$0" -c "$1" --lines=9999 | head -c 5'
    done = subprocess.run(
        ["bash", "-c", pipe, sys.executable, LIGHT],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("xxxxx", "")


@pytest.mark.parametrize("module", console_scripts())
def test_help_of_each_console_script_does_not_load_tensorflow(module):
    source = (
        "import runpy, sys\n"
        "sys.argv = ['x', '--help']\n"
        "try:\n"
        f"    runpy.run_module({module!r}, run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    assert stop.code == 0\n"
        "assert not {'tensorflow', 'keras', 'grpc'} & set(sys.modules)\n"
    )
    done = script(source)
    assert done.returncode == 0, done.stderr
    assert "Examples:" in done.stdout

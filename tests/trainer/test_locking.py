"""One trainer in a run folder at a time."""

import subprocess
import sys

import pytest

from t2t_lite.errors import UserError
from t2t_lite.trainer.run_folder import RunFolder
from tests.trainer.conftest import make_setup

_HOLDER = """
import sys
from t2t_lite.trainer.run_folder import RunFolder
RunFolder(sys.argv[1]).lock()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of tmp_path/run."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_trainer_is_refused(tmp_path, holder):
    with pytest.raises(
        UserError,
        match=rf"another trainer is at work there \(process {holder.pid} on ",
    ):
        make_setup(tmp_path)
    assert not RunFolder(str(tmp_path / "run")).exists()


def test_the_lock_of_a_killed_trainer_is_free(tmp_path, holder):
    holder.kill()
    holder.wait()
    setup = make_setup(tmp_path)
    assert (tmp_path / "run" / "lock").exists()
    make_setup(tmp_path)  # this process has it already
    setup.close()
    assert not (tmp_path / "run" / "lock").exists()

"""Results say where they come from."""

import os
import pathlib
import subprocess

import pytest

from t2t_lite.trainer import provenance

ROOT = pathlib.Path(__file__).parents[2]


def test_command_is_what_was_typed(monkeypatch):
    monkeypatch.setattr(
        "sys.argv", ["/usr/bin/t2t_lite_trainer", "--hparams=a=1, b=2"]
    )
    command = provenance.provenance()["command"]
    assert command == "t2t_lite_trainer '--hparams=a=1, b=2'"


def test_machine_names_its_cores():
    machine = provenance.provenance()["machine"]
    assert machine.startswith(f"{os.cpu_count()} cores, ")


def test_commit_is_the_checkouts():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    head = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
    )
    if head.returncode:
        pytest.skip("git does not answer here")
    commit = provenance.provenance()["commit"]
    assert commit.removesuffix("+changes") == head.stdout.strip()


def test_no_commit_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.provenance()["commit"] is None

"""Runs a command in this process, as a shell would."""

import signal
import sys

import pytest
from absl import flags

from t2t_lite.trainer.cli import command


@pytest.fixture
def run_command(monkeypatch, capsys):
    """Calls a command module; returns (exit status, stdout, stderr)."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(module, function, *arguments):
        values = flags.FlagValues()
        module._define(values)
        monkeypatch.setattr(sys, "argv", [module.__name__, *arguments])
        with pytest.raises(SystemExit) as stop:
            command.run(
                getattr(module, function),
                values,
                module.DESCRIPTION,
                module.EXAMPLES,
                arguments=getattr(module, "ARGUMENTS", ()),
            )
        printed = capsys.readouterr()
        return stop.value.code, printed.out, printed.err

    yield run
    signal.signal(signal.SIGTERM, handler)

"""Words of a command line that belong to no flag."""

import sys

import pytest
from absl import flags

from t2t_lite.trainer.cli import command


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a", "b"], (100, ["a", "b"])),
        (["a", "--train_steps=7", "b"], (7, ["a", "b"])),
        (["--train_steps", "7", "a", "b"], (7, ["a", "b"])),
        (["a"], "B is missing: give A B; --help has examples"),
        ([], "A is missing: give A B; --help has examples"),
        (["a", "b", "c"], "unexpected argument 'c': values belong to flags"),
    ],
)
def test_words_without_a_flag(monkeypatch, capsys, arguments, expected):
    values = flags.FlagValues()
    flags.DEFINE_integer("train_steps", 100, "Updates.", flag_values=values)
    seen = []
    monkeypatch.setattr(sys, "argv", ["t2t_lite_compare", *arguments])
    with pytest.raises(SystemExit) as stop:
        command.run(
            lambda v, words: seen.append((v.train_steps, words)),
            values,
            "Compares.",
            tensorflow=False,
            arguments=("A", "B"),
        )
    if isinstance(expected, str):
        assert (stop.value.code, seen) == (2, [])
        assert expected in capsys.readouterr().err
    else:
        assert (stop.value.code, seen) == (0, [expected])

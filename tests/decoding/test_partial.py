"""Result files that a stopped command leaves."""

import os

import pytest

from t2t_lite.decoding.lines import Line
from t2t_lite.decoding.results import ResultWriter
from t2t_lite.errors import UserError

MADE_BY = {"weights": "abc", "format": "text"}
RESULTS = [
    (Line(1, "a"), ["A", "AA"], [-0.5, -2.0]),
    (Line(2, ""), ["", "x"], [0.0, -1.0]),
    (Line(3, "c"), ["C ||| D", "é"], [-1.0, -3.0]),
    (Line(4, "d"), ["D", "E"], [-1.0, -3.0]),
]


class StopError(Exception):
    pass


def _write(path, kind, results, made_by=MADE_BY, stop=False):
    """Writes what is not done; returns how many lines were."""
    with ResultWriter(str(path), kind, made_by) as writer:
        done = writer.done
        for result in results[done:]:
            writer.write(*result)
        if stop:
            raise StopError
    return done


@pytest.mark.parametrize("kind", ["text", "nbest", "jsonl"])
def test_every_cut_is_gone_on_from(tmp_path, kind):
    whole = tmp_path / "whole"
    _write(whole, kind, RESULTS)
    expected = whole.read_bytes()
    path, partial = tmp_path / "out", tmp_path / "out.partial"
    for size in range(len(expected) + 1):
        with pytest.raises(StopError):
            _write(path, kind, RESULTS, stop=True)
        os.truncate(partial, size)
        assert not path.exists()
        done = _write(path, kind, RESULTS)
        assert path.read_bytes() == expected
        assert done <= expected[:size].count(b"\n")
        assert sorted(os.listdir(tmp_path)) == ["out", "whole"]
        path.unlink()
    assert done == (3 if kind == "nbest" else 4)


def test_what_is_there_stays_until_the_end(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(StopError):
        _write(path, "text", RESULTS[:2], stop=True)
    assert path.read_text() == "old"
    assert _write(path, "text", RESULTS) == 2
    assert path.read_text() == "A\n\nC ||| D\nD\n"


def test_results_of_something_else_are_refused(tmp_path):
    path = tmp_path / "out"
    with pytest.raises(StopError):
        _write(path, "text", RESULTS[:2], stop=True)
    other = {**MADE_BY, "weights": "def"}
    with pytest.raises(UserError, match="made with weights='abc', now it is"):
        _write(path, "text", RESULTS, other)
    (tmp_path / "out.partial.json").unlink()
    with pytest.raises(UserError, match="nobody knows what made it"):
        _write(path, "text", RESULTS)
    assert (tmp_path / "out.partial").read_text() == "A\n\n"

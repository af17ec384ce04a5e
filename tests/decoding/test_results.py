"""Result files: three formats, whole or not at all."""

import io
import json
import os

import pytest

from t2t_lite.decoding.lines import Line
from t2t_lite.decoding.results import ResultWriter
from t2t_lite.errors import UserError


def _write(path, kind="text"):
    with ResultWriter(str(path), kind) as writer:
        writer.write(Line(1, "a", "mended"), ["A\nB\u2028", "C"], [-0.5, -2.0])
        writer.write(Line(2, ""), [""], [0.0])
        writer.write(Line(3, "c"), ["x ||| y", ""], [-1, float("-inf")], ["n"])


def test_text_has_one_line_for_each(tmp_path):
    path = tmp_path / "out"
    _write(path)
    assert path.read_text(encoding="utf-8") == "A B \n\nx ||| y\n"


def test_nbest_can_be_split_again(tmp_path):
    path = tmp_path / "out"
    _write(path, "nbest")
    rows = []
    for row in path.read_text(encoding="utf-8").splitlines():
        number, rest = row.split(" ||| ", 1)
        rows.append((int(number), *rest.rsplit(" ||| ", 1)))
    assert rows == [
        (1, "A B ", "-0.500000"),
        (1, "C", "-2.000000"),
        (2, "", "0.000000"),
        (3, "x ||| y", "-1.000000"),
        (3, "", "-inf"),
    ]


def test_jsonl_is_strict_json_with_notes(tmp_path):
    path = tmp_path / "out"
    _write(path, "jsonl")

    def refuse(word):
        raise AssertionError(word)

    rows = path.read_text(encoding="utf-8").splitlines()
    records = [json.loads(row, parse_constant=refuse) for row in rows]
    assert records[0] == {
        "line": 1,
        "input": "a",
        "outputs": ["A\nB\u2028", "C"],
        "scores": [-0.5, -2.0],
        "notes": ["mended"],
    }
    assert records[1]["notes"] == []
    assert records[2]["scores"] == [-1, None]
    assert records[2]["notes"] == ["n"]


def test_a_file_appears_at_the_end_and_whole(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    with ResultWriter(str(path)) as writer:
        writer.write(Line(1, "a"), ["A"], [0.0])
        assert path.read_text() == "old"
    assert path.read_text() == "A\n"

    def stopped_halfway():
        with ResultWriter(str(path)) as writer:
            writer.write(Line(1, "a"), ["B"], [0.0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_halfway()
    assert path.read_text() == "A\n"
    assert os.listdir(tmp_path) == ["out"]


def test_a_link_keeps_pointing_to_its_file(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    _write(link)
    assert link.is_symlink()
    assert target.read_text().startswith("A B")


def test_standard_output_gets_each_line_at_once(monkeypatch):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(io.BufferedWriter(raw), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    with ResultWriter("-") as writer:
        writer.write(Line(1, "a"), ["ü"], [0.0])
        assert raw.getvalue() == "ü\n".encode()
    assert not stream.closed


def test_what_is_no_regular_file_is_written_in_place(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    _write(path)
    assert os.read(reader, 100).startswith(b"A B")
    os.close(reader)
    assert os.listdir(tmp_path) == ["pipe"]


def test_places_that_cannot_be_written_are_named(tmp_path):
    missing = tmp_path / "missing" / "out"
    for path, reason in ((missing, "No such file"), (tmp_path, "a folder")):
        with pytest.raises(UserError, match=f"cannot be written .*{reason}"):
            ResultWriter(str(path)).__enter__()


def test_a_full_disk_is_named():
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with (
        pytest.raises(OSError, match="No space left on device: '/dev/full'"),
        ResultWriter("/dev/full") as writer,
    ):
        writer.write(Line(1, "a"), ["A"], [0.0])


def test_unknown_formats_get_the_closest():
    with pytest.raises(UserError, match=r"'json' is unknown .*'jsonl'"):
        ResultWriter("-", "json")

"""Lines in = lines out, whatever the bytes; batches that lose nothing."""

import gzip
import io
import itertools
import tracemalloc

import pytest

from t2t_lite.decoding.lines import (
    MAX_LINE_BYTES,
    Line,
    batches_by_length,
    in_input_order,
    map_lines,
    read_lines,
)
from t2t_lite.errors import UserError


def _read(data):
    return list(read_lines(io.BytesIO(data)))


def _texts(data):
    return [line.text for line in _read(data)]


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n\r\n", ["a", "b", ""]),
        (b"\n\na\n\n", ["", "", "a", ""]),
        ("a\u2028b\u2029c\x85d\n".encode(), ["a\u2028b\u2029c\x85d"]),
        (b"\ta \n", ["\ta "]),
    ],
)
def test_lf_and_crlf_alone_end_lines(data, texts):
    lines = _read(data)
    assert [line.text for line in lines] == texts
    assert [line.number for line in lines] == list(range(1, len(texts) + 1))
    assert not any(line.note for line in lines)


def test_invalid_utf8_is_replaced_and_noted():
    lines = _read(b"good\nb\xffad \xc3\nsurrogate \xed\xa0\x80\n")
    assert lines[0] == Line(1, "good")
    assert lines[1].text == "b\ufffdad \ufffd"
    assert lines[1].note == "invalid UTF-8 replaced by U+FFFD"
    assert "\ufffd" in lines[2].text
    lines[2].text.encode("utf-8")


def test_control_characters_become_spaces():
    (line,) = _read(b"a\x00b\x0cc\rd\x7f\te\n")
    assert line.text == "a b c d \te"
    assert line.note == "control characters replaced by spaces"
    (both,) = _read(b"\x00\xff\n")
    assert both.text == " \ufffd"
    assert both.note.count(";") == 1


def test_byte_order_mark_goes_from_the_first_line_alone():
    first, second = _read("\ufeffa\n\ufeffb\n".encode())
    assert first == Line(1, "a", "byte order mark removed")
    assert second == Line(2, "\ufeffb")


def test_utf16_is_refused():
    with pytest.raises(UserError, match="is UTF-16; convert it with 'iconv"):
        _read("a\n".encode("utf-16"))


def test_a_long_line_is_kept_and_an_endless_one_is_cut():
    assert _texts(b"x" * 100_000 + b"\nb\n") == ["x" * 100_000, "b"]
    fits = b"x" * MAX_LINE_BYTES
    for end in (b"", b"\n", b"\r\n"):
        assert _read(fits + end) == [Line(1, fits.decode())]
    for more in (1, 2, 3, MAX_LINE_BYTES, 3 * MAX_LINE_BYTES):
        for end in (b"\n", b"\r\n"):
            lines = _read(fits + b"y" * more + end + b"b")
            assert [line.text for line in lines] == [fits.decode(), "b"]
            assert lines[0].note == f"cut to {MAX_LINE_BYTES} bytes"
    (line,) = _read("é".encode() * MAX_LINE_BYTES)
    assert line.text == "é" * (MAX_LINE_BYTES // 2)
    (line,) = _read(b"x" + "é".encode() * MAX_LINE_BYTES)
    assert line.text == "x" + "é" * (MAX_LINE_BYTES // 2 - 1)
    assert "invalid" not in line.note


def test_files_plain_or_gzip_by_content(tmp_path):
    plain, packed = tmp_path / "a.gz", tmp_path / "b.txt"
    plain.write_bytes(b"a\nb\n")
    packed.write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    for path in (plain, packed):
        assert [line.text for line in read_lines(str(path))] == ["a", "b"]
    assert list(read_lines(str(empty))) == []


def test_unreadable_files_are_named_at_once(tmp_path):
    with pytest.raises(UserError, match="nowhere: cannot be read \\(No such"):
        read_lines(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="cannot be read \\(Is a directory"):
        read_lines(str(tmp_path))


def test_damaged_gzip_is_named(tmp_path):
    path = tmp_path / "cut.gz"
    whole = gzip.compress(b"first\n" + bytes(range(256)) * 1000)
    for data in (whole[:-9], whole[:30], whole + b"garbage"):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"cut\.gz: damaged gzip after"):
            list(read_lines(str(path)))


def test_standard_input_and_streams_stay_open(monkeypatch):
    stream = io.BytesIO(b"a\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
    assert [line.text for line in read_lines("-")] == ["a"]
    other = io.BytesIO(b"a\nb\n")
    next(read_lines(other))
    assert not other.closed
    assert not stream.closed


def test_memory_does_not_grow_with_the_input(tmp_path):
    path = tmp_path / "long"
    path.write_bytes(b"a few words in a line\n" * 200_000)
    tracemalloc.start()
    pairs = map_lines(
        lambda lines: [line.text for line in lines],
        itertools.islice(read_lines(str(path)), 20_000),
        batch_tokens=1000,
        window=100,
    )
    count = sum(1 for _ in pairs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 1_000_000


def test_batches_are_bounded_sorted_and_complete():
    items = ["x" * n for n in (3, 9, 1, 30, 2, 0, 4, 4, 4, 1)]
    batches = list(batches_by_length(items, batch_tokens=12, window=6))
    for batch in batches:
        sizes = [len(item) for _, item in batch]
        assert sizes == sorted(sizes, reverse=True)
        assert len(batch) == 1 or len(batch) * sizes[0] <= 12
    positions = [[i for i, _ in batch] for batch in batches]
    assert positions == [[3], [1], [0, 4, 2, 5], [6, 7, 8], [9]]
    assert all(items[i] == item for batch in batches for i, item in batch)
    assert list(batches_by_length([], 12, 6)) == []


def test_batches_measure_as_told():
    batches = list(batches_by_length([5, 1], 10, 9, length=lambda n: n * 2))
    assert batches == [[(0, 5)], [(1, 1)]]


def test_window_of_one_reads_nothing_ahead():
    source = iter("abc")
    batches = batches_by_length(source, 100, 1)
    assert next(batches) == [(0, "a")]
    assert next(source) == "b"


@pytest.mark.parametrize(
    ("options", "message"),
    [((0, 5), "batch_size: expected at least 1, got 0"), ((5, 0), "window")],
)
def test_batch_mistakes_are_named(options, message):
    with pytest.raises(UserError, match=message):
        list(batches_by_length(["a"], *options))


def test_order_is_restored_as_soon_as_possible():
    source = iter([(1, "b"), (0, "a"), (2, "c")])
    results = in_input_order(source)
    assert next(results) == "a"
    assert next(results) == "b"
    assert next(source) == (2, "c")


@pytest.mark.parametrize(
    ("positions", "message"),
    [([0, 0], "0 came twice"), ([1, 1], "1 came twice"), ([1], "0 is missing")],
)
def test_lost_results_are_an_error(positions, message):
    with pytest.raises(ValueError, match=message):
        list(in_input_order((i, None) for i in positions))


def test_map_lines_keeps_the_order():
    items = ["x" * (n * 7 % 11) for n in range(100)]
    sizes = []

    def upper(texts):
        sizes.append(len(texts))
        return [text.upper() for text in texts]

    pairs = list(map_lines(upper, items, batch_tokens=40, window=32))
    assert pairs == [(item, item.upper()) for item in items]
    assert len(sizes) < 50
    with pytest.raises(ValueError, match="shorter"):
        list(map_lines(lambda texts: texts[1:], items, 40, 32))

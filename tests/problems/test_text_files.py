"""Lines and pairs of lines: what ends a line, and what is refused."""

import gzip

import pytest

from t2t_lite.errors import UserError
from t2t_lite.problems import text_files


def _write(path, content: bytes):
    path.write_bytes(content)
    return str(path)


def _lines(path):
    return list(text_files.read_lines(path))


class TestLines:
    def test_only_line_feeds_end_a_line(self, tmp_path):
        text = "a\u2028b\nc\u0085d\x0be\x0c\n\nf\rg\n"
        path = _write(tmp_path / "x", text.encode())
        assert _lines(path) == ["a\u2028b", "c\u0085d\x0be\x0c", "", "f\rg"]

    def test_windows_line_ends_and_byte_order_mark(self, tmp_path):
        path = _write(tmp_path / "x", b"\xef\xbb\xbfa\r\nb\r\n")
        assert _lines(path) == ["a", "b"]

    def test_last_line_without_end(self, tmp_path):
        assert _lines(_write(tmp_path / "x", b"a\nb")) == ["a", "b"]

    def test_gzip(self, tmp_path):
        path = _write(tmp_path / "x.gz", gzip.compress("ä\nb\n".encode()))
        assert _lines(path) == ["ä", "b"]
        assert text_files.count_lines(path) == 2

    def test_compression_may_be_told(self, tmp_path):
        path = _write(tmp_path / "x.tmp", gzip.compress(b"a\n"))
        assert text_files.count_lines(path, compressed=True) == 1

    def test_very_long_line(self, tmp_path):
        path = _write(tmp_path / "x", b"ab " * 2_000_000 + b"\nc\n")
        assert [len(line) for line in _lines(path)] == [6_000_000, 1]

    def test_empty_file(self, tmp_path):
        assert _lines(_write(tmp_path / "x", b"")) == []


class TestRefusals:
    def test_missing(self, tmp_path):
        with pytest.raises(UserError, match=r"nowhere\.de: no such file"):
            _lines(str(tmp_path / "nowhere.de"))

    def test_folder(self, tmp_path):
        with pytest.raises(UserError, match="cannot be read: Is a directory"):
            _lines(str(tmp_path))

    def test_not_utf8_names_file_and_line(self, tmp_path):
        path = _write(tmp_path / "latin.de", b"gut\nsch\xf6n\n")
        with pytest.raises(UserError, match=r"latin\.de, line 2: not UTF-8"):
            _lines(path)

    def test_truncated_gzip(self, tmp_path):
        whole = gzip.compress(b"".join(b"%d\n" % i for i in range(9999)))
        path = _write(tmp_path / "x.gz", whole[: len(whole) // 2])
        with pytest.raises(UserError, match=r"x\.gz: damaged or cut short"):
            _lines(path)

    def test_flipped_gzip_byte(self, tmp_path):
        whole = bytearray(gzip.compress(b"some text\n" * 50))
        whole[-6] ^= 1  # in the checksum
        path = _write(tmp_path / "x.gz", bytes(whole))
        with pytest.raises(UserError, match=r"x\.gz: not a gzip.*CRC"):
            _lines(path)

    def test_no_gzip_at_all(self, tmp_path):
        path = _write(tmp_path / "x.gz", b"plain text\n")
        with pytest.raises(UserError, match="not a gzip file"):
            _lines(path)


class TestPairs:
    def test_two_files(self, tmp_path):
        pairs = text_files.read_pairs(
            _write(tmp_path / "en", b"a\tx\nb\n"),
            _write(tmp_path / "de", b"c\n\n"),
        )
        assert list(pairs) == [("a\tx", "c"), ("b", "")]

    @pytest.mark.parametrize("exchanged", [False, True])
    def test_different_lengths_give_both_counts(self, tmp_path, exchanged):
        long = _write(tmp_path / "long", b"a\n" * 1234)
        short = _write(tmp_path / "short", b"a\n" * 1230)
        files = (short, long) if exchanged else (long, short)
        counts = ("1,230", "1,234") if exchanged else ("1,234", "1,230")
        pattern = rf"{files[0]} has {counts[0]} .*{files[1]} has {counts[1]}"
        with pytest.raises(UserError, match=pattern):
            list(text_files.read_pairs(*files))

    def test_tsv(self, tmp_path):
        content = b"a b\tc\nd\te\tCC-BY\n\nf\t\n"
        pairs = text_files.read_pairs(_write(tmp_path / "x", content), None)
        assert list(pairs) == [("a b", "c"), ("d", "e"), ("", ""), ("f", "")]

    def test_tsv_without_tab(self, tmp_path):
        path = _write(tmp_path / "x.tsv", b"a\tb\nno tab\n")
        with pytest.raises(UserError, match=r"x\.tsv, line 2: no tab"):
            list(text_files.read_pairs(path, None))

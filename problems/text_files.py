"""Text files, plain or .gz, line by line and strictly checked.

Only LF ends a line (a CR before it belongs to the end too): U+2028 and the
like are part of a sentence. A byte order mark at the start is left out.
"""

from __future__ import annotations

import gzip
import itertools
import os
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from t2t_lite.errors import UserError

MAX_LINE_BYTES = 1 << 24
# Text packs to a fifth; what unpacks to more than this is no text.
MAX_UNPACKED_BYTES = 1 << 30
MAX_UNPACKED_RATIO = 100


def read_lines(path: str, compressed: bool | None = None) -> Iterator[str]:
    """Yields the lines of a UTF-8 file without their ends.

    Args:
        path: str, the file.
        compressed: whether it is a gzip file; by default, whether its name
            ends in .gz.
    Raises:
        UserError: the file is missing, unreadable, a damaged .gz, or not
            UTF-8, a line is longer than 16 MiB, or a .gz unpacks to more
            than 1 GiB and 100 times its size; the message names the file
            and, where it is known, the line's number.
    """
    number = size = 0
    try:
        with _open(path, compressed) as file:
            limit = _unpacked_limit(file)
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                size += len(raw)
                if len(raw) > MAX_LINE_BYTES:
                    raise UserError(
                        f"{path}, line {number}: longer than"
                        f" {MAX_LINE_BYTES:,} bytes; is it a file of sentences?"
                    )
                if size > limit:
                    raise UserError(
                        f"{path}: unpacks to more than {limit:,} bytes; unpack"
                        " it first, if that is what you want"
                    )
                yield _decode(raw, path, number)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (EOFError, zlib.error) as error:
        raise UserError(
            f"{path}: damaged or cut short after line {number} ({error});"
            " get the file again"
        ) from error
    except gzip.BadGzipFile as error:
        raise UserError(
            f"{path}: not a gzip file, or damaged after line {number}"
            f" ({error}); get the file again"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def _open(path: str, compressed: bool | None) -> BinaryIO:
    if compressed is None:
        compressed = path.endswith(".gz")
    return gzip.open(path, "rb") if compressed else open(path, "rb")


def _unpacked_limit(file: BinaryIO) -> float:
    """Returns how many bytes may be read of an opened file."""
    if not isinstance(file, gzip.GzipFile):
        return float("inf")
    packed = os.fstat(file.fileno()).st_size
    return max(MAX_UNPACKED_BYTES, MAX_UNPACKED_RATIO * packed)


def _decode(raw: bytes, path: str, number: int) -> str:
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, line {number}: not UTF-8 (byte {error.start + 1} of the"
            " line); convert the file to UTF-8"
        ) from error
    if number == 1:
        line = line.removeprefix("\ufeff")
    return line.removesuffix("\n").removesuffix("\r")


def one_line(text: str) -> str:
    """Returns a text whose words have one space between them."""
    return " ".join(text.split())


def count_lines(path: str, compressed: bool | None = None) -> int:
    """Returns the number of lines; arguments and errors as `read_lines`."""
    return sum(1 for _ in read_lines(path, compressed))


def read_pairs(source: str, target: str | None) -> Iterator[tuple[str, str]]:
    """Yields pairs of lines.

    Args:
        source: str, a text file; or, without `target`, a .tsv file whose
            first two columns are source and target (others are left out).
        target: str, the text file whose line i belongs to line i of
            `source`.
    Raises:
        UserError: as `read_lines`; or the files have different numbers of
            lines (the message gives both); or a line of a .tsv has no tab.
    """
    if target is None:
        yield from _read_tsv(source)
        return
    sources, targets = read_lines(source), read_lines(target)
    for count, pair in enumerate(itertools.zip_longest(sources, targets)):
        if None in pair:
            _refuse_lengths(source, target, count, pair, sources, targets)
        yield pair


def _read_tsv(path: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_lines(path), 1):
        columns = line.split("\t")
        if len(columns) < 2 and line.strip():
            raise UserError(
                f"{path}, line {number}: no tab; a line is source<TAB>target"
            )
        yield columns[0], columns[1] if len(columns) > 1 else ""


def _refuse_lengths(source, target, count, pair, sources, targets) -> None:
    """Raises UserError with both counts; `pair` holds the shorter's None."""
    longer = 1 + count + sum(1 for _ in itertools.chain(sources, targets))
    counts = (count, longer) if pair[0] is None else (longer, count)
    raise UserError(
        f"{source} has {counts[0]:,} lines but {target} has {counts[1]:,};"
        " line i of one must belong to line i of the other"
    )

"""Input lines for a decoder: read robustly, batched, and put back in order.

Everything is a generator: memory does not grow with the input.
"""

from __future__ import annotations

import codecs
import collections
import concurrent.futures
import contextlib
import gzip
import io
import itertools
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, TypeVar

from t2t_lite.errors import UserError

T = TypeVar("T")
R = TypeVar("R")

MAX_LINE_BYTES = 1 << 20
# Of long lines a window holds fewer; in memory, 4 bytes a unit at most.
MAX_WINDOW_UNITS = 1 << 24
_GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# NUL, the other C0 controls but tab, and DEL.
_CONTROLS = {code: " " for code in (*range(32), 127) if code != 9}


class Line(NamedTuple):
    """One line of input.

    Fields:
        number: int, from 1.
        text: str without its line end.
        note: str, what was mended in it; "" = nothing.
    """

    number: int
    text: str
    note: str = ""


def read_lines(source: str | BinaryIO) -> Iterator[Line]:
    """Opens `source` at once and returns its lines, read as they are needed.

    Lines end in LF or CRLF and in nothing else (U+2028 or a form feed are
    text); the last needs no end. Every line gives one Line, empty ones too.
    Mended and noted: invalid UTF-8 becomes U+FFFD; NUL and the other control
    characters, except tab, become a space each; a byte order mark at the
    start of the input goes; of a line longer than `MAX_LINE_BYTES` (1 MiB)
    the rest is dropped. No more than that is held in memory.

    Args:
        source: str, a file's path or "-" for standard input; or a binary
            stream, which is left open. gzip is recognised by its first
            bytes, whatever the name.
    Returns:
        An iterator over Lines.
    Raises:
        UserError: the file cannot be opened; while iterating, it is UTF-16
            or damaged gzip, or cannot be read.
    """
    if source == "-":
        source = sys.stdin.buffer
    if not isinstance(source, str):
        return _lines(source, getattr(source, "name", "standard input"))
    try:
        file = open(source, "rb")  # noqa: SIM115 (the generator closes it)
    except OSError as error:
        raise UserError(
            f"{source}: cannot be read ({error.strerror})"
        ) from None
    return _closing(file, source)


def _closing(file: BinaryIO, name: str) -> Iterator[Line]:
    with file:
        yield from _lines(file, name)


def _lines(stream: BinaryIO, name: str) -> Iterator[Line]:
    number = 0
    try:
        with _uncompressed(stream) as content:
            while data := content.readline(MAX_LINE_BYTES + 2):
                if number == 0 and data.startswith(_UTF16_MARKS):
                    raise UserError(
                        f"{name}: is UTF-16; convert it with "
                        "'iconv -f UTF-16 -t UTF-8'"
                    )
                number += 1
                yield _to_line(number, data, _skip_rest(content, data))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(
            f"{name}: damaged gzip after line {number} ({error}); make or "
            "copy the file again"
        ) from None
    except OSError as error:
        raise UserError(
            f"{name}: cannot be read after line {number} ({error.strerror})"
        ) from None


@contextlib.contextmanager
def _uncompressed(stream: BinaryIO) -> Iterator[BinaryIO]:
    peekable = hasattr(stream, "peek")
    buffered = stream if peekable else io.BufferedReader(stream)
    try:
        packed = buffered.peek(2)[:2] == _GZIP_MAGIC
        yield gzip.GzipFile(fileobj=buffered) if packed else buffered
    finally:
        if not peekable:
            buffered.detach()


def _skip_rest(stream: BinaryIO, data: bytes) -> bool:
    """Reads to the line's end; returns whether anything was dropped."""
    content = data.removesuffix(b"\n").removesuffix(b"\r")
    if len(content) <= MAX_LINE_BYTES:
        return False
    while data and not data.endswith(b"\n"):
        data = stream.readline(MAX_LINE_BYTES)
    return True


def _to_line(number: int, data: bytes, dropped: bool) -> Line:
    notes = []
    if data.endswith(b"\r\n"):
        data = data[:-2]
    data = data.removesuffix(b"\n")
    if number == 1 and data.startswith(codecs.BOM_UTF8):
        data = data.removeprefix(codecs.BOM_UTF8)
        notes.append("byte order mark removed")
    if dropped:
        data = data[:MAX_LINE_BYTES]
        notes.append(f"cut to {MAX_LINE_BYTES} bytes")
    decoder = codecs.getincrementaldecoder("utf-8")
    try:
        # A cut line may end inside a character, which goes with the rest.
        text = decoder("strict").decode(data, final=not dropped)
    except UnicodeDecodeError:
        text = decoder("replace").decode(data, final=not dropped)
        notes.append("invalid UTF-8 replaced by U+FFFD")
    clean = text.translate(_CONTROLS)
    if clean != text:
        notes.append("control characters replaced by spaces")
    return Line(number, clean, "; ".join(notes))


def batches_by_length(
    items: Iterable[T],
    batch_tokens: int,
    window: int,
    length: Callable[[T], int] | None = None,
) -> Iterator[list[tuple[int, T]]]:
    """Groups items of similar length, within a bounded window.

    Each window of items is sorted by length, longest first, and cut so that
    rows * longest <= batch_tokens; an item longer than that is a batch of its
    own. Items of equal length keep their order. A window ends early where its
    items are `MAX_WINDOW_UNITS` long together.

    Args:
        items: any iterable, read one window ahead at most.
        batch_tokens: int, size of a batch in units of `length`.
        window: int, items sorted at a time; 1 = one by one, at once.
        length: gives an item's length; by default a Line's or a str's number
            of characters. Lengths below 1 count as 1.
    Yields:
        Batches [(position in `items` from 0, item), ...].
    Raises:
        UserError: batch_tokens or window is below 1.
    """
    for name, value in (("batch_size", batch_tokens), ("window", window)):
        if value < 1:
            raise UserError(f"{name}: expected at least 1, got {value}")
    measure = length or _characters
    held: list[tuple[int, T]] = []
    units = 0
    for entry in enumerate(items):
        held.append(entry)
        units += measure(entry[1])
        if len(held) == window or units >= MAX_WINDOW_UNITS:
            yield from _cut(held, batch_tokens, measure)
            held, units = [], 0
    yield from _cut(held, batch_tokens, measure)


def _characters(item) -> int:
    return len(item.text if isinstance(item, Line) else item)


def _cut(held, batch_tokens, measure) -> Iterator[list]:
    sized = [(max(1, measure(item)), i, item) for i, item in held]
    sized.sort(key=lambda entry: -entry[0])
    start = 0
    while start < len(sized):
        rows = max(1, batch_tokens // sized[start][0])
        yield [(i, item) for _, i, item in sized[start : start + rows]]
        start += rows


def in_input_order(results: Iterable[tuple[int, R]]) -> Iterator[R]:
    """Yields results in the order of their positions, as soon as it can.

    Args:
        results: (position, result) with every position from 0 once.
    Raises:
        ValueError: a position is missing or comes twice.
    """
    waiting: dict[int, R] = {}
    following = 0
    for position, result in results:
        if position < following or position in waiting:
            raise ValueError(f"position {position} came twice")
        waiting[position] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1
    if waiting:
        raise ValueError(f"position {following} is missing")


def map_lines(
    function: Callable[[list[T]], Sequence[R]],
    items: Iterable[T],
    batch_tokens: int,
    window: int,
    length: Callable[[T], int] | None = None,
    at_once: int = 1,
) -> Iterator[tuple[T, R]]:
    """Applies `function` to batches of similar length; keeps the order.

    Args:
        function: from a list of items to one result each; may be called on
            other threads.
        items, batch_tokens, window, length: see `batches_by_length`.
        at_once: int, batches that are in work at the same time.
    Yields:
        (item, result), in the order of `items`.
    Raises:
        ValueError: `function` gave another number of results than items.
    """

    def answered(batch):
        values = function([item for _, item in batch])
        return [
            (i, (item, value))
            for (i, item), value in zip(batch, values, strict=True)
        ]

    batches = batches_by_length(items, batch_tokens, window, length)
    results = ahead(answered, batches, at_once)
    return in_input_order(itertools.chain.from_iterable(results))


def ahead(
    function: Callable[[T], R],
    items: Iterable[T],
    at_once: int,
    before: Callable[[], None] = lambda: None,
) -> Iterator[R]:
    """Yields function(item) in order, `at_once` at a time on threads.

    Args:
        function: called on other threads, but for `at_once` of 1.
        items: any iterable, read so far ahead.
        at_once: int; with 1, nothing is read ahead.
        before: called, on the caller's thread, before each item is begun.
    """
    if at_once == 1:
        for item in items:
            before()
            yield function(item)
        return
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        waiting: collections.deque = collections.deque()
        for item in items:
            if len(waiting) == at_once:
                yield waiting.popleft().result()
            before()
            waiting.append(pool.submit(function, item))
        while waiting:
            yield waiting.popleft().result()

"""Files that nobody has vouched for, read within stated bounds.

Every function raises ValueError with a few words that fit "... is damaged
(words)"; the caller names the file and the mend.
"""

from __future__ import annotations

import json
import math
import os
import stat
import zlib
from typing import Any

MAX_JSON_BYTES = 1 << 24
MAX_JSON_DEPTH = 32
_MAX_INTEGER = 1 << 63
_MAX_NAME_BYTES = 255  # what file systems take


def read_file(path: str, limit: int) -> bytes:
    """Returns the content of a regular file of at most `limit` bytes.

    A pipe or a device, on which a reader may wait for ever, is refused.

    Raises:
        ValueError: it is no regular file, or larger.
        OSError: it cannot be read.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    if status.st_size > limit:
        raise ValueError(
            f"it has {status.st_size:,} bytes, at most {limit:,} are read"
        )
    with open(path, "rb") as file:
        return file.read(status.st_size)


def read_json(path: str, finite: bool = True) -> Any:
    """Returns the content of a JSON file of at most 16 MiB; see `parse_json`.

    Raises:
        ValueError: the file or its content is refused.
        OSError: it cannot be read.
    """
    return parse_json(read_file(path, MAX_JSON_BYTES), finite)


def parse_json(content: bytes, finite: bool = True) -> Any:
    """Returns what JSON text holds.

    Args:
        content: bytes, UTF-8.
        finite: bool, refuse numbers that are infinite or no number.
    Raises:
        ValueError: it is no JSON, is nested deeper than 32, or holds an
            integer beyond 64 bits, a lone surrogate or a non-finite number.
    """
    try:
        value = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no JSON") from error
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [inner for item in level for inner in _inner(item, finite)]
        if not level:
            return value
    raise ValueError(f"it is nested deeper than {MAX_JSON_DEPTH}")


def _inner(value: Any, finite: bool) -> list:
    """Returns what a JSON value holds directly; checks what holds nothing."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, list):
        return value
    if isinstance(value, int) and not -_MAX_INTEGER <= value < _MAX_INTEGER:
        raise ValueError("an integer has more than 64 bits")
    if isinstance(value, float) and finite and not math.isfinite(value):
        raise ValueError(f"a number is {value}")
    if isinstance(value, str) and not is_valid_text(value):
        raise ValueError("a text holds half a character")
    return []


def is_valid_text(text: str) -> bool:
    """Returns whether UTF-8 can hold `text`: no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_plain_name(name: Any) -> bool:
    """Returns whether `name` names a file inside a folder, and nothing else.

    No path, neither "." nor "..", no control characters.
    """
    return (
        isinstance(name, str)
        and name not in ("", ".", "..")
        and not set(name) & {"/", "\\"}
        and name.isprintable()
        and is_valid_text(name)
        and len(name.encode()) <= _MAX_NAME_BYTES
    )


def check_plain_name(name: Any) -> None:
    """Raises ValueError unless `is_plain_name(name)`."""
    if not is_plain_name(name):
        raise ValueError(f"{name!r:.80} is no plain file name")


def gunzip(content: bytes, limit: int) -> bytes:
    """Returns what one gzip member holds, if that is at most `limit` bytes.

    Raises:
        ValueError: it is no gzip, damaged, cut short, followed by other
            bytes, or unpacks to more.
    """
    member = zlib.decompressobj(wbits=31)
    try:
        unpacked = member.decompress(content, limit + 1)
    except zlib.error as error:
        raise ValueError(f"gzip: {error}") from error
    if len(unpacked) > limit:
        raise ValueError(f"it unpacks to more than {limit:,} bytes")
    if not member.eof or member.unused_data:
        raise ValueError("its gzip data end too early or too late")
    return unpacked

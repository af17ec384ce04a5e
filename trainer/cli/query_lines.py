"""The lines that t2t_lite_query sends: read strictly, each with its wishes."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple, TypeVar

from t2t_lite.decoding.lines import MAX_LINE_BYTES
from t2t_lite.decoding.options import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.hparams import split_overrides

T = TypeVar("T")


class Item(NamedTuple):
    """What one line asks.

    Fields:
        place: str, where it stands, for messages.
        inputs: values by the signature's names; the text is "inputs".
    """

    place: str
    inputs: dict[str, Any]


def read_items(
    texts: list[str], path: str | None, jsonl: bool
) -> Iterator[Item]:
    """Yields what is asked; lines keep their number, so empty ones too.

    Args:
        texts: sentences of the command line.
        path: str, UTF-8 file; without texts and a file, standard input.
        jsonl: bool, each line of the file is a JSON object with "inputs", or
            "input" as t2t_lite_decoder has it, and what is asked for it.
    Raises:
        UserError: the file cannot be read; a line is not UTF-8, longer than 1
            MiB or no such object. The message has its number.
    """
    if texts:
        for text in texts:
            yield Item("--text", {"inputs": _checked(text)})
        return
    for place, line in _lines(path):
        yield _of_json(place, line) if jsonl else Item(place, {"inputs": line})


def _of_json(place: str, line: str) -> Item:
    try:
        content = json.loads(line)
        if "input" in content and "inputs" not in content:
            content["inputs"] = content.pop("input")
        if not isinstance(content["inputs"], str):
            raise TypeError
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(
            f'{place}: expected an object with "inputs", a string, got '
            f"{line[:100]!r}"
        ) from error
    return Item(place, content)


def _lines(path: str | None) -> Iterator[tuple[str, str]]:
    """Yields each line's place and text."""
    name = path or "standard input"
    with contextlib.ExitStack() as stack:
        lines = sys.stdin.buffer
        if path:
            lines = stack.enter_context(_opened(path))
        number = 0
        while line := lines.readline(MAX_LINE_BYTES + 1):
            number += 1
            place = f"{name}, line {number}"
            if len(line) > MAX_LINE_BYTES:
                raise UserError(
                    f"{place}: longer than {MAX_LINE_BYTES} bytes; give a "
                    "file with a sentence on each line"
                )
            try:
                yield place, line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{place}: not UTF-8; convert the file, e.g. with iconv"
                ) from error


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UserError(
            f"--file={path}: cannot be read ({error.strerror})"
        ) from error


def _checked(text: str) -> str:
    """Returns --text; raises UserError if it came as bytes of no UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = text.encode("utf-8", "replace").decode()
        raise UserError(
            f"--text={shown}: not UTF-8; check the terminal's encoding, or "
            "give a UTF-8 file by --file"
        ) from error
    return text


def common_wishes(text: str) -> Mapping[str, Any]:
    """Returns what "beam_size=8,alpha=1" asks for all lines.

    Raises:
        UserError: see `SearchOptions.parse`.
    """
    options = SearchOptions.parse(text)
    names = [
        "num_results" if n == "return_beams" else n
        for n in split_overrides(text)
    ]
    return {name: getattr(options, name) for name in names}


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yields `size` items at a time, in their order."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch

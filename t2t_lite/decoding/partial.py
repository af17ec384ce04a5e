"""A result file that a stopped command leaves, and the next goes on with."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from t2t_lite.data import storage, untrusted
from t2t_lite.errors import UserError

_SEPARATOR = b" ||| "


class Begun(NamedTuple):
    """An open partial file.

    Fields:
        file: binary, positioned after what is kept.
        done: int, lines of input that have their results in it.
    """

    file: BinaryIO
    done: int


@contextlib.contextmanager
def going_on(
    path: str, kind: str, made_by: Mapping[str, Any]
) -> Iterator[Begun]:
    """Opens `path`.partial where it ends; renames it to `path` at the end.

    What made it is kept beside it, in `path`.partial.json. After an error or a
    kill both stay. A last line that was cut off is dropped.

    Args:
        path: str, where the whole file will be.
        kind: str, one of `results.FORMATS`.
        made_by: what the results depend on, of JSON's types.
    Yields:
        Begun.
    Raises:
        UserError: there is a partial file of something else.
    """
    partial, note = f"{path}.partial", f"{path}.partial.json"
    if os.path.exists(partial):
        _check(note, partial, dict(made_by))
    else:
        storage.write_text(note, json.dumps(dict(made_by), indent=1) + "\n")
        with open(partial, "xb"):
            pass
    with open(partial, "r+b") as file:
        done, size = _measure(file, kind)
        file.truncate(size)
        file.seek(size)
        yield Begun(file, done)
    storage.flush_to_disk(partial)
    os.replace(partial, path)
    os.remove(note)


def _check(note: str, partial: str, made_by: dict[str, Any]) -> None:
    """Raises UserError unless a partial file was made by the same."""
    try:
        before = untrusted.read_json(note)
    except (OSError, ValueError):
        raise UserError(
            f"{partial}: nobody knows what made it, for {note} is missing or "
            "damaged; remove it to begin anew"
        ) from None
    for name, value in made_by.items():
        if before.get(name) != value:
            raise UserError(
                f"{partial} was made with {name}={before.get(name)!r:.100}, "
                f"now it is {value!r:.100}; remove it to begin anew"
            )


def _measure(file: BinaryIO, kind: str) -> tuple[int, int]:
    """Returns (lines of input done, bytes of their results)."""
    done = size = 0
    begun, before = -1, 0  # number of the last line of input, where it begins
    for line in file:
        if not line.endswith(b"\n"):
            break
        if kind == "nbest":
            number = int(line.split(_SEPARATOR, 1)[0])
            if number != begun:
                begun, before = number, size
        else:
            done += 1
        size += len(line)
    if kind == "nbest":
        # More results of the last one may have been to come.
        return max(begun - 1, 0), before
    return done, size

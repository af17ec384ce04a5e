"""Results of decoding, one line of input after the other, to a file."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from t2t_lite.data.storage import replacing
from t2t_lite.decoding.lines import Line
from t2t_lite.decoding.partial import going_on
from t2t_lite.errors import UserError, closest

FORMATS = ("text", "nbest", "jsonl")
# All that a reader of text may take for the end of a line.
_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_TO_SPACES = str.maketrans(_LINE_ENDS, " " * len(_LINE_ENDS))
_TO_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}


class ResultWriter:
    """Writes results to a file that appears whole, or to standard output.

    Use it as a context manager. A file is written under a temporary name in
    its folder and renamed at the end; after an error the old file stays.
    Standard output, and what is no regular file (a pipe, /dev/null), gets
    every line at once. All text is UTF-8.

    Attributes:
        done: int, lines of input whose results are there already.

    Formats:
        text: the best output of each line: lines out = lines in. Whatever
            may end a line inside an output becomes a space.
        nbest: `line ||| text ||| score` for every output, best first; lines
            count from 1. Split at the first and at the last " ||| ".
        jsonl: {"line": from 1, "input": str, "outputs": [str], "scores":
            [float or null], "notes": [str]} for each line, and its details.

    Args:
        path: str, or "-" for standard output.
        kind: str, one of FORMATS.
        made_by: what the results depend on, of JSON's types: with it, what an
            error or a kill interrupts stays as `path`.partial, and the next
            writer with the same `made_by` goes on after its `done` lines.
    Raises:
        UserError: an unknown format; on entering, a folder that is not
            there, or `path` is one.
        OSError: with the path, where the system refuses (no space left,
            permission denied). BrokenPipeError is left as it is.
    """

    def __init__(
        self,
        path: str,
        kind: str = "text",
        made_by: Mapping[str, Any] | None = None,
    ):
        if kind not in FORMATS:
            raise UserError(
                f"output format {kind!r} is unknown{closest(kind, FORMATS)}; "
                f"there are {', '.join(FORMATS)}"
            )
        self.path = path
        self.done = 0
        self._kind, self._made_by = kind, made_by
        self._format = getattr(self, f"_{kind}")
        self._stack = contextlib.ExitStack()
        self._file: BinaryIO | None = None
        self._streaming = False

    def __enter__(self) -> ResultWriter:
        with _naming(self.path), contextlib.ExitStack() as stack:
            self._file = self._open(stack)
            self._stack = stack.pop_all()
        return self

    def _open(self, stack: contextlib.ExitStack) -> BinaryIO:
        if self.path == "-":
            self._streaming = True
            return sys.stdout.buffer
        path = os.path.realpath(self.path)
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        self._streaming = _is_special(path)
        if self._made_by is not None and not self._streaming:
            begun = stack.enter_context(
                going_on(path, self._kind, self._made_by)
            )
            self.done = begun.done
            return begun.file
        if not self._streaming:
            path = stack.enter_context(replacing(path))
        return stack.enter_context(open(path, "wb"))

    def __exit__(self, *error) -> bool | None:
        with _naming(self.path):  # the stack raises only what is new
            return self._stack.__exit__(*error)

    def write(
        self,
        line: Line,
        outputs: Sequence[str],
        scores: Sequence[float],
        notes: Sequence[str] = (),
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes one line's outputs; call it in the order of the input.

        Args:
            line: Line; its own note comes first among the notes.
            outputs: str each, best first; none is an empty line of text.
            scores: float each.
            notes: str each, what the caller has to say (jsonl alone).
            details: further fields by name, of JSON's types (jsonl alone).
        """
        notes = [note for note in (line.note, *notes) if note]
        more = {"notes": notes, **(details or {})}
        data = self._format(line, list(outputs), list(scores), more)
        with _naming(self.path):
            self._file.write(data.encode("utf-8", "replace"))
            if self._streaming:
                self._file.flush()

    def _text(self, line, outputs, scores, more) -> str:
        return one_line(outputs[0] if outputs else "") + "\n"

    def _nbest(self, line, outputs, scores, more) -> str:
        return "".join(
            f"{line.number} ||| {one_line(text)} ||| {score:.6f}\n"
            for text, score in zip(outputs, scores, strict=True)
        )

    def _jsonl(self, line, outputs, scores, more) -> str:
        record = {
            "line": line.number,
            "input": line.text,
            "outputs": outputs,
            "scores": [s if math.isfinite(s) else None for s in scores],
            **more,
        }
        text = json.dumps(record, ensure_ascii=False)
        return text.translate(_TO_ESCAPES) + "\n"


def one_line(text: str) -> str:
    """Returns `text` with a space for whatever may end a line in it."""
    return text.translate(_TO_SPACES)


def _is_special(path: str) -> bool:
    """Whether `path` exists and is no regular file, so must not be renamed."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _naming(path: str):
    """Names `path` in an OSError, but in a broken pipe's."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); check the path"
        ) from None
    except OSError as error:
        place = "standard output" if path == "-" else path
        raise OSError(error.errno, error.strerror, place) from None

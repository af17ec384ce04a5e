"""The one exception of a user's mistake, and the closest known name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 2000
_KEPT_END = 400  # where the mend stands


class UserError(ValueError):
    """A mistake that the user can mend.

    The message is one clear line that names the input and the mend. Commands
    print it without a traceback and exit with status 2. What it quotes may be
    anything: line ends in it become spaces, and of more than 2,000 characters
    the middle is left out.
    """

    def __init__(self, message: str):
        line = " ".join(str(message).splitlines())
        if len(line) > _LONGEST:
            start = line[: _LONGEST - _KEPT_END]
            line = f"{start} ... {line[-_KEPT_END:]}"
        super().__init__(line)


def closest(name: str, names: Iterable[str]) -> str:
    """Returns " (did you mean 'x'?)" for the names nearest to `name`, or ""."""
    matches = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
    if not matches:
        return ""
    return f" (did you mean {' or '.join(repr(m) for m in matches)}?)"

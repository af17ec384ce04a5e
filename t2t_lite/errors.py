"""The one exception of a user's mistake, and the closest known name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake that the user can mend.

    The message is one clear line that names the input and the mend. Commands
    print it without a traceback and exit with status 2.
    """


def closest(name: str, names: Iterable[str]) -> str:
    """Returns " (did you mean 'x'?)" for the names nearest to `name`, or ""."""
    matches = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
    if not matches:
        return ""
    return f" (did you mean {' or '.join(repr(m) for m in matches)}?)"

"""Tensor2Tensor's invertible tokenizer, and how it writes a token.

    "Dude - that's so cool."  ->  "Dude", " - ", "that", "'", "s", "so", ...

Text is cut between letters or digits and all else; a single space between two
words goes, and comes back where two words meet.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable

END = "_"  # stands at the end of every written token, and nowhere else
ESCAPING = frozenset("\\_u;0123456789")  # in every alphabet
NO_CHARACTER = "\u3013"  # for a number that Unicode has no character for
_ESCAPE = re.compile(r"\\u|\\\\|\\([0-9]+);")
_LAST_CHARACTER = 0x10FFFF
_REPLACEMENT = "\ufffd"
_SURROGATES = range(0xD800, 0xE000)


def split(text: str) -> list[str]:
    """Returns the tokens of a text; `join` gives the text again.

    Runs of letters and digits (Unicode's categories L and N, which is what
    `str.isalnum` says) and runs of all else; a run of one space is left out
    unless it is the first or the last.
    """
    runs = ["".join(run) for _, run in itertools.groupby(text, str.isalnum)]
    last = len(runs) - 1
    return [t for i, t in enumerate(runs) if t != " " or i in (0, last)]


def join(tokens: Iterable[str]) -> str:
    """Returns the text of tokens: a space between two that are words.

    Args:
        tokens: str each, none of them empty.
    """
    parts: list[str] = []
    was_word = False
    for token in tokens:
        is_word = token[0].isalnum()
        parts += [" ", token] if was_word and is_word else [token]
        was_word = is_word
    return "".join(parts)


def escape(token: str, alphabet: Collection[str]) -> str:
    r"""Returns a token in characters of the alphabet, `_` at its end.

    A backslash becomes `\\`, an underscore `\u`, and a line feed or what is
    not in the alphabet `\<number>;`.

    Args:
        token: str.
        alphabet: characters; those of `ESCAPING` are among them.
    """
    token = token.replace("\\", "\\\\").replace("_", "\\u")
    return (
        "".join(
            c if c in alphabet and c != "\n" else f"\\{ord(c)};" for c in token
        )
        + END
    )


def unescape(written: str) -> list[str]:
    """Returns the tokens of written tokens side by side."""
    return [
        _ESCAPE.sub(_character, token) for token in written.split(END) if token
    ]


def _character(match: re.Match) -> str:
    if match[1] is None:
        return "_" if match[0] == "\\u" else "\\"
    # Its first seven digits say enough, however many there are.
    number = int(match[1].lstrip("0")[:8] or "0")
    if number > _LAST_CHARACTER:
        return NO_CHARACTER
    return _REPLACEMENT if number in _SURROGATES else chr(number)

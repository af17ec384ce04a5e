"""Tensor2Tensor's subwords: `.subwords` vocabularies, read and written.

    '<pad>'
    '<EOS>'
    '_'
    'the_'

An entry a line, in quotes; the line's number is the id. There is no unknown
entry: what has no entry of its own is spelled, see `subword_tokens.escape`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import numpy as np

from t2t_lite.data import subword_tokens as tokens
from t2t_lite.data.text_encoder import (
    SUBWORDS_FILE,
    TextEncoder,
    ids_of_text,
    valid_text,
)
from t2t_lite.errors import UserError

PADDING, END_OF_TEXT = "<pad>", "<EOS>"
MAX_BYTES = 1 << 22  # a hundred times as many as 8,000 entries have
MAX_ENTRY = 256  # characters; the longest of 32,000 entries has 28
_CACHED_TOKENS = 1 << 17


class SubwordEncoder(TextEncoder):
    """Tensor2Tensor's SubwordTextEncoder: the same ids, and the same texts.

    A text's tokens are written one by one in the vocabulary's alphabet, and
    each is cut from left to right into the longest entries that fit. Texts
    come back unchanged.

    Args:
        content: bytes, a `.subwords` file: UTF-8, an entry a line.
        name: str, what error messages call it (a path).
    Attributes:
        entries: tuple of str; an empty one is never produced by a text.
        unk_id: None, for there is no unknown text.
    Raises:
        UserError: `content` is damaged, does not begin with padding and end,
            or has no entry for a character of its alphabet.
    """

    kind = "subwords"
    file_name = SUBWORDS_FILE
    unk_id = None

    def __init__(self, content: bytes, name: str = "the subword vocabulary"):
        self._content = content
        self.entries = _parse(content, name)
        self.vocab_size = len(self.entries)
        # Of equal entries the last one counts, as in Tensor2Tensor.
        self._ids = {entry: i for i, entry in enumerate(self.entries) if entry}
        self._longest = max(map(len, self.entries))
        self.alphabet = alphabet_of(self.entries)
        _check_alphabet(self.alphabet, self._ids, name)
        self._ids_of_token = functools.lru_cache(_CACHED_TOKENS)(
            self._cut_token
        )

    @classmethod
    def of_entries(
        cls, entries: Iterable[str], name: str = "the subword vocabulary"
    ) -> SubwordEncoder:
        """Returns the encoder of entries, those of padding and end included.

        Args:
            entries: str each, without a line end.
            name: str, see the class.
        Raises:
            UserError: see the class.
        """
        return cls("".join(f"'{e}'\n" for e in entries).encode(), name)

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [
            np.array(
                [
                    i
                    for token in tokens.split(valid_text(text))
                    for i in self._ids_of_token(token)
                ],
                np.int32,
            )
            for text in texts
        ]

    def decode_batch(self, ids):
        return [
            tokens.join(
                tokens.unescape("".join(map(self.piece, ids_of_text(row))))
            )
            for row in ids
        ]

    def word_starts(self, ids):
        raise UserError(
            "vocab_kind=subwords cuts texts at other places than spaces, so "
            "that words cannot be tagged; use bpe, unigram or byte"
        )

    def to_bytes(self):
        return self._content

    def graph_tokenizer(self):
        from t2t_lite.data.subword_graph import SubwordGraphTokenizer

        return SubwordGraphTokenizer(self.entries)

    def piece(self, index: int) -> str:
        """Returns the entry of one id; "" for an id beyond the vocabulary."""
        inside = 0 <= index < self.vocab_size
        return self.entries[index] if inside else ""

    def _cut_token(self, token: str) -> tuple[int, ...]:
        written = tokens.escape(token, self.alphabet)
        return tuple(
            self._ids[entry] for entry in cut(written, self._ids, self._longest)
        )


def cut(written: str, entries: Iterable[str], longest: int) -> list[str]:
    """Cuts a written token into entries, from the left the longest that fits.

    Args:
        written: str, from `subword_tokens.escape`.
        entries: a container of str; each character of `written` is one.
        longest: int, characters of the longest entry.
    """
    found, start = [], 0
    while start < len(written):
        end = min(len(written), start + longest)
        while written[start:end] not in entries:
            end -= 1
        found.append(written[start:end])
        start = end
    return found


def alphabet_of(entries: Iterable[str]) -> frozenset[str]:
    """Returns the characters of entries, and those that escape others."""
    return tokens.ESCAPING.union(*entries)


def _parse(content: bytes, name: str) -> tuple[str, ...]:
    """Returns the entries of a file.

    As Tensor2Tensor reads one: without carriage returns (its file reader
    drops them), white space at the end of a line, and one pair of quotes.
    """
    if len(content) > MAX_BYTES:
        raise UserError(
            f"{name} has {len(content):,} bytes, at most {MAX_BYTES:,} are read"
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _damaged(name, f"byte {error.start + 1} is no UTF-8") from error
    lines = text.replace("\r", "").split("\n")
    if lines[-1]:
        raise _damaged(name, "its last line has no end")
    entries = tuple(_unquoted(line.rstrip()) for line in lines[:-1])
    for entry, expected in zip(
        [*entries[:2], "", ""], (PADDING, END_OF_TEXT), strict=False
    ):
        if entry.removesuffix(tokens.END) != expected:
            raise UserError(
                f"{name} begins with {list(entries[:2])!r:.100}, not with "
                f"{PADDING!r} and {END_OF_TEXT!r}: it is no .subwords "
                "vocabulary of Tensor2Tensor, or damaged"
            )
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise _damaged(
                name,
                f"the entry {entry[:20]!r}... has {len(entry):,} "
                f"characters, at most {MAX_ENTRY} are read",
            )
    return entries


def _unquoted(line: str) -> str:
    quoted = any(line.startswith(q) and line.endswith(q) for q in "'\"")
    return line[1:-1] if quoted else line


def _check_alphabet(alphabet, entries, name: str) -> None:
    """Raises UserError unless every text can be cut into entries."""
    missing = sorted(alphabet - entries.keys())
    if missing:
        raise UserError(
            f"{name} has no entry for the character {missing[0]!r} alone, so "
            "that not every text can be written with it; get the whole file"
        )


def _damaged(name: str, what: str) -> UserError:
    return UserError(
        f"{name} is damaged or no .subwords vocabulary ({what}); restore it "
        "from a copy"
    )

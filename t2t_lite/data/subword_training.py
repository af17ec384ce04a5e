"""Training of Tensor2Tensor's subwords, by its own algorithm."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping

from t2t_lite.data import subword_tokens as tokens
from t2t_lite.data.subwords import (
    END_OF_TEXT,
    PADDING,
    SubwordEncoder,
    alphabet_of,
    cut,
)
from t2t_lite.errors import UserError

_ROUNDS = 4
_LEAST_COUNT, _MOST_COUNT = 1, 1000
# Tensor2Tensor's max_subtoken_length: entries are shorter. It has none, and
# takes time with the cube of a token's length.
_LENGTH_LIMIT = 128
_MAX_LINE_LENGTH = 1 << 14
# Padding, end, and the characters of every alphabet.
_LEAST_SIZE = 2 + len(alphabet_of([PADDING, END_OF_TEXT]))


@dataclasses.dataclass(frozen=True)
class _Vocabulary:
    """What one least count makes of a corpus."""

    entries: list[str]
    least: int

    @property
    def size(self) -> int:
        return len(self.entries)


def train_subwords(
    lines: Iterable[str],
    vocab_size: int,
    log: Callable[[str], None] = print,
) -> SubwordEncoder:
    """Trains a vocabulary; equal lines give an equal one.

    Strings that tokens are cut into, and what these can be continued to, are
    counted; those seen often enough are the next vocabulary, longest first, and
    so on for four rounds. How often is enough is bisected for a size within 1 %
    of the one wanted, or the nearest that there is.

    Args:
        lines: texts without line ends.
        vocab_size: int, number of ids wanted, specials included.
        log: called with each message.
    Raises:
        UserError: `vocab_size` is no sensible number, or the corpus is empty.

    Reference: Tensor2Tensor, SubwordTextEncoder.build_from_generator, with
    max_subtoken_length=128; Schuster and Nakajima 2012 for the kind of model.
    """
    if not _LEAST_SIZE <= vocab_size < 1 << 31:
        raise UserError(
            f"vocab_size={vocab_size} makes no sense: give a number between "
            f"{_LEAST_SIZE} and {(1 << 31) - 1}"
        )
    counts = collections.Counter(
        token
        for line in lines
        if line.strip()
        for token in tokens.split(line[:_MAX_LINE_LENGTH])
    )
    if not counts:
        raise UserError(
            "the training split holds no text: no vocabulary can be trained"
        )
    found = _bisected(counts, vocab_size, _LEAST_COUNT, _MOST_COUNT)
    log(
        f"vocabulary of {found.size:,} subwords, those seen {found.least:,} "
        f"times or more ({vocab_size:,} wanted)"
    )
    return SubwordEncoder.of_entries(found.entries)


def _bisected(
    counts: Mapping[str, int], wanted: int, least: int, most: int
) -> _Vocabulary:
    """Returns the vocabulary of a least count in [least, most]."""
    present = (least + most) // 2
    here = _Vocabulary(_trained(counts, max(1, present)), max(1, present))
    near = abs(here.size - wanted) * 100 < wanted
    if near or least >= most or present < 2:
        return here
    if here.size > wanted:
        other = _bisected(counts, wanted, present + 1, most)
    else:
        other = _bisected(counts, wanted, least, present - 1)
    return min(here, other, key=lambda found: abs(found.size - wanted))


def _trained(counts: Mapping[str, int], least: int) -> list[str]:
    """Returns the entries of one least count."""
    reserved = [PADDING, END_OF_TEXT]
    alphabet = alphabet_of([*counts, *reserved])
    entries: Iterable[str] = alphabet
    written = {tokens.escape(t, alphabet): n for t, n in counts.items()}
    for _ in range(_ROUNDS):
        seen = _seen(written, set(entries))
        kept = _kept(seen, alphabet, least)
        kept += [(seen.get(c, 0), c) for c in alphabet]
        entries = [*reserved, *(e for _, e in sorted(kept, reverse=True))]
    return list(entries)


def _seen(
    written: Mapping[str, int], entries: set[str]
) -> collections.Counter[str]:
    """Counts all strings that begin where an entry of a token does."""
    longest = max(map(len, entries))
    seen: collections.Counter[str] = collections.Counter()
    for token, count in written.items():
        start = 0
        for entry in cut(token, entries, longest):
            last = min(len(token) + 1, start + _LENGTH_LIMIT)
            for end in range(start + 1, last):
                seen[token[start:end]] += count
            start += len(entry)
    return seen


def _kept(
    seen: collections.Counter[str], alphabet: frozenset[str], least: int
) -> list[tuple[int, str]]:
    """Returns (count, string) of what is seen often enough.

    From the longest to the shortest: the count of one that is kept is taken
    from all that it begins with. Single characters are left to the caller.
    """
    by_length = collections.defaultdict(list)
    for string, count in seen.items():
        if count >= least:
            by_length[len(string)].append(string)
    kept = []
    for length in sorted(by_length, reverse=True):
        for string in by_length[length]:
            count = seen[string]
            if count < least:
                continue
            if string not in alphabet:
                kept.append((count, string))
            for end in range(1, length):
                seen[string[:end]] -= count
    return kept

r"""Tensor2Tensor's subwords by TensorFlow's core operations.

All texts of a batch are one row of characters. Each character is written in
the vocabulary's alphabet; from every written character at once the longest
entry that fits is looked up in a trie; and the entries that a text is cut into
are those that are reached from the beginnings of its tokens.

Import this module only where TensorFlow is needed anyway.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from t2t_lite.data import subword_tokens as tokens
from t2t_lite.data.graph_tokenizers import ids_of_text, without_padding
from t2t_lite.data.subwords import alphabet_of

_CHARACTERS = 0x110000
_SHIFT = 21  # bits of a character in a key of the trie
_DIGITS = 7  # of the largest character's number
_ABSENT = -1
_ESCAPE = r"\\u|\\\\|\\[0-9]+;"
_SPACE, _LINE_FEED, _BACKSLASH, _UNDERSCORE = map(ord, " \n\\_")


class Written(NamedTuple):
    """Texts as they are cut: one row of all texts' written characters.

    Fields (N characters, M written ones):
        characters: int32 (N,), of all texts.
        codes: int32 (M,), written characters.
        sources: int32 (M,), the character that each one is written for; of a
            token's end, the place after its last.
        rows: int64 (M,), the text of each.
        begins: bool (M,), whether a token begins here.
    """

    characters: tf.Tensor
    codes: tf.Tensor
    sources: tf.Tensor
    rows: tf.Tensor
    begins: tf.Tensor


class SubwordGraphTokenizer(tf.Module):
    """`SubwordEncoder` inside a graph: the same ids, and the same texts.

    Bytes that are no UTF-8 are taken for U+FFFD. Its tables are variables, so
    that an export holds them once for all its signatures.

    Args:
        entries: the vocabulary's entries; each character of its alphabet is
            one of them.
    """

    unk_id = None

    def __init__(self, entries: Sequence[str]):
        super().__init__()
        keys, states, ids = _trie(entries)
        alphabet = sorted(map(ord, alphabet_of(entries)))
        with tf.device("CPU:0"):
            self._keys = _table(keys, "trie_keys")
            self._states = _table(states, "trie_states")
            self._ids = _table(ids, "trie_ids")
            self._alphabet = _table(np.array(alphabet, np.int32), "alphabet")
            self._words = _table(_word_bounds(), "word_bounds")
            self._entries = _table(np.array(entries, object), "entries")

    # Functions of their own: a graph that tokenizes often holds them once, and
    # an export's `tokenizer` has them.
    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
    )
    def tokenize(self, texts):
        """string `(batch,)` to RaggedTensor int32 `(batch, None)`, no EOS."""
        written, places, ids, _ = self._cut(texts)
        return tf.RaggedTensor.from_value_rowids(
            ids, tf.gather(written.rows, places), tf.size(texts, tf.int64)
        )

    @tf.function(
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
        autograph=False,
    )
    def detokenize(self, ids):
        """int32 `(batch, length)` to string `(batch,)`; stops at EOS."""
        kept = ids_of_text(ids)
        entries = kept.with_values(self._entries_of(kept.values))
        joined = tf.strings.reduce_join(entries, axis=-1)
        written = tf.strings.split(joined, tokens.END)
        written = tf.ragged.boolean_mask(written, written != "")
        return self._join(written.with_values(_unescape(written.values)))

    def tokens(self, ids):
        """int32 `(batch, length)` to their entries, string; "" for padding."""
        return without_padding(ids, self._entries_of(ids))

    def surfaces(self, texts):
        """string `(batch,)` to what of each text every id stands for, ragged.

        Returns:
            RaggedTensor string `(batch, None)`, without outer spaces.
        """
        written, places, _, lengths = self._cut(texts)
        begin = tf.gather(written.sources, places)
        last = tf.gather(written.sources, places + lengths - 1)
        is_end = tf.gather(written.codes, places + lengths - 1) == _UNDERSCORE
        end = tf.where(is_end, last, last + 1)
        parts = tf.gather(written.characters, tf.ragged.range(begin, end))
        parts = tf.strings.strip(tf.strings.unicode_encode(parts, "UTF-8"))
        return tf.RaggedTensor.from_value_rowids(
            parts, tf.gather(written.rows, places), tf.size(texts, tf.int64)
        )

    def _cut(self, texts):
        """Returns Written, and places in it, ids and lengths of the entries."""
        written = self._write(texts)
        ids, lengths = self._longest_entries(written.codes)
        places = _reached(written.begins, lengths)
        return (
            written,
            places,
            tf.gather(ids, places),
            tf.gather(lengths, places),
        )

    def _entries_of(self, ids):
        return tf.gather(self._entries.read_value(), ids)

    def _are_words(self, characters):
        """Returns whether characters are letters or digits, bool."""
        bounds = self._words.read_value()
        passed = tf.searchsorted(bounds, characters, side="right")
        return passed % 2 == 1

    def _in_alphabet(self, characters):
        alphabet = self._alphabet.read_value()
        found = tf.searchsorted(alphabet, characters)
        found = tf.minimum(found, tf.size(alphabet) - 1)
        return tf.gather(alphabet, found) == characters

    def _write(self, texts) -> Written:
        """Cuts texts into tokens and writes those in the alphabet."""
        ragged = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        codes, rows = ragged.values, ragged.value_rowids()
        first = _changes(rows)
        last = _before(first)
        begins = first | _changes(tf.cast(self._are_words(codes), tf.int64))
        ends = _before(begins)
        spaces = (codes == _SPACE) & begins & ends & ~first & ~last
        kept = tf.cast(tf.where(~spaces)[:, 0], tf.int32)
        written = _escaped(
            tf.gather(codes, kept),
            self._in_alphabet(tf.gather(codes, kept)),
            tf.gather(ends, kept),
        )
        places = tf.where(written != _ABSENT)
        of_kept, column = tf.unstack(tf.cast(places, tf.int32), axis=1)
        codes_of = tf.gather_nd(written, places)
        source = tf.gather(kept, of_kept)
        is_end = column == written.shape[1] - 1
        return Written(
            characters=codes,
            codes=codes_of,
            sources=source + tf.cast(is_end, tf.int32),
            rows=tf.gather(rows, source),
            begins=(column == 0) & tf.gather(begins, source),
        )

    def _longest_entries(self, codes):
        """Returns (ids, lengths) int32 (M,): the longest entry from each place.

        No entry reaches over a token's end: none has `_` but at its own.
        """
        keys, states = self._keys.read_value(), self._states.read_value()
        ids_of_state = self._ids.read_value()
        count = tf.size(codes)

        def goes_on(depth, places, *_):
            return tf.size(places) > 0

        def deeper(depth, places, state, ids, lengths):
            inside = places + depth < count
            places = tf.boolean_mask(places, inside)
            state = tf.boolean_mask(state, inside)
            code = tf.gather(codes, places + depth)
            key = tf.bitwise.left_shift(
                tf.cast(state, tf.int64), tf.constant(_SHIFT, tf.int64)
            ) + tf.cast(code, tf.int64)
            at = tf.minimum(tf.searchsorted(keys, key), tf.size(keys) - 1)
            found = tf.gather(keys, at) == key
            places = tf.boolean_mask(places, found)
            state = tf.gather(states, tf.boolean_mask(at, found))
            entry = tf.gather(ids_of_state, state)
            whole = entry != _ABSENT
            where = tf.boolean_mask(places, whole)[:, None]
            ids = tf.tensor_scatter_nd_update(
                ids, where, tf.boolean_mask(entry, whole)
            )
            lengths = tf.tensor_scatter_nd_update(
                lengths, where, tf.fill(tf.shape(where)[:1], depth + 1)
            )
            return depth + 1, places, state, ids, lengths

        every = tf.range(count)
        none = tf.zeros_like(every)
        *_, ids, lengths = tf.while_loop(
            goes_on,
            deeper,
            (tf.constant(0), every, none, none, none),
            shape_invariants=tuple(map(tf.TensorShape, [[], *[[None]] * 4])),
        )
        return ids, lengths

    def _join(self, words):
        """Returns texts of tokens, RaggedTensor string `(batch, None)`."""
        first = tf.strings.substr(words.values, 0, 1, unit="UTF8_CHAR")
        codes = tf.strings.unicode_decode(first, "UTF-8").values
        is_word = self._are_words(codes)
        after_word = tf.concat([[False], is_word], axis=0)[:-1]
        after_word &= ~_changes(words.value_rowids())
        parts = tf.where(is_word & after_word, " ", "") + words.values
        return tf.strings.reduce_join(words.with_values(parts), axis=-1)


def _table(values: np.ndarray, name: str) -> tf.Variable:
    return tf.Variable(values, trainable=False, name=name)


@functools.cache
def _word_bounds() -> np.ndarray:
    """Returns where letters or digits begin and end, in turn, int32."""
    is_word = np.zeros(_CHARACTERS + 1, np.int8)
    is_word[:-1] = [
        unicodedata.category(chr(code))[0] in "LN"
        for code in range(_CHARACTERS)
    ]
    return (np.flatnonzero(np.diff(is_word)) + 1).astype(np.int32)


def _trie(entries: Sequence[str]):
    """Returns the trie of entries: sorted keys, states, and ids of states.

    Key `state * 2^21 + character` leads to the state at the same place; a
    state's id is that of the entry that ends there, or -1. State 0 is the
    beginning.
    """
    leads: dict[int, int] = {}
    ids = [_ABSENT]
    for index, entry in enumerate(entries):
        if not entry or tokens.END in entry[:-1]:
            continue  # no token can be written with it
        state = 0
        for character in entry:
            key = state << _SHIFT | ord(character)
            state = leads.setdefault(key, len(ids))
            if state == len(ids):
                ids.append(_ABSENT)
        ids[state] = index
    keys = np.array(sorted(leads), np.int64)
    states = np.array([leads[key] for key in keys.tolist()], np.int32)
    return keys, states, np.array(ids, np.int32)


def _changes(values):
    """Returns whether each value differs from the one before, bool (N,)."""
    return tf.concat([_one_or_none(values), values[1:] != values[:-1]], axis=0)


def _before(begins):
    """Returns whether the next place begins something, or there is none."""
    return tf.concat([begins[1:], _one_or_none(begins)], axis=0)


def _one_or_none(values):
    """Returns [True], or [] if there are no values."""
    return tf.fill([tf.minimum(tf.size(values), 1)], True)


def _escaped(codes, in_alphabet, ends):
    """Writes characters, each in a row, -1 where a row has none.

    Columns: the character or a backslash; the second half of `\\\\` or `\\u`;
    the digits of a number and its semicolon; `_` at a token's end.

    Args:
        codes: int32 (N,).
        in_alphabet: bool (N,).
        ends: bool (N,), whether a token ends after the character.
    """
    absent = tf.fill(tf.shape(codes), _ABSENT)
    doubled = (codes == _BACKSLASH) | (codes == _UNDERSCORE)
    plain = in_alphabet & (codes != _LINE_FEED) & ~doubled
    spelled = ~plain & ~doubled
    second = tf.where(codes == _BACKSLASH, _BACKSLASH, ord("u"))
    columns = [
        tf.where(plain, codes, _BACKSLASH),
        tf.where(doubled, second, absent),
    ]
    for power in reversed(range(_DIGITS)):
        unit = 10**power
        there = spelled & ((codes >= unit) | (power == 0))
        digit = ord("0") + codes // unit % 10
        columns.append(tf.where(there, digit, absent))
    columns.append(tf.where(spelled, ord(";"), absent))
    columns.append(tf.where(ends, _UNDERSCORE, absent))
    return tf.stack(columns, axis=1)


def _reached(begins, lengths):
    """Returns the places that are reached from beginnings, ascending, int32.

    From a place the next one is its length on. Doubled strides: after k
    rounds all is reached that is less than 2^k entries away.

    Args:
        begins: bool (M,).
        lengths: int32 (M,), 1 or more.
    """
    count = tf.size(lengths)
    # A place after the last, which leads to itself.
    strides = tf.concat([tf.range(count) + lengths, [count]], axis=0)
    reached = tf.concat([tf.cast(begins, tf.int32), [0]], axis=0)

    def goes_on(reached, strides, changed):
        return changed

    def double(reached, strides, _):
        more = tf.tensor_scatter_nd_max(reached, strides[:, None], reached)
        changed = tf.reduce_any(more[:-1] != reached[:-1])
        return more, tf.gather(strides, strides), changed

    reached, *_ = tf.while_loop(
        goes_on, double, (reached, strides, tf.constant(True))
    )
    return tf.cast(tf.where(reached[:-1] > 0)[:, 0], tf.int32)


def _unescape(written):
    """Returns tokens of written ones without their ends, string (N,)."""
    # No `_` is left in them: it parts what is escaped from what is not.
    marked = tf.strings.regex_replace(written, _ESCAPE, r"_\0_")
    parts = tf.strings.split(marked, "_")
    part = parts.values
    is_number = tf.strings.regex_full_match(part, r"\\[0-9]+;")
    digits = tf.strings.regex_replace(part, r"^\\0*([0-9]*);$", r"\1")
    small = tf.strings.regex_full_match(digits, f"[0-9]{{1,{_DIGITS}}}")
    none = tf.strings.regex_full_match(part, r"\\0+;")
    number = tf.strings.to_number(
        tf.where(is_number & small, digits, tf.where(none, "0", "9999999")),
        tf.int32,
    )
    known = number < _CHARACTERS
    character = tf.strings.unicode_encode(
        tf.where(known, number, ord(tokens.NO_CHARACTER))[:, None], "UTF-8"
    )
    # Where a written token has a backslash that escapes nothing, it stays.
    escaped = tf.ragged.range(parts.row_lengths()).values % 2 == 1
    plain = tf.where(part == "\\u", "_", tf.where(part == "\\\\", "\\", part))
    value = tf.where(is_number, character, plain)
    value = tf.where(escaped, value, part)
    return tf.strings.reduce_join(parts.with_values(value), axis=-1)

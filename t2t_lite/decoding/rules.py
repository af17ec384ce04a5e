"""What an output must and must not say: phrases, repetitions, forced ids.

Every rule is a small state of each hypothesis that its next id changes, so
that a step costs the same however long the output is. A phrase is followed by
the bit-parallel automaton of Baeza-Yates and Gonnet 1992 ("shift-and"): bit j
says that the last j + 1 ids are the phrase's first j + 1.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from t2t_lite.decoding.request import Request

NEVER = float("-inf")


class Rules(NamedTuple):
    """State of the rules; n sentences, K beams, i ids so far.

    Fields:
        required: bool (n, K, phrases, length), shift-and bits.
        met: bool (n, K, phrases), what has appeared.
        forbidden: bool (n, K, phrases, length), shift-and bits.
        suffixes: int32 (n, K, i), how many ids up to each place, it included,
            are the same as the last ones; of the last place itself, 0.
    """

    required: tf.Tensor
    met: tf.Tensor
    forbidden: tf.Tensor
    suffixes: tf.Tensor


def start(request: Request, beams: tf.Tensor) -> Rules:
    """Returns the state before the first id."""
    n = tf.shape(request.prefix)[0]

    def bits(phrases):
        shape = tf.shape(phrases)
        return tf.zeros([n, beams, shape[1], shape[2]], tf.bool)

    met = _lengths(request.required) == 0
    return Rules(
        required=bits(request.required),
        met=tf.tile(met[:, None], [1, beams, 1]),
        forbidden=bits(request.forbidden),
        suffixes=tf.zeros([n, beams, 0], tf.int32),
    )


def advance(
    rules: Rules, request: Request, history: tf.Tensor, tokens: tf.Tensor
) -> Rules:
    """Returns the state after one more id.

    Args:
        rules: of the hypotheses that are continued, as `history`.
        request: the wishes.
        history: int32 (n, K, i), ids before.
        tokens: int32 (n, K), the new ids.
    """
    required = _shifted(
        rules.required, request.required[:, None], tokens[..., None, None]
    )
    return Rules(
        required=required,
        met=rules.met | _completed(required, request.required[:, None]),
        forbidden=_shifted(
            rules.forbidden, request.forbidden[:, None], tokens[..., None, None]
        ),
        suffixes=_suffixes(rules.suffixes, history, tokens),
    )


def _suffixes(suffixes, history, tokens):
    before = tf.pad(suffixes, [[0, 0], [0, 0], [1, 0]])[..., :-1]
    same = history == tokens[..., None]
    grown = tf.where(same, before + 1, 0)
    return tf.pad(grown, [[0, 0], [0, 0], [0, 1]])


def _shifted(bits, phrases, tokens):
    """Returns the bits after `tokens`, all broadcast to (..., length)."""
    rank = bits.shape.rank
    first = [[0, 0]] * (rank - 1) + [[1, 0]]
    before = tf.pad(bits, first, constant_values=True)[..., :-1]
    return before & (phrases == tokens)


def _lengths(phrases):
    return tf.math.count_nonzero(phrases, axis=-1, dtype=tf.int32)


def _completed(bits, phrases):
    """Returns whether the last bit of each phrase is on, (..., phrases)."""
    last = tf.one_hot(
        _lengths(phrases) - 1, tf.shape(phrases)[-1], True, False, dtype=tf.bool
    )
    return tf.reduce_any(bits & last, axis=-1)


def penalised(
    logits: tf.Tensor, request: Request, history: tf.Tensor
) -> tf.Tensor:
    """Makes ids of the output so far less likely.

    Args:
        logits: float32 (n, K, vocab_size).
        request: `repetition_penalty` divides positive logits and multiplies
            negative ones.
        history: int32 (n, K, i), ids so far.

    Reference: Keskar et al. 2019 (CTRL), section 4.1.
    """
    said = tf.gather(logits, history, batch_dims=2)
    factor = request.repetition_penalty[:, None, None]
    changed = tf.where(said > 0, said / factor, said * factor)
    return tf.tensor_scatter_nd_update(logits, _places(history), changed)


def _places(ids):
    """Returns the places of ids (n, K, m) in logits, int32 (n, K, m, 3)."""
    n, beams, count = tf.unstack(tf.shape(ids))
    shape = [n, beams, count]
    rows = tf.broadcast_to(tf.range(n)[:, None, None], shape)
    columns = tf.broadcast_to(tf.range(beams)[None, :, None], shape)
    return tf.stack([rows, columns, ids], axis=-1)


def without_banned(
    logits: tf.Tensor, rules: Rules, request: Request, history: tf.Tensor
) -> tf.Tensor:
    """Takes out the ids that would repeat an n-gram or end a forbidden phrase.

    Args:
        logits: float32 (n, K, vocab_size).
        rules, request, history: as for `advance`.
    Returns:
        The logits, those ids' -inf.
    """
    size = request.no_repeat_ngram[:, None, None]
    before = tf.pad(rules.suffixes, [[0, 0], [0, 0], [1, 0]])[..., :-1]
    again = (size > 0) & (before >= size - 1)
    phrases = request.forbidden[:, None]
    lengths = _lengths(phrases)
    width = tf.shape(phrases)[-1]
    # The bit before the last is on: the phrase's last id would end it.
    nearly = tf.pad(
        rules.forbidden, [[0, 0]] * 3 + [[1, 0]], constant_values=True
    )[..., :-1]
    last = tf.one_hot(lengths - 1, width, True, False, dtype=tf.bool)
    ends = tf.reduce_any(nearly & last, axis=-1)
    final = tf.reduce_sum(tf.where(last, phrases, 0), axis=-1)
    final = tf.broadcast_to(final, tf.shape(ends))
    banned = tf.concat([again, ends], axis=2)
    ids = tf.concat([history, final], axis=2)
    limits = tf.where(banned, NEVER, float("inf"))
    return tf.tensor_scatter_nd_min(logits, _places(ids), limits)


def needed(bits: tf.Tensor, met: tf.Tensor, phrases: tf.Tensor) -> tf.Tensor:
    """Returns how many ids are enough to say all that is still required.

    The phrase that has come furthest is finished first and the others follow
    whole; where phrases overlap, fewer ids could do.

    Args:
        bits: bool (..., phrases, length).
        met: bool (..., phrases).
        phrases: int32 (..., phrases, length).
    Returns:
        int32 (...), 0 = all has been said.
    """
    lengths = tf.where(met, 0, _lengths(phrases))
    places = tf.range(1, tf.shape(phrases)[-1] + 1)
    begun = tf.where(bits & ~met[..., None], places, 0)
    begun = _largest(begun)
    return tf.reduce_sum(lengths, axis=-1) - begun


def _largest(values):
    """Returns the largest of the last two axes, 0 where they are empty."""
    shape = tf.shape(values)
    flat = tf.reshape(
        values, tf.concat([shape[:-2], [shape[-2] * shape[-1]]], 0)
    )
    rank = values.shape.rank - 1
    return tf.reduce_max(tf.pad(flat, [[0, 0]] * (rank - 1) + [[1, 0]]), -1)


def needed_after(
    rules: Rules, request: Request, tokens: tf.Tensor
) -> tf.Tensor:
    """Returns `needed` of every continuation.

    Args:
        rules, request: of the hypotheses, as for `advance`.
        tokens: int32 (n, K, m), the continuations.
    Returns:
        int32 (n, K, m).
    """
    phrases = request.required[:, None, None]
    bits = _shifted(
        rules.required[:, :, None], phrases, tokens[..., None, None]
    )
    met = rules.met[:, :, None] | _completed(bits, phrases)
    phrases = tf.broadcast_to(phrases, tf.shape(bits))
    return needed(bits, met, phrases)


def next_required(rules: Rules, request: Request) -> tf.Tensor:
    """Returns the ids that bring each required phrase on.

    Returns:
        int32 (n, K, phrases): the id after the longest part that the output
        ends with; 0 (padding) where the phrase has appeared, and where an
        earlier phrase wants the same id.
    """
    phrases = request.required[:, None]
    places = tf.range(1, tf.shape(phrases)[-1] + 1)
    bits = rules.required
    begun = tf.where(bits, places, 0)
    begun = tf.reduce_max(tf.pad(begun, [[0, 0]] * 3 + [[1, 0]]), axis=-1)
    following = tf.one_hot(
        begun, tf.shape(phrases)[-1], True, False, dtype=tf.bool
    )
    ids = tf.reduce_sum(tf.where(following, phrases, 0), axis=-1)
    ids = tf.where(rules.met, 0, ids)
    count = tf.shape(ids)[-1]
    earlier = tf.range(count)[None] < tf.range(count)[:, None]
    twice = (ids[..., None] == ids[..., None, :]) & earlier
    return tf.where(tf.reduce_any(twice, axis=-1), 0, ids)

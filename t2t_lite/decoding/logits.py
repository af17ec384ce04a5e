"""Logits of a step: the best of them, exactly, and what normalises them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from t2t_lite.decoding.top_k import top_k


class Logits(NamedTuple):
    """The logits of the next ids.

    Fields:
        rough: float (n, K, vocab_size), by which the best are found.
        exact: from int32 (n, K, m) ids to their float32 logits, where `rough`
            is rounded to few digits; None = it is not.
    """

    rough: tf.Tensor
    exact: Callable[[tf.Tensor], tf.Tensor] | None = None


def log_normalizer(
    logits: tf.Tensor, largest: tf.Tensor | None = None
) -> tf.Tensor:
    """Float32 log sum exp of each row (..., 1), 0 for a row of -inf.

    Args:
        logits: float (..., vocab_size).
        largest: float32 (..., 1), the largest of each row, where it is known.
    """
    logits = tf.cast(logits, tf.float32)
    if largest is None:
        largest = tf.reduce_max(logits, axis=-1, keepdims=True)
    largest = tf.where(tf.math.is_inf(largest), 0.0, largest)
    total = tf.reduce_sum(tf.exp(logits - largest), axis=-1, keepdims=True)
    total = tf.math.log(total) + largest
    return tf.where(tf.math.is_inf(total), 0.0, total)


def corrected(normalizer, rough, exact):
    """Returns the log normaliser after some logits were replaced.

    Args:
        normalizer: float32 (..., 1), of the rough ones.
        rough, exact: float32 (..., m), what is replaced and by what.
    """
    change = tf.exp(exact - normalizer) - tf.exp(rough - normalizer)
    change = tf.reduce_sum(change, axis=-1, keepdims=True)
    return normalizer + tf.math.log1p(tf.maximum(change, -0.9))


def refined(logits: Logits, count: tf.Tensor) -> tf.Tensor:
    """Returns all logits in float32, the `count` largest exact."""
    values = tf.cast(logits.rough, tf.float32)
    if logits.exact is None:
        return values
    _, tokens = best_of(logits.rough, count)
    exact = logits.exact(tokens)
    rows = tf.reshape(values, [-1, values.shape[2]])
    flat = tf.reshape(tokens, [tf.shape(rows)[0], -1])
    row = tf.range(tf.shape(rows)[0])[:, None]
    places = tf.stack([tf.broadcast_to(row, tf.shape(flat)), flat], axis=2)
    rows = tf.tensor_scatter_nd_update(
        rows, places, tf.reshape(exact, tf.shape(flat))
    )
    return tf.reshape(rows, tf.shape(values))


def best_of(logits: tf.Tensor, count: int | tf.Tensor):
    """Returns the largest logits and their ids, both (n, K, count)."""
    n, beams, _ = tf.unstack(tf.shape(logits))
    vocab_size = logits.shape[2]
    known = isinstance(count, int)
    count = min(count, vocab_size) if known else tf.minimum(count, vocab_size)
    rows = tf.reshape(logits, [-1, vocab_size])
    values, ids = top_k(rows, count)
    return (
        tf.reshape(values, [n, beams, -1]),
        tf.reshape(ids, [n, beams, -1]),
    )

"""Exact top-k over a vocabulary in two small steps instead of a long one."""

from __future__ import annotations

import tensorflow as tf

_MIN_BLOCK = 16
_MAX_BLOCK = 256


def block_size(vocab_size: int | None, k: int = 16) -> int | None:
    """Returns the block length for `top_k`, or None where blocks don't pay.

    It is the largest divisor of `vocab_size` between 16 and 256, so that the
    logits are reshaped and never copied.

    Args:
        vocab_size: int, or None where it is only known when the graph runs.
        k: int, how many are wanted, as far as one knows.
    """
    if vocab_size is None:
        return None
    for size in range(_MAX_BLOCK, _MIN_BLOCK - 1, -1):
        if vocab_size % size == 0 and vocab_size // size > 2 * k:
            return size
    return None


def top_k(values: tf.Tensor, k: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The k largest of each row, sorted; ties in favour of lower indices.

    The k largest lie in the k blocks with the largest maxima: one pass over
    the row finds these maxima, and the rest looks at k blocks alone. Results
    and ties are those of `tf.math.top_k`.

    Args:
        values: float (rows, vocab_size), vocab_size >= k, no NaN.
        k: int, or int32 scalar.
    Returns:
        (float32 (rows, k), int32 (rows, k)): values and indices.
    """
    known = isinstance(k, int)
    size = block_size(values.shape[1], *([k] if known else []))
    if size is None:
        return tf.math.top_k(tf.cast(values, tf.float32), k)
    blocks = tf.reshape(values, [-1, values.shape[1] // size, size])
    maxima = tf.cast(tf.reduce_max(blocks, axis=2), tf.float32)
    count = k if known else tf.minimum(k, maxima.shape[1])
    chosen = tf.math.top_k(maxima, count).indices
    # In rising order, so that ties between blocks keep the lower index.
    chosen = -tf.math.top_k(-chosen, count).values
    inside = tf.gather(blocks, chosen, batch_dims=1)
    inside = tf.reshape(tf.cast(inside, tf.float32), [-1, count * size])
    best, positions = tf.math.top_k(inside, k)
    block = tf.gather(chosen, positions // size, batch_dims=1)
    return best, block * size + positions % size

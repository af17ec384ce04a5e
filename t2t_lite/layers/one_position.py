"""Attention from one position, the inner loop of every search."""

from __future__ import annotations

import tensorflow as tf


def attend_one(
    query: tf.Tensor,
    keys: tf.Tensor,
    values: tf.Tensor,
    bias: tf.Tensor | None = None,
) -> tf.Tensor:
    """`softmax(query keys^T + bias) values`, each query a product of its own.

    The kernels that win where shapes are large and stay prepare themselves for
    each new shape, and a search has another one at every step: for a single
    sentence that took longer than all other attention. BatchMatMulV3, which
    has vector-matrix products that need no preparation, and a softmax of its
    parts were measured faster there, and about as fast with 128 queries of 80
    keys.

    Args:
        query: float32 `(batch, num_heads, beams, key_head_size)`, scaled.
        keys: float32 `(batch, num_heads, places, key_head_size)`.
        values: float32 `(batch, num_heads, places, value_head_size)`.
        bias: optional float32 `(batch, 1, 1 or beams, 1, places)`.
    Returns:
        Float32 `(batch, num_heads, beams, value_head_size)`.
    """
    product = tf.raw_ops.BatchMatMulV3
    logits = product(
        x=query[:, :, :, None],
        y=keys[:, :, None],
        adj_y=True,
        Tout=tf.float32,
    )
    if bias is not None:
        logits += bias
    weights = tf.exp(logits - tf.reduce_max(logits, axis=-1, keepdims=True))
    weights /= tf.reduce_sum(weights, axis=-1, keepdims=True)
    context = product(x=weights, y=values[:, :, None], Tout=tf.float32)
    return tf.squeeze(context, 3)


def attention_bias(mask: tf.Tensor) -> tf.Tensor:
    """Returns 0 where a mask is True and a number that ends attention else.

    Args:
        mask: bool `(batch, 1 or beams, places)`.
    Returns:
        Float32 `(batch, 1, 1 or beams, 1, places)`, as `attend_one` takes it.
    """
    return tf.where(mask, 0.0, _NEVER)[:, None, :, None]


_NEVER = -1e9

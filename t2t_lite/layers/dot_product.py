"""Scaled dot-product attention of heads."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from t2t_lite.layers._math import shape_of
from t2t_lite.layers.distances import AttentionPositions, Distances

_MASKED_LOGIT = -1e9


def attend(
    heads: dict[str, tf.Tensor],
    attention_mask: tf.Tensor | None,
    positions: AttentionPositions,
    distances: Distances,
    drop: Callable[[tf.Tensor], tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Returns the context and weights of every head; see MultiHeadAttention.

    Args:
        heads: "query" `(batch, num_heads, query_length, key_head_size)`, "key"
            `(batch, num_key_value_heads, key_length, key_head_size)`, "value"
            `(batch, num_key_value_heads, key_length, value_head_size)`.
        attention_mask: optional bool tensor that broadcasts to `(batch,
            query_length, key_length)`.
        positions: what knows positions.
        distances: of queries and keys.
        drop: dropout of the weights.

    Returns:
        The context `(batch, num_heads, query_length, value_head_size)`, the
        weights `(batch, num_heads, query_length, key_length)` before dropout,
        and 1 or 0 for each query, `(batch or 1, query_length or 1, 1)`:
        whether it may attend to anything. It is None without a mask; the
        context of a query that may not is that of uniform weights.
    """
    query = heads["query"]
    query *= tf.cast(query.shape[3] ** -0.5, query.dtype)
    logits = shared_product(query, heads["key"], transpose_b=True)
    added = positions.logits(query, distances)
    weights = _masked_softmax(logits, attention_mask, added)
    weights = tf.cast(weights, logits.dtype)
    dropped = drop(weights)
    context = shared_product(dropped, heads["value"])
    more = positions.context(dropped, distances)
    if more is not None:
        context += more
    if attention_mask is None:
        return context, weights, None
    attends = tf.reduce_any(attention_mask, axis=-1, keepdims=True)
    attends = tf.cast(attends, weights.dtype)
    return context, weights * tf.expand_dims(attends, 1), attends


def shared_product(
    heads: tf.Tensor, others: tf.Tensor, transpose_b: bool = False
) -> tf.Tensor:
    """Multiplies every head with the key-value head that it shares.

    The heads of a group are rows of one product: nothing is repeated.

    Args:
        heads: float tensor `(batch, num_heads, rows, size)`.
        others: float tensor `(batch, num_key_value_heads, size, columns)`, or
            `(..., columns, size)` with transpose_b.
        transpose_b: bool.

    Returns:
        Float tensor `(batch, num_heads, rows, columns)`.
    """
    if heads.shape[1] == others.shape[1]:
        return tf.matmul(heads, others, transpose_b=transpose_b)
    batch, num_heads, rows, size = shape_of(heads)
    shared = others.shape[1]
    grouped = [batch, shared, num_heads // shared * rows, size]
    products = tf.matmul(
        tf.reshape(heads, grouped), others, transpose_b=transpose_b
    )
    columns = shape_of(products)[3]
    return tf.reshape(products, [batch, num_heads, rows, columns])


def _masked_softmax(logits, attention_mask, added):
    """Returns float32 weights; exactly 0 where False, unless all are."""
    logits = tf.cast(logits, tf.float32)
    if added is not None:
        logits += tf.cast(added, tf.float32)
    if attention_mask is not None:
        bias = tf.where(attention_mask, 0.0, _MASKED_LOGIT)
        logits += tf.expand_dims(bias, 1)
    return tf.nn.softmax(logits)

"""Attention from one position, the inner loop of every search."""

from __future__ import annotations

import tensorflow as tf

from t2t_lite.layers._math import at_least, shape_of
from t2t_lite.layers.distances import place_distances


def attend_one(
    query: tf.Tensor,
    keys: tf.Tensor,
    values: tf.Tensor,
    bias: tf.Tensor | None = None,
    tables: tuple[tf.Tensor, tf.Tensor] | None = None,
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
        keys: float32 `(batch, num_key_value_heads, places, key_head_size)`.
        values: float32 `(batch, num_key_value_heads, places,
            value_head_size)`.
        bias: optional float32 that broadcasts to `(batch, num_heads, beams, 1,
            places)`.
        tables: optional float32 `(places, key_head_size)` and `(places,
            value_head_size)`, added to the keys and to the values of all.
    Returns:
        Float32 `(batch, num_heads, beams, value_head_size)`.
    """
    query = tf.expand_dims(query, 3)
    logits = _product(query, keys, adj_y=True)
    if tables is not None:
        logits += _matmul(query, tables[0], adj_y=True)
    if bias is not None:
        logits += bias
    weights = tf.exp(logits - tf.reduce_max(logits, axis=-1, keepdims=True))
    weights /= tf.reduce_sum(weights, axis=-1, keepdims=True)
    context = _product(weights, values)
    if tables is not None:
        context += _matmul(weights, tables[1])
    return tf.squeeze(context, 3)


def _matmul(rows: tf.Tensor, others: tf.Tensor, adj_y=False) -> tf.Tensor:
    return tf.raw_ops.BatchMatMulV3(
        x=rows, y=others, adj_y=adj_y, Tout=tf.float32
    )


def _product(rows: tf.Tensor, others: tf.Tensor, adj_y=False) -> tf.Tensor:
    """Multiplies `(batch, num_heads, beams, 1, ...)` with the heads' others.

    Heads that share keys and values are more beams of one head.
    """
    shared = others.shape[1]
    if rows.shape[1] == shared:
        return _matmul(rows, tf.expand_dims(others, 2), adj_y)
    batch, heads, beams, _, size = shape_of(rows)
    grouped = [batch, shared, heads // shared * beams, 1, size]
    others = tf.expand_dims(others, 2)
    found = _matmul(tf.reshape(rows, grouped), others, adj_y)
    return tf.reshape(found, [batch, heads, beams, 1, shape_of(found)[4]])


def attention_bias(mask: tf.Tensor) -> tf.Tensor:
    """Returns 0 where a mask is True and a number that ends attention else.

    Args:
        mask: bool `(batch, 1 or beams, places)`.
    Returns:
        Float32 `(batch, 1, 1 or beams, 1, places)`, as `attend_one` takes it.
    """
    return tf.where(mask, 0.0, _NEVER)[:, None, :, None]


def near_places(
    mask: tf.Tensor | None,
    radius: int | None,
    earlier: int | tf.Tensor,
    beams: int | tf.Tensor,
) -> tf.Tensor | None:
    """Returns which places of a step are near enough, and in the mask.

    Args:
        mask: optional bool `(batch, beams, places)`; only its last `earlier +
            beams` places count.
        radius: int, the largest distance; None = any, and `mask` is returned.
        earlier: int or int32 scalar, places of the cache.
        beams: int or int32 scalar, places of each position.
    Returns:
        Bool `(batch or 1, beams or 1, earlier + beams)`.
    """
    if radius is None:
        return mask
    near = place_distances(earlier, beams)[None, None] >= -radius
    if mask is None:
        return near
    return near & mask[:, :, shape_of(mask)[2] - earlier - beams :]


def still_near(
    cache: dict[str, tf.Tensor], radius: int | None, beams: int | tf.Tensor
) -> dict[str, tf.Tensor]:
    """Returns the cache without what the next step is too far from.

    Args:
        cache: float32 tensors `(batch, num_key_value_heads, places, ...)`.
        radius: int, the largest distance; None = any.
        beams: int or int32 scalar, places of each position.
    """
    if radius is None:
        return cache
    positions = shape_of(cache["key"])[2] // beams
    first = at_least(positions - radius, 0) * beams
    return {part: heads[:, :, first:] for part, heads in cache.items()}


_NEVER = -1e9

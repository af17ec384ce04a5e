"""Alignments of the seq2seq era: which source states a query may look at.

Places s are counted from 0 over what the padding mask leaves, S of them.

| alignment | looked at | the weights are then multiplied by |
|---|---|---|
| global | all | |
| local-m | `abs(s - t) <= D`, t being the query's position | |
| local-p | `abs(s - p) <= D` | `exp(-(s - p)^2 / (2 (D / 2)^2))` |
| local-p* | the D of the largest gates | |

    p    = S sigmoid(tanh(query position_kernel) . position_vector)
    gate = sigmoid(tanh(key position_kernel) . position_vector)
"""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite.layers._math import product, shape_of
from t2t_lite.layers._projection import add_kernel

ALIGNMENTS = ("global", "local-m", "local-p", "local-p*")
PREDICTIVE = ("local-p", "local-p*")


def add_alignment_weights(
    layer: keras.layers.Layer, query_size: int, key_size: int
) -> None:
    """Adds the weights of `layer.alignment` to a layer being built."""
    if layer.alignment not in PREDICTIVE:
        return
    size = query_size if layer.alignment == "local-p" else key_size
    units = layer.units or size
    add_kernel(layer, "position", size, [units])
    add_kernel(layer, "position_vector", units, [1])


def choose(
    layer: keras.layers.Layer, key: tf.Tensor, mask: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns local-p*'s gates and the mask of those it keeps.

    Args:
        layer: built layer.
        key: float tensor `(batch, key_length, key_size)`.
        mask: bool tensor `(batch, key_length)`, True = no padding.

    Returns:
        Float32 and bool tensors `(batch, key_length)`; where gates are equal,
        earlier states are kept.
    """
    gates = tf.sigmoid(_predicted(layer, key))
    length = shape_of(key)[1]
    count = tf.minimum(layer.window, length)
    _, best = tf.math.top_k(tf.where(mask, gates, -1.0), count)
    kept = tf.reduce_any(tf.range(length) == best[:, :, None], axis=1)
    return gates, kept & mask


def window(
    layer: keras.layers.Layer,
    query: tf.Tensor,
    mask: tf.Tensor,
    positions: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns which states each query may look at, and factors of weights.

    Args:
        layer: built layer.
        query: float tensor `(batch, query_length, query_size)`.
        mask: bool tensor `(batch, key_length)`.
        positions: int tensor `(batch or 1, query_length)` of local-m; None =
            0, 1, 2, ... or, for many-to-one, the last place of each source.

    Returns:
        Bool tensor `(batch, 1 or query_length, key_length)`, and a float32 one
        `(batch, query_length, key_length)`, None for all but local-p.
    """
    allowed = mask[:, None]
    if layer.alignment not in ("local-m", "local-p"):
        return allowed, None
    counts = tf.cumsum(tf.cast(mask, tf.float32), axis=1)
    places = counts[:, None] - 1.0
    if layer.alignment == "local-m":
        centre = _positions(layer, query, counts, positions)
        return allowed & (tf.abs(places - centre) <= layer.window), None
    centre = counts[:, -1:] * tf.sigmoid(_predicted(layer, query))
    distance = places - centre[..., None]
    factors = tf.exp(-2.0 * tf.square(distance / layer.window))
    return allowed & (tf.abs(distance) <= layer.window), factors


def _positions(layer, query, counts, positions):
    """Returns t of each query, float32 `(batch or 1, query_length, 1)`."""
    if positions is not None:
        return tf.cast(positions, tf.float32)[..., None]
    if layer.mode == "many-to-one":
        return counts[:, None, -1:] - 1.0
    places = tf.range(shape_of(query)[1])
    return tf.cast(places, tf.float32)[None, :, None]


def _predicted(layer, states):
    """Returns `tanh(states W) . v`, float32 `(batch, length)`."""
    hidden = tf.tanh(product(states, layer.position_kernel))
    found = product(hidden, layer.position_vector_kernel)
    return tf.cast(tf.squeeze(found, -1), tf.float32)

"""Scores of the seq2seq era: how well a query and a source state agree.

| score | formula | weights of the layer |
|---|---|---|
| dot | `query . key` | |
| scaled_dot | `query . key / sqrt(key_size)` | |
| general | `query . (key key_kernel)` | key_kernel |
| concat | `tanh(query query_kernel + key key_kernel) . v` | v = score_kernel |
| location | `(query location_kernel)[s]` at place s | location_kernel |
"""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite.layers._math import product, shape_of
from t2t_lite.layers._projection import add_kernel

SCORES = ("dot", "scaled_dot", "general", "concat", "location")
_SAME_SIZES = ("dot", "scaled_dot")


def add_score_weights(
    layer: keras.layers.Layer, query_size: int, key_size: int
) -> None:
    """Adds the weights of `layer.score` to a layer being built.

    Raises:
        ValueError: the sizes do not go with the score.
    """
    if layer.score in _SAME_SIZES and query_size != key_size:
        raise ValueError(
            f"score={layer.score!r} goes with a query and a key of one size, "
            f"got {query_size} and {key_size}; use score 'general' or 'concat'."
        )
    if layer.score == "general":
        add_kernel(layer, "key", key_size, [query_size])
    elif layer.score == "concat":
        units = layer.units or query_size
        add_kernel(layer, "query", query_size, [units])
        add_kernel(layer, "key", key_size, [units])
        add_kernel(layer, "score", units, [1])
    elif layer.score == "location":
        add_kernel(layer, "location", query_size, [layer.max_length])


def project_key(layer: keras.layers.Layer, key: tf.Tensor) -> tf.Tensor:
    """Returns what the scores of every query need of the source states.

    Args:
        layer: built layer.
        key: float tensor `(batch, key_length, key_size)`.
    """
    if layer.score in ("general", "concat"):
        return product(key, layer.key_kernel)
    return key


def scores(
    layer: keras.layers.Layer, query: tf.Tensor, key: tf.Tensor
) -> tf.Tensor:
    """Returns the scores `(batch, query_length, key_length)`.

    Args:
        layer: built layer.
        query: float tensor `(batch, query_length, query_size)`.
        key: float tensor from `project_key`, `(batch, key_length, size)`.
    """
    if layer.score == "concat":
        query = product(query, layer.query_kernel)
        hidden = tf.tanh(query[:, :, None] + key[:, None])
        return tf.squeeze(product(hidden, layer.score_kernel), -1)
    if layer.score == "location":
        return _of_places(layer, query, shape_of(key)[1])
    if layer.score == "scaled_dot":
        query *= tf.cast(query.shape[-1] ** -0.5, query.dtype)
    return tf.matmul(query, key, transpose_b=True)


def _of_places(layer, query, key_length):
    """Returns one score for each place; those beyond max_length are 0."""
    found = product(query, layer.location_kernel)[:, :, :key_length]
    missing = tf.maximum(key_length - layer.max_length, 0)
    return tf.pad(found, [[0, 0], [0, 0], [0, missing]])

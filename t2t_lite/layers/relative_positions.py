"""Relative positions of Shaw et al. 2018."""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite.layers._math import (
    PACKAGE,
    at_least,
    check_positive,
    lookup,
    product,
    shape_of,
)
from t2t_lite.layers.distances import (
    AttentionPositions,
    Distances,
    place_distances,
)


@keras.saving.register_keras_serializable(package=PACKAGE)
class RelativePositions(AttentionPositions):
    """Learned vectors of clipped distances, added to keys and values.

        logits_ij = query_i (key_j + K_c)^T / sqrt(key_head_size)
        context_i = sum_j weights_ij (value_j + V_c)
        c = clip(j - i, -max_relative_position, max_relative_position)

    The heads share K and V. Neither is ever formed for every pair: a query is
    multiplied with the 2 max_relative_position + 1 rows of K, and the products
    are moved to their pairs by reshaping; the weights are summed by distance
    in the same way, and then multiplied with V. So the memory is that of the
    logits, without head_size as a factor.

    Args:
        max_relative_position: int, the distance at which all is clipped.
        key_head_size: int.
        value_head_size: int.

    Reference: Shaw et al. 2018, sections 3.1 to 3.3; K = w^K, V = w^V,
    max_relative_position = k. Reshaping as in Huang et al. 2018, section 3.4.
    """

    def __init__(
        self,
        max_relative_position: int,
        key_head_size: int,
        value_head_size: int,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(
            max_relative_position=max_relative_position,
            key_head_size=key_head_size,
            value_head_size=value_head_size,
        )
        self.max_relative_position = max_relative_position
        self.key_head_size = key_head_size
        self.value_head_size = value_head_size

    def build(self, input_shape=None):
        rows = 2 * self.max_relative_position + 1
        for part in ("key", "value"):
            embeddings = self.add_weight(
                name=f"{part}_embeddings",
                shape=(rows, getattr(self, f"{part}_head_size")),
                initializer="glorot_uniform",
                autocast=False,
            )
            setattr(self, f"{part}_embeddings", embeddings)

    def logits(self, query, distances):
        products = product(query, self.key_embeddings, transpose_b=True)
        return to_pairs(products, distances)

    def context(self, weights, distances):
        sums = to_distances(weights, distances, self.max_relative_position)
        return product(sums, self.value_embeddings)

    def place_tables(self, earlier, beams):
        most = self.max_relative_position
        rows = tf.maximum(place_distances(earlier, beams), -most) + most
        return (
            lookup(self.key_embeddings, rows, "float32"),
            lookup(self.value_embeddings, rows, "float32"),
        )

    def get_config(self):
        return {
            **super().get_config(),
            "max_relative_position": self.max_relative_position,
            "key_head_size": self.key_head_size,
            "value_head_size": self.value_head_size,
        }


class _Band:
    """Where the distances -most..most of each query lie among its keys.

    A row of values by distance, padded to `span` + 1 columns and read again as
    rows of `span`, has moved one column to the right for each query: values of
    the same key are then in one column.
    """

    def __init__(self, distances: Distances, most: int):
        queries, keys, first = distances
        # Columns of keys that are further off than `most` from all queries.
        self.before = at_least(-most - first, 0)
        self.after = at_least(first + keys - queries - most, 0)
        self.width = 2 * most + 1 + self.before + self.after
        self.span = queries + self.width - 1
        self.start = most + first + self.before
        self.queries, self.keys = queries, keys


def to_pairs(products: tf.Tensor, distances: Distances) -> tf.Tensor:
    """Returns each pair's value: that of its clipped distance.

    Args:
        products: float tensor `(batch, num_heads, query_length, 2 most + 1)`,
            by distance from -most to most.
        distances: Distances.

    Returns:
        Float tensor `(batch, num_heads, query_length, key_length)`.
    """
    batch, heads, queries, rows = shape_of(products)
    most = rows // 2
    band = _Band(distances, most)
    padded = _pad_last(products, band.before, band.after + queries)
    flat = tf.reshape(padded, [batch, heads, queries * (band.span + 1)])
    flat = flat[:, :, : queries * band.span]
    moved = tf.reshape(flat, [batch, heads, queries, band.span])
    inside = moved[..., band.start : band.start + band.keys]
    matrix = distances.matrix()
    outside = tf.where(matrix > 0, products[..., -1:], products[..., :1])
    return tf.where(tf.abs(matrix) <= most, inside, outside)


def to_distances(
    weights: tf.Tensor, distances: Distances, most: int
) -> tf.Tensor:
    """Returns each query's sums over the keys of one clipped distance.

    Args:
        weights: float tensor `(batch, num_heads, query_length, key_length)`.
        distances: Distances.
        most: int, where distances are clipped.

    Returns:
        Float tensor `(batch, num_heads, query_length, 2 most + 1)`, by
        distance from -most to most.
    """
    batch, heads, queries, keys = shape_of(weights)
    band = _Band(distances, most)
    padded = _pad_last(weights, band.start, band.span - band.start - keys)
    flat = tf.reshape(padded, [batch, heads, queries * band.span])
    flat = _pad_last(flat, 0, queries)
    moved = tf.reshape(flat, [batch, heads, queries, band.span + 1])
    inside = moved[..., band.before : band.before + 2 * most + 1]
    matrix, zero = distances.matrix(), tf.zeros([], weights.dtype)
    below, above = (
        tf.reduce_sum(tf.where(far, weights, zero), axis=-1, keepdims=True)
        for far in (matrix < -most, matrix > most)
    )
    return inside + tf.concat(
        [_pad_last(below, 0, 2 * most - 1), above], axis=-1
    )


def _pad_last(tensor: tf.Tensor, before, after) -> tf.Tensor:
    """Returns `tensor` with zeros before and after its last axis."""
    others = [[0, 0]] * (tensor.shape.rank - 1)
    return tf.pad(tensor, [*others, [before, after]])

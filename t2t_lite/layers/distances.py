"""How far apart the queries and keys of self-attention are."""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE

Size = int | tf.Tensor


class Distances(NamedTuple):
    """Of every pair of a query and a key: key j less query i.

    `distance_ij = first + j - i`; a negative one lies before the query.

    Fields:
        query_length: int or int scalar tensor.
        key_length: int or int scalar tensor.
        first: int or int scalar tensor, the distance of the first pair: 0
            where queries and keys are the same positions, and less where there
            are earlier keys.
    """

    query_length: Size
    key_length: Size
    first: Size = 0

    def matrix(self) -> tf.Tensor:
        """Returns them all, int32 `(query_length, key_length)`."""
        queries = tf.range(self.query_length)
        keys = tf.range(self.key_length) + self.first
        return keys[None, :] - queries[:, None]


@keras.saving.register_keras_serializable(package=PACKAGE)
class AttentionPositions(keras.layers.Layer):
    """How self-attention knows positions; this one does not.

    `MultiHeadAttention` calls the methods below; each kind overrides those
    that it needs. Queries are already divided by sqrt(key_head_size).
    """

    def build(self, input_shape=None):
        """Creates the weights, of which there are none."""

    def rotated(
        self, heads: tf.Tensor, first: Size, step: int = 1
    ) -> tf.Tensor:
        """Returns queries or keys with their positions in them.

        Args:
            heads: float tensor `(batch, num_heads, length, key_head_size)`.
            first: int or int32 scalar tensor, the position of the first.
            step: int, from one to the next; 0 = all have the first's.
        """
        del first, step
        return heads

    def logits(
        self, query: tf.Tensor, distances: Distances
    ) -> tf.Tensor | None:
        """Returns what is added to the logits; None = nothing.

        Args:
            query: float tensor `(batch, num_heads, query_length,
                key_head_size)`.
            distances: Distances.
        Returns:
            Float tensor that broadcasts to `(batch, num_heads, query_length,
            key_length)`.
        """
        del query, distances

    def context(
        self, weights: tf.Tensor, distances: Distances
    ) -> tf.Tensor | None:
        """Returns what is added to the weighted values; None = nothing.

        Args:
            weights: float tensor `(batch, num_heads, query_length,
                key_length)`.
            distances: Distances.
        Returns:
            Float tensor `(batch, num_heads, query_length, value_head_size)`.
        """
        del weights, distances

    def place_bias(self, earlier: Size, beams: Size) -> tf.Tensor | None:
        """Returns what is added to a step's logits; see `place_distances`.

        Returns:
            Float32 tensor `(num_heads, places)`; None = nothing.
        """
        del earlier, beams

    def place_tables(
        self, earlier: Size, beams: Size
    ) -> tuple[tf.Tensor, tf.Tensor] | None:
        """Returns what is added to the keys and values that a step sees.

        Returns:
            Float32 tensors `(places, key_head_size)` and `(places,
            value_head_size)`; None = nothing. See `place_distances`.
        """
        del earlier, beams


def place_distances(earlier: Size, beams: Size) -> tf.Tensor:
    """Returns how far from a step the places lie that it sees.

    A cache has a place for each hypothesis of each position, in the order of
    the positions, up to the one before the step; the step's own follow.

    Args:
        earlier: int or int32 scalar tensor, places of the cache.
        beams: int or int32 scalar tensor, places of each position.

    Returns:
        Int32 tensor `(earlier + beams,)`, none above 0.
    """
    return tf.range(earlier + beams) // beams - earlier // beams

"""The relative position bias of T5."""

from __future__ import annotations

import math

import keras
import numpy as np
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, check_positive, lookup
from t2t_lite.layers.distances import AttentionPositions, place_distances

# Of thresholds that are whole numbers but for rounding.
_ROUNDING = 1e-12
_LARGEST = 2**31 - 1


@keras.saving.register_keras_serializable(package=PACKAGE)
class BucketBias(AttentionPositions):
    """A learned number for each head and bucket of distances.

    `logits_ij = query_i key_j^T / sqrt(key_head_size) + B[bucket(j - i), head]`

    T5's own attention has no division by sqrt(key_head_size); its
    initialisation makes up for it.

    Args:
        num_heads: int.
        num_buckets: int, even and at least 4.
        max_distance: int, above num_buckets / 2: all from there on share a
            bucket.
        causal: bool, whether no key lies after its query: all buckets are then
            spent on those before.

    Raises:
        ValueError: a number is outside its range.

    Reference: Raffel et al. 2020, section 2.1.
    """

    def __init__(
        self,
        num_heads: int,
        num_buckets: int = 32,
        max_distance: int = 128,
        causal: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_heads=num_heads)
        check_buckets(num_buckets, max_distance)
        self.num_heads = num_heads
        self.num_buckets = num_buckets
        self.max_distance = max_distance
        self.causal = causal

    def build(self, input_shape=None):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.num_buckets, self.num_heads),
            initializer=keras.initializers.RandomNormal(stddev=0.05),
            autocast=False,
        )

    def logits(self, query, distances):
        return tf.transpose(self._rows(distances.matrix()), [2, 0, 1])

    def place_bias(self, earlier, beams):
        return tf.transpose(self._rows(place_distances(earlier, beams)))

    def _rows(self, distances: tf.Tensor) -> tf.Tensor:
        found = buckets(
            distances, self.num_buckets, self.max_distance, self.causal
        )
        return lookup(self.embeddings, found, "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "num_buckets": self.num_buckets,
            "max_distance": self.max_distance,
            "causal": self.causal,
        }


def check_buckets(num_buckets: int, max_distance: int) -> None:
    """Raises ValueError unless there are such buckets."""
    if num_buckets < 4 or num_buckets % 2:
        raise ValueError(
            "relative_attention_num_buckets must be an even number of at "
            f"least 4, got {num_buckets!r}."
        )
    if max_distance <= num_buckets // 2:
        raise ValueError(
            "relative_attention_max_distance must be above half of "
            f"relative_attention_num_buckets={num_buckets}, got "
            f"{max_distance!r}."
        )


def buckets(
    distances: tf.Tensor, num_buckets: int, max_distance: int, causal: bool
) -> tf.Tensor:
    """Returns the bucket of each distance.

    With n = num_buckets, or half of it where keys lie on both sides, and e =
    n / 2: distances below e have a bucket each, and d >= e is in bucket

        min(n - 1, e + floor(log(d / e) / log(max_distance / e) (n - e)))

    Keys after the query have the second half of the buckets; with `causal`
    they are in bucket 0 with the query itself.

    Args:
        distances: int tensor, key less query.
        num_buckets: int.
        max_distance: int.
        causal: bool.

    Returns:
        Int32 tensor of the same shape.
    """
    distances = tf.cast(distances, tf.int32)
    half = num_buckets if causal else num_buckets // 2
    exact = half // 2
    steps = half - exact
    # The least distance of each further bucket: compared with whole numbers,
    # a distance never lies in a neighbouring bucket by a logarithm's rounding.
    growth = math.log(max_distance / exact) / steps
    limits = [
        math.ceil(exact * math.exp(growth * step) * (1 - _ROUNDING))
        for step in range(1, steps)
    ]
    limits = np.minimum(limits, _LARGEST).astype(np.int32)
    size = tf.maximum(-distances, 0) if causal else tf.abs(distances)
    further = tf.cast(size[..., None] >= limits, tf.int32)
    found = tf.minimum(size, exact) + tf.reduce_sum(further, axis=-1)
    return found if causal else found + tf.where(distances > 0, half, 0)

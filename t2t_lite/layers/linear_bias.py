"""Attention with linear biases (ALiBi)."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, check_positive
from t2t_lite.layers.distances import AttentionPositions, place_distances


@keras.saving.register_keras_serializable(package=PACKAGE)
class LinearBias(AttentionPositions):
    """Logits that fall with the distance, at another rate for each head.

    `logits_ij = query_i key_j^T / sqrt(key_head_size) - slope_head |i - j|`

    The paper has i >= j alone. Where keys lie on both sides, as in an encoder,
    the bias is the same on both: the symmetric form.

    Args:
        num_heads: int; see `slopes`.

    Reference: Press et al. 2022, section 3; slope = m.
    """

    def __init__(self, num_heads: int, **kwargs) -> None:
        super().__init__(**kwargs)
        check_positive(num_heads=num_heads)
        self.num_heads = num_heads

    def logits(self, query, distances):
        return self._bias(distances.matrix())

    def place_bias(self, earlier, beams):
        return self._bias(place_distances(earlier, beams))

    def _bias(self, distances: tf.Tensor) -> tf.Tensor:
        """Returns float32 `(num_heads, *distances.shape)`."""
        falls = -slopes(self.num_heads).astype(np.float32)
        falls = falls.reshape([-1] + [1] * distances.shape.rank)
        return falls * tf.cast(tf.abs(distances), tf.float32)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}


def slopes(num_heads: int) -> np.ndarray:
    """Returns each head's slope.

    `2**(-8 h / num_heads)` for h = 1..num_heads where num_heads is a power of
    two. Else the slopes of n, the next lower power, and of 2 n the first,
    third, fifth, ... until there are enough.

    Args:
        num_heads: int.

    Returns:
        Float64 array `(num_heads,)`.

    Reference: Press et al. 2022, section 3; their code for other numbers.
    """
    lower = 2 ** (num_heads.bit_length() - 1)

    def of(count: int) -> np.ndarray:
        return 2.0 ** (-8.0 * np.arange(1, count + 1) / count)

    more = of(2 * lower)[::2][: num_heads - lower]
    return np.concatenate([of(lower), more])

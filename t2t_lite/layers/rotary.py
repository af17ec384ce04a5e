"""Rotary position embeddings."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, shape_of
from t2t_lite.layers.distances import AttentionPositions


@keras.saving.register_keras_serializable(package=PACKAGE)
class RotaryPositions(AttentionPositions):
    """Turns pairs of a head's numbers by angles in proportion to the position.

        logits_ij = (R_i query_i)^T (R_j key_j) / sqrt(key_head_size)

    R_m turns pair p = 0..key_head_size/2-1 by `m base**(-2 p /
    key_head_size)`, so that the logits depend on j - i alone. Layout: pair p
    is numbers p and p + key_head_size / 2, the two halves of a head (GPT-NeoX
    and its successors); the paper's pairs are neighbours, 2 p and 2 p + 1,
    which is another order of a projection's columns. Angles and products are
    float32.

    Args:
        base: float, above 1; the slowest pairs turn about once in 2 pi base
            positions.

    Raises:
        ValueError: base is 1 or less.

    Reference: Su et al. 2021, section 3.2.2; base = 10000.
    """

    def __init__(self, base: float = 10000.0, **kwargs) -> None:
        super().__init__(**kwargs)
        check_base(base)
        self.base = base

    def rotated(self, heads, first, step=1):
        positions = tf.range(shape_of(heads)[2]) * step + first
        half = heads.shape[-1] // 2
        exponents = tf.range(half, dtype=tf.float32) / half
        rates = tf.exp(-math.log(self.base) * exponents)
        angles = tf.cast(positions, tf.float32)[:, None] * rates
        cosines, sines = tf.cos(angles), tf.sin(angles)
        one, other = tf.split(tf.cast(heads, tf.float32), 2, axis=-1)
        turned = [
            one * cosines - other * sines,
            other * cosines + one * sines,
        ]
        return tf.cast(tf.concat(turned, axis=-1), heads.dtype)

    def get_config(self):
        return {**super().get_config(), "base": self.base}


def check_base(base: float) -> None:
    """Raises ValueError unless there is such a base."""
    if not base > 1.0:
        raise ValueError(f"rotary_base must be above 1, got {base!r}.")

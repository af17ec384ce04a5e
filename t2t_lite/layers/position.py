"""Position encodings."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, check_choice, check_positive, lookup

KINDS = ("sinusoid_t2t", "sinusoid_paper", "sinusoid_marian", "learned")
_MAX_TIMESCALE = 1e4


@keras.saving.register_keras_serializable(package=PACKAGE)
class PositionEncoding(keras.layers.Layer):
    """What is added to the embeddings to tell positions apart.

    With n = hidden_size / 2, rate_i = 10000**(-i / n) and angle = position
    rate_i for i = 0..n-1:

        sinusoid_paper:   sin and cos interleaved
        sinusoid_marian:  [sin | cos]
        sinusoid_t2t:     [sin | cos] with rate_i = 10000**(-i / (n - 1))
        learned:          rows of a trained matrix, its last one for what
                          lies beyond it

    Sinusoids are computed for any position, in float32.

    Args:
        kind: one of the four above; "sinusoid_t2t" is Tensor2Tensor's.
        hidden_size: int, even for the sinusoids.
        max_length: int, number of rows; for "learned" only.

    Call arguments:
        positions: int or int scalar tensor, a length that stands for the
            positions 0..length-1; or int tensor `(batch, length)` of
            positions, as packed rows and single decoding steps need.

    Returns:
        Float tensor `(1 or batch, length, hidden_size)`.

    Raises:
        ValueError: an unknown kind, an odd hidden_size for a sinusoid, or
            max_length missing for (or given without) "learned"; a static
            length above max_length.

    Reference: Vaswani et al. 2017, section 3.5.
    """

    def __init__(
        self,
        kind: str,
        hidden_size: int,
        max_length: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("kind", kind, KINDS)
        check_positive(hidden_size=hidden_size)
        if (kind == "learned") != (max_length is not None):
            raise ValueError(
                "max_length must be given for kind 'learned' and only there, "
                f"got kind={kind!r}, max_length={max_length!r}."
            )
        if kind != "learned" and hidden_size % 2:
            raise ValueError(
                f"hidden_size must be even for {kind}, got {hidden_size}."
            )
        self.kind = kind
        self.hidden_size = hidden_size
        self.max_length = max_length

    def __call__(self, positions, **kwargs):
        # Keras takes only tensors as positional arguments.
        if isinstance(positions, int):
            positions = tf.constant(positions, tf.int32)
        return super().__call__(positions, **kwargs)

    def build(self, input_shape=None):
        if self.kind == "learned":
            self.embeddings = self.add_weight(
                name="embeddings",
                shape=(self.max_length, self.hidden_size),
                initializer=keras.initializers.RandomNormal(
                    stddev=self.hidden_size**-0.5
                ),
                autocast=False,
            )

    def call(self, positions):
        if positions.shape.rank == 0:
            self._check_length(tf.get_static_value(positions))
            positions = tf.range(positions)[None]
        if self.kind == "learned":
            rows = tf.minimum(positions, self.max_length - 1)
            return lookup(self.embeddings, rows, self.compute_dtype)
        encoding = sinusoids(positions, self.hidden_size, self.kind)
        return tf.cast(encoding, self.compute_dtype)

    def _check_length(self, length) -> None:
        limit = self.max_length
        if limit is not None and length is not None and length > limit:
            raise ValueError(
                f"length must be at most max_length={limit}, got {length}."
            )

    def compute_output_shape(self, input_shape):
        return (*(input_shape or (1, None)), self.hidden_size)

    def get_config(self):
        return {
            **super().get_config(),
            "kind": self.kind,
            "hidden_size": self.hidden_size,
            "max_length": self.max_length,
        }


def sinusoids(positions: tf.Tensor, hidden_size: int, kind: str) -> tf.Tensor:
    """Returns the sinusoids of some positions.

    Args:
        positions: int tensor `(batch, length)`.
        hidden_size: int, even.
        kind: one of `KINDS` without "learned"; see `PositionEncoding`.

    Returns:
        Float32 tensor `(batch, length, hidden_size)`.
    """
    half = hidden_size // 2
    divisor = max(half - 1, 1) if kind == "sinusoid_t2t" else half
    exponents = tf.range(half, dtype=tf.float32) / divisor
    rates = tf.exp(-math.log(_MAX_TIMESCALE) * exponents)
    angles = tf.cast(positions, tf.float32)[:, :, None] * rates
    waves = [tf.sin(angles), tf.cos(angles)]
    if kind != "sinusoid_paper":
        return tf.concat(waves, axis=-1)
    interleaved = tf.stack(waves, axis=-1)
    batch, length = tf.unstack(tf.shape(positions))
    return tf.reshape(interleaved, [batch, length, hidden_size])

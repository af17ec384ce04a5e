"""Dropout whose draws are a function of a given seed."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, check_rate
from t2t_lite.layers.seeds import next_seed

_LEVELS = 256


@keras.saving.register_keras_serializable(package=PACKAGE)
class Dropout(keras.layers.Layer):
    """Zeroes a random share of the elements and scales up the others.

    `y = x keep / (1 - r)`, with `r = round(256 rate) / 256`: one random byte
    decides over an element, a quarter of the cost of a 32-bit draw. So a rate
    of 0.1 drops 26 / 256 = 0.1016 of the elements, and the scale is that of
    the rounded rate, which leaves the mean unchanged.

    Seeds come from the innermost `seed_scope`, else from a generator of the
    layer's own. A scope may also lower the rate, to 0 if it says so.

    Args:
        rate: float in [0, 1), the share to drop; one that is not 0 drops at
            least 1 / 256 and at most 255 / 256.
        noise_shape: sequence of int and None, as long as the inputs' shape: an
            axis of 1 shares its draw, None is as long as the inputs' axis.
            `(None, None, 1)` drops whole vectors of (batch, length, size).
            None = a draw for every element.

    Call arguments:
        inputs: float tensor of any shape.
        training: bool, whether to drop anything.

    Returns:
        Float tensor of the inputs' shape.

    Raises:
        ValueError: the rate is outside [0, 1), or the noise shape is not one
            of ints above 0 and None, or not as long as the inputs' shape.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_rate("rate", rate)
        if any(axis is not None and axis < 1 for axis in noise_shape or ()):
            raise ValueError(
                "noise_shape: expected ints above 0 and None, got "
                f"{noise_shape!r}"
            )
        self.noise_shape = None if noise_shape is None else list(noise_shape)
        self.rate = rate
        self._dropped_levels = _rounded_levels(rate)
        if rate > 0:
            self.seed_generator = keras.random.SeedGenerator()
        self.built = True

    def call(self, inputs, training=None):
        if not training or self.rate == 0:
            return inputs
        shape, size = self._draws(inputs)
        seed, share = next_seed(self._own_seed)
        draws = _random_bytes(shape, size, seed)
        dropped = tf.constant(self._dropped_levels)
        if share is not None:
            levels = tf.cast(dropped, tf.float32) * share
            dropped = tf.cast(tf.round(levels), tf.int32)
        return _drop(inputs, draws >= tf.cast(dropped, tf.uint8), dropped)

    def _draws(self, inputs: tf.Tensor) -> tuple[tf.Tensor, int | tf.Tensor]:
        """Returns the shape of the draws and how many they are."""
        shape, noise = tf.shape(inputs), self.noise_shape
        if noise is None:
            static = inputs.shape.num_elements()
            return shape, tf.size(inputs) if static is None else static
        if len(noise) != inputs.shape.rank:
            raise ValueError(
                f"noise_shape: expected {inputs.shape.rank} axes for inputs "
                f"of shape {inputs.shape}, got {noise}"
            )
        whole = [axis is None for axis in noise]
        shape = tf.where(whole, shape, [axis or 0 for axis in noise])
        return shape, tf.reduce_prod(shape)

    def _own_seed(self) -> tf.Tensor:
        return tf.cast(self.seed_generator.next(), tf.int32)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "rate": self.rate,
            "noise_shape": self.noise_shape,
        }


def _rounded_levels(rate: float) -> int:
    if rate == 0:
        return 0
    return min(max(round(rate * _LEVELS), 1), _LEVELS - 1)


def _drop(inputs: tf.Tensor, keep: tf.Tensor, dropped: tf.Tensor) -> tf.Tensor:
    """Scales up what is kept where `dropped` of 256 elements are not."""
    left = tf.cast(_LEVELS - dropped, tf.float32)
    scale = tf.cast(_LEVELS / left, inputs.dtype)

    @tf.custom_gradient
    def apply(values):
        def gradient(upstream):
            return _select(keep, upstream * scale)

        return _select(keep, values * scale), gradient

    return apply(inputs)


def _select(keep: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    return tf.where(keep, values, tf.zeros([], values.dtype))


def _random_bytes(
    shape: tf.Tensor, size: int | tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """Returns `size` uniform uint8 values in a shape."""
    # The one op under stateless_uniform: a dozen fewer to trace for each
    # draw. Philox (1) by name: the default differs between XLA and the graph.
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[(size + 3) // 4],
        key=tf.reshape(tf.bitcast(seed, tf.uint64), [1]),
        counter=tf.zeros([2], tf.uint64),
        alg=1,
        dtype=tf.uint32,
    )
    flat = tf.reshape(tf.bitcast(words, tf.uint8), [-1])
    return tf.reshape(tf.slice(flat, [0], [size]), shape)

"""Layer normalisation."""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, read
from t2t_lite.layers.freezing import weight_reader


@keras.saving.register_keras_serializable(package=PACKAGE)
class LayerNorm(keras.layers.Layer):
    """Layer normalisation over the last axis.

    `(x - mean) / sqrt(variance + epsilon) * scale + bias`; computed in float32
    in any dtype policy, with its own gradient (fewer passes over memory).

    Args:
        epsilon: float, added to the variance; 1e-6 as in Tensor2Tensor.

    Call arguments:
        inputs: float tensor `(..., hidden_size)`.

    Returns:
        Float tensor of the inputs' shape.

    Reference: Ba, Kiros, Hinton 2016, section 3. scale = g, bias = b.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        size = input_shape[-1]
        self.scale = self.add_weight(
            name="scale", shape=(size,), initializer="ones", autocast=False
        )
        self.bias = self.add_weight(
            name="bias", shape=(size,), initializer="zeros", autocast=False
        )

    def call(self, inputs):
        return self.normalize(inputs)

    def normalize(self, inputs):
        """As a call, but for an input of any float dtype, which it keeps."""
        scale = read(self.scale, "float32")
        bias = read(self.bias, "float32")
        epsilon = self.epsilon
        if weight_reader() is not None:  # asks for no gradient
            return _normalize(inputs, scale, bias, epsilon)[0]

        @tf.custom_gradient
        def normalize(values, scale, bias):
            return _normalize(values, scale, bias, epsilon)

        return normalize(inputs, scale, bias)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


def _normalize(values, scale, bias, epsilon):
    """Returns the normalised values and their gradient function."""
    centred = tf.cast(values, tf.float32)
    centred -= tf.reduce_mean(centred, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
    inverse = tf.math.rsqrt(variance + epsilon)
    unit = centred * inverse

    def gradient(upstream):
        upstream = tf.cast(upstream, tf.float32)
        outer_axes = list(range(values.shape.rank - 1))
        product = upstream * unit
        scale_gradient = tf.reduce_sum(product, axis=outer_axes)
        bias_gradient = tf.reduce_sum(upstream, axis=outer_axes)
        scaled = upstream * scale
        mean = tf.reduce_mean(scaled, axis=-1, keepdims=True)
        slope = tf.reduce_mean(product * scale, axis=-1, keepdims=True)
        result = (scaled - mean - unit * slope) * inverse
        return tf.cast(result, values.dtype), scale_gradient, bias_gradient

    return tf.cast(unit * scale + bias, values.dtype), gradient

"""Attention with a learned query: a sequence as one weighted mean."""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite.layers._math import (
    PACKAGE,
    check_positive,
    masked_softmax,
    product,
)
from t2t_lite.layers._projection import add_bias, add_kernel
from t2t_lite.layers.seq2seq_attention import check_padding_mask


@keras.saving.register_keras_serializable(package=PACKAGE)
class ContextVectorAttention(keras.layers.Layer):
    """A sequence as the mean of its states, weighted by a learned query.

    `weights = softmax(tanh(inputs W + b) . u); output = weights inputs`, the
    softmax over the positions, in float32; u is the context vector.

    Args:
        units: int, size of the hidden layer and of u; None = the inputs' size.

    Call arguments:
        inputs: float tensor `(batch, length, size)`.
        padding_mask: optional bool tensor `(batch, length)`; True = may attend.
        return_attention_weights: bool.

    Returns:
        Float tensor `(batch, size)`, zeros where all is padding; with
        `return_attention_weights` a tuple of it and the weights `(batch,
        length)`.

    Raises:
        ValueError: units is not positive, or the mask has another form.

    Reference: Yang et al. 2016, section 2.2, word attention. inputs = h_it,
    W, b = W_w, b_w, u = u_w.
    """

    def __init__(self, units: int | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        if units is not None:
            check_positive(units=units)
        self.units = units

    def build(self, input_shape):
        units = self.units or input_shape[-1]
        add_kernel(self, "hidden", input_shape[-1], [units])
        add_bias(self, "hidden", units)
        add_kernel(self, "context_vector", units, [1])

    def call(self, inputs, padding_mask=None, return_attention_weights=False):
        check_padding_mask(padding_mask)
        hidden = product(inputs, self.hidden_kernel, self.hidden_bias)
        logits = product(tf.tanh(hidden), self.context_vector_kernel)
        mask = True if padding_mask is None else padding_mask
        weights = masked_softmax(tf.squeeze(logits, -1), mask)
        weights = tf.cast(weights, inputs.dtype)
        mean = tf.squeeze(tf.matmul(weights[:, None], inputs), 1)
        return (mean, weights) if return_attention_weights else mean

    def get_config(self):
        return {**super().get_config(), "units": self.units}

"""Structured self-attention: a sentence as several weighted means."""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite.layers._math import (
    PACKAGE,
    check_positive,
    masked_softmax,
    product,
)
from t2t_lite.layers._projection import add_kernel
from t2t_lite.layers.seq2seq_attention import check_padding_mask


@keras.saving.register_keras_serializable(package=PACKAGE)
class StructuredSelfAttention(keras.layers.Layer):
    """A sequence as a matrix of `num_hops` weighted means of its states.

    `A = softmax(W2 tanh(W1 H^T)); M = A H`, the softmax over the positions, in
    float32. Every hop may look at other positions; the penalty
    `||A A^T - I||_F^2` (`redundancy_penalty`) keeps them from all looking at
    the same.

    With a `penalty_rate` above 0, `penalty_rate` times the batch's mean penalty
    is among the layer's `losses`, which Keras' `fit` adds to the loss of a
    model. A training loop of one's own adds `sum(model.losses)`, or what
    `stateless_call(..., return_losses=True)` returns last, or calls
    `redundancy_penalty` on the weights that a call returns.

    Args:
        num_hops: int, rows of A.
        units: int, size of the hidden layer; None = the inputs' size.
        penalty_rate: float, at least 0.

    Call arguments:
        inputs: float tensor `(batch, length, size)`.
        padding_mask: optional bool tensor `(batch, length)`; True = may attend.
        return_attention_weights: bool.

    Returns:
        M, float tensor `(batch, num_hops, size)`, zeros where all is padding;
        with `return_attention_weights` a tuple of it and A `(batch, num_hops,
        length)`.

    Raises:
        ValueError: a size is not positive, the rate is negative, or the mask
            has another form.

    Reference: Lin et al. 2017, sections 2.1 and 2.2. num_hops = r, units =
    d_a, size = 2u, penalty_rate = the coefficient of P.
    """

    def __init__(
        self,
        num_hops: int = 8,
        units: int | None = None,
        penalty_rate: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_hops=num_hops)
        if units is not None:
            check_positive(units=units)
        if penalty_rate < 0:
            raise ValueError(
                f"penalty_rate must be at least 0, got {penalty_rate!r}."
            )
        self.num_hops = num_hops
        self.units = units
        self.penalty_rate = penalty_rate

    def build(self, input_shape):
        units = self.units or input_shape[-1]
        add_kernel(self, "hidden", input_shape[-1], [units])
        add_kernel(self, "hops", units, [self.num_hops])

    def call(self, inputs, padding_mask=None, return_attention_weights=False):
        check_padding_mask(padding_mask)
        hidden = tf.tanh(product(inputs, self.hidden_kernel))
        logits = product(hidden, self.hops_kernel)
        logits = tf.transpose(logits, [0, 2, 1])
        mask = True if padding_mask is None else padding_mask[:, None]
        weights = masked_softmax(logits, mask)
        if self.penalty_rate:
            penalty = tf.reduce_mean(redundancy_penalty(weights))
            self.add_loss(self.penalty_rate * penalty)
        weights = tf.cast(weights, inputs.dtype)
        means = tf.matmul(weights, inputs)
        return (means, weights) if return_attention_weights else means

    def get_config(self):
        return {
            **super().get_config(),
            "num_hops": self.num_hops,
            "units": self.units,
            "penalty_rate": self.penalty_rate,
        }


def redundancy_penalty(weights: tf.Tensor) -> tf.Tensor:
    """`||A A^T - I||_F^2` of each sequence: how much its hops overlap.

    It is 0 where every hop looks at one position, and each at another.

    Args:
        weights: float tensor `(batch, num_hops, length)`, A.

    Returns:
        Float32 `(batch,)`.

    Reference: Lin et al. 2017, section 2.2.
    """
    weights = tf.cast(weights, tf.float32)
    overlap = tf.matmul(weights, weights, transpose_b=True)
    overlap -= tf.eye(weights.shape[1])
    return tf.reduce_sum(tf.square(overlap), axis=[1, 2])

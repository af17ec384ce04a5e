"""Position-wise feed-forward network."""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, check_choice, check_positive
from t2t_lite.layers._projection import add_projection, project
from t2t_lite.layers.dropout import Dropout

ACTIVATIONS = ("relu", "gelu", "swiglu")


@keras.saving.register_keras_serializable(package=PACKAGE)
class FeedForward(keras.layers.Layer):
    """Two projections with an activation between them, at every position.

        relu, gelu:  dropout(activation(x W1 + b1)) W2 + b2
        swiglu:      dropout(silu(x Wg + bg) * (x W1 + b1)) W2 + b2

    gelu is the tanh approximation. swiglu keeps Wg and W1 in one kernel, in
    this order, and so has half as many weights again at the same filter size.

    Args:
        hidden_size: int, size of the inputs and outputs.
        filter_size: int, size between the projections.
        activation: "relu", "gelu" or "swiglu".
        dropout: float in [0, 1), Tensor2Tensor's relu_dropout.
        use_bias: bool, whether both projections have a bias.

    Call arguments:
        inputs: float tensor `(..., hidden_size)`.
        training: bool, whether to drop.

    Returns:
        Float tensor `(..., hidden_size)`.

    Raises:
        ValueError: a size is not positive, the rate is outside [0, 1), or the
            activation is unknown.

    Reference: Vaswani et al. 2017, section 3.3 (hidden_size = d_model,
    filter_size = d_ff); Shazeer 2020 for swiglu.
    """

    def __init__(
        self,
        hidden_size: int,
        filter_size: int,
        activation: str = "relu",
        dropout: float = 0.0,
        use_bias: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(hidden_size=hidden_size, filter_size=filter_size)
        check_choice("activation", activation, ACTIVATIONS)
        self.hidden_size = hidden_size
        self.filter_size = filter_size
        self.activation = activation
        self.dropout = dropout
        self.use_bias = use_bias
        self.filter_dropout = Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )
        gated = activation == "swiglu"
        self._filter_name = "gate_filter" if gated else "filter"
        self._filter_parts = [filter_size] * (2 if gated else 1)

    def build(self, input_shape=None):
        add_projection(
            self, self._filter_name, self.hidden_size, self._filter_parts
        )
        add_projection(self, "output", self.filter_size, [self.hidden_size])

    def call(self, inputs, training=None):
        hidden = project(self, self._filter_name, inputs)
        if self.activation == "swiglu":
            gate, hidden = tf.split(hidden, 2, axis=-1)
            hidden *= tf.nn.silu(gate)
        elif self.activation == "gelu":
            hidden = tf.nn.gelu(hidden, approximate=True)
        else:
            hidden = tf.nn.relu(hidden)
        hidden = self.filter_dropout(hidden, training=training)
        return project(self, "output", hidden)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "filter_size": self.filter_size,
            "activation": self.activation,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
        }

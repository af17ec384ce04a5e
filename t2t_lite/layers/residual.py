"""The residual connection around a sublayer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, check_choice
from t2t_lite.layers.dropout import Dropout
from t2t_lite.layers.freezing import weight_reader
from t2t_lite.layers.norm import LayerNorm


@keras.saving.register_keras_serializable(package=PACKAGE)
class Residual(keras.layers.Layer):
    """Residual connection, dropout and layer norm around a function f.

        pre:   x + dropout(f(norm(x)))
        post:  norm(x + dropout(f(x)))

    Args:
        norm: "pre" (Tensor2Tensor's default; trains without a long warm-up)
            or "post" (the paper).
        dropout: float in [0, 1), on f's output.
        epsilon: float, of the layer norm.

    Call arguments:
        inputs: float tensor `(batch, length, hidden_size)`.
        function: callable of one tensor of that shape; it returns such a
            tensor, or a tuple whose first item is one. Pass it by keyword.
        training: bool, whether to drop.

    Returns:
        What `function` returns, with the connection around the first item; in
        the compute dtype, or float32 in a scope of held or frozen weights.

    Raises:
        ValueError: `norm` is neither "pre" nor "post".

    Reference: Vaswani et al. 2017, sections 3.1 and 5.4 (post); Xiong et al.
    2020, figure 1 (both).
    """

    def __init__(
        self,
        norm: str = "pre",
        dropout: float = 0.0,
        epsilon: float = 1e-6,
        **kwargs,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        check_choice("norm", norm, ("pre", "post"))
        self.norm = norm
        self.dropout = dropout
        self.epsilon = epsilon
        self.layer_norm = LayerNorm(
            epsilon, dtype=self.dtype_policy, name="norm"
        )
        self.output_dropout = Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, input_shape):
        self.layer_norm.build(input_shape)

    def call(self, inputs, function: Callable[[Any], Any], training=None):
        pre, norm = self.norm == "pre", self.layer_norm.normalize
        inputs = tf.cast(inputs, self._sum_dtype())
        normalized = norm(inputs) if pre else inputs
        result = function(tf.cast(normalized, self.compute_dtype))
        first, *others = result if isinstance(result, tuple) else (result,)
        first = self.output_dropout(first, training=training)
        output = inputs + tf.cast(first, inputs.dtype)
        if not pre:
            output = norm(output)
        return (output, *others) if isinstance(result, tuple) else output

    def _sum_dtype(self) -> str:
        """Returns the dtype of the sums that run through the stack.

        Where a model is only asked they are float32: they cost next to
        nothing, and half of bfloat16's rounding is theirs.
        """
        return self.compute_dtype if weight_reader() is None else "float32"

    def get_config(self):
        return {
            **super().get_config(),
            "norm": self.norm,
            "dropout": self.dropout,
            "epsilon": self.epsilon,
        }

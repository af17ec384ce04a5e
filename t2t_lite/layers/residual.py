"""The residual connection around a sublayer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from t2t_lite.layers._math import PACKAGE, check_choice
from t2t_lite.layers.dropout import Dropout
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
        What `function` returns, with the connection around the first item.

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
        super().__init__(**kwargs)
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
        pre = self.norm == "pre"
        result = function(self.layer_norm(inputs) if pre else inputs)
        first, *others = result if isinstance(result, tuple) else (result,)
        output = inputs + self.output_dropout(first, training=training)
        if not pre:
            output = self.layer_norm(output)
        return (output, *others) if isinstance(result, tuple) else output

    def get_config(self):
        return {
            **super().get_config(),
            "norm": self.norm,
            "dropout": self.dropout,
            "epsilon": self.epsilon,
        }

"""A stack of recurrences, one over the outputs of the other."""

from __future__ import annotations

import keras

from t2t_lite.layers._math import PACKAGE, check_positive
from t2t_lite.layers.dropout import Dropout
from t2t_lite.layers.recurrent import Recurrent


@keras.saving.register_keras_serializable(package=PACKAGE)
class RecurrentEncoder(keras.layers.Layer):
    """A stack of `Recurrent` layers, with dropout between them.

    Args:
        units: int, size of a state in one direction.
        num_layers: int, at least 1.
        kind: "gru" or "lstm".
        bidirectional: bool, of every layer.
        dropout: float in [0, 1), on what a layer gives to the next one.

    Call arguments:
        inputs: float tensor `(batch, length, size)`.
        padding_mask: optional bool tensor `(batch, length)`; True = no
            padding.
        training: bool, whether to drop.

    Returns:
        The last layer's outputs `(batch, length, units)`, or twice as large if
        bidirectional, and a list with each layer's last states, as `Recurrent`
        gives them.

    Raises:
        ValueError: a size is not positive, the kind is unknown, or the mask
            has another form.

    Reference: Sutskever, Vinyals, Le 2014, section 3.4; Zaremba et al. 2015,
    section 3.2, for the dropout.
    """

    def __init__(
        self,
        units: int,
        num_layers: int = 1,
        kind: str = "gru",
        bidirectional: bool = False,
        dropout: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_layers=num_layers)
        self.units = units
        self.num_layers = num_layers
        self.kind = kind
        self.bidirectional = bidirectional
        self.dropout = dropout
        policy = {"dtype": self.dtype_policy}
        self.blocks = [
            Recurrent(
                units, kind, bidirectional, name=f"layer_{index}", **policy
            )
            for index in range(num_layers)
        ]
        # Keras tracks the list; tf.train.Checkpoint sees only attributes.
        for block in self.blocks:
            setattr(self, block.name, block)
        self.between = Dropout(dropout, name="dropout", **policy)

    @property
    def output_size(self) -> int:
        """Size of an output."""
        return self.units * (2 if self.bidirectional else 1)

    def build(self, input_shape):
        for block in self.blocks:
            block.build(input_shape)
            input_shape = (*input_shape[:-1], self.output_size)

    def call(self, inputs, padding_mask=None, training=None):
        states, last = inputs, []
        for number, block in enumerate(self.blocks):
            if number:
                states = self.between(states, training=training)
            states, block_last = block(states, padding_mask=padding_mask)
            last.append(block_last)
        return states, last

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_layers": self.num_layers,
            "kind": self.kind,
            "bidirectional": self.bidirectional,
            "dropout": self.dropout,
        }

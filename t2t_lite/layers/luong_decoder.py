"""Luong's decoder: attention after the recurrence, and input feeding."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, product, shape_of
from t2t_lite.layers._projection import add_kernel
from t2t_lite.layers._recurrent_decoder import RecurrentDecoder


@keras.saving.register_keras_serializable(package=PACKAGE)
class LuongDecoder(RecurrentDecoder):
    """A decoder that takes its step and then looks at its source.

        h_t = cells([y_{t-1}; o_{t-1}], h_{t-1})
        c_t = attention(h_t, memory)
        output_t = o_t = tanh(W [c_t; h_t])

    y are the inputs, h_t is the last layer's state. Without input feeding o
    is left out of the first line, and attention looks from all positions at
    once. Without attention `output_t = h_t`.

    Args:
        units: int, size of the states and the output.
        memory_size: int, size of the source's states.
        num_layers: int, at least 1.
        kind: "gru" or "lstm"; attention and output see an LSTM's h.
        attention: dict of `Seq2SeqAttention`'s arguments, e.g. `{"score":
            "concat"}`; None = nothing of the source is seen but the first
            state. The layer is the attribute `attention`.
        dropout: float in [0, 1), on what a layer gives to the next one.
        first_state: "copy" (the encoder's last state, of the same size, as in
            the paper), "backward" (`tanh(last W + b)` of its second direction)
            or "both" (of both directions).
        input_feeding: bool; needs attention.

    Call arguments:
        inputs: float tensor `(batch, length, size)`, already shifted right.
        last: each layer's last states, from `RecurrentEncoder`.
        source: float tensor `(batch, source_length, memory_size)`, what is
            looked at; None without attention.
        padding_mask: optional bool tensor `(batch, source_length)`; True = may
            attend.
        return_attention_weights: bool; needs attention.
        training: bool, whether to drop.

    Returns:
        Float tensor `(batch, length, units)`; with `return_attention_weights`
        a tuple of it and the weights `(batch, length, source_length)`.

    Raises:
        ValueError: a size is not positive, a choice is unknown, attention of
            another mode, or input feeding or weights asked of no attention.

    Reference: Luong, Pham, Manning 2015, sections 3.1 (W = W_c, o_t = h~_t)
    and 3.3. o_0 is zeros.
    """

    def __init__(
        self,
        units: int,
        memory_size: int,
        num_layers: int = 1,
        kind: str = "lstm",
        attention: dict[str, Any] | None = None,
        dropout: float = 0.0,
        first_state: str = "copy",
        input_feeding: bool = False,
        **kwargs,
    ) -> None:
        if input_feeding and attention is None:
            raise ValueError("input_feeding goes with attention, got none.")
        super().__init__(
            units,
            memory_size,
            num_layers,
            kind,
            attention,
            dropout,
            first_state,
            context_size=units if input_feeding else 0,
            **kwargs,
        )
        self.input_feeding = input_feeding

    @property
    def output_size(self) -> int:
        """Size of an output."""
        return self.units

    def build(self, input_shape):
        super().build(input_shape)
        if self.attention is not None:
            add_kernel(
                self, "output", self.memory_size + self.units, [self.units]
            )

    def _first(self, last):
        state = super()._first(last)
        if self.input_feeding:
            state["fed"] = tf.zeros_like(state["cells"][-1][0])
        return state

    def call(
        self,
        inputs,
        last,
        source=None,
        padding_mask=None,
        return_attention_weights=False,
        training=None,
    ):
        self._check_weights(return_attention_weights)
        state, memory = self.begin(last, source, padding_mask)
        keeps = return_attention_weights and self.input_feeding
        inputs = tf.transpose(inputs, [1, 0, 2])
        found, states = self._unrolled(inputs, state, memory, keeps, training)
        if self.input_feeding:
            features = tf.transpose(states["fed"], [1, 0, 2])
            weights = self._by_rows(found["weights"]) if keeps else None
        else:
            hidden = tf.transpose(states["cells"][-1][0], [1, 0, 2])
            features, weights = self._looked_at_once(hidden, memory)
        features = tf.cast(features, self.compute_dtype)
        if not return_attention_weights:
            return features
        return features, tf.cast(weights, self.compute_dtype)

    def _looked_at_once(self, hidden, memory):
        """Returns the outputs of all positions `(batch, length, units)`."""
        if self.attention is None:
            return hidden, None
        length = shape_of(hidden)[1]
        positions = None
        if self.attention.alignment == "local-m":
            positions = tf.range(length)[None]
        context, weights = self.attention.attend(hidden, memory, positions)
        return self._output(context, hidden), weights

    def step(self, rows, index, state, memory=None, beams=1):
        """Decodes one position of several hypotheses a sentence.

        Args:
            rows: float tensor `(batch * beams, size)`, the inputs.
            index: int scalar, the position.
            state: from `begin`, of as many rows, or from the step before.
            memory: from `begin`, of batch rows.
            beams: int scalar.

        Returns:
            Float tensor `(batch * beams, units)` and the new state.
        """
        inputs = {"projected": self.cells[0].project(rows), "position": index}
        _, new = self._advance(inputs, state, memory, beams)
        if self.input_feeding:
            features = new["fed"]
        else:
            features = new["cells"][-1][0]
            if self.attention is not None:
                context, _ = self._look(features, memory, index, beams)
                features = self._output(context, features)
        return tf.cast(features, self.compute_dtype), new

    def _advance(self, inputs, state, memory, beams=1, weights=False):
        fed = state.get("fed")
        cells = self._stacked(inputs, state["cells"], fed)
        if not self.input_feeding:
            return {}, {"cells": cells}
        hidden = cells[-1][0]
        context, looked = self._look(hidden, memory, inputs["position"], beams)
        output = tf.cast(self._output(context, hidden), tf.float32)
        found = {"weights": looked} if weights else {}
        return found, {"cells": cells, "fed": output}

    def _outputs(self, weights):
        return {"weights": "float32"} if weights else {}

    def _looking_weights(self):
        if not self.input_feeding:  # the loop has nothing but the cells
            return []
        return [*super()._looking_weights(), self.output_kernel]

    def _output(self, context, hidden):
        parts = [tf.cast(x, self.compute_dtype) for x in (context, hidden)]
        return tf.tanh(product(tf.concat(parts, axis=-1), self.output_kernel))

    def get_config(self):
        return {**super().get_config(), "input_feeding": self.input_feeding}

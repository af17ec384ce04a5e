"""Bahdanau's decoder: attention before the recurrence, a deep output after."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, check_positive, product
from t2t_lite.layers._projection import add_bias, add_kernel
from t2t_lite.layers._recurrent_decoder import RecurrentDecoder


@keras.saving.register_keras_serializable(package=PACKAGE)
class BahdanauDecoder(RecurrentDecoder):
    """A decoder that looks at its source and then takes its step.

        c_i = attention(s_{i-1}, memory)
        s_i = cell(y_{i-1}, s_{i-1}, c_i)
        output_i = max over pairs of (U s_{i-1} + V y_{i-1} + C c_i + b)

    y are the inputs, s the states. With several layers the first one looks and
    takes c; the next ones have the states below as inputs, and s in the output
    is the last one's. Without attention there is no c.

    Args:
        units: int, size of s.
        memory_size: int, size of the source's states.
        num_layers: int, at least 1.
        kind: "gru" or "lstm"; attention and output see an LSTM's h.
        attention: dict of `Seq2SeqAttention`'s arguments, e.g. `{"score":
            "concat"}`; None = nothing of the source is seen but the first
            state. The layer is the attribute `attention`.
        dropout: float in [0, 1), on what a layer gives to the next one.
        first_state: "copy" (the encoder's last state, of the same size),
            "backward" (`tanh(last W + b)` of its second direction, as in the
            paper) or "both" (of both directions).
        maxout_size: int, size of the output.

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
        Float tensor `(batch, length, maxout_size)`; with
        `return_attention_weights` a tuple of it and the weights `(batch,
        length, source_length)`.

    Raises:
        ValueError: a size is not positive, a choice is unknown, attention of
            another mode, or weights asked of no attention.

    Reference: Bahdanau et al. 2015, appendix A.2.2: units = n, maxout_size =
    l, U, V, C = U_o, V_o, C_o. Pairs are (j, l + j) here, not (2j - 1, 2j).
    The appendix has s_{i-1} in the output, as here; its equation 4 has s_i.
    """

    def __init__(
        self,
        units: int,
        memory_size: int,
        num_layers: int = 1,
        kind: str = "gru",
        attention: dict[str, Any] | None = None,
        dropout: float = 0.0,
        first_state: str = "backward",
        maxout_size: int = 500,
        **kwargs,
    ) -> None:
        super().__init__(
            units,
            memory_size,
            num_layers,
            kind,
            attention,
            dropout,
            first_state,
            context_size=memory_size if attention is not None else 0,
            **kwargs,
        )
        check_positive(maxout_size=maxout_size)
        self.maxout_size = maxout_size

    @property
    def output_size(self) -> int:
        """Size of an output."""
        return self.maxout_size

    def build(self, input_shape):
        super().build(input_shape)
        size = self.units + input_shape[-1]
        if self.attention is not None:
            size += self.memory_size
        add_kernel(self, "output", size, 2 * [self.maxout_size])
        add_bias(self, "output", 2 * self.maxout_size)

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
        inputs = tf.transpose(inputs, [1, 0, 2])
        found, states = self._unrolled(
            inputs, state, memory, return_attention_weights, training
        )
        first = state["cells"][-1][0]
        after = states["cells"][-1][0]
        before = tf.concat([first[None], after], axis=0)[:-1]
        features = self._output(before, inputs, found.get("context"))
        features = tf.transpose(features, [1, 0, 2])
        if not return_attention_weights:
            return features
        return features, self._by_rows(found["weights"])

    def step(self, rows, index, state, memory=None, beams=1):
        """Decodes one position of several hypotheses a sentence.

        Args:
            rows: float tensor `(batch * beams, size)`, the inputs.
            index: int scalar, the position.
            state: from `begin`, of as many rows, or from the step before.
            memory: from `begin`, of batch rows.
            beams: int scalar.

        Returns:
            Float tensor `(batch * beams, maxout_size)` and the new state.
        """
        inputs = {"projected": self.cells[0].project(rows), "position": index}
        found, new = self._advance(inputs, state, memory, beams)
        before = state["cells"][-1][0]
        return self._output(before, rows, found.get("context")), new

    def _advance(self, inputs, state, memory, beams=1, weights=False):
        found, context = {}, None
        if self.attention is not None:
            context, looked = self._look(
                state["cells"][0][0], memory, inputs["position"], beams
            )
            found = {"context": context}
            if weights:
                found["weights"] = looked
        cells = self._stacked(inputs, state["cells"], context)
        return found, {"cells": cells}

    def _outputs(self, weights):
        if self.attention is None:
            return {}
        names = {"context": self.compute_dtype}
        return {**names, "weights": "float32"} if weights else names

    def _output(self, before, inputs, context):
        """Returns the deep output of `(..., size)` each."""
        parts = [before, inputs] + ([] if context is None else [context])
        parts = [tf.cast(part, self.compute_dtype) for part in parts]
        both = product(
            tf.concat(parts, axis=-1), self.output_kernel, self.output_bias
        )
        return tf.maximum(*tf.split(both, 2, axis=-1))

    def get_config(self):
        return {**super().get_config(), "maxout_size": self.maxout_size}

"""What the attentive decoders share: cells, the loop, and its beginning."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from t2t_lite.layers._math import (
    check_choice,
    check_positive,
    product,
    shape_of,
)
from t2t_lite.layers._projection import add_bias, add_kernel
from t2t_lite.layers._unroll import unroll
from t2t_lite.layers.dropout import Dropout
from t2t_lite.layers.recurrent_cell import RecurrentCell
from t2t_lite.layers.seq2seq_attention import Memory, Seq2SeqAttention

_OF_ATTENTION = ("score", "alignment", "window", "units", "max_length")
FIRST_STATES = ("copy", "backward", "both")
State = dict[str, Any]


class RecurrentDecoder(keras.layers.Layer):
    """A stack of cells that may look at a source; see its two subclasses.

    A subclass writes `_advance`, a step that serves both `call`, all positions
    of a sequence, and `step`, one position of several hypotheses.

    Args:
        units: int, size of the cells' states.
        memory_size: int, size of the source's states.
        num_layers: int, at least 1.
        kind: "gru" or "lstm".
        attention: dict of `Seq2SeqAttention`'s arguments; None = nothing of the
            source is seen but the first state.
        dropout: float in [0, 1), on what a layer gives to the next one.
        first_state: where the first state comes from: "copy" (the encoder's
            last one, which has the same size), "backward" (`tanh(last W + b)`
            of the encoder's second direction) or "both" (of both).
        context_size: int, size of the first cell's context.
    """

    def __init__(
        self,
        units: int,
        memory_size: int,
        num_layers: int,
        kind: str,
        attention: dict[str, Any] | None,
        dropout: float,
        first_state: str,
        context_size: int,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(memory_size=memory_size, num_layers=num_layers)
        check_choice("first_state", first_state, FIRST_STATES)
        self.units = units
        self.memory_size = memory_size
        self.num_layers = num_layers
        self.kind = kind
        self.attention = None
        self.dropout = dropout
        self.first_state = first_state
        policy = {"dtype": self.dtype_policy}
        if attention is not None:
            self.attention = Seq2SeqAttention(
                **{"mode": "many-to-many", **attention},
                **policy,
                name="attention",
            )
            if self.attention.mode != "many-to-many":
                raise ValueError(
                    "attention must be of mode 'many-to-many', got "
                    f"{self.attention.mode!r}."
                )
        self.cells = [
            RecurrentCell(
                units,
                kind,
                context_size if index == 0 else 0,
                name=f"cell_{index}",
                **policy,
            )
            for index in range(num_layers)
        ]
        # Keras tracks the list; tf.train.Checkpoint sees only attributes.
        for cell in self.cells:
            setattr(self, cell.name, cell)
        self.between = Dropout(dropout, name="dropout", **policy)

    def build(self, input_shape):
        for index, cell in enumerate(self.cells):
            cell.build(input_shape if index == 0 else (None, self.units))
        if self.attention is not None:
            memory_shape = (None, None, self.memory_size)
            self.attention.build((None, 1, self.units), memory_shape)
        if self.first_state == "copy":
            return
        size = self.units * (2 if self.first_state == "both" else 1)
        for name in self._first_names():
            add_kernel(self, name, size, [self.units])
            add_bias(self, name, self.units)

    def _first_names(self) -> list[str]:
        """Names of the weights of the first state, one for each tensor."""
        return [
            f"first_{layer}_{part}"
            for layer in range(self.num_layers)
            for part in range(self.cells[0].num_states)
        ]

    def begin(
        self,
        last: list,
        source: tf.Tensor | None = None,
        padding_mask: tf.Tensor | None = None,
    ) -> tuple[State, Memory | None]:
        """Returns the state before the first step, and what steps look at.

        Args:
            last, source, padding_mask: as for a call.

        Returns:
            Dict with "cells", a list with each cell's state in float32, and
            what else is handed on from step to step; and what
            `attention.project_memory` gives, None without attention.
        """
        if self.attention is None:
            return self._first(last), None
        memory = self.attention.project_memory(
            source, padding_mask=padding_mask
        )
        return self._first(last), memory

    def _first(self, last: list) -> State:
        if self.first_state == "copy":
            cells = [directions[0] for directions in last]
        else:
            names = iter(self._first_names())
            cells = [
                tuple(
                    self._bridged(next(names), parts)
                    for parts in zip(*directions, strict=True)
                )
                for directions in last
            ]
        return _float32({"cells": [tuple(cell) for cell in cells]})

    def _bridged(self, name, directions):
        """Returns a part of a state, from that part in both directions."""
        taken = directions if self.first_state == "both" else directions[1:]
        rows = tf.cast(tf.concat(taken, axis=-1), self.compute_dtype)
        kernel, bias = (
            getattr(self, f"{name}_{x}") for x in ("kernel", "bias")
        )
        return tf.tanh(tf.cast(product(rows, kernel, bias), tf.float32))

    def _unrolled(self, inputs, state, memory, weights, training):
        """Returns the outputs and states of all steps, `(length, batch, ...)`.

        Args:
            inputs: float tensor `(length, batch, size)`.
            state, memory: from `begin`.
            weights: bool, whether a step's attention weights are outputs.
            training: bool.
        """
        length, batch, _ = shape_of(inputs)
        sequences = {
            "projected": self.cells[0].project(inputs),
            "position": tf.range(length),
        }
        if training and self.dropout:
            shape = [length, batch, self.units]
            sequences["masks"] = [
                self.between(tf.ones(shape, self.compute_dtype), training=True)
                for _ in self.cells[1:]
            ]
        own = [w for cell in self.cells for w in cell.step_weights]
        for cell in self.cells[1:]:
            own += [cell.input_kernel, cell.input_bias]
        return unroll(
            lambda *parts: self._advance(*parts, weights=weights),
            sequences,
            state,
            () if memory is None else memory,
            own + self._looking_weights(),
            self._outputs(weights),
            self.compute_dtype,
        )

    def _check_weights(self, asked: bool) -> None:
        if asked and self.attention is None:
            raise ValueError(
                "return_attention_weights goes with attention, got none."
            )

    def _looking_weights(self) -> list[keras.Variable]:
        """Returns the weights of a step beside the cells'."""
        return [] if self.attention is None else self.attention.query_weights

    def _outputs(self, weights: bool) -> dict[str, str]:
        """Returns the dtypes of a step's outputs by name."""
        raise NotImplementedError

    def _advance(self, inputs, state, memory, beams=1, weights=False):
        """Returns the outputs of a step, by name, and the new state.

        Args:
            inputs: dict of "projected" `(rows, ...)`, int scalar "position",
                and perhaps "masks".
            state: see `begin`; rows = batch * beams.
            memory: of `attention`, batch rows.
            beams: int, rows of one sentence.
            weights: bool, whether the attention weights are outputs.
        """
        raise NotImplementedError

    def _stacked(self, inputs, cells, context):
        """Returns the new state of every cell."""
        new, projected = [], inputs["projected"]
        for index, (cell, state) in enumerate(
            zip(self.cells, cells, strict=True)
        ):
            if index:
                below = tf.cast(new[-1][0], self.compute_dtype)
                if "masks" in inputs:
                    below *= inputs["masks"][index - 1]
                projected = cell.project(below)
                context = None
            new.append(cell.step(projected, state, context))
        return new

    def _look(self, rows, memory: Memory, position, beams):
        """Returns the context of each row, and weights (batch, beams, keys)."""
        query = tf.reshape(rows, [-1, beams, self.units])
        positions = None
        if self.attention.alignment == "local-m":
            positions = tf.reshape(position, [1, 1])
        context, weights = self.attention.attend(query, memory, positions)
        return tf.reshape(context, [-1, self.memory_size]), weights

    def _by_rows(self, weights):
        """Returns weights `(batch, length, keys)` of a loop's outputs."""
        weights = tf.transpose(tf.squeeze(weights, 2), [1, 0, 2])
        return tf.cast(weights, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "memory_size": self.memory_size,
            "num_layers": self.num_layers,
            "kind": self.kind,
            "attention": self._attention_config(),
            "dropout": self.dropout,
            "first_state": self.first_state,
        }

    def _attention_config(self):
        if self.attention is None:
            return None
        config = self.attention.get_config()
        return {k: v for k, v in config.items() if k in _OF_ATTENTION}


def _float32(state: State) -> State:
    return tf.nest.map_structure(lambda part: tf.cast(part, tf.float32), state)

"""A recurrence over a sequence, in one direction or in both."""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, shape_of
from t2t_lite.layers._unroll import unroll
from t2t_lite.layers.recurrent_cell import RecurrentCell
from t2t_lite.layers.seq2seq_attention import check_padding_mask


@keras.saving.register_keras_serializable(package=PACKAGE)
class Recurrent(keras.layers.Layer):
    """A GRU or an LSTM over a sequence; see `RecurrentCell` for the formulas.

    The inputs of all steps are multiplied at once, before the loop. With
    `bidirectional` a second recurrence begins at the end, in the same loop,
    and the two states of a position are put side by side. Padding leaves a
    state as it is, wherever it stands.

    Args:
        units: int, size of a state in one direction.
        kind: "gru" or "lstm".
        bidirectional: bool.

    Call arguments:
        inputs: float tensor `(batch, length, size)`.
        padding_mask: optional bool tensor `(batch, length)`; True = no
            padding.

    Returns:
        Float tensor `(batch, length, units)`, or `(batch, length, 2 units)`
        with `bidirectional`, and a list with each direction's last state, a
        tuple as of `RecurrentCell`; that of the second direction is the one
        at the first position.

    Raises:
        ValueError: units is not positive, the kind is unknown, or the mask has
            another form.

    Reference: Schuster and Paliwal 1997; Bahdanau et al. 2015, appendix A.2.1,
    whose annotations h_j are these outputs.
    """

    def __init__(
        self,
        units: int,
        kind: str = "gru",
        bidirectional: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.kind = kind
        self.bidirectional = bidirectional
        # Attributes, for tf.train.Checkpoint does not see those in lists.
        self.forward_cell = self._cell("forward")
        self._cells = [self.forward_cell]
        if bidirectional:
            self.backward_cell = self._cell("backward")
            self._cells.append(self.backward_cell)

    def _cell(self, name: str) -> RecurrentCell:
        return RecurrentCell(
            self.units, self.kind, dtype=self.dtype_policy, name=name
        )

    def build(self, input_shape):
        for cell in self._cells:
            cell.build(input_shape)

    def call(self, inputs, padding_mask=None):
        check_padding_mask(padding_mask)
        batch = shape_of(inputs)[0]
        inputs = tf.transpose(inputs, [1, 0, 2])
        sequences = {"inputs": [cell.project(inputs) for cell in self._cells]}
        if padding_mask is not None:
            mask = tf.transpose(padding_mask)[..., None]
            sequences["masks"] = [mask] * len(self._cells)
        # The second direction's steps are the other way round.
        sequences = {
            name: [*pair[:1], *[tf.reverse(x, [0]) for x in pair[1:]]]
            for name, pair in sequences.items()
        }
        _, states = unroll(
            self._step,
            sequences,
            [cell.first_state(batch) for cell in self._cells],
            weights=[w for cell in self._cells for w in cell.step_weights],
            dtype=self.compute_dtype,
        )
        outputs = [state[0] for state in states]
        outputs = [*outputs[:1], *[tf.reverse(x, [0]) for x in outputs[1:]]]
        outputs = tf.transpose(tf.concat(outputs, axis=-1), [1, 0, 2])
        return tf.cast(outputs, self.compute_dtype), [
            tuple(tf.cast(_last(part), self.compute_dtype) for part in state)
            for state in states
        ]

    def _step(self, inputs, states, constants):
        del constants
        found = []
        for number, (cell, state) in enumerate(
            zip(self._cells, states, strict=True)
        ):
            new = cell.step(inputs["inputs"][number], state)
            if "masks" in inputs:
                mask = inputs["masks"][number]
                new = tuple(
                    tf.where(mask, after, before)
                    for after, before in zip(new, state, strict=True)
                )
            found.append(new)
        return (), found

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "kind": self.kind,
            "bidirectional": self.bidirectional,
        }


def _last(states: tf.Tensor) -> tf.Tensor:
    """Returns the last of `(length, ...)`, or zeros where there is none."""
    return tf.reduce_sum(states[-1:], axis=0)

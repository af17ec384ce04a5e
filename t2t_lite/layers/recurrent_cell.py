"""One step of a recurrence: GRU and LSTM."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from t2t_lite.layers._math import (
    PACKAGE,
    check_choice,
    check_positive,
    fused_orthogonal,
    product,
)
from t2t_lite.layers._projection import add_bias, add_kernel

KINDS = ("gru", "lstm")
State = tuple[tf.Tensor, ...]


@keras.saving.register_keras_serializable(package=PACKAGE)
class RecurrentCell(keras.layers.Layer):
    """A GRU or an LSTM, from one state to the next.

    With p = x W + b, which does not depend on the state and is computed for
    all steps at once (`project`), and a context c that may come in at each
    step, p += c C:

        gru   z, r = sigmoid(p_z + h U_z), sigmoid(p_r + h U_r)
              h' = (1 - z) h + z tanh(p_h + (r h) U_h)
        lstm  i, f, o = sigmoid(p_i + h U_i), ...; g = tanh(p_g + h U_g)
              c' = f c + i g;  h' = o tanh(c')

    Products are of the compute dtype, gates and what `step` gives float32.

    Args:
        units: int, size of h (and of the LSTM's c).
        kind: "gru" or "lstm".
        context_size: int, size of the context; 0 = there is none.

    Call arguments:
        inputs: float tensor `(batch, size)`, x.
        state: tuple of float tensors `(batch, units)`: h, and c for lstm.
        context: float tensor `(batch, context_size)`, if there is one.

    Returns:
        The new state, a tuple like `state`, h first.

    Raises:
        ValueError: a size is not positive, the kind is unknown, or a context
            is missing or too many.

    Reference: Cho et al. 2014, section 2.3, and Bahdanau et al. 2015, appendix
    A.1.1, for the GRU (z = z_i, r = r_i, U = U, C = C); Hochreiter and
    Schmidhuber 1997 with Gers et al. 2000's forget gate for the LSTM, whose
    bias is 1 at first (Jozefowicz et al. 2015).
    """

    def __init__(
        self, units: int, kind: str = "gru", context_size: int = 0, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        check_positive(units=units)
        check_choice("kind", kind, KINDS)
        if context_size < 0:
            raise ValueError(
                f"context_size must be at least 0, got {context_size!r}."
            )
        self.units = units
        self.kind = kind
        self.context_size = context_size
        self._parts = [units] * (3 if kind == "gru" else 4)

    def build(self, input_shape):
        units = self.units
        add_kernel(self, "input", input_shape[-1], self._parts)
        add_bias(self, "input", sum(self._parts), self._first_bias)
        gates = self._parts if self.kind == "lstm" else 2 * [units]
        add_kernel(self, "state", units, gates, fused_orthogonal)
        if self.kind == "gru":
            add_kernel(self, "candidate", units, [units], fused_orthogonal)
        if self.context_size:
            add_kernel(self, "context", self.context_size, self._parts)

    def _first_bias(self, shape, dtype=None):
        bias = np.zeros(shape, "float32")
        if self.kind == "lstm":
            bias[self.units : 2 * self.units] = 1.0
        return tf.constant(bias, dtype or "float32")

    @property
    def num_states(self) -> int:
        """The number of tensors of a state."""
        return 1 if self.kind == "gru" else 2

    @property
    def step_weights(self) -> list[keras.Variable]:
        """The weights that `step` multiplies with."""
        names = ["state"]
        names += ["candidate"] if self.kind == "gru" else []
        names += ["context"] if self.context_size else []
        return [getattr(self, f"{name}_kernel") for name in names]

    def call(self, inputs, state, context=None):
        state = [tf.cast(part, tf.float32) for part in state]
        new = self.step(self.project(inputs), state, context)
        return tuple(tf.cast(part, self.compute_dtype) for part in new)

    def project(self, inputs):
        """Returns what the inputs add to every step: `x W + b`.

        Args:
            inputs: float tensor `(..., size)`.

        Returns:
            Float tensor `(..., 3 units)`, for an LSTM `(..., 4 units)`.
        """
        inputs = tf.cast(inputs, self.compute_dtype)
        return product(inputs, self.input_kernel, self.input_bias)

    def first_state(self, batch: int | tf.Tensor) -> State:
        """Returns a state of zeros for `batch` rows, float32."""
        zeros = tf.zeros([batch, self.units])
        return (zeros,) * self.num_states

    def step(self, projected, state, context=None) -> State:
        """Returns the state after a step, in float32.

        Args:
            projected: float tensor `(batch, 3 or 4 units)`, from `project`.
            state: as for a call, in float32.
            context: as for a call.
        """
        if (context is not None) != bool(self.context_size):
            raise ValueError(
                f"context must be given with a context_size above 0 and only "
                f"then, got context_size={self.context_size} and "
                f"{'no' if context is None else 'a'} context."
            )
        projected = tf.cast(projected, tf.float32)
        if context is not None:
            projected += self._product(context, self.context_kernel)
        if self.kind == "lstm":
            return self._lstm(projected, *state)
        return self._gru(projected, *state)

    def _gru(self, projected, hidden) -> State:
        units = self.units
        gates, candidate = tf.split(projected, [2 * units, units], axis=-1)
        gates = tf.sigmoid(gates + self._product(hidden, self.state_kernel))
        update, reset = tf.split(gates, 2, axis=-1)
        candidate += self._product(reset * hidden, self.candidate_kernel)
        return (hidden + update * (tf.tanh(candidate) - hidden),)

    def _lstm(self, projected, hidden, memory) -> State:
        gates = projected + self._product(hidden, self.state_kernel)
        enter, forget, candidate, leave = tf.split(gates, 4, axis=-1)
        memory = tf.sigmoid(forget) * memory
        memory += tf.sigmoid(enter) * tf.tanh(candidate)
        return tf.sigmoid(leave) * tf.tanh(memory), memory

    def _product(self, rows, kernel):
        found = product(tf.cast(rows, self.compute_dtype), kernel)
        return tf.cast(found, tf.float32)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "kind": self.kind,
            "context_size": self.context_size,
        }

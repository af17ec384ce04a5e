"""One function again and again, for as long as each position needs it."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, check_choice, check_positive, product
from t2t_lite.layers.freezing import weight_reader
from t2t_lite.layers.position import KINDS, PositionEncoding


@keras.saving.register_keras_serializable(package=PACKAGE)
class DepthRecurrence(keras.layers.Layer):
    """Recurrence over depth, told which step it is; positions may halt.

        s_t = f(s_{t-1} + places + time_t),    t = 1 .. num_steps

    Without halting s of the last step is the result. With it, each position
    stops for itself at its step N, and the result is the mean of its states,
    weighted by how probable it was to stop there:

        p_t = sigmoid(w s_{t-1} + b)
        N   = the first t with p_1 + .. + p_t >= 1 - epsilon, or num_steps
        R   = 1 - (p_1 + .. + p_{N-1})
        result = p_1 s_1 + .. + p_{N-1} s_{N-1} + R s_N

    The state of a position that has stopped is copied to the later steps, as
    section 2.2 of the paper has it (its program transforms it further, and
    takes a moving average for the mean). All steps are computed in any case:
    what stops saves no time.

    Args:
        hidden_size: int.
        num_steps: int, steps; with halting the most.
        timing: a kind of `PositionEncoding`, of `time_t`; a learned one has a
            row for each step.
        epsilon: float in (0, 1): halting, and how much probability may be
            left; None = no halting.
        halting_bias: float, b at first: at 1 a position begins with p = 0.73.

    Call arguments:
        inputs: float tensor `(..., hidden_size)`, s_0.
        places: float tensor that broadcasts to it: where each position is.
        function: callable of a tensor of the inputs' shape and of the step, an
            int from 0, that returns such a tensor. Pass it by keyword.

    Returns:
        The result, of the inputs' shape (in the compute dtype, or that of
        `function` in a scope of held or frozen weights), and how long each
        position took, float32 `(...)`: N + R, which is differentiable by R
        alone; without halting num_steps.

    Raises:
        ValueError: a size is not positive, epsilon is outside of (0, 1), or
            the timing is unknown.

    Reference: Dehghani et al. 2019, sections 2.1 and 2.2; Graves 2016,
    section 2 (rho = N + R).
    """

    def __init__(
        self,
        hidden_size: int,
        num_steps: int,
        timing: str = "sinusoid_paper",
        epsilon: float | None = None,
        halting_bias: float = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        check_positive(hidden_size=hidden_size, num_steps=num_steps)
        check_choice("timing", timing, KINDS)
        if epsilon is not None and not 0.0 < epsilon < 1.0:
            raise ValueError(f"epsilon must be in (0, 1), got {epsilon!r}.")
        self.hidden_size = hidden_size
        self.num_steps = num_steps
        self.timing = timing
        self.epsilon = epsilon
        self.halting_bias = halting_bias
        self.time = PositionEncoding(
            timing,
            hidden_size,
            max_length=num_steps if timing == "learned" else None,
            dtype=self.dtype_policy,
            name="time",
        )

    def build(self, input_shape=None):
        self.time.build()
        if self.epsilon is None:
            return
        self.kernel = self.add_weight(
            name="halting_kernel",
            shape=(self.hidden_size, 1),
            initializer="glorot_uniform",
            autocast=False,
        )
        self.bias = self.add_weight(
            name="halting_bias",
            shape=(1,),
            initializer=keras.initializers.Constant(self.halting_bias),
            autocast=False,
        )

    def call(
        self, inputs, places, function: Callable[[tf.Tensor, int], tf.Tensor]
    ):
        if weight_reader() is None:
            inputs = tf.cast(inputs, self.compute_dtype)

        def step(states, number):
            time = self.time(tf.constant([[number]]))
            shape = [1] * (inputs.shape.rank - 1) + [self.hidden_size]
            time = tf.cast(tf.reshape(time, shape), states.dtype)
            told = states + tf.cast(places, states.dtype) + time
            return function(told, number)

        if self.epsilon is not None:
            return self._halting(inputs, step)
        states = inputs
        for number in range(self.num_steps):
            states = step(states, number)
        steps = tf.fill(tf.shape(states)[:-1], float(self.num_steps))
        return states, steps

    def _halting(self, states, step):
        shape = tf.shape(states)[:-1]
        left, runs = tf.ones(shape), tf.ones(shape, tf.bool)
        mean, took = 0.0, tf.zeros(shape)
        for number in range(self.num_steps):
            chance = self._chance(states)
            stops = chance >= left - self.epsilon
            if number == self.num_steps - 1:
                stops = tf.ones_like(stops)
            stops &= runs
            weight = tf.where(stops, left, chance)
            weight = tf.where(runs, weight, 0.0)
            new = step(states, number)
            states = tf.where(runs[..., None], new, tf.cast(states, new.dtype))
            mean += tf.cast(weight, new.dtype)[..., None] * states
            took += tf.cast(runs, tf.float32) + tf.where(stops, left, 0.0)
            left -= weight
            runs &= ~stops
        return mean, took

    def _chance(self, states):
        """Returns the probability to stop, float32 `(...)`."""
        states = tf.cast(states, self.compute_dtype)
        logits = product(states, self.kernel, self.bias)
        return tf.sigmoid(tf.cast(logits, tf.float32))[..., 0]

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "num_steps": self.num_steps,
            "timing": self.timing,
            "epsilon": self.epsilon,
            "halting_bias": self.halting_bias,
        }

"""Sums over a vocabulary's logits that are never held whole.

A chunk is some of a batch's tokens: their logits are formed, what is wanted of
them is taken, and they are dropped before those of the next chunk are formed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

Sums = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class ChunkedSums:
    """`sums(softmax.logits(states), targets)`, chunk by chunk.

    Fields:
        softmax: built Keras layer with a method `logits(states)`.
        sums: function of logits `(copies, size, vocab_size)` and targets
            `(size,)` that returns a float32 vector, sums over the tokens whose
            target is not 0. The first is the loss; the others have no
            gradient.
        chunk: int, most tokens at once. Chunks have the same size, as far as
            the number of tokens allows.

    Call arguments:
        states: float tensor `(copies, tokens, hidden_size)`; several copies
            predict the same tokens, and are together in a chunk (R-Drop).
        targets: int tensor `(tokens,)`, 0 = padding.

    Returns:
        Float32 vector, the sums over all tokens.
    """

    softmax: keras.layers.Layer
    sums: Sums
    chunk: int

    def __call__(self, states: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Returns the sums, without a gradient."""
        states, targets = _cut(states, targets, self.chunk)

        def body(index, totals):
            logits = self.softmax.logits(states[index])
            found = self.sums(logits, targets[index])
            return index + 1, totals.write(index, found)

        count = tf.shape(targets)[0]
        (totals,) = _repeat(body, count, [_array(tf.float32, count)])
        return tf.stop_gradient(tf.reduce_sum(totals.stack(), axis=0))

    def with_gradient(
        self, states: tf.Tensor, targets: tf.Tensor, scale: tf.Tensor
    ) -> tf.Tensor:
        """Returns the sums; the first has a gradient by states and weights.

        A chunk's gradient is taken when its logits are there, so that none are
        formed twice: the forward pass leaves the gradients, and the backward
        pass multiplies them with what comes back.

        Args:
            states, targets: as above.
            scale: float32 scalar above 0, what will come back: 1, or the loss
                scale, without which a float16 gradient underflows on its way.
        """
        weights = self.softmax.trainable_variables

        @tf.custom_gradient
        def function(states, *values):
            parts = _cut(states, targets, self.chunk)
            totals, gradients = self._forward(*parts, values, scale)
            by_states = _join(gradients[0], tf.shape(targets)[0])

            def gradient(upstream):
                factor = upstream[0] / scale
                mine = by_states * tf.cast(factor, by_states.dtype)
                return [mine, *[g * factor for g in gradients[1:]]]

            return totals, gradient

        return function(states, *[v.value for v in weights])

    def _forward(self, states, targets, values, scale):
        """Returns (sums, gradients by the cut states and by `values`)."""

        def body(index, totals, by_states, *by_values):
            part = states[index]
            mine = [tf.identity(value) for value in values]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([part, *mine])
                found = self._sums_of(part, targets[index], mine)
                loss = found[0] * scale
            by_part, *more = tape.gradient(loss, [part, *mine])
            added = [a + b for a, b in zip(by_values, more, strict=True)]
            return (
                index + 1,
                totals.write(index, found),
                by_states.write(index, by_part),
                *added,
            )

        count = tf.shape(targets)[0]
        arrays = [_array(tf.float32, count), _array(states.dtype, count)]
        zeros = [tf.zeros_like(value) for value in values]
        totals, by_states, *by_values = _repeat(body, count, [*arrays, *zeros])
        sums = tf.reduce_sum(totals.stack(), axis=0)
        return sums, [by_states.stack(), *by_values]

    def _sums_of(self, states, targets, values):
        weights = self.softmax.trainable_variables
        with keras.StatelessScope(zip(weights, values, strict=True)):
            logits = self.softmax.logits(states)
        return self.sums(logits, targets)


def _cut(states, targets, chunk):
    """Returns states `(count, copies, size, hidden_size)` and targets."""
    copies, _, hidden_size = states.shape
    tokens = tf.shape(targets)[0]
    count = tf.maximum((tokens + chunk - 1) // chunk, 1)
    size = (tokens + count - 1) // count
    padding = count * size - tokens
    states = tf.pad(states, [[0, 0], [0, padding], [0, 0]])
    states = tf.reshape(states, [copies, count, size, hidden_size])
    targets = tf.reshape(tf.pad(targets, [[0, padding]]), [count, size])
    return tf.transpose(states, [1, 0, 2, 3]), targets


def _join(states, tokens):
    """Undoes `_cut` of the states."""
    _, copies, _, hidden_size = states.shape
    states = tf.transpose(states, [1, 0, 2, 3])
    states = tf.reshape(states, [copies, -1, hidden_size])
    return states[:, :tokens]


def _array(dtype, count):
    return tf.TensorArray(dtype, size=count)


def _repeat(body, count, values):
    """Calls `body(index, *values)` for each index below `count`."""
    return tf.while_loop(
        lambda index, *_: index < count,
        body,
        [tf.constant(0), *values],
        # The next chunk's logits depend on nothing of this one's.
        parallel_iterations=1,
    )[1:]

"""Loops over time, with a gradient that is made for them.

TensorFlow's own gradient of a loop keeps every tensor of every step, and adds
to the gradient of each weight at each step. This one keeps the states alone:
the backward pass computes a step again from the state before it. What a step
multiplies with weights, and the gradients of the products, are put side by
side, so that a weight's gradient is one product for all steps.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from t2t_lite.layers._math import read, shape_of
from t2t_lite.layers.freezing import reading_by, weight_reader

Step = Callable[[Any, Any, Any], tuple[Any, Any]]
Tensors = list[tf.Tensor]


def unroll(
    step: Step,
    sequences: Any,
    state: Any,
    constants: Any = (),
    weights: Sequence[keras.Variable] = (),
    outputs: Any = (),
    dtype: str = "float32",
) -> tuple[Any, Any]:
    """Calls `output, state = step(sequences[t], state, constants)` for each t.

    Args:
        step: pure function of its arguments and of `weights`, which it reads
            by `_math.product` and in no other way.
        sequences: nested tensors `(length, ...)`.
        state: nested float tensors, the state before the first step.
        constants: nested tensors that every step reads.
        weights: the kernels and biases of the steps' products.
        outputs: nested dtypes of a step's output, float each.
        dtype: that of the products.

    Returns:
        The outputs of all steps, `(length, ...)`, and the states after each,
        likewise. Both have gradients by all float tensors, and by the weights.

    Reference: Chen et al. 2016, section 4, for computing again.
    """
    loop = _Loop(step, (sequences, state, constants), outputs, tuple(weights))
    parts = [tf.nest.flatten(part) for part in loop.structure]
    length = shape_of(parts[0][0])[0]
    known = isinstance(length, int) and length > 0
    if not known:  # empty arrays have no shape
        parts[0] = [_not_empty(s) for s in parts[0]]
    if weight_reader() is not None:  # for models that are only asked
        found = loop.run(parts)
    else:
        found = loop.with_gradient(parts, [read(w, dtype) for w in weights])
    if not known:
        found = [stacked[:length] for stacked in found]
    count = len(tf.nest.flatten(outputs))
    return (
        tf.nest.pack_sequence_as(outputs, found[:count]),
        tf.nest.pack_sequence_as(state, found[count:]),
    )


def _not_empty(sequence: tf.Tensor) -> tf.Tensor:
    """Returns a sequence without a step with one of zeros in its place."""
    missing = tf.maximum(1 - tf.shape(sequence)[0], 0)
    rest = [[0, 0]] * (sequence.shape.rank - 1)
    return tf.pad(sequence, [[0, missing], *rest])


class _Products:
    """A weight reader: reads the weights of products from tensors.

    Attributes:
        found: (numbers of the kernel and of the bias, if there is one; rows;
            result) of each product.
    """

    def __init__(
        self, weights: Sequence[keras.Variable], values: Tensors
    ) -> None:
        self._numbers = {id(w): number for number, w in enumerate(weights)}
        self._values = values
        self.found: list[tuple[list[int], tf.Tensor, tf.Tensor]] = []

    def product(self, rows, kernel, bias, transpose_b):
        if transpose_b:
            raise ValueError("a step multiplies with no transposed weight.")
        numbers = [self._number(w) for w in (kernel, bias) if w is not None]
        values = [self._values[number] for number in numbers]
        result = tf.matmul(rows, values[0])
        if bias is not None:
            result = tf.nn.bias_add(result, values[1])
        self.found.append((numbers, rows, result))
        return result

    def _number(self, weight: keras.Variable) -> int:
        number = self._numbers.get(id(weight))
        if number is None:
            raise ValueError(
                f"a step multiplies with {weight.path}, which is none of the "
                "weights that the loop was given."
            )
        return number

    def read(self, variable, dtype):
        raise ValueError(
            f"a step reads {variable.path}, but may only multiply with weights."
        )

    def lookup(self, variable, ids):
        return self.read(variable, variable.dtype)


@dataclasses.dataclass(frozen=True)
class _Loop:
    """A step, and the structure of what it takes and gives.

    Fields:
        step, outputs, weights: as for `unroll`.
        structure: nested sequences, state and constants; what is meant by
            `parts` below is the flat list of each.
    """

    step: Step
    structure: tuple[Any, Any, Any]
    outputs: Any
    weights: tuple[keras.Variable, ...]

    def call(self, inputs: Tensors, state: Tensors, constants: Tensors):
        """Returns the flat outputs and the flat new state of one step."""
        nested = [
            tf.nest.pack_sequence_as(structure, part)
            for structure, part in zip(
                self.structure, (inputs, state, constants), strict=True
            )
        ]
        outputs, new = (tf.nest.flatten(x) for x in self.step(*nested))
        for tensor, before in zip(new, state, strict=True):
            tensor.set_shape(before.shape)
        return outputs, new

    def run(
        self,
        parts: list[Tensors],
        scope: Callable = contextlib.nullcontext,
    ) -> Tensors:
        """Returns the stacked outputs, then the stacked states.

        Args:
            parts: see the class.
            scope: makes the context of each step.
        """
        sequences, state, constants = parts
        length = tf.shape(sequences[0])[0]
        dtypes = [*tf.nest.flatten(self.outputs), *[s.dtype for s in state]]

        def body(t, state, arrays):
            with scope():
                outputs, new = self.call(
                    [s[t] for s in sequences], state, constants
                )
            return t + 1, new, _written(arrays, t, [*outputs, *new])

        _, _, arrays = tf.while_loop(
            lambda t, *_: t < length,
            body,
            (tf.constant(0), state, _arrays(dtypes, length)),
        )
        return [array.stack() for array in arrays]

    def with_gradient(self, parts: list[Tensors], values: Tensors) -> Tensors:
        """As `run`, with a gradient.

        Args:
            parts: see the class.
            values: the weights' values.
        """
        sizes = [len(part) for part in (*parts, values)]

        @tf.custom_gradient
        def function(*tensors):
            *mine, weights = _cut(tensors, sizes)
            products = []  # of the last step: all have the same

            def scope():
                products[:] = [_Products(self.weights, weights)]
                return reading_by(products[0])

            stacked = self.run(mine, scope)
            layout = [
                (numbers, rows.dtype) for numbers, rows, _ in products[0].found
            ]

            def gradient(*upstream):
                back = _Backward(self, mine, weights, layout)
                return back.gradients(stacked, upstream)

            return stacked, gradient

        return function(*[t for part in (*parts, values) for t in part])


@dataclasses.dataclass(frozen=True)
class _Backward:
    """The backward pass of a `_Loop`.

    Fields:
        loop: the _Loop.
        parts: its flat sequences, state and constants.
        values: the weights' values.
        layout: (numbers of the weights, dtype) of each product of a step.
    """

    loop: _Loop
    parts: list[Tensors]
    values: Tensors
    layout: list[tuple[list[int], tf.DType]]

    def gradients(self, stacked: Tensors, upstream: Sequence[tf.Tensor]):
        """Returns the gradient by each sequence, state, constant and weight.

        Args:
            stacked: what `_Loop.run` gave.
            upstream: the gradients by them.
        """
        sequences, state, constants = self.parts
        states = stacked[len(stacked) - len(state) :]
        before = [
            tf.concat([first[None], after[:-1]], axis=0)
            for first, after in zip(state, states, strict=True)
        ]
        length = tf.shape(sequences[0])[0]
        dtypes = [s.dtype for s in _floats(sequences)]
        dtypes += 2 * [dtype for _, dtype in self.layout]
        totals = [tf.zeros(tf.shape(c)) for c in _floats(constants)]
        for total, constant in zip(totals, _floats(constants), strict=True):
            total.set_shape(constant.shape)

        def body(t, by_state, totals, arrays):
            by_inputs, by_state, by_constants, products = self._step(
                t, [b[t] for b in before], [u[t] for u in upstream], by_state
            )
            totals = [
                total + tf.cast(more, tf.float32)
                for total, more in zip(totals, by_constants, strict=True)
            ]
            written = _written(arrays, t, [*by_inputs, *products])
            return t - 1, by_state, totals, written

        _, by_state, totals, arrays = tf.while_loop(
            lambda t, *_: t >= 0,
            body,
            (
                length - 1,
                [tf.zeros_like(s) for s in state],
                totals,
                _arrays(dtypes, length),
            ),
        )
        found = [array.stack() for array in arrays]
        sizes = [len(_floats(sequences)), len(self.layout), len(self.layout)]
        by_sequences, rows, by_results = _cut(found, sizes)
        totals = [
            tf.cast(total, constant.dtype)
            for total, constant in zip(totals, _floats(constants), strict=True)
        ]
        return [
            *_in_places_of_floats(sequences, by_sequences),
            *by_state,
            *_in_places_of_floats(constants, totals),
            *self._by_weights(rows, by_results),
        ]

    def _step(self, t, before, upstream, by_state):
        """Computes a step again and returns its gradients.

        Returns:
            Those by its float inputs, by the state before, and by the float
            constants; then the rows of all products, and the gradients by
            their results.
        """
        sequences, _, constants = self.parts
        inputs = [s[t] for s in sequences]
        constants = [tf.identity(c) for c in constants]
        products = _Products(self.loop.weights, self.values)
        sources = [_floats(inputs), before, _floats(constants)]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            with reading_by(products):
                outputs, new = self.loop.call(inputs, before, constants)
        split = len(outputs)
        given = list(upstream[:split])
        given += [
            a + b for a, b in zip(upstream[split:], by_state, strict=True)
        ]
        results = [result for *_, result in products.found]
        *found, by_results = tape.gradient(
            [*outputs, *new],
            [*sources, results],
            given,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        for gradient, state in zip(found[1], before, strict=True):
            gradient.set_shape(state.shape)
        rows = [rows for _, rows, _ in products.found]
        return *found, [*rows, *by_results]

    def _by_weights(self, rows: Tensors, by_results: Tensors) -> Tensors:
        """Returns each weight's gradient, one product for all steps."""
        sums: list[Any] = [tf.zeros_like(value) for value in self.values]
        for (numbers, _), left, right in zip(
            self.layout, rows, by_results, strict=True
        ):
            kernel, *bias = numbers
            in_size, out_size = self.values[kernel].shape
            right = tf.reshape(right, [-1, out_size])
            left = tf.reshape(left, [-1, in_size])
            sums[kernel] += tf.matmul(left, right, transpose_a=True)
            for number in bias:
                sums[number] += tf.reduce_sum(right, axis=0)
        return sums


def _arrays(dtypes: Sequence[tf.DType], size: tf.Tensor) -> list:
    return [tf.TensorArray(dtype, size=size) for dtype in dtypes]


def _written(arrays: list, t: tf.Tensor, values: Tensors) -> list:
    return [a.write(t, v) for a, v in zip(arrays, values, strict=True)]


def _cut(tensors: Sequence[Any], sizes: Sequence[int]) -> list[list]:
    """Returns consecutive parts of a list, of the sizes given."""
    found, start = [], 0
    for size in sizes:
        found.append(list(tensors[start : start + size]))
        start += size
    return found


def _floats(tensors: Sequence[tf.Tensor]) -> Tensors:
    return [t for t in tensors if t.dtype.is_floating]


def _in_places_of_floats(tensors: Sequence[tf.Tensor], values: Tensors) -> list:
    """Returns one for each tensor: None for those that are no float."""
    values = iter(values)
    return [next(values) if t.dtype.is_floating else None for t in tensors]

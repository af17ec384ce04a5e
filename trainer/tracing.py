"""Functions of batches that are traced once, whatever their shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


class AnyBatchFunction:
    """A graph function that is traced once for batches of any shape.

    A `tf.function` is traced for the shapes of the first call, and again for
    any shape at the second; this one takes any shape from the first call on.

    Args:
        function: of nested tensors by place, of which each int32 matrix is a
            part of a batch and may have any shape, and of Python values by
            name, for each of which it is traced once.
    """

    def __init__(self, function: Callable[..., Any]):
        self._graph = tf.function(
            function, autograph=False, reduce_retracing=True
        )
        self._traced: set[tuple] = set()

    def __call__(self, *args, **fixed):
        values = tuple(sorted(fixed.items()))
        if values not in self._traced:
            specs = tf.nest.map_structure(_any_shape, args)
            self._graph.get_concrete_function(*specs, **fixed)
            self._traced.add(values)
        return self._graph(*args, **fixed)

    def tracing_count(self) -> int:
        """Returns how many times the function was traced."""
        return self._graph.experimental_get_tracing_count()


def _any_shape(value: tf.Tensor) -> tf.TensorSpec:
    batch = value.dtype == tf.int32 and value.shape.rank == 2
    return tf.TensorSpec([None, None] if batch else value.shape, value.dtype)

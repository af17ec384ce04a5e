"""Weights as constants of a graph, for models that are only asked."""

from __future__ import annotations

import contextlib
import contextvars
import weakref
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

_Constants = dict[tuple[str, str], tf.Tensor]


class _Frozen:
    """Makes each weight a constant once in each graph that reads it."""

    def __init__(self) -> None:
        self._graphs: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def read(self, variable: keras.Variable, dtype: str) -> tf.Tensor:
        graph = tf.compat.v1.get_default_graph()
        constants: _Constants = self._graphs.setdefault(graph, {})
        key = (variable.path, dtype)
        if key not in constants:
            with tf.init_scope():
                value = np.asarray(variable.value.numpy())
            rounded = tf.as_dtype(dtype).as_numpy_dtype
            constants[key] = tf.constant(value.astype(rounded))
        return constants[key]


_frozen: contextvars.ContextVar[_Frozen | None] = contextvars.ContextVar(
    "t2t_lite_frozen_weights", default=None
)


@contextlib.contextmanager
def frozen_weights() -> Iterator[None]:
    """Makes this package's layers read their weights as constants.

    For graphs traced inside. Each graph, the body of a loop too, gets its own
    constants, of the dtype that the layer computes in: TensorFlow then packs
    matrices once, when it first multiplies with them, and not at every step.
    Later changes of the weights do not reach the graph, and the constants are
    part of it: a graph of more than 2 GB cannot be saved.
    """
    token = _frozen.set(_Frozen())
    try:
        yield
    finally:
        _frozen.reset(token)


def frozen_value(variable: keras.Variable, dtype: str) -> tf.Tensor | None:
    """Returns the weight as a constant of `dtype`; None if none are frozen."""
    frozen = _frozen.get()
    return None if frozen is None else frozen.read(variable, dtype)

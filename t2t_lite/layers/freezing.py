"""How layers read their weights, in graphs of models that are only asked."""

from __future__ import annotations

import contextlib
import contextvars
import weakref
from collections.abc import Callable, Iterator
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

# Added to products in place of a bias: TensorFlow packs the constant matrix of
# a product with a bias once, that of one without at every call. It is too
# small to change any result but an exact zero.
_NOTHING = 1e-30


class WeightReader(Protocol):
    """A way to read weights.

    `read` returns a weight as `dtype`; `product` returns `rows kernel + bias`,
    or `rows kernel^T` with `transpose_b`, for float rows `(rows, in_size)`.
    """

    def read(self, variable: keras.Variable, dtype: str) -> tf.Tensor: ...

    def product(
        self,
        rows: tf.Tensor,
        kernel: keras.Variable,
        bias: keras.Variable | None,
        transpose_b: bool,
    ) -> tf.Tensor: ...


class _Held:
    """Reads each weight once, in the graph in which the scope is opened."""

    def __init__(self) -> None:
        self._graph = tf.compat.v1.get_default_graph()
        self._values: dict = {}

    def read(self, variable: keras.Variable, dtype: str) -> tf.Tensor:
        return self._once((id(variable), dtype), lambda: _cast(variable, dtype))

    def product(self, rows, kernel, bias, transpose_b):
        dtype = rows.dtype.name
        if transpose_b and dtype == "float32":
            # With 32 rows the product is twice as fast, and with one as well.
            matrix, transpose_b = self._transposed(kernel), False
        else:
            matrix = self._once(
                (id(kernel), dtype), lambda: _cast(kernel, dtype)
            )
        outputs = _one_or_many(rows, matrix, transpose_b)
        if bias is None:
            return outputs
        return tf.nn.bias_add(outputs, self.read(bias, dtype))

    def _transposed(self, kernel: keras.Variable) -> tf.Tensor:
        return self._once(
            (id(kernel), "transposed"),
            lambda: tf.transpose(_cast(kernel, "float32")),
        )

    def _once(self, key, make: Callable[[], tf.Tensor]) -> tf.Tensor:
        if key not in self._values:
            with self._graph.as_default():
                self._values[key] = make()
        return self._values[key]


class _Frozen(_Held):
    """Makes each weight a constant once in each graph that reads it.

    But for the matrices of float32 products, which constants do not speed up:
    packed for one number of rows they were slower than plain with another.
    """

    def __init__(self) -> None:
        super().__init__()
        self._graphs: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def read(self, variable: keras.Variable, dtype: str) -> tf.Tensor:
        return self._constant((id(variable), dtype), variable, dtype)

    def product(self, rows, kernel, bias, transpose_b):
        dtype = rows.dtype.name
        if dtype == "float32":
            return super().product(rows, kernel, bias, transpose_b)
        key = (id(kernel), dtype, transpose_b)
        matrix = self._constant(key, kernel, dtype, transpose_b)
        return tf.nn.bias_add(
            tf.matmul(rows, matrix), self._shift(bias, matrix)
        )

    def _shift(self, bias: keras.Variable | None, matrix) -> tf.Tensor:
        """Returns the bias, none of it 0: zeros would be left out."""
        value = np.zeros([matrix.shape[1]])
        if bias is not None:
            with tf.init_scope():
                value = np.asarray(bias.value.numpy())
        value = np.where(value == 0, _NOTHING, value)
        return tf.constant(value.astype(matrix.dtype.as_numpy_dtype))

    def _transposed(self, kernel: keras.Variable) -> tf.Tensor:
        key = (id(kernel), "transposed")
        return self._constant(key, kernel, "float32", transpose=True)

    def _constant(self, key, variable, dtype, transpose=False) -> tf.Tensor:
        graph = tf.compat.v1.get_default_graph()
        constants = self._graphs.setdefault(graph, {})
        if key not in constants:
            with tf.init_scope():
                value = np.asarray(variable.value.numpy())
            if transpose:
                value = np.ascontiguousarray(value.T)
            rounded = tf.as_dtype(dtype).as_numpy_dtype
            constants[key] = tf.constant(value.astype(rounded))
        return constants[key]


def _cast(variable: keras.Variable, dtype: str) -> tf.Tensor:
    return tf.cast(keras.ops.convert_to_tensor(variable), dtype)


def _one_or_many(rows, matrix, transpose_b) -> tf.Tensor:
    """Returns the product; one float32 row is multiplied by another kernel.

    BatchMatMulV3's product of a vector and a matrix was measured to read the
    matrix 1.6 times as fast as MatMul's.
    """

    def many():
        return tf.matmul(rows, matrix, transpose_b=transpose_b)

    one = _one_row.get()
    if one is None or rows.dtype != tf.float32:
        return many()
    return tf.cond(
        one,
        lambda: tf.raw_ops.BatchMatMulV3(
            x=rows, y=matrix, adj_y=transpose_b, Tout=tf.float32
        ),
        many,
    )


_reader: contextvars.ContextVar[WeightReader | None] = contextvars.ContextVar(
    "t2t_lite_weight_reader", default=None
)


_one_row: contextvars.ContextVar[tf.Tensor | None] = contextvars.ContextVar(
    "t2t_lite_one_row", default=None
)


@contextlib.contextmanager
def rows_of_products(count: tf.Tensor) -> Iterator[None]:
    """Says how many rows the products inside have, in a scope of held weights.

    One row alone is multiplied by another kernel than many.

    Args:
        count: int32 scalar.
    """
    token = _one_row.set(tf.equal(count, 1))
    try:
        yield
    finally:
        _one_row.reset(token)


@contextlib.contextmanager
def frozen_weights() -> Iterator[None]:
    """Makes this package's layers read their weights as constants.

    For graphs traced inside. Each graph, the body of a loop too, gets its own
    constants, of the dtype that the layer computes in: TensorFlow then packs
    matrices once, when it first multiplies with them, and not at every step.
    Embeddings are looked up in the variables, and float32 products read their
    matrices there, so the weights must not change any more. The constants are
    part of the graph: one of more than 2 GB cannot be saved.
    """
    with reading_by(_Frozen()):
        yield


@contextlib.contextmanager
def held_weights() -> Iterator[None]:
    """Makes this package's layers read each weight once, outside of loops.

    For a graph that is being traced: weights are read and cast in it, and
    loops inside it are given the results.
    """
    with reading_by(_Held()):
        yield


@contextlib.contextmanager
def reading_by(reader: WeightReader) -> Iterator[None]:
    """Makes this package's layers read their weights as `reader` does."""
    token = _reader.set(reader)
    try:
        yield
    finally:
        _reader.reset(token)


def weight_reader() -> WeightReader | None:
    """Returns the reader of the scope; None outside of any."""
    return _reader.get()

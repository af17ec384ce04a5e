"""How layers read their weights, in graphs of models that are only asked."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

# Added to products in place of a bias: TensorFlow packs the matrix of a product
# with a bias once, that of one without at every call. It is too small to change
# any result but an exact zero.
_NOTHING = 1e-30

# A float32 matrix is packed otherwise for up to 6 rows, for up to some 80, and
# for 96 and more (oneDNN's, with AVX2 and with AVX-512), and anew wherever a
# product has other rows than it was packed for: a small matrix may be.
_FEW, _SOME, _MANY = 6, 80, 96
_LARGE = 1 << 17  # numbers of a matrix that is worth several products
_WIDE = 1 << 20  # of one that is worth to be cut


class WeightReader(Protocol):
    """A way to read weights.

    `read` returns a weight as `dtype`, `lookup` rows of a matrix in its own;
    `product` returns `rows kernel + bias`, or `rows kernel^T` with
    `transpose_b`, for float rows `(rows, in_size)`.
    """

    def read(self, variable: keras.Variable, dtype: str) -> tf.Tensor: ...

    def lookup(self, variable: keras.Variable, ids: tf.Tensor) -> tf.Tensor: ...

    def product(
        self,
        rows: tf.Tensor,
        kernel: keras.Variable,
        bias: keras.Variable | None,
        transpose_b: bool,
    ) -> tf.Tensor: ...


class HeldReader:
    """Reads each weight once, in the graph in which it is made.

    Args:
        slices: int, parts of the product of a few rows and a large transposed
            matrix, which cores compute side by side.
    """

    def __init__(self, slices: int = 1) -> None:
        self._graph = tf.compat.v1.get_default_graph()
        self._values: dict = {}
        self.slices = slices

    def read(self, variable: keras.Variable, dtype: str) -> tf.Tensor:
        value = self.once(
            id(variable), lambda: tf.convert_to_tensor(variable.value)
        )
        return self.once((id(variable), dtype), lambda: tf.cast(value, dtype))

    def lookup(self, variable: keras.Variable, ids: tf.Tensor) -> tf.Tensor:
        # A gather from the variable itself would have it copied at each read.
        return tf.gather(HeldReader.read(self, variable, variable.dtype), ids)

    def product(self, rows, kernel, bias, transpose_b):
        dtype = rows.dtype.name
        matrix = HeldReader.read(self, kernel, dtype)
        shift = self._shift(matrix, bias, transpose_b)

        def alike():
            return _shifted(rows, matrix, shift, transpose_b)

        few = alike
        wide = matrix.shape.num_elements() >= _WIDE
        if self.slices > 1 and transpose_b and wide:
            few = self._in_slices((id(kernel), dtype), rows, matrix, shift)
        if dtype == "float32" and matrix.shape.num_elements() >= _LARGE:
            return tf.switch_case(
                _kind(rows),
                [few, alike, lambda: _padded(rows, matrix, shift, transpose_b)],
            )
        return alike() if few is alike else tf.cond(is_few(rows), few, alike)

    def _in_slices(self, key, rows, matrix, shift) -> Callable[[], tf.Tensor]:
        """Returns a maker of `rows matrix^T + shift`, of parts of `matrix`."""
        parts = self.once((*key, "slices"), lambda: cut(matrix, self.slices))

        def product():
            shifts = cut(shift, self.slices)
            pairs = zip(parts, shifts, strict=True)
            found = [_shifted(rows, part, by, True) for part, by in pairs]
            return tf.concat(found, axis=1)

        return product

    def _shift(self, matrix, bias, transpose_b) -> tf.Tensor:
        """Returns the bias of a product, or next to nothing."""
        if bias is not None:
            return self.read(bias, matrix.dtype.name)
        size = matrix.shape[0 if transpose_b else 1]
        return tf.constant(_NOTHING, matrix.dtype, [size])

    def once(self, key, make: Callable[[], Any]) -> Any:
        """Returns what `make` made of weights when the key was first asked."""
        if key not in self._values:
            with self._graph.as_default():
                self._values[key] = make()
        return self._values[key]


class _Frozen(HeldReader):
    """Makes each weight a constant once in each graph that reads it.

    But for the matrices of float32 products, which would be constants three
    times, one for each number of rows.
    """

    def __init__(self) -> None:
        super().__init__()
        self._graphs: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def read(self, variable: keras.Variable, dtype: str) -> tf.Tensor:
        return self._constant((id(variable), dtype), variable, dtype)

    def lookup(self, variable, ids):
        return tf.gather(variable.value, ids)

    def product(self, rows, kernel, bias, transpose_b):
        dtype = rows.dtype.name
        if dtype == "float32":
            return super().product(rows, kernel, bias, transpose_b)
        key = (id(kernel), dtype, transpose_b)
        matrix = self._constant(key, kernel, dtype, transpose_b)
        return _shifted(rows, matrix, self._full_shift(bias, matrix), False)

    def _full_shift(self, bias: keras.Variable | None, matrix) -> tf.Tensor:
        """Returns the bias, none of it 0: zeros would be left out."""
        value = np.zeros([matrix.shape[1]])
        if bias is not None:
            with tf.init_scope():
                value = np.asarray(bias.value.numpy())
        value = np.where(value == 0, _NOTHING, value)
        return tf.constant(value.astype(matrix.dtype.as_numpy_dtype))

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


def _shifted(rows, matrix, shift, transpose_b) -> tf.Tensor:
    """Returns `rows matrix + shift`, which TensorFlow makes one operation."""
    outputs = tf.matmul(rows, matrix, transpose_b=transpose_b)
    return tf.nn.bias_add(outputs, shift)


def _padded(rows, matrix, shift, transpose_b) -> tf.Tensor:
    """Returns the same, computed with `_MANY` rows or more."""
    count = tf.shape(rows)[0]
    more = tf.pad(rows, [[0, tf.maximum(0, _MANY - count)], [0, 0]])
    return _shifted(more, matrix, shift, transpose_b)[:count]


def cut(tensor: tf.Tensor, parts: int, axis: int = 0) -> list[tf.Tensor]:
    """Returns parts of an axis, of about one size."""
    size = tensor.shape[axis]
    ends = [size * part // parts for part in range(parts + 1)]
    sizes = [end - start for start, end in itertools.pairwise(ends)]
    return tf.split(tensor, sizes, axis)


def _kind(rows: tf.Tensor) -> tf.Tensor:
    """Returns 0, 1 or 2, int32: which rows a float32 product is packed for."""
    kind = _row_kind.get()
    return _kind_of(tf.shape(rows)[0]) if kind is None else kind


def _kind_of(count: tf.Tensor) -> tf.Tensor:
    return tf.cast(count > _FEW, tf.int32) + tf.cast(count > _SOME, tf.int32)


def is_few(rows: tf.Tensor) -> tf.Tensor:
    """Returns whether rows are so few that cores share a product's columns."""
    return tf.equal(_kind(rows), 0)


_reader: contextvars.ContextVar[WeightReader | None] = contextvars.ContextVar(
    "t2t_lite_weight_reader", default=None
)


_row_kind: contextvars.ContextVar[tf.Tensor | None] = contextvars.ContextVar(
    "t2t_lite_row_kind", default=None
)


@contextlib.contextmanager
def rows_of_products(count: tf.Tensor) -> Iterator[None]:
    """Says how many rows the products inside have, in a scope of held weights.

    So that what depends on it is found once, and not for each product.

    Args:
        count: int32 scalar.
    """
    token = _row_kind.set(_kind_of(count))
    try:
        yield
    finally:
        _row_kind.reset(token)


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
def held_weights(slices: int = 1) -> Iterator[None]:
    """Makes this package's layers read each weight once, outside of loops.

    For a graph that is being traced: weights are read and cast in it, and
    loops inside it are given the results. A process in whose environment is
    TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1 packs the matrices once for a CPU's
    products; in such a one no weight may change any more.

    Args:
        slices: int, products of a few rows and a vocabulary are cut into so
            many, which cores compute side by side.
    """
    with reading_by(HeldReader(slices)):
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

"""Matrices in 8 bits, for graphs of models that are only asked, on CPUs.

A row of what is multiplied is rounded to 7 bits by a scale of its own, so that
no result depends on the batch it is in; a matrix to 8 bits by a scale for each
column of results (LLM.int8's and CTranslate2's vector-wise scheme, with one bit
less for the rows: the sum of two products of 7 and 8 bits fits the 16 bits in
which processors without VNNI add them).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from t2t_lite.layers.freezing import HeldReader, cut, is_few, reading_by
from t2t_lite.layers.one_thread import turn_is_a_call
from t2t_lite.layers.quantized_products import (
    COLUMN_STEPS,
    PRODUCTS,
    ROW_STEPS,
    Products,
    fastest,
)

_LEAST = 1 << 16  # numbers of a matrix that is worth it
# Of one that is worth to be cut: cutting those of base's feed-forward layers,
# of half the size, cost a tenth to a fifth of the speed with one sentence.
_WIDE = 1 << 21
_TINY = 1e-20  # the scale of a row of zeros


class Matrix(tf.Module):
    """A matrix of numbers in 8 bits and a scale for each column of results.

    Args:
        value: float array (out_size, in_size).
        products: what it is multiplied by; None = its rows are looked up.
    Attributes:
        numbers: int8 variable, (out_size, in_size), or its transpose for
            products that want it so.
        factors: further variables; of one whose rows are looked up, the largest
            number of each, float32 (out_size,).
    """

    def __init__(self, value: np.ndarray, products: Products | None):
        super().__init__(name="matrix")
        most = np.maximum(np.abs(value).max(1), _TINY).astype(np.float32)
        numbers = np.rint(value * (COLUMN_STEPS / most)[:, None])
        arrays = numbers.astype(np.int8), most
        if products:
            arrays = products.arrays(*arrays)
        self.numbers, *self.factors = (
            tf.Variable(array, trainable=False) for array in arrays
        )

    def tensors(self) -> tuple[tf.Tensor, ...]:
        """Returns numbers and factors, read in the graph at hand."""
        return tuple(map(tf.convert_to_tensor, (self.numbers, *self.factors)))


class QuantizedWeights:
    """The large matrices of a model in 8 bits, made when they are first read.

    The rows of embeddings that are looked up have a scale each. All other
    weights are read as they are.

    Args:
        products: "matmul" for processors with VNNI or AMX, "convolution" for
            other x86 processors; "auto" = what is faster here, measured when
            a matrix is first read.
    Raises:
        ValueError: no such products.
    """

    def __init__(self, products: str = "auto") -> None:
        if products not in ("auto", *PRODUCTS):
            raise ValueError(
                f"products={products!r}: expected auto, {', '.join(PRODUCTS)}"
            )
        self._asked = products
        # With the variable, or another could get its id.
        self._found: dict[tuple, tuple[keras.Variable, Matrix]] = {}

    @property
    def products(self) -> str:
        """How matrices are multiplied: "matmul" or "convolution"."""
        return fastest() if self._asked == "auto" else self._asked

    @property
    def matrices(self) -> list[Matrix]:
        """Those that were read so far: what saves a graph tracks them."""
        return [matrix for _, matrix in self._found.values()]

    @contextlib.contextmanager
    def reading(self, slices: int = 1) -> Iterator[None]:
        """Makes this package's layers read these weights.

        For a graph that is being traced; see `held_weights`.

        Args:
            slices: int, products of a few rows and a matrix of many columns
                are cut into so many, which cores compute side by side.
        """
        with reading_by(_Quantized(self, slices)):
            yield

    def matrix(self, variable: keras.Variable, transposed: bool) -> Matrix:
        """Returns a variable's matrix, made of its value if it is new.

        Args:
            variable: float (in_size, out_size), or (out_size, in_size).
            transposed: bool, whether the latter.
        """
        return self._made(variable, transposed, PRODUCTS[self.products])

    def rows(self, variable: keras.Variable) -> Matrix:
        """Returns the matrix whose rows are looked up.

        It is that of products with the transposed variable where that has its
        numbers in rows, too.

        Args:
            variable: float (out_size, in_size).
        """
        products = PRODUCTS[self.products]
        in_rows = products.output_axis == 0
        return self._made(variable, True, products if in_rows else None)

    def _made(self, variable, transposed, products) -> Matrix:
        key = (id(variable), transposed, products)
        if key not in self._found:
            with tf.init_scope():
                value = np.asarray(variable.value.numpy(), np.float32)
                matrix = Matrix(value if transposed else value.T, products)
            self._found[key] = variable, matrix
        return self._found[key][1]


class _Quantized(HeldReader):
    """Reads large matrices as numbers of 8 bits."""

    def __init__(self, weights: QuantizedWeights, slices: int):
        super().__init__(slices)
        self._weights = weights

    def lookup(self, variable, ids):
        if not _is_large(variable):
            return super().lookup(variable, ids)
        numbers, most, *_ = self._tensors(self._weights.rows(variable))
        scale = tf.gather(most, ids)[..., None] / COLUMN_STEPS
        return tf.cast(tf.gather(numbers, ids), tf.float32) * scale

    def product(self, rows, kernel, bias, transpose_b):
        if not _is_large(kernel):
            return super().product(rows, kernel, bias, transpose_b)
        products = PRODUCTS[self._weights.products]
        tensors = self._tensors(self._weights.matrix(kernel, transpose_b))
        positive = _is_positive(rows)
        rounded, per_unit = _rounded(rows, positive)
        # What is held for a loop depends on how its turns run.
        key = (id(kernel), transpose_b, positive, turn_is_a_call())

        def whole():
            parts = self.once(key, lambda: products.parts(tensors, positive))
            return products.multiply(rounded, per_unit, *parts)

        def in_slices():
            slices = self.once(
                (*key, "slices"),
                lambda: [
                    products.parts(some, positive)
                    for some in self._slices(products, *tensors)
                ],
            )
            found = [products.multiply(rounded, per_unit, *s) for s in slices]
            return tf.concat(found, axis=1)

        if self.slices > 1 and kernel.shape.num_elements() >= _WIDE:
            outputs = tf.cond(is_few(rows), in_slices, whole)
        else:
            outputs = whole()
        outputs = tf.cast(outputs, rows.dtype)
        if bias is None:
            return outputs
        return tf.nn.bias_add(outputs, self.read(bias, rows.dtype.name))

    def _tensors(self, matrix: Matrix) -> tuple[tf.Tensor, ...]:
        return self.once((id(matrix), "tensors"), matrix.tensors)

    def _slices(self, products: Products, numbers, *factors) -> list[tuple]:
        """Returns a matrix's tensors, of some columns of results each."""
        cuts = [cut(numbers, self.slices, products.output_axis)]
        cuts += [cut(factor, self.slices) for factor in factors]
        return list(zip(*cuts, strict=True))


def _is_large(variable: keras.Variable) -> bool:
    return len(variable.shape) == 2 and variable.shape.num_elements() >= _LEAST


def _is_positive(rows: tf.Tensor) -> bool:
    """Returns whether it is known that no number is below 0."""
    operation = rows.op
    while operation.type in ("Reshape", "Identity", "Cast"):
        operation = operation.inputs[0].op
    return operation.type == "Relu"


def _rounded(rows: tf.Tensor, positive: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns rows in 7 bits, quint8, and how many steps of each are 1.

    Args:
        rows: float (rows, in_size).
        positive: bool, whether no number is below 0.
    """
    rows = tf.cast(rows, tf.float32)
    steps = 2 * ROW_STEPS + 1 if positive else ROW_STEPS
    zero = 0 if positive else ROW_STEPS + 1
    most = tf.reduce_max(
        rows if positive else tf.abs(rows), axis=1, keepdims=True
    )
    per_unit = tf.math.divide_no_nan(float(steps), most)
    # A cast to integers cuts: of what is positive it is a floor.
    numbers = tf.cast(rows * per_unit + (zero + 0.5), tf.uint8)
    return tf.bitcast(numbers, tf.quint8), per_unit

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

_LEAST = 1 << 16  # numbers of a matrix that is worth it
# Of one that is worth to be cut: cutting those of base's feed-forward layers,
# of half the size, cost a tenth to a fifth of the speed with one sentence.
_WIDE = 1 << 21
_ROW_STEPS = 63  # to each side of 0, which is 64
_COLUMN_STEPS = 127
_TINY = 1e-20  # the scale of a row of zeros


class Matrix(tf.Module):
    """A matrix of numbers in 8 bits and a scale for each column of results.

    Args:
        value: float array (out_size, in_size).
    Attributes:
        numbers: int8 variable of the value's shape.
        most: float32 variable (out_size,), the largest number of each column.
        shift: float32 variable (out_size,), what a row of zeros gives.
    """

    def __init__(self, value: np.ndarray):
        super().__init__(name="matrix")
        most = np.maximum(np.abs(value).max(1), _TINY)
        scale = most / _COLUMN_STEPS
        numbers = np.rint(value / scale[:, None])
        shift = -(_ROW_STEPS + 1) * numbers.sum(1) * scale
        self.numbers = tf.Variable(numbers.astype(np.int8), trainable=False)
        self.most = tf.Variable(most.astype(np.float32), trainable=False)
        self.shift = tf.Variable(shift.astype(np.float32), trainable=False)


class QuantizedWeights:
    """The large matrices of a model in 8 bits, made when they are first read.

    The rows of embeddings that are looked up have a scale each. All other
    weights are read as they are.

    """

    def __init__(self) -> None:
        # With the variable, or another could get its id.
        self._found: dict[tuple[int, bool], tuple[keras.Variable, Matrix]] = {}

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
        key = (id(variable), transposed)
        if key not in self._found:
            with tf.init_scope():
                value = np.asarray(variable.value.numpy(), np.float32)
                matrix = Matrix(value if transposed else value.T)
            self._found[key] = variable, matrix
        return self._found[key][1]


def has_quantized_products() -> bool:
    """Returns whether this TensorFlow multiplies matrices in 8 bits."""

    @tf.function(autograph=False)
    def product():
        rows = tf.bitcast(tf.constant([[_ROW_STEPS + 2]], tf.uint8), tf.quint8)
        most = tf.constant([float(_COLUMN_STEPS)])
        shift = tf.constant([-3.0 * (_ROW_STEPS + 1)])
        numbers = tf.constant([[3]], tf.int8)
        return _multiplied(rows, numbers, -most, most, shift)

    try:
        return product().numpy().tolist() == [[3.0]]
    except (tf.errors.OpError, ValueError):
        return False


class _Quantized(HeldReader):
    """Reads large matrices as numbers of 8 bits."""

    def __init__(self, weights: QuantizedWeights, slices: int):
        super().__init__(slices)
        self._weights = weights

    def lookup(self, variable, ids):
        if not _is_large(variable):
            return super().lookup(variable, ids)
        numbers, _, most, _ = self._parts(variable, True)
        scale = tf.gather(most, ids)[..., None] / _COLUMN_STEPS
        return tf.cast(tf.gather(numbers, ids), tf.float32) * scale

    def product(self, rows, kernel, bias, transpose_b):
        if not _is_large(kernel):
            return super().product(rows, kernel, bias, transpose_b)
        positive = _is_positive(rows)
        parts = self._parts(kernel, transpose_b, positive)
        rounded, scale = _rounded(rows, positive)

        def whole():
            return _multiplied(rounded, *parts)

        def in_slices():
            slices = self.once(
                (id(kernel), transpose_b, positive, "slices"),
                lambda: list(
                    zip(*(cut(p, self.slices) for p in parts), strict=True)
                ),
            )
            found = [_multiplied(rounded, *each) for each in slices]
            return tf.concat(found, axis=1)

        if self.slices > 1 and kernel.shape.num_elements() >= _WIDE:
            outputs = tf.cond(is_few(rows), in_slices, whole)
        else:
            outputs = whole()
        outputs = tf.cast(outputs * scale, rows.dtype)
        if bias is None:
            return outputs
        return tf.nn.bias_add(outputs, self.read(bias, rows.dtype.name))

    def _parts(
        self, variable, transposed: bool, positive: bool = False
    ) -> tuple[tf.Tensor, ...]:
        """Returns what `_multiplied` takes beside rows, of a variable."""

        def parts():
            matrix = self._weights.matrix(variable, transposed)
            numbers, most, shift = (
                tf.convert_to_tensor(part)
                for part in (matrix.numbers, matrix.most, matrix.shift)
            )
            if positive:  # its 0 is not moved
                shift = tf.zeros_like(shift)
            return numbers, -most, most, shift

        return self.once((id(variable), transposed, positive, "parts"), parts)


def _is_large(variable: keras.Variable) -> bool:
    return len(variable.shape) == 2 and variable.shape.num_elements() >= _LEAST


def _is_positive(rows: tf.Tensor) -> bool:
    """Returns whether it is known that no number is below 0."""
    operation = rows.op
    while operation.type in ("Reshape", "Identity", "Cast"):
        operation = operation.inputs[0].op
    return operation.type == "Relu"


def _rounded(rows: tf.Tensor, positive: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns rows in 7 bits, quint8, and the scale of each, float32."""
    rows = tf.cast(rows, tf.float32)
    steps = 2 * _ROW_STEPS + 1 if positive else _ROW_STEPS
    zero = 0 if positive else _ROW_STEPS + 1
    most = tf.reduce_max(
        rows if positive else tf.abs(rows), axis=1, keepdims=True
    )
    scale = tf.maximum(most, _TINY) / steps
    # A cast to integers cuts: of what is positive it is a floor.
    numbers = tf.cast(rows / scale + (zero + 0.5), tf.uint8)
    return tf.bitcast(numbers, tf.quint8), scale


def _multiplied(
    rows: tf.Tensor,
    numbers: tf.Tensor,
    least: tf.Tensor,
    most: tf.Tensor,
    shift: tf.Tensor,
) -> tf.Tensor:
    """Returns a product of 8 bits as float32, but for the rows' scale.

    The operation is oneDNN's, of TensorFlow for x86; it packs the matrix when
    it first multiplies with it.

    Args:
        rows: quint8 (rows, in_size).
        numbers: int8 (out_size, in_size).
        least, most: float32 (out_size,), what -127 and 127 stand for.
        shift: float32 (out_size,), added.
    """
    graph = tf.compat.v1.get_default_graph()
    matrix = tf.bitcast(numbers, tf.qint8)
    bounds = [tf.constant(0.0), tf.constant(255.0), least, most]
    operation = graph.create_op(
        "_QuantizedMatMul",
        [rows, matrix, shift, *bounds],
        name="product",
        attrs={
            "Tdevice_inputs": _types(tf.quint8, tf.qint8, tf.float32),
            "Thost_inputs": _types(*[tf.float32] * 4),
            "Tdevice_outputs": _types(tf.float32),
            "T1": _type(tf.quint8),
            "T2": _type(tf.qint8),
            "Tbias": _type(tf.float32),
            "Tout": _type(tf.float32),
            "transpose_b": tf.compat.v1.AttrValue(b=True),
            "fused_ops": tf.compat.v1.AttrValue(
                list=tf.compat.v1.AttrValue.ListValue(
                    s=[b"BiasAdd", b"Dequantize"]
                )
            ),
        },
    )
    (result,) = operation.outputs
    return tf.ensure_shape(result, [None, most.shape[0]])


def _type(dtype: tf.DType):
    return tf.compat.v1.AttrValue(type=dtype.as_datatype_enum)


def _types(*dtypes: tf.DType):
    return tf.compat.v1.AttrValue(
        list=tf.compat.v1.AttrValue.ListValue(
            type=[dtype.as_datatype_enum for dtype in dtypes]
        )
    )

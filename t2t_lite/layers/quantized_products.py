"""The two ways in which TensorFlow for x86 multiplies matrices in 8 bits.

Both are oneDNN's, exact sums of whole numbers that differ in speed alone. Its
product of matrices keeps one packed that processors with VNNI or AMX multiply
with. On others, with AVX2 and with the first AVX-512, it packs the matrix again
at every call; a convolution of one place, which is the same product, does not.
"""

from __future__ import annotations

import functools
import statistics
import time
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from t2t_lite.layers.one_thread import turn_is_a_call

ROW_STEPS = 63  # to each side of 0, which is 64
COLUMN_STEPS = 127
_FASTER = 1.5  # times, for a convolution to be taken

Attribute = tf.compat.v1.AttrValue


class Products(Protocol):
    """A way to multiply rows with matrices in 8 bits.

    `arrays` returns what it keeps of a matrix: first the numbers, whose axis
    `output_axis` is that of the results. `parts` returns what `multiply` takes
    beside rows `quint8 (rows, in_size)` and how many of their steps are 1,
    float32 `(rows, 1)`, 0 for a row of zeros; the product is float32
    `(rows, out_size)`.
    """

    output_axis: int

    def arrays(
        self, numbers: np.ndarray, most: np.ndarray
    ) -> tuple[np.ndarray, ...]: ...

    def parts(
        self, tensors: tuple[tf.Tensor, ...], positive: bool
    ) -> tuple[tf.Tensor, ...]: ...

    def multiply(
        self, rows: tf.Tensor, per_unit: tf.Tensor, *parts: tf.Tensor
    ) -> tf.Tensor: ...


class MatMul:
    """`_QuantizedMatMul`, which scales and shifts its results by itself."""

    output_axis = 0

    def arrays(self, numbers, most):
        """Returns the numbers, the largest of each column, and its shift.

        Args:
            numbers: int8 (out_size, in_size).
            most: float32 (out_size,), what 127 stands for.
        """
        zero = -(ROW_STEPS + 1) * numbers.sum(1, np.int32)
        shift = zero * (most / COLUMN_STEPS)
        return numbers, most, shift.astype(np.float32)

    def parts(self, tensors, positive):
        """Returns numbers, least, most and shift.

        Args:
            tensors: those of `arrays`.
            positive: bool, whether no row's 0 is moved.
        """
        numbers, most, shift = tensors
        if positive:
            shift = tf.zeros_like(shift)
        return _held(numbers, tf.qint8), -most, most, shift

    def multiply(self, rows, per_unit, numbers, least, most, shift):
        """Returns the product."""
        operation = _operation(
            "_QuantizedMatMul",
            [rows, _as(numbers, tf.qint8), shift],
            [tf.constant(0.0), tf.constant(255.0), least, most],
            {
                "Tdevice_outputs": _types([tf.float32]),
                "T1": _type(tf.quint8),
                "T2": _type(tf.qint8),
                "Tbias": _type(tf.float32),
                "Tout": _type(tf.float32),
                "transpose_b": Attribute(b=True),
                "fused_ops": _strings(b"BiasAdd", b"Dequantize"),
            },
        )
        sums = operation.outputs[0]
        sums.set_shape([None, most.shape[0]])
        return tf.math.divide_no_nan(sums, per_unit)


class Convolution:
    """`_FusedQuantizedConv2D`, whose results are whole numbers."""

    output_axis = 1

    def arrays(self, numbers, most):
        """Returns the numbers (in_size, out_size), scales and shift, int32."""
        shift = -(ROW_STEPS + 1) * numbers.sum(1, np.int32)
        scale = (most / COLUMN_STEPS).astype(np.float32)
        return np.ascontiguousarray(numbers.T), scale, shift

    def parts(self, tensors, positive):
        """Returns a kernel, the columns' scale, and shift; see `MatMul`."""
        numbers, columns, shift = tensors
        if positive:
            shift = tf.zeros_like(shift)
        return (
            _held(numbers[None, None], tf.qint8),
            columns,
            _held(shift, tf.qint32),
        )

    def multiply(self, rows, per_unit, kernel, columns, shift):
        """Returns the product."""
        in_size, out_size = kernel.shape[2:]
        operation = _operation(
            "_FusedQuantizedConv2D",
            [
                tf.reshape(rows, [1, -1, 1, in_size]),
                _as(kernel, tf.qint8),
                _as(shift, tf.qint32),
            ],
            [tf.constant(b) for b in (0.0, 255.0, -127.0, 127.0)],
            {
                "Tdevice_outputs": _types([tf.qint32]),
                "Thost_outputs": _types([tf.float32, tf.float32]),
                "Tinput": _type(tf.quint8),
                "Tfilter": _type(tf.qint8),
                "Tbias": _type(tf.qint32),
                "Tsummand": _type(tf.qint32),
                "out_type": _type(tf.qint32),
                "strides": Attribute(list=Attribute.ListValue(i=[1] * 4)),
                "padding": Attribute(s=b"VALID"),
                "fused_ops": _strings(b"BiasAdd"),
            },
        )
        sums = tf.bitcast(operation.outputs[0], tf.int32)
        sums = tf.reshape(sums, [-1, out_size])
        return tf.math.divide_no_nan(
            tf.cast(sums, tf.float32) * columns, per_unit
        )


PRODUCTS: dict[str, Products] = {
    "matmul": MatMul(),
    "convolution": Convolution(),
}


def has_quantized_products() -> bool:
    """Returns whether this TensorFlow multiplies matrices in 8 bits."""
    rows = np.full((1, 1), ROW_STEPS + 2, np.uint8)
    numbers, most = np.full((1, 1), 3, np.int8), np.float32([COLUMN_STEPS])
    try:
        found = [_again(p, rows, numbers, most)(1) for p in PRODUCTS.values()]
    except (tf.errors.OpError, ValueError):
        return False
    return all(sums.numpy().tolist() == [[3.0]] for sums in found)


@functools.cache
def fastest() -> str:
    """Returns the name of the products that this processor is faster with.

    Of one row with a matrix of (2048, 2048), 60 times in a graph: the median
    of 9 pairs in turn, about half a second in all. It begins
    TensorFlow's threads, and is measured once in a process.
    """
    random = np.random.default_rng(0)
    rows = random.integers(0, 128, (1, 2048)).astype(np.uint8)
    numbers = random.integers(-127, 128, (2048, 2048)).astype(np.int8)
    most = np.ones(2048, np.float32)
    with tf.init_scope():
        matmul, convolution = (
            _again(PRODUCTS[name], rows, numbers, most)
            for name in ("matmul", "convolution")
        )
        pairs = [(_seconds(matmul), _seconds(convolution)) for _ in range(11)]
    ratio = statistics.median(a / b for a, b in pairs[2:])
    return "convolution" if ratio >= _FASTER else "matmul"


def _seconds(product) -> float:
    begin = time.perf_counter()
    product(60).numpy()
    return time.perf_counter() - begin


def _again(products: Products, rows, numbers, most):
    """Returns a function of a number of times: the product of these arrays."""
    tensors = [tf.Variable(a) for a in products.arrays(numbers, most)]
    given, one = tf.constant(rows), tf.ones([1, 1])

    @tf.function(autograph=False)
    def product(times):
        values = tuple(tf.convert_to_tensor(v) for v in tensors)
        parts = products.parts(values, False)
        return tf.while_loop(
            lambda _: True,
            lambda _: [
                products.multiply(tf.bitcast(given, tf.quint8), one, *parts)
            ],
            [tf.zeros([1, numbers.shape[0]])],
            maximum_iterations=times,
        )[0]

    return product


def _held(numbers: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Returns numbers as what they are multiplied as, if a loop may hold that.

    TensorFlow has no operation that hands such on to a loop's next turn.
    """
    return _as(numbers, dtype) if turn_is_a_call() else numbers


def _as(numbers: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return numbers if numbers.dtype == dtype else tf.bitcast(numbers, dtype)


def _operation(
    name: str, device_inputs, host_inputs, attributes: dict[str, Any]
):
    """Returns an operation of oneDNN's, made in the graph at hand."""
    graph = tf.compat.v1.get_default_graph()
    return graph.create_op(
        name,
        [*device_inputs, *host_inputs],
        name="product",
        attrs={
            "Tdevice_inputs": _types(t.dtype for t in device_inputs),
            "Thost_inputs": _types(t.dtype for t in host_inputs),
            **attributes,
        },
    )


def _type(dtype: tf.DType) -> Attribute:
    return Attribute(type=dtype.as_datatype_enum)


def _types(dtypes) -> Attribute:
    return Attribute(
        list=Attribute.ListValue(type=[d.as_datatype_enum for d in dtypes])
    )


def _strings(*values: bytes) -> Attribute:
    return Attribute(list=Attribute.ListValue(s=values))

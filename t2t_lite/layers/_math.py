"""Small tensor helpers that several layers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from t2t_lite.layers.freezing import frozen_value

PACKAGE = "t2t_lite"


def shape_of(tensor: tf.Tensor) -> list[int | tf.Tensor]:
    """Returns the axes' sizes: an int where static, else a scalar tensor."""
    dynamic = tf.shape(tensor)
    return [
        dynamic[axis] if size is None else size
        for axis, size in enumerate(tensor.shape)
    ]


def matmul_last(
    inputs: tf.Tensor, kernel: tf.Tensor, transpose_b: bool = False
) -> tf.Tensor:
    """Multiplies the last axis of `inputs` with a matrix.

    One product of two matrices: a batched product would sum the kernel's
    gradient over the batch in a second pass.

    Args:
        inputs: float tensor `(..., in_size)`.
        kernel: float tensor `(in_size, out_size)`, of the same dtype.
        transpose_b: bool, whether kernel is `(out_size, in_size)` instead.

    Returns:
        Float tensor `(..., out_size)`.
    """
    if inputs.shape.rank == 2:
        return tf.matmul(inputs, kernel, transpose_b=transpose_b)
    *outer, in_size = shape_of(inputs)
    flat = tf.reshape(inputs, [-1, in_size])
    product = tf.matmul(flat, kernel, transpose_b=transpose_b)
    out_size = kernel.shape[0 if transpose_b else 1]
    return tf.reshape(product, [*outer, out_size])


def read(variable: keras.Variable, dtype: str) -> tf.Tensor:
    """Returns the variable's value as `dtype`, in any autocast scope."""
    frozen = frozen_value(variable, dtype)
    if frozen is not None:
        return frozen
    return tf.cast(keras.ops.convert_to_tensor(variable), dtype)


def lookup(variable: keras.Variable, ids: tf.Tensor, dtype: str) -> tf.Tensor:
    """Gathers rows of a matrix, with a dense gradient summed in float32.

    A tied softmax's gradient is dense anyway; IndexedSlices added to it would
    list every row of the vocabulary once more.

    Args:
        variable: float matrix `(rows, size)`.
        ids: int tensor of any shape.
        dtype: the result's dtype.

    Returns:
        Float tensor `(..., size)` of `dtype`.
    """
    frozen = frozen_value(variable, dtype)
    if frozen is not None:
        return tf.gather(frozen, ids)

    @tf.custom_gradient
    def gather(table):
        def gradient(upstream):
            return tf.math.unsorted_segment_sum(
                tf.cast(upstream, table.dtype), ids, table.shape[0]
            )

        return tf.cast(tf.gather(table, ids), dtype), gradient

    return gather(read(variable, variable.dtype))


def fused_glorot_uniform(sizes: Sequence[int]) -> Callable[..., tf.Tensor]:
    """Returns the initializer of several kernels stored side by side.

    Every part is drawn with its own fans, so that a fused kernel has the
    statistics of the kernels that it replaces.

    Args:
        sizes: the parts' numbers of columns, in their order.
    """

    def initialize(shape: Sequence[int], dtype: str | None = None):
        parts = [
            keras.initializers.GlorotUniform()((shape[0], size), dtype=dtype)
            for size in sizes
        ]
        return keras.ops.concatenate(parts, axis=-1)

    return initialize


def check_rate(name: str, rate: float) -> None:
    """Raises ValueError unless `rate` lies in [0, 1)."""
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"{name} must be in [0, 1), got {rate!r}.")


def check_positive(**sizes: int) -> None:
    """Raises ValueError naming the first size that is not positive."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size!r}.")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raises ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(
            f"{name} must be one of {', '.join(choices)}, got {value!r}."
        )

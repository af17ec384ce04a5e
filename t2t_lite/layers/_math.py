"""Small tensor helpers that several layers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from t2t_lite.layers.freezing import weight_reader

PACKAGE = "t2t_lite"
_NEVER = -1e9


def shape_of(tensor: tf.Tensor) -> list[int | tf.Tensor]:
    """Returns the axes' sizes: an int where static, else a scalar tensor."""
    sizes = list(tensor.shape)
    if None not in sizes:
        return sizes
    # Two operations; an index into the shape is four for each axis.
    dynamic = tf.unstack(tf.shape(tensor))
    return [
        found if size is None else size
        for size, found in zip(sizes, dynamic, strict=True)
    ]


def at_least(size: int | tf.Tensor, least: int | tf.Tensor) -> int | tf.Tensor:
    """Returns the larger size: an int if both are."""
    if isinstance(size, int) and isinstance(least, int):
        return max(size, least)
    return tf.maximum(size, least)


def product(
    inputs: tf.Tensor,
    kernel: keras.Variable,
    bias: keras.Variable | None = None,
    transpose_b: bool = False,
) -> tf.Tensor:
    """Multiplies the last axis of `inputs` with a weight and adds a bias.

    One product of two matrices: a batched product would sum the kernel's
    gradient over the batch in a second pass.

    Args:
        inputs: float tensor `(..., in_size)` of the compute dtype.
        kernel: weight `(in_size, out_size)`.
        bias: optional weight `(out_size,)`.
        transpose_b: bool, whether kernel is `(out_size, in_size)` instead.

    Returns:
        Float tensor `(..., out_size)` of the inputs' dtype.
    """
    *outer, in_size = shape_of(inputs)
    flat = inputs
    if inputs.shape.rank != 2:
        flat = tf.reshape(inputs, [-1, in_size])
    reader, dtype = weight_reader(), inputs.dtype.name
    if reader is None:
        outputs = tf.matmul(flat, read(kernel, dtype), transpose_b=transpose_b)
    else:
        outputs = reader.product(flat, kernel, bias, transpose_b)
    if inputs.shape.rank != 2:
        out_size = kernel.shape[0 if transpose_b else 1]
        outputs = tf.reshape(outputs, [*outer, out_size])
    if reader is not None or bias is None:
        return outputs
    return tf.nn.bias_add(outputs, read(bias, dtype))


def read(variable: keras.Variable, dtype: str) -> tf.Tensor:
    """Returns the variable's value as `dtype`, in any autocast scope."""
    reader = weight_reader()
    if reader is not None:
        return reader.read(variable, dtype)
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
    reader = weight_reader()
    if reader is not None:  # for models that are only asked
        return tf.cast(reader.lookup(variable, ids), dtype)

    @tf.custom_gradient
    def gather(table):
        def gradient(upstream):
            return tf.math.unsorted_segment_sum(
                tf.cast(upstream, table.dtype), ids, table.shape[0]
            )

        return tf.cast(tf.gather(table, ids), dtype), gradient

    return gather(read(variable, variable.dtype))


def masked_softmax(logits: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns `softmax(logits)` over what `mask` leaves of the last axis.

    Args:
        logits: float tensor `(..., length)`.
        mask: bool tensor that broadcasts to its shape; True = may attend.

    Returns:
        Float32 tensor, exactly 0 where the mask is False: a row that may
        attend to nothing is all 0, and so is its gradient.
    """
    logits = tf.where(mask, tf.cast(logits, tf.float32), _NEVER)
    return tf.where(mask, tf.nn.softmax(logits), 0.0)


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


def fused_orthogonal(sizes: Sequence[int]) -> Callable[..., tf.Tensor]:
    """As `fused_glorot_uniform`, each part an orthogonal matrix."""

    def initialize(shape: Sequence[int], dtype: str | None = None):
        parts = [
            keras.initializers.Orthogonal()((shape[0], size), dtype=dtype)
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

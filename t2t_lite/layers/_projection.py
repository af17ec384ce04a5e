"""Linear projections as weights of the layer that uses them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from t2t_lite.layers._math import fused_glorot_uniform, product, shape_of


def add_projection(
    layer: keras.layers.Layer,
    name: str,
    in_size: int,
    out_sizes: Sequence[int],
) -> None:
    """Adds `<name>_kernel` and perhaps `<name>_bias` to a layer being built.

    Each weight is an attribute of its own: `tf.train.Checkpoint` does not see
    the weights in a layer's dicts.

    Args:
        layer: the layer; its `use_bias` says whether there is a bias.
        name: what the weights are named after.
        in_size: int, rows of the kernel.
        out_sizes: columns of the parts that the kernel fuses.
    """
    add_kernel(layer, name, in_size, out_sizes)
    if layer.use_bias:
        add_bias(layer, name, sum(out_sizes))


def add_kernel(
    layer: keras.layers.Layer,
    name: str,
    in_size: int,
    out_sizes: Sequence[int],
    initializer: Callable = fused_glorot_uniform,
) -> None:
    """Adds `<name>_kernel` to a layer being built.

    Args:
        layer, name, in_size, out_sizes: as for `add_projection`.
        initializer: function of `out_sizes` that returns an initializer.
    """
    kernel = layer.add_weight(
        name=f"{name}_kernel",
        shape=(in_size, sum(out_sizes)),
        initializer=initializer(out_sizes),
        autocast=False,
    )
    setattr(layer, f"{name}_kernel", kernel)


def add_bias(
    layer: keras.layers.Layer,
    name: str,
    size: int,
    initializer: str | Callable = "zeros",
) -> None:
    """Adds `<name>_bias` of `size` to a layer being built."""
    bias = layer.add_weight(
        name=f"{name}_bias",
        shape=(size,),
        initializer=initializer,
        autocast=False,
    )
    setattr(layer, f"{name}_bias", bias)


def project(
    layer: keras.layers.Layer, name: str, inputs: tf.Tensor
) -> tf.Tensor:
    """Returns `inputs kernel + bias` of the projection called `name`.

    Args:
        layer: the layer that `add_projection` was called with.
        name: the projection's name.
        inputs: float tensor `(..., in_size)` of the compute dtype.

    Returns:
        Float tensor `(..., sum(out_sizes))` of the compute dtype.
    """
    bias = getattr(layer, f"{name}_bias") if layer.use_bias else None
    return product(inputs, getattr(layer, f"{name}_kernel"), bias)


def split_heads(
    outputs: tf.Tensor,
    batch: int | tf.Tensor,
    length: int | tf.Tensor,
    heads: Sequence[tuple[int, int]],
) -> list[tf.Tensor]:
    """Returns the heads of projections that lie side by side.

    Args:
        outputs: float tensor `(batch, length, ...)`, or the same numbers in
            another shape.
        batch: int or int scalar tensor.
        length: the same.
        heads: (number of heads, size of each), of each projection.

    Returns:
        One float tensor `(batch, number, length, size)` for each projection.
    """
    # Split and unstack: the gradient of indexing fills a tensor of zeros.
    if len(set(heads)) == 1:
        shape = [batch, length, len(heads), *heads[0]]
        outputs = tf.reshape(outputs, shape)
        return tf.unstack(tf.transpose(outputs, [2, 0, 3, 1, 4]))
    widths = [count * size for count, size in heads]
    return [
        tf.transpose(tf.reshape(part, [batch, length, *form]), [0, 2, 1, 3])
        for part, form in zip(
            tf.split(outputs, widths, axis=-1), heads, strict=True
        )
    ]


def joined_heads(context: tf.Tensor) -> tf.Tensor:
    """Returns heads `(batch, number, length, size)` side by side.

    Returns:
        Float tensor `(batch, length, number * size)`.
    """
    batch, count, length, size = shape_of(context)
    joined = tf.transpose(context, [0, 2, 1, 3])
    return tf.reshape(joined, [batch, length, count * size])

"""Layers that are computed again in the backward pass, to save memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla
from tensorflow.python.ops import control_flow_util

from t2t_lite.layers.seeds import recorded_seeds, replayed_seeds


def recomputed(
    layer: keras.layers.Layer,
    call: Callable[..., tf.Tensor],
    *inputs: tf.Tensor,
) -> tf.Tensor:
    """Returns `call(*inputs)`, of which only the inputs are kept.

    Everything else that the gradient needs is computed a second time once the
    gradient of the result has come, with the same dropout: the seeds that the
    first time drew are handed out again. So a stack of N such layers holds N
    inputs and the insides of one layer, and a step has one forward pass more.

    Args:
        layer: built layer, whose weights `call` reads and no others.
        call: function of the inputs that returns one float tensor. What else
            it uses (masks) is kept, and has no gradient.
        inputs: float tensors.

    Returns:
        What `call` returns.

    Reference: Chen et al. 2016, section 4.
    """
    weights = layer.trainable_variables
    state = layer.non_trainable_variables
    fixed = [(v, tf.convert_to_tensor(v.value)) for v in state]
    changes = []

    def run(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
        given = tensors[: len(inputs)]
        mine = zip(weights, tensors[len(inputs) :], strict=True)
        with keras.StatelessScope([*mine, *fixed]) as scope:
            result = call(*given)
        changes[:] = [scope.get_current_value(variable) for variable in state]
        return result

    @tf.custom_gradient
    def function(*tensors):
        with recorded_seeds() as seeds:
            result = run(tensors)

        def gradient(upstream):
            again = _once_there(upstream, [*tensors, *seeds])
            values, drawn = again[: len(tensors)], again[len(tensors) :]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                with replayed_seeds(drawn):
                    result = run(values)
            return tape.gradient(result, values, upstream)

        return result, gradient

    result = function(*inputs, *[variable.value for variable in weights])
    # Of generators of the layer's own, where no scope gives the seeds.
    for (variable, before), after in zip(fixed, changes, strict=True):
        if after is not before:
            variable.assign(after)
    return result


def _once_there(
    upstream: tf.Tensor, tensors: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """Returns `tensors`, which exist from when `upstream` does.

    Without that, what is computed from them would be found to be what the
    forward pass computed, or be computed right after it, and be kept.
    """
    if tf.executing_eagerly():
        return list(tensors)
    graph = tf.compat.v1.get_default_graph()
    if control_flow_util.GraphOrParentsInXlaContext(graph):
        # XLA heeds no control dependencies.
        return list(xla.optimization_barrier(*tensors, upstream)[:-1])
    with tf.control_dependencies([upstream]):
        return [tf.identity(tensor) for tensor in tensors]

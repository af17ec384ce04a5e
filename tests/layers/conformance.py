"""The test that every layer must pass."""

from __future__ import annotations

import inspect
import json

import keras
import numpy as np
import tensorflow as tf


def run_layer_test(
    layer_class,
    arguments,
    inputs,
    weight_names,
    call_arguments=None,
    float32_outputs=(),
):
    """Builds, calls, serialises, trains and mixes the precision of a layer.

    Args:
        layer_class: the class.
        arguments: dict of its constructor's arguments.
        inputs: array or tuple of arrays, the positional call arguments.
        weight_names: list of the trainable weights' names, in order.
        call_arguments: dict of keyword call arguments.
        float32_outputs: places of outputs that are float32 in any policy.

    Returns:
        The layer's eager output, for the caller's own checks.
    """
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    inputs = tuple(map(tf.convert_to_tensor, inputs))
    call_arguments = call_arguments or {}
    layer = layer_class(**arguments)
    output = layer(*inputs, **call_arguments)
    assert [w.name for w in layer.trainable_weights] == weight_names
    _check_symbolic(layer, inputs, call_arguments, output)
    _check_config(layer, layer_class, inputs, call_arguments)
    _check_gradients(layer, inputs, call_arguments, output)
    if weight_names:
        _check_fit(layer_class(**arguments), inputs, call_arguments, output)
    for policy in ("mixed_bfloat16", "mixed_float16"):
        mixed = layer_class(**arguments, dtype=policy)
        results = tf.nest.flatten(mixed(*inputs, **call_arguments))
        for place, result in enumerate(results):
            exact = place in float32_outputs
            dtype = "float32" if exact else mixed.compute_dtype
            assert result.dtype == dtype
            assert np.isfinite(tf.cast(result, tf.float32)).all()
        assert {w.dtype for w in mixed.trainable_weights} <= {"float32"}
    return output


def _check_symbolic(layer, inputs, call_arguments, output):
    symbols = [_symbol(tensor) for tensor in inputs]
    symbolic = layer(*symbols, **call_arguments)
    for one, other in zip(
        tf.nest.flatten(symbolic), tf.nest.flatten(output), strict=True
    ):
        assert len(one.shape) == len(other.shape)
        for size, expected in zip(one.shape, other.shape, strict=True):
            assert size in (None, expected)


def _symbol(tensor):
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return keras.KerasTensor(tuple(tensor.shape), dtype=dtype)


def _check_config(layer, layer_class, inputs, call_arguments):
    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config
    assert layer_class.from_config(config).get_config() == config
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(stored)
    assert isinstance(copy, layer_class)
    first = layer(*inputs, **call_arguments)
    copy(*inputs, **call_arguments)
    copy.set_weights(layer.get_weights())
    second = copy(*inputs, **call_arguments)
    for one, other in zip(
        tf.nest.flatten(first), tf.nest.flatten(second), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def _check_gradients(layer, inputs, call_arguments, output):
    """Graph and XLA agree with eager, and every weight has a gradient."""
    trainable = [v.value for v in layer.trainable_variables]
    fixed = [v.value for v in layer.non_trainable_variables]

    def step(weights):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            result, _ = layer.stateless_call(
                weights, fixed, *inputs, **call_arguments
            )
            first = tf.nest.flatten(result)[0]
            loss = tf.reduce_sum(tf.square(first))
        return first, tape.gradient(loss, weights)

    weights = [tf.convert_to_tensor(value) for value in trainable]
    expected = tf.nest.flatten(output)[0]
    for options in ({}, {"jit_compile": True}):
        result, gradients = tf.function(step, **options)(weights)
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
        for gradient in gradients:
            assert np.isfinite(tf.convert_to_tensor(gradient)).all()


def _check_fit(layer, inputs, call_arguments, output):
    model = Wrapper(layer, call_arguments)
    model.compile(optimizer="sgd", loss="mse", jit_compile=False)
    target = np.zeros(tf.nest.flatten(output)[0].shape, "float32")
    history = model.fit(inputs, target, batch_size=len(target), verbose=0)
    assert np.isfinite(history.history["loss"]).all()


class Wrapper(keras.Model):
    def __init__(self, layer, call_arguments):
        super().__init__()
        self.layer = layer
        self._call_arguments = call_arguments

    def build(self, input_shape=None):
        # As many of the inputs' shapes as the layer takes.
        count = len(inspect.signature(self.layer.build).parameters)
        self.layer.build(*input_shape[:count])

    def call(self, inputs):
        result = self.layer(*inputs, **self._call_arguments)
        return tf.nest.flatten(result)[0]

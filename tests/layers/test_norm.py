import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import LayerNorm
from tests.layers.conformance import run_layer_test

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(3.0, 2.0, (2, 3, 8)).astype("float32")


def test_layer_against_the_formula():
    output = run_layer_test(LayerNorm, {}, INPUTS, ["scale", "bias"])
    mean = INPUTS.mean(-1, keepdims=True)
    variance = INPUTS.var(-1, keepdims=True)
    expected = (INPUTS - mean) / np.sqrt(variance + 1e-6)
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)


def test_own_gradient_is_that_of_the_formula():
    layer = LayerNorm(epsilon=0.1)
    layer.build(INPUTS.shape)
    layer.set_weights(list(RANDOM.normal(size=(2, 8)).astype("float32")))
    inputs = tf.constant(INPUTS)
    upstream = tf.constant(RANDOM.normal(size=INPUTS.shape).astype("float32"))
    weights = [inputs, *(v.value for v in layer.trainable_variables)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        ours = layer(inputs)
        mean, variance = tf.nn.moments(inputs, -1, keepdims=True)
        unit = (inputs - mean) / tf.sqrt(variance + 0.1)
        formula = unit * weights[1] + weights[2]
    for one, other in zip(
        tape.gradient(ours, weights, upstream),
        tape.gradient(formula, weights, upstream),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_statistics_are_float32(dtype):
    layer = LayerNorm(dtype=dtype)
    # In half precision the sum of squares, and 1000 + 1/8, would be lost.
    inputs = tf.constant([[1000.0, 1008.0] * 64], layer.compute_dtype)
    expected = [[-1.0, 1.0] * 64]
    np.testing.assert_allclose(
        tf.cast(layer(inputs), tf.float32), expected, atol=1e-2
    )

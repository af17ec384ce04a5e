import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import Residual
from tests.layers.conformance import run_layer_test

INPUTS = np.random.default_rng(0).normal(size=(2, 3, 8)).astype("float32")


def normalize(x):
    variance = x.var(-1, keepdims=True)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(variance + 1e-6)


@pytest.mark.parametrize(
    ("norm", "expected"),
    [
        ("pre", INPUTS + normalize(INPUTS) ** 2),
        ("post", normalize(INPUTS + INPUTS**2)),
    ],
)
def test_the_two_lines(norm, expected):
    output = run_layer_test(
        Residual,
        {"norm": norm},
        INPUTS,
        ["scale", "bias"],
        call_arguments={"function": tf.square},
    )
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)


def test_other_results_pass_through():
    layer = Residual("post")
    output, extra = layer(INPUTS, function=lambda x: (x, "weights"))
    assert extra == "weights"
    np.testing.assert_allclose(output, normalize(2 * INPUTS), atol=1e-4)


def test_dropout_is_on_the_functions_output_only():
    layer = Residual("pre", dropout=0.5)
    output = layer(INPUTS, function=tf.ones_like, training=True)
    added = np.unique(np.round(output - INPUTS, 4))
    np.testing.assert_allclose(added, [0.0, 2.0])


def test_error():
    with pytest.raises(ValueError, match="norm must be one of pre, post"):
        Residual("both")

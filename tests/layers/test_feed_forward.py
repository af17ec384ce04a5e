import math

import numpy as np
import pytest

from t2t_lite.layers import FeedForward
from tests.layers.conformance import run_layer_test

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(2, 3, 4)).astype("float32")


def gelu(x):
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1 + np.tanh(inner))


def reference(inputs, weights, activation):
    kernel, bias, output_kernel, output_bias = weights
    hidden = inputs @ kernel + bias
    if activation == "swiglu":
        gate, hidden = np.split(hidden, 2, axis=-1)
        hidden = hidden * gate / (1 + np.exp(-gate))
    elif activation == "gelu":
        hidden = gelu(hidden)
    else:
        hidden = np.maximum(hidden, 0)
    return hidden @ output_kernel + output_bias


@pytest.mark.parametrize("activation", ["relu", "gelu", "swiglu"])
def test_layer_against_the_formula(activation):
    arguments = {
        "hidden_size": 4,
        "filter_size": 6,
        "activation": activation,
        "dropout": 0.1,
    }
    first = "gate_filter" if activation == "swiglu" else "filter"
    names = [f"{first}_kernel", f"{first}_bias", "output_kernel", "output_bias"]
    run_layer_test(FeedForward, arguments, INPUTS, names)
    layer = FeedForward(**arguments)
    layer.build()
    weights = [RANDOM.normal(size=w.shape) for w in layer.weights[:4]]
    for variable, value in zip(layer.trainable_weights, weights, strict=True):
        variable.assign(value)
    np.testing.assert_allclose(
        layer(INPUTS),
        reference(INPUTS, weights, activation),
        rtol=1e-4,
        atol=1e-4,
    )


def test_without_bias():
    arguments = {"hidden_size": 4, "filter_size": 6, "use_bias": False}
    names = ["filter_kernel", "output_kernel"]
    run_layer_test(FeedForward, arguments, INPUTS, names)


def test_dropout_is_between_the_projections():
    layer = FeedForward(4, 1, dropout=0.5)
    layer.build()
    kernel, bias, output_kernel, output_bias = layer.trainable_weights
    kernel.assign(np.zeros((4, 1)))
    bias.assign([1.0])
    output_kernel.assign([[1.0, 2.0, 3.0, 4.0]])
    output_bias.assign([5.0, 5.0, 5.0, 5.0])
    output = layer(np.zeros((200, 4), "float32"), training=True)
    # The one filter is dropped or doubled; the output's bias stays.
    rows = np.unique(output, axis=0)
    np.testing.assert_array_equal(rows, [[5] * 4, [7, 9, 11, 13]])


def test_the_gates_kernel_has_fans_of_its_own():
    layer = FeedForward(100, 300, activation="swiglu")
    layer.build()
    kernel = layer.get_weights()[0]
    limit = math.sqrt(6 / (100 + 300))
    for part in np.split(kernel, 2, axis=-1):
        assert np.abs(part).max() == pytest.approx(limit, rel=0.01)


def test_errors():
    with pytest.raises(ValueError, match="filter_size must be at least 1"):
        FeedForward(4, 0)
    with pytest.raises(ValueError, match="activation must be one of relu"):
        FeedForward(4, 4, activation="tanh")

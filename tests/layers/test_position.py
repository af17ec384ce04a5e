import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import PositionEncoding
from tests.layers.conformance import run_layer_test

POSITIONS = np.array([[0, 1, 2], [0, 0, 1]], "int32")


def reference(kind, positions, hidden_size):
    """The formulas, one number at a time."""
    half = hidden_size // 2
    divisor = half - 1 if kind == "sinusoid_t2t" else half
    result = np.zeros((*positions.shape, hidden_size))
    for index in np.ndindex(*positions.shape):
        for i in range(half):
            angle = positions[index] / 10000 ** (i / divisor)
            first, second = (
                (2 * i, 2 * i + 1)
                if kind == "sinusoid_paper"
                else (i, half + i)
            )
            result[index][first] = np.sin(angle)
            result[index][second] = np.cos(angle)
    return result


@pytest.mark.parametrize(
    "kind", ["sinusoid_t2t", "sinusoid_paper", "sinusoid_marian"]
)
def test_sinusoids_against_the_formula(kind):
    arguments = {"kind": kind, "hidden_size": 6}
    output = run_layer_test(PositionEncoding, arguments, POSITIONS, [])
    expected = reference(kind, POSITIONS, 6)
    np.testing.assert_allclose(output, expected, atol=1e-6)


def test_the_papers_numbers():
    output = PositionEncoding("sinusoid_paper", 4)(3)
    expected = [
        [0, 1, 0, 1],
        [0.841471, 0.540302, 0.01, 0.99995],
        [0.909297, -0.416147, 0.019999, 0.9998],
    ]
    np.testing.assert_allclose(output, [expected], atol=1e-6)


def test_learned_looks_rows_up():
    arguments = {"kind": "learned", "hidden_size": 4, "max_length": 5}
    run_layer_test(PositionEncoding, arguments, POSITIONS, ["embeddings"])
    layer = PositionEncoding(**arguments)
    output = layer(POSITIONS)
    table = layer.get_weights()[0]
    np.testing.assert_array_equal(output, table[POSITIONS])
    np.testing.assert_array_equal(layer(3), table[None, :3])


def test_a_length_stands_for_its_positions():
    layer = PositionEncoding("sinusoid_t2t", 8)
    expected = layer(np.arange(300, dtype="int32")[None])
    np.testing.assert_array_equal(layer(300), expected)
    dynamic = tf.function(layer, input_signature=[tf.TensorSpec([], tf.int32)])
    np.testing.assert_allclose(dynamic(300), expected, atol=1e-4)
    assert layer(0).shape == (1, 0, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sinusoid", 4), "kind must be one of sinusoid_t2t, .*'sinusoid'"),
        (("sinusoid_t2t", 5), "hidden_size must be even .* got 5"),
        (("learned", 4), "max_length must be given for kind 'learned'"),
        (("sinusoid_t2t", 4, 9), "max_length must be given .* max_length=9"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        PositionEncoding(*arguments)


def test_error_of_a_length_above_the_learned_rows():
    with pytest.raises(ValueError, match="at most max_length=5, got 6"):
        PositionEncoding("learned", 4, max_length=5)(6)

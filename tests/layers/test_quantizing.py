"""Matrices in 8 bits: the numbers of the layers, but for rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import (
    FeedForward,
    QuantizedWeights,
    SharedEmbedding,
    has_quantized_products,
    quantized_products,
    quantizing,
)
from t2t_lite.layers._math import product
from tests.layers.test_freezing import loop_bodies, loop_graph, nodes_of
from tests.models_for_tests import random_batch, tiny_hparams, tiny_model

pytestmark = pytest.mark.skipif(
    not has_quantized_products(),
    reason="TensorFlow multiplies in 8 bits with oneDNN alone, on x86",
)


@pytest.fixture(autouse=True)
def small_matrices_too(monkeypatch):
    monkeypatch.setattr(quantizing, "_LEAST", 1)


@pytest.fixture(autouse=True, params=quantized_products.PRODUCTS)
def products(monkeypatch, request):
    """Each way of multiplying, as if it were the faster one."""
    monkeypatch.setattr(quantizing, "fastest", lambda: request.param)
    return request.param


def _variable(value):
    return keras.Variable(np.asarray(value, np.float32))


def _asked(function, *inputs, slices=1, weights=None):
    """Returns what a function gives that reads matrices in 8 bits.

    In a graph of any number of rows, as those of a search are.
    """
    weights = weights or QuantizedWeights()
    any_rows = tf.nest.map_structure(
        lambda x: tf.TensorSpec([None, *np.shape(x)[1:]], x.dtype), inputs
    )

    @tf.function(autograph=False, input_signature=any_rows)
    def run(*inputs):
        with weights.reading(slices):
            return function(*inputs)

    return run(*inputs)


def _whole_numbers(rows, most, seed):
    """Returns whole numbers, the largest of each row `most`."""
    draws = np.random.default_rng(seed).integers(-most, most + 1, (rows, 40))
    draws[:, 7] = most
    return draws.astype(np.float32)


@pytest.mark.parametrize("rows", [1, 5, 70])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_whole_numbers_are_multiplied_exactly(rows, transpose_b):
    inputs = _whole_numbers(rows, 63, 1)
    matrix = _whole_numbers(30, 127, 2)
    bias = _variable(np.arange(30) / 8)
    kernel = _variable(matrix if transpose_b else matrix.T)
    found = _asked(
        lambda x: product(x, kernel, bias, transpose_b), tf.constant(inputs)
    )
    np.testing.assert_array_equal(found, inputs @ matrix.T + bias.numpy())


def test_what_is_never_negative_has_all_7_bits():
    inputs = np.abs(_whole_numbers(6, 127, 3))
    matrix = _whole_numbers(30, 127, 4)
    kernel = _variable(matrix.T)
    found = _asked(
        lambda x: product(tf.nn.relu(x), kernel), tf.constant(inputs)
    )
    np.testing.assert_array_equal(found, inputs @ matrix.T)


def test_a_row_is_rounded_by_itself():
    draws = np.random.default_rng(5).normal(size=(8, 40)).astype(np.float32)
    inputs = draws * np.logspace(-3, 3, 8, dtype=np.float32)[:, None]
    kernel = _variable(np.random.default_rng(6).normal(size=(40, 20)))
    weights = QuantizedWeights()

    def ask(rows):
        return _asked(
            lambda x: product(x, kernel), tf.constant(rows), weights=weights
        ).numpy()

    together = ask(inputs)
    alone = [ask(inputs[i : i + 1])[0] for i in range(8)]
    np.testing.assert_array_equal(together, alone)
    exact = inputs @ kernel.numpy()
    error = np.abs(together - exact).max(1) / np.abs(exact).max(1)
    assert error.max() < 0.03


def test_a_row_of_zeros_gives_the_bias():
    kernel, bias = _variable(np.ones((40, 3))), _variable([1.0, 2.0, 3.0])
    rows = tf.zeros([2, 40])
    found = _asked(lambda x: product(x, kernel, bias), rows)
    np.testing.assert_array_equal(found, [[1, 2, 3], [1, 2, 3]])


def test_a_shared_embedding_is_held_once_if_its_numbers_are_in_rows(products):
    table = SharedEmbedding(300, 40, dtype="float32")
    table.build()
    weights = QuantizedWeights()
    hidden = tf.random.stateless_normal([4, 40], [1, 2])
    ids = tf.constant([[3, 299], [0, 7]])
    found = _asked(
        lambda h: (table(ids), table.logits(h)), hidden, weights=weights
    )
    assert len(weights.matrices) == {"matmul": 1, "convolution": 2}[products]
    for a, b in zip(found, (table(ids), table.logits(hidden)), strict=True):
        error = np.abs(a - b).max() / np.abs(b).max()
        assert 0 < error < 0.03


@pytest.mark.parametrize("rows", [1, 7])
def test_slices_change_nothing(rows, monkeypatch):
    monkeypatch.setattr(quantizing, "_WIDE", 1)
    table = SharedEmbedding(8_401, 128, dtype="float32")
    table.build()
    hidden = tf.random.stateless_normal([rows, 128], [1, 2])
    found = [_asked(table.logits, hidden, slices=n) for n in (1, 3)]
    np.testing.assert_array_equal(*found)


def test_a_loops_products_are_cut_too(monkeypatch):
    monkeypatch.setattr(quantizing, "_WIDE", 1)
    layer = FeedForward(512, 1_024, dtype="float32")
    inputs = tf.random.stateless_normal([2, 512], [1, 2])
    layer(inputs)

    def twice(x):
        return tf.while_loop(
            lambda _: True, lambda x: [layer(x)], [x], maximum_iterations=2
        )[0]

    found = [_asked(twice, inputs, slices=n) for n in (1, 2)]
    np.testing.assert_array_equal(*found)


def test_small_matrices_are_left_alone(monkeypatch):
    monkeypatch.setattr(quantizing, "_LEAST", 40 * 80 + 1)
    layer = FeedForward(40, 80, dtype="float32")
    inputs = tf.random.stateless_normal([3, 40], [1, 2])
    expected = layer(inputs)
    weights = QuantizedWeights()
    found = _asked(layer, inputs, weights=weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert weights.matrices == []


def test_a_model_gives_about_the_same(products):
    model = tiny_model(tiny_hparams(attention_bias=True))
    features = random_batch(3, 6, ragged=False)
    batch = {k: tf.constant(v) for k, v in features.items()}
    expected = model(batch)
    weights = QuantizedWeights()
    found = _asked(model, batch, weights=weights)
    spread = np.abs(found - expected).max() / np.std(expected)
    assert 0 < spread < 0.3
    matrices = [v for v in model.weights if len(v.shape) == 2]
    # The table's rows are looked up in one, its logits are another's.
    more = {"matmul": 0, "convolution": 1}[products]
    assert len(weights.matrices) == len(matrices) + more


def test_a_loops_body_reads_nothing_and_multiplies_in_8_bits(products):
    model = tiny_model(tiny_hparams())
    graph_def = loop_graph(model, QuantizedWeights().reading)
    for body in loop_bodies(graph_def):
        assert not [n for n in body.node_def if n.op == "ReadVariableOp"]
    reads = [node.input[0] for node in nodes_of(graph_def, "ReadVariableOp")]
    assert len(reads) == len(set(reads)) > 10
    operation = {
        "matmul": "_QuantizedMatMul",
        "convolution": "_FusedQuantizedConv2D",
    }[products]
    assert nodes_of(graph_def, operation)
    assert not nodes_of(graph_def, "MatMul")


def test_both_products_give_the_same_but_for_rounding():
    kernel = _variable(np.random.default_rng(7).normal(size=(70, 90)))
    rows = tf.random.stateless_normal([9, 70], [1, 2])
    found = [
        _asked(lambda x: product(x, kernel), rows, weights=QuantizedWeights(p))
        for p in quantized_products.PRODUCTS
    ]
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-5)


def test_unknown_products_are_refused():
    with pytest.raises(ValueError, match="expected auto, matmul, convolution"):
        QuantizedWeights("product")

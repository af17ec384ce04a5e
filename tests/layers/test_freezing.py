"""Frozen and held weights: the same numbers, read elsewhere and once."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import (
    FeedForward,
    SharedEmbedding,
    frozen_weights,
    held_weights,
)
from tests.models_for_tests import random_batch, tiny_hparams, tiny_model


def nodes_of(graph_def, op):
    nodes = list(graph_def.node)
    for function in graph_def.library.function:
        nodes += function.node_def
    return [node for node in nodes if node.op == op]


def _noisy_model(dtype, **changes):
    """A model none of whose biases is 0."""
    hparams = tiny_hparams(attention_bias=True, **changes)
    return tiny_model(hparams, dtype=dtype)


@pytest.mark.parametrize("scope", [frozen_weights, held_weights])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "bfloat16"])
@pytest.mark.parametrize("rows", [1, 3])
def test_the_numbers_are_those_of_the_layers(scope, dtype, rows):
    model = _noisy_model(dtype, position="learned")
    # Few rows and many: they go other ways through the graph.
    features = random_batch(rows, 2 if rows == 1 else 6, ragged=False)
    batch = {k: tf.constant(v) for k, v in features.items()}
    expected = tf.function(model.call, autograph=False)(batch)

    @tf.function(autograph=False)
    def run(batch):
        with scope():
            return model(batch)

    np.testing.assert_allclose(
        tf.cast(run(batch), tf.float32),
        tf.cast(expected, tf.float32),
        rtol=1e-5 if dtype == "float32" else 0.05,
        atol=1e-5 if dtype == "float32" else 0.1,
    )


def loop_graph(model, scope):
    """Returns the graph of a loop in which the model is called."""
    ids = tf.constant([[3, 4]])

    def body(index, total):
        logits = model({"inputs": ids, "targets": ids})
        return index + 1, total + tf.reduce_sum(tf.cast(logits, tf.float32))

    @tf.function(autograph=False)
    def run():
        with scope():
            loop = (tf.constant(0), tf.constant(0.0))
            return tf.while_loop(lambda i, _: i < 2, body, loop)[1]

    return run.get_concrete_function().graph.as_graph_def()


def loop_bodies(graph_def):
    return [
        function
        for function in graph_def.library.function
        if "body" in function.signature.name
    ]


def test_a_loops_body_has_its_own_constants():
    model = _noisy_model("bfloat16")
    graph_def = loop_graph(model, frozen_weights)
    sizes = [
        sum(len(n.attr["value"].tensor.tensor_content) for n in f.node_def)
        for f in loop_bodies(graph_def)
    ]
    # Embeddings are looked up in the variable, and multiplied as a constant.
    weights = sum(2 * int(np.prod(v.shape)) for v in model.weights)
    assert max(sizes) >= 0.9 * weights
    assert not nodes_of(graph_def, "ReadVariableOp")
    assert nodes_of(graph_def, "ResourceGather")


def test_every_product_of_frozen_weights_has_a_bias_to_be_packed_with():
    model = tiny_model(tiny_hparams(), dtype="bfloat16")
    graph_def = loop_graph(model, frozen_weights)
    products = {node.name for node in nodes_of(graph_def, "MatMul")}
    added_to = {
        node.input[0].split(":")[0] for node in nodes_of(graph_def, "BiasAdd")
    }
    assert products
    assert products <= added_to


def test_a_loops_body_reads_no_held_weight():
    model = _noisy_model("mixed_bfloat16")
    graph_def = loop_graph(model, held_weights)
    for body in loop_bodies(graph_def):
        assert not [n for n in body.node_def if n.op == "ReadVariableOp"]
    reads = [node.input[0] for node in nodes_of(graph_def, "ReadVariableOp")]
    assert len(reads) == len(set(reads)) > 10
    # It would have its variable copied at each read.
    assert not nodes_of(graph_def, "ResourceGather")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rows", [1, 6, 7, 80, 81, 100])
def test_large_matrices_have_a_product_for_each_number_of_rows(dtype, rows):
    table = SharedEmbedding(8_401, 128, dtype=dtype)
    dense = FeedForward(256, 512, dtype=dtype)
    features = tf.random.stateless_normal([100, 256], [1, 2])[:rows]
    features = tf.cast(features, dtype)

    def answers():
        return table.logits(features[:, :128]), dense(features)

    table.build()
    expected = answers()

    @tf.function(autograph=False)
    def run():
        with held_weights(slices=3):
            return answers()

    for found, value in zip(run(), expected, strict=True):
        np.testing.assert_allclose(
            tf.cast(found, tf.float32),
            tf.cast(value, tf.float32),
            rtol=1e-5 if dtype == "float32" else 0.02,
            atol=1e-5 if dtype == "float32" else 0.02,
        )


def test_a_vocabulary_is_cut_for_a_few_rows_alone():
    table = SharedEmbedding(8_401, 128, dtype="bfloat16")
    table.build()

    @tf.function(autograph=False)
    def run():
        with held_weights(slices=3):
            return table.logits(tf.zeros([2, 128], "bfloat16"))

    graph_def = run.get_concrete_function().graph.as_graph_def()
    products = [
        len([node for node in function.node_def if node.op == "MatMul"])
        for function in graph_def.library.function
    ]
    assert sorted(products) == [1, 3]

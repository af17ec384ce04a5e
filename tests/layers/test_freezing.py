"""Frozen weights: the same numbers, and no variable in the graph."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import frozen_weights
from tests.models_for_tests import random_batch, tiny_hparams, tiny_model


def _reads(graph_def):
    nodes = list(graph_def.node)
    for function in graph_def.library.function:
        nodes += function.node_def
    return [node.name for node in nodes if node.op == "ReadVariableOp"]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("position", ["sinusoid_t2t", "learned"])
def test_frozen_graph_has_constants_alone(dtype, position):
    hparams = tiny_hparams(position=position, attention_bias=True)
    model = tiny_model(hparams, dtype=dtype)
    batch = {k: tf.constant(v) for k, v in random_batch(3, 6).items()}
    plain = tf.function(model.call, autograph=False)
    expected = plain(batch)
    assert _reads(plain.get_concrete_function(batch).graph.as_graph_def())
    frozen = tf.function(model.call, autograph=False)
    with frozen_weights():
        concrete = frozen.get_concrete_function(batch)
    assert not _reads(concrete.graph.as_graph_def())
    np.testing.assert_allclose(
        tf.cast(frozen(batch), tf.float32),
        tf.cast(expected, tf.float32),
        rtol=1e-5,
        atol=1e-5,
    )
    for variable in model.weights:
        variable.assign(tf.zeros_like(variable))
    again = tf.cast(frozen(batch), tf.float32)
    assert np.abs(again).max() > 0


def test_a_loops_body_has_its_own_constants():
    model = tiny_model(tiny_hparams())
    ids = tf.constant([[3, 4]])

    def body(index, total):
        logits = model({"inputs": ids, "targets": ids})
        return index + 1, total + tf.reduce_sum(logits)

    @tf.function(autograph=False)
    def run():
        loop = (tf.constant(0), tf.constant(0.0))
        return tf.while_loop(lambda i, _: i < 2, body, loop)[1]

    with frozen_weights():
        graph = run.get_concrete_function().graph.as_graph_def()
    bodies = [f for f in graph.library.function if "body" in f.signature.name]
    sizes = [
        sum(len(n.attr["value"].tensor.tensor_content) for n in f.node_def)
        for f in bodies
    ]
    weights = sum(4 * int(np.prod(v.shape)) for v in model.weights)
    assert max(sizes) >= 0.9 * weights
    expected = 2 * tf.reduce_sum(model({"inputs": ids, "targets": ids}))
    np.testing.assert_allclose(run(), expected, rtol=1e-4)

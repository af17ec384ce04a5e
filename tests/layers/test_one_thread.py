import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import (
    Decoder,
    QuantizedWeights,
    TransformerConfig,
    has_quantized_products,
    held_weights,
    one_thread_each,
    rows_of_products,
)
from t2t_lite.layers.one_thread import on_one_thread
from tests.graphs_that_run import calls_of_one_thread
from tests.layers.test_freezing import nodes_of

SIZE = 256


def _decoder(dtype):
    config = TransformerConfig(
        hidden_size=SIZE, filter_size=2 * SIZE, num_heads=4
    )
    decoder = Decoder(config, 2, memory=False, dtype=dtype)
    decoder.build((None, None, SIZE))
    return decoder


def _step(decoder, wanted, reading=held_weights):
    """Returns a function of (rows, 1, SIZE): the states of a first step."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, 1, SIZE], decoder.compute_dtype)],
        autograph=False,
    )
    def run(inputs):
        rows = tf.shape(inputs)[0]
        with reading(), one_thread_each(wanted), rows_of_products(rows):
            states, cache = decoder.step(inputs, None, decoder.init_cache(rows))
        return states, cache[1]["key"]

    return run


def _run_by_one_thread(run):
    """Returns the names of the functions that one thread runs."""
    graph_def = run.get_concrete_function().graph.as_graph_def()
    calls = nodes_of(graph_def, "PartitionedCall")
    calls += nodes_of(graph_def, "StatefulPartitionedCall")
    return graph_def, {
        call.attr["f"].func.name
        for call in calls
        if call.attr["executor_type"].s == b"SINGLE_THREADED_EXECUTOR"
    }


@pytest.mark.parametrize(
    ("dtype", "functions"), [("float32", 0), ("mixed_bfloat16", 1)]
)
def test_a_step_has_the_same_numbers_on_one_thread(dtype, functions):
    decoder = _decoder(dtype)
    run, other = _step(decoder, True), _step(decoder, False)
    # Large products in float32 have branches, for each number of rows.
    graph_def, names = _run_by_one_thread(run)
    assert len(names) == functions
    for function in graph_def.library.function:
        if function.signature.name in names:
            kinds = {node.op for node in function.node_def}
            assert "MatMul" in kinds
            assert not kinds & {"Case", "StatelessCase", "StatelessIf"}
    assert not _run_by_one_thread(other)[1]
    inputs = tf.ones([1, 1, SIZE], decoder.compute_dtype)
    assert calls_of_one_thread(run, inputs) == functions
    for rows in (1, 7, 90):
        inputs = tf.random.stateless_normal([rows, 1, SIZE], [rows, 1])
        inputs = tf.cast(inputs, decoder.compute_dtype)
        for found, expected in zip(run(inputs), other(inputs), strict=True):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(
    not has_quantized_products(), reason="no products in 8 bits here"
)
def test_in_8_bits_too():
    decoder, weights = _decoder("float32"), QuantizedWeights("matmul")
    run = _step(decoder, True, weights.reading)
    assert len(_run_by_one_thread(run)[1]) == 1
    inputs = tf.random.stateless_normal([5, 1, SIZE], [1, 2])
    other = _step(decoder, False, weights.reading)
    for found, expected in zip(run(inputs), other(inputs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_what_branches_is_called_as_it_is():
    def function(values, name, none):
        assert (name, none) == ("name", None)
        return tf.cond(values[0] > 0, lambda: values[0], lambda: -values[0])

    @tf.function(autograph=False)
    def run(value):
        with one_thread_each():
            return on_one_thread(function, [value], "name", None)

    assert float(run(tf.constant(-2.0))) == 2.0
    graph_def = run.get_concrete_function(tf.constant(1.0)).graph.as_graph_def()
    assert not nodes_of(graph_def, "PartitionedCall")


def test_eagerly_nothing_changes():
    decoder = _decoder("float32")
    with one_thread_each():
        states, cache = decoder.step(
            tf.ones([2, 1, SIZE]), None, decoder.init_cache(2)
        )
    assert states.shape == (2, 1, SIZE)
    assert len(cache) == 2

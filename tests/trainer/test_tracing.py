"""Graph functions that take batches of any shape from the first call on."""

import tensorflow as tf

from t2t_lite.trainer.tracing import AnyBatchFunction


def _counted():
    traces = []

    def function(features, total, *, factor):
        traces.append((features["inputs"].shape, total.shape, factor))
        count = tf.size(features["inputs"])
        return total + factor * tf.cast(count, tf.float32)

    return traces, AnyBatchFunction(function)


def _batch(rows, length):
    return {"inputs": tf.ones([rows, length], tf.int32)}


def test_one_trace_serves_all_shapes():
    traces, function = _counted()
    total = tf.constant([1.0, 2.0])
    for rows, length in ((2, 3), (4, 1), (2, 3), (5, 7)):
        found = function(_batch(rows, length), total, factor=2.0)
        expected = [1 + 2.0 * rows * length, 2 + 2.0 * rows * length]
        assert found.numpy().tolist() == expected
    assert len(traces) == function.tracing_count() == 1
    assert traces[0][0].as_list() == [None, None]
    assert traces[0][1].as_list() == [2]  # only batches may vary


def test_each_value_by_name_has_its_trace():
    traces, function = _counted()
    total = tf.constant([0.0])
    for factor in (0.0, 3.0, 0.0, 3.0):
        for rows in (1, 2):
            found = function(_batch(rows, 2), total, factor=factor)
            assert found.numpy().tolist() == [factor * rows * 2]
    assert [trace[2] for trace in traces] == [0.0, 3.0]

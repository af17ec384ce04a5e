import pytest
import tensorflow as tf

from t2t_lite.trainer.lanes import attributes_of, call_side_by_side, share_out
from tests.graphs_that_run import calls_of_one_thread


@pytest.mark.parametrize(
    ("splits", "replicas", "lanes", "parts", "expected"),
    [
        (1, 1, 1, None, (1, 1)),
        (1, 1, 2, None, (1, 2)),  # a small batch is cut for the lanes
        (2, 1, 2, None, (1, 2)),  # two turns at once, as two workers
        (4, 1, 2, None, (2, 2)),
        (3, 1, 2, None, (3, 1)),  # as three workers: nothing cut further
        (2, 2, 2, None, (1, 2)),
        (1, 1, 1, 2, (2, 1)),  # begun with two lanes
        (1, 2, 1, 2, (1, 1)),  # ... and gone on with two devices
        (1, 3, 1, 2, (1, 1)),  # two parts cannot be kept by three
        (4, 1, 2, 2, (2, 2)),  # more parts than begun with, to fit
    ],
)
def test_share_out(splits, replicas, lanes, parts, expected):
    assert share_out(splits, replicas, lanes, parts) == expected


@pytest.mark.parametrize("count", [1, 2, 3])
def test_calls_side_by_side_are_calls(count):
    seen = tf.constant([2.0])

    @tf.function(
        input_signature=[[tf.TensorSpec([None])], tf.TensorSpec([])],
        experimental_attributes=attributes_of(count),
    )
    def function(values, scale):
        loss = tf.nn.relu(values[0] * scale + seen)
        return {"sum": tf.reduce_sum(loss), "rows": [loss]}

    concrete = function.get_concrete_function()

    @tf.function
    def outer(values):
        calls = [([values + i], tf.constant(2.0) + i) for i in range(count)]
        return call_side_by_side(concrete, calls)

    values = tf.constant([1.0, -9.0])
    assert calls_of_one_thread(outer, values) == (count if count > 1 else 0)
    found = outer(values)
    assert len(found) == count
    for i, result in enumerate(found):
        expected = function([values + i], tf.constant(2.0 + i))
        tf.nest.assert_same_structure(result, expected)
        tf.nest.map_structure(tf.debugging.assert_equal, result, expected)

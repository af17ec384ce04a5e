import numpy as np
import tensorflow as tf

from t2t_lite.layers import (
    causal_mask,
    combine,
    padding_mask,
    segment_mask,
)


def test_padding_mask_marks_the_tokens():
    mask = padding_mask(tf.constant([[5, 1, 0], [1, 0, 0]]))
    np.testing.assert_array_equal(mask, [[1, 1, 0], [1, 0, 0]])
    assert mask.dtype == tf.bool


def test_causal_mask_includes_the_diagonal():
    np.testing.assert_array_equal(
        causal_mask(3), [[[1, 0, 0], [1, 1, 0], [1, 1, 1]]]
    )


def test_causal_mask_of_a_dynamic_length():
    function = tf.function(
        causal_mask, input_signature=[tf.TensorSpec([], tf.int32)]
    )
    np.testing.assert_array_equal(function(2), [[[1, 0], [1, 1]]])


def test_segment_mask_keeps_examples_and_padding_apart():
    queries = tf.constant([[1, 1, 2, 0]])
    keys = tf.constant([[1, 2, 0]])
    np.testing.assert_array_equal(
        segment_mask(queries, keys),
        [[[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]]],
    )


def test_combine_broadcasts_and_skips_none():
    padding = tf.constant([[[True, True, False]]])
    np.testing.assert_array_equal(
        combine(None, causal_mask(3), padding),
        [[[1, 0, 0], [1, 1, 0], [1, 1, 0]]],
    )
    assert combine(None, None) is None
    assert combine() is None

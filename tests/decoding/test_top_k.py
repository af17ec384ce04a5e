"""Block-wise top-k gives tf.math.top_k's values, indices and ties."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.decoding.top_k import block_size, top_k


@pytest.mark.parametrize("vocab_size", [5, 512, 997, 8000])
@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("levels", [3, 1000])
def test_equals_tf_top_k_with_ties(vocab_size, k, levels):
    random = np.random.default_rng(vocab_size + k)
    values = random.integers(levels, size=(20, vocab_size))
    values = values.astype(np.float32)
    values[3] = -np.inf
    values[4, ::2] = -np.inf
    expected = tf.math.top_k(values, k)
    for dtype in (tf.float32, tf.float16):
        best, ids = top_k(tf.cast(values, dtype), k)
        assert best.dtype == tf.float32
        np.testing.assert_array_equal(best, expected.values)
        np.testing.assert_array_equal(ids, expected.indices)


def test_block_sizes_divide_the_vocabulary():
    assert block_size(32000, 9) == 256
    assert block_size(32768, 9) == 256
    assert block_size(8000, 9) == 250
    assert block_size(997, 9) is None
    assert block_size(40, 9) is None
    assert block_size(None, 9) is None

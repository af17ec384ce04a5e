import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import SharedEmbedding
from tests.layers.conformance import run_layer_test

IDS = np.array([[3, 1, 0], [4, 4, 2]], "int32")
FACTORS = {"lookup": (4.0, 1.0), "softmax": (1.0, 0.25), "none": (1.0, 1.0)}


@pytest.mark.parametrize("scale", FACTORS)
def test_lookup_and_logits_share_the_matrix(scale):
    arguments = {"vocab_size": 7, "hidden_size": 16, "scale": scale}
    run_layer_test(SharedEmbedding, arguments, IDS, ["embeddings"])
    layer = SharedEmbedding(**arguments)
    output = layer(IDS)
    (table,) = layer.get_weights()
    lookup_factor, logits_factor = FACTORS[scale]
    expected = table[IDS] * lookup_factor
    expected[0, 2] = 0.0
    np.testing.assert_allclose(output, expected, rtol=1e-6)
    hidden = np.random.default_rng(0).normal(size=(2, 3, 16)).astype("float32")
    np.testing.assert_allclose(
        layer.logits(hidden),
        hidden @ table.T * logits_factor,
        rtol=1e-4,
        atol=1e-5,
    )


def test_without_zero_pad_id_0_is_a_row_like_others():
    layer = SharedEmbedding(7, 4, zero_pad=False)
    output = layer(IDS)
    np.testing.assert_allclose(output[0, 2], layer.get_weights()[0][0] * 2)


@pytest.mark.parametrize("scale", FACTORS)
def test_initial_scale(scale):
    layer = SharedEmbedding(4000, 64, scale=scale)
    layer.build()
    expected = 1.0 if scale == "softmax" else 0.125
    assert layer.get_weights()[0].std() == pytest.approx(expected, rel=0.02)


def test_logits_are_of_the_compute_dtype():
    layer = SharedEmbedding(7, 4, dtype="mixed_bfloat16")
    layer.build()
    assert layer.logits(np.ones((2, 4), "float32")).dtype == "bfloat16"


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_gradient_is_dense_and_that_of_a_product_with_one_hots(dtype):
    layer = SharedEmbedding(7, 4, dtype=dtype)
    layer.build()
    upstream = np.arange(24, dtype="float32").reshape(2, 3, 4)
    table = layer.trainable_variables[0].value
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.cast(layer(IDS), tf.float32) * upstream)
    gradient = tape.gradient(loss, table)
    assert isinstance(gradient, tf.Tensor)
    assert gradient.dtype == tf.float32
    one_hots = np.eye(7)[IDS] * (IDS != 0)[..., None]
    expected = np.einsum("blv,blh->vh", one_hots, upstream) * 2
    np.testing.assert_allclose(gradient, expected)


def test_errors():
    with pytest.raises(
        ValueError, match="vocab_size must be at least 1, got 0"
    ):
        SharedEmbedding(0, 4)
    with pytest.raises(ValueError, match="scale must be one of lookup"):
        SharedEmbedding(7, 4, scale="sqrt")

import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import StructuredSelfAttention, redundancy_penalty
from tests.layers.conformance import run_layer_test

RANDOM = np.random.default_rng(0)
BATCH, LENGTH, SIZE, HOPS = 3, 5, 6, 4
INPUTS = RANDOM.normal(size=(BATCH, LENGTH, SIZE)).astype("float32")
MASK = np.arange(LENGTH) < np.array([[5], [2], [0]])
NAMES = ["hidden_kernel", "hops_kernel"]
OPTIONS = {"padding_mask": MASK, "return_attention_weights": True}


def reference(layer, inputs, mask):
    """softmax(W2 tanh(W1 H^T)) H, sentence by sentence."""
    first, second = (w.numpy().T for w in layer.trainable_weights)
    means, weights = [], []
    for states, real in zip(inputs, mask, strict=True):
        scores = second @ np.tanh(first @ states.T)
        exponents = np.exp(scores - scores.max()) * real
        total = exponents.sum(-1, keepdims=True)
        weights.append(exponents / np.where(total == 0, 1, total))
        means.append(weights[-1] @ states)
    return np.array(means), np.array(weights)


def test_layer_against_the_formula():
    arguments = {"num_hops": HOPS, "units": 7}
    run_layer_test(StructuredSelfAttention, arguments, INPUTS, NAMES, OPTIONS)
    layer = StructuredSelfAttention(**arguments)
    found = layer(INPUTS, **OPTIONS)
    expected = reference(layer, INPUTS, MASK)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    means, weights = found
    np.testing.assert_allclose(tf.reduce_sum(weights[:2], -1), 1.0, rtol=1e-6)
    assert not np.any(weights[1, :, 2:])
    assert not np.any(means[2])
    assert not np.any(weights[2])


def test_eight_hops_by_default_and_no_mask_is_none_of_padding():
    layer = StructuredSelfAttention()
    found = layer(INPUTS)
    assert found.shape == (BATCH, 8, SIZE)
    assert layer.hidden_kernel.shape == (SIZE, SIZE)
    everything = np.ones_like(MASK)
    np.testing.assert_array_equal(found, layer(INPUTS, padding_mask=everything))
    assert not layer.losses


def test_zero_kernels_look_everywhere_alike():
    layer = StructuredSelfAttention(HOPS)
    layer.build(INPUTS.shape)
    layer.hops_kernel.assign(np.zeros((SIZE, HOPS)))
    np.testing.assert_allclose(
        layer(INPUTS),
        np.repeat(INPUTS.mean(1, keepdims=True), HOPS, 1),
        rtol=1e-4,
        atol=1e-6,
    )


def test_penalty_is_the_squared_frobenius_norm():
    apart = np.eye(3, LENGTH)[None]
    same = np.zeros((1, 3, LENGTH))
    same[:, :, 1] = 1.0
    assert redundancy_penalty(tf.constant(apart)) == 0.0
    assert redundancy_penalty(tf.constant(same)) == 6.0  # off the diagonal
    weights = RANDOM.random((BATCH, HOPS, LENGTH))
    expected = [
        np.linalg.norm(a @ a.T - np.eye(HOPS), "fro") ** 2 for a in weights
    ]
    found = redundancy_penalty(tf.constant(weights))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_penalty_is_part_of_the_losses():
    layer = StructuredSelfAttention(HOPS, penalty_rate=0.5)
    _, weights = layer(INPUTS, return_attention_weights=True)
    expected = 0.5 * np.mean(redundancy_penalty(weights))
    np.testing.assert_allclose(layer.losses, [expected], rtol=1e-6)
    values = [v.value for v in layer.trainable_variables]
    *_, losses = layer.stateless_call(
        values, [], tf.constant(INPUTS), return_losses=True
    )
    np.testing.assert_allclose(losses, [expected], rtol=1e-6)


def test_fit_drives_hops_apart():
    """With a loss of its own that is always 0."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((LENGTH, SIZE))
    layer = StructuredSelfAttention(2, penalty_rate=1.0)
    model = keras.Model(inputs, layer(inputs))
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss=None)
    losses = model.fit(INPUTS, epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_errors():
    with pytest.raises(ValueError, match="num_hops must be at least 1, got 0"):
        StructuredSelfAttention(0)
    with pytest.raises(ValueError, match="units must be at least 1, got 0"):
        StructuredSelfAttention(units=0)
    with pytest.raises(ValueError, match="penalty_rate must be at least 0"):
        StructuredSelfAttention(penalty_rate=-1.0)
    with pytest.raises(ValueError, match=r"must be a bool tensor .* float32"):
        StructuredSelfAttention()(INPUTS, padding_mask=MASK.astype("float32"))

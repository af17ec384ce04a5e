import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import Dropout, seed_scope, share_of_rates
from tests.layers.conformance import run_layer_test

ONES = np.ones((37, 41), "float32")


def drop(layer, seed, calls=1):
    with seed_scope(tf.constant(seed)):
        return [layer(ONES, training=True).numpy() for _ in range(calls)]


def test_layer():
    output = run_layer_test(Dropout, {"rate": 0.5}, ONES, [])
    np.testing.assert_array_equal(output, ONES)


def test_rate_is_rounded_to_a_byte_and_the_mean_kept():
    layer = Dropout(0.1)
    values = layer(np.ones((1000, 1000), "float32"), training=True).numpy()
    kept = values[values != 0]
    np.testing.assert_allclose(kept, 256 / 230, rtol=1e-6)
    deviation = np.sqrt(26 / 256 * 230 / 256) / 1000
    assert abs((values == 0).mean() - 26 / 256) < 5 * deviation


@pytest.mark.parametrize(("rate", "levels"), [(1e-6, 1), (0.9999, 255)])
def test_extreme_rates_stay_within_a_byte(rate, levels):
    values = Dropout(rate)(np.ones((400, 400), "float32"), training=True)
    share = float(tf.reduce_mean(tf.cast(values == 0, tf.float32)))
    assert share == pytest.approx(levels / 256, abs=2e-3)


def test_draws_are_a_function_of_the_seed_and_the_call():
    first, second = drop(Dropout(0.5), [1, 2], calls=2)
    again = drop(Dropout(0.5), [1, 2], calls=2)
    np.testing.assert_array_equal(first, again[0])
    np.testing.assert_array_equal(second, again[1])
    assert (first != second).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_scope_lowers_the_rate(share, jit_compile):
    layer = Dropout(0.4)  # 102 of 256 elements

    @tf.function(jit_compile=jit_compile)
    def run(seed):
        with seed_scope(seed):
            return layer(tf.ones([1000, 1000]), training=True)

    values = run(tf.constant([1, 2, share_of_rates(share)])).numpy()
    levels = round(102 * share)
    np.testing.assert_allclose(values[values != 0], 256 / (256 - levels))
    deviation = np.sqrt(levels / 256 * (1 - levels / 256)) / 1000
    assert abs((values == 0).mean() - levels / 256) <= 5 * deviation
    if share == 1:
        np.testing.assert_array_equal(values, run(tf.constant([1, 2])))


@pytest.mark.parametrize("seed", [[2, 2], [1, 3], [2, 3], [-1, 2**31 - 1]])
def test_neighbouring_seeds_share_no_draws(seed):
    base = drop(Dropout(0.5), [1, 2], calls=4)
    for one in drop(Dropout(0.5), seed, calls=4):
        for other in base:
            assert (one != other).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_graph_and_xla_draw_as_eager_does(jit_compile):
    layer = Dropout(0.3)

    @tf.function(jit_compile=jit_compile)
    def run(seed):
        with seed_scope(seed):
            return layer(tf.constant(ONES), training=True)

    expected = drop(Dropout(0.3), [7, 8])[0]
    np.testing.assert_array_equal(run(tf.constant([7, 8])), expected)


def test_gradient_passes_where_the_value_did():
    layer = Dropout(0.4)
    inputs = tf.constant(ONES)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    np.testing.assert_array_equal(tape.gradient(outputs, inputs), outputs)


def test_without_a_scope_the_layers_own_generator_moves_on():
    keras.utils.set_random_seed(1)
    layer = Dropout(0.5)
    first = layer(ONES, training=True)
    second = layer(ONES, training=True)
    assert np.any(first != second)


def test_dynamic_shape():
    layer = Dropout(0.5)
    function = tf.function(
        lambda inputs: layer(inputs, training=True),
        input_signature=[tf.TensorSpec([None, None], tf.float32)],
    )
    for shape in ((3, 5), (1, 1), (0, 4)):
        assert function(np.ones(shape, "float32")).shape == shape


@pytest.mark.parametrize("shape", [(64, 33, 5), (None, None, 5)])
def test_an_axis_of_one_shares_its_draw(shape):
    layer = Dropout(0.4, noise_shape=(None, None, 1))
    function = tf.function(
        lambda inputs: layer(inputs, training=True),
        input_signature=[tf.TensorSpec(shape, tf.float32)],
    )
    values = function(np.ones((64, 33, 5), "float32")).numpy()
    assert (values == values[..., :1]).all()
    share = (values[..., 0] == 0).mean()
    deviation = np.sqrt(0.4 * 0.6 / (64 * 33))
    assert abs(share - 102 / 256) < 5 * deviation
    np.testing.assert_allclose(values[values > 0], 256 / 154, rtol=1e-6)


def test_noise_shape_of_ints_is_the_shape_of_the_draws():
    values = Dropout(0.5, noise_shape=(1, 41))(ONES, training=True).numpy()
    assert (values == values[:1]).all()
    assert 0 < (values == 0).mean() < 1


def test_layer_with_a_noise_shape():
    arguments = {"rate": 0.5, "noise_shape": (None, 1)}
    run_layer_test(Dropout, arguments, ONES, [])


def test_errors():
    with pytest.raises(ValueError, match=r"noise_shape: expected ints .*0"):
        Dropout(0.5, noise_shape=(None, 0))
    with pytest.raises(ValueError, match=r"noise_shape: expected 2 axes .*1"):
        Dropout(0.5, noise_shape=(None, None, 1))(ONES, training=True)
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\), got 1"):
        Dropout(1.0)
    with pytest.raises(ValueError, match=r"seed must be an int32 .* \(4,\)"):
        drop(Dropout(0.5), [1, 2, 3, 4])

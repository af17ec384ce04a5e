import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import DepthRecurrence
from t2t_lite.layers.position import sinusoids
from tests.layers.conformance import run_layer_test

RANDOM = np.random.default_rng(0)
SIZE = 6
INPUTS = RANDOM.normal(size=(3, 4, SIZE)).astype("float32")
PLACES = RANDOM.normal(size=(1, 4, SIZE)).astype("float32")


def function(states, step):
    return tf.sin(1.3 * states + float(step))


def _steps(states, kind, count):
    """Returns s_1 .. s_count by the recurrence's formula, none halting."""
    found = []
    for step in range(count):
        time = sinusoids(tf.constant([[step]]), SIZE, kind).numpy()
        states = np.sin(1.3 * (states + PLACES + time) + step)
        found.append(states)
    return found


@pytest.mark.parametrize("kind", ["sinusoid_paper", "sinusoid_t2t"])
def test_fixed_depth(kind):
    output, took = run_layer_test(
        DepthRecurrence,
        {"hidden_size": SIZE, "num_steps": 3, "timing": kind},
        INPUTS,
        [],
        call_arguments={"places": PLACES, "function": function},
        float32_outputs=(1,),
    )
    expected = _steps(INPUTS, kind, 3)[-1]
    np.testing.assert_allclose(output, expected, atol=1e-5)
    np.testing.assert_array_equal(took, np.full((3, 4), 3.0))


def _ponder(kernel, bias, epsilon, count):
    """Graves' section 2 for one position after the other.

    Returns:
        (means of the states, N + R, N).
    """
    kind = "sinusoid_paper"
    results, took = np.zeros_like(INPUTS), np.zeros(INPUTS.shape[:2])
    numbers = np.zeros(INPUTS.shape[:2], int)
    for place in np.ndindex(*numbers.shape):
        state, chances, states = INPUTS[place], [], []
        for step in range(count):
            logit = state @ kernel[:, 0] + bias[0]
            chances.append(1 / (1 + np.exp(-logit)))
            time = sinusoids(tf.constant([[step]]), SIZE, kind)[0, 0].numpy()
            told = state + PLACES[0, place[1]] + time
            state = np.sin(1.3 * told + step)
            states.append(state)
        totals = np.cumsum(chances)
        reached = np.flatnonzero(totals >= 1 - epsilon)
        number = min([*(reached + 1), count])
        remainder = 1 - sum(chances[: number - 1])
        weights = [*chances[: number - 1], remainder]
        results[place] = np.tensordot(weights, states[:number], 1)
        took[place], numbers[place] = number + remainder, number
    return results, took, numbers


def test_halting_is_graves_mean():
    count, epsilon = 5, 0.01
    layer = DepthRecurrence(SIZE, count, epsilon=epsilon, halting_bias=-0.5)
    layer.build()
    kernel = RANDOM.normal(size=(SIZE, 1)).astype("float32")
    layer.set_weights([kernel, np.array([-0.5], "float32")])
    output, took = layer(INPUTS, PLACES, function=function)
    expected, ponder, numbers = _ponder(kernel, [-0.5], epsilon, count)
    assert len(set(numbers.flat)) >= 3  # some stop early, some late
    np.testing.assert_allclose(output, expected, atol=1e-5)
    np.testing.assert_allclose(took, ponder, rtol=1e-5)


def test_halting_conformance():
    run_layer_test(
        DepthRecurrence,
        {
            "hidden_size": SIZE,
            "num_steps": 3,
            "timing": "learned",
            "epsilon": 0.05,
            "halting_bias": 0.2,
        },
        INPUTS,
        ["halting_kernel", "halting_bias", "embeddings"],
        call_arguments={"places": PLACES, "function": function},
        float32_outputs=(1,),
    )


def test_a_state_that_has_stopped_is_copied():
    seen = []

    def watch(states, step):
        seen.append(states.numpy())
        return function(states, step)

    layer = DepthRecurrence(SIZE, 4, epsilon=0.5, halting_bias=3.0)
    layer.build()
    layer.kernel.assign(np.zeros((SIZE, 1)))
    layer(INPUTS, np.zeros((1, 1, SIZE), "float32"), function=watch)
    times = [layer.time(tf.constant([[step]])).numpy() for step in range(4)]
    states = [told - time for told, time in zip(seen, times, strict=True)]
    first = np.sin(1.3 * (INPUTS + times[0]))
    for later in states[1:]:  # b = 3: all stop at once
        np.testing.assert_allclose(later, first, atol=1e-5)


def test_the_cost_is_lowered_by_halting_earlier():
    layer = DepthRecurrence(SIZE, 4, epsilon=0.01, halting_bias=-1.0)
    layer.build()
    with tf.GradientTape() as tape:
        _, took = layer(INPUTS, PLACES, function=function)
        cost = tf.reduce_sum(took)
    gradient = tape.gradient(cost, layer.bias.value)
    assert float(gradient[0]) < 0  # R is what the earlier ones leave


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SIZE, 0), "num_steps must be at least 1, got 0"),
        ((SIZE, 2, "clock"), "timing must be one of .*'clock'"),
        ((SIZE, 2, "learned", 1.0), r"epsilon must be in \(0, 1\), got 1.0"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        DepthRecurrence(*arguments)

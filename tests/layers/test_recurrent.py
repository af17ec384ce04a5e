"""GRU and LSTM against the papers' formulas, and loops over them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import (
    Recurrent,
    RecurrentCell,
    RecurrentEncoder,
    held_weights,
)
from tests.layers.conformance import run_layer_test

RANDOM = np.random.default_rng(0)
BATCH, LENGTH, SIZE, UNITS = 3, 5, 4, 6
INPUTS = RANDOM.normal(size=(BATCH, LENGTH, SIZE)).astype("float32")
MASK = np.arange(LENGTH) < np.array([[5], [2], [0]])
CELL = {
    "gru": ["input_kernel", "input_bias", "state_kernel", "candidate_kernel"],
    "lstm": ["input_kernel", "input_bias", "state_kernel"],
}
KINDS = sorted(CELL)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference(cell, x, state, context=None):
    """One step, straight from the formulas."""
    named = {w.name: w.numpy() for w in cell.trainable_weights}
    p = x @ named["input_kernel"] + named["input_bias"]
    if context is not None:
        p = p + context @ named["context_kernel"]
    if cell.kind == "gru":
        (h,) = state
        p = np.split(p, 3, axis=-1)
        first, second = np.split(named["state_kernel"], 2, axis=-1)
        z, r = sigmoid(p[0] + h @ first), sigmoid(p[1] + h @ second)
        candidate = np.tanh(p[2] + (r * h) @ named["candidate_kernel"])
        return ((1 - z) * h + z * candidate,)
    h, c = state
    i, f, g, o = np.split(p + h @ named["state_kernel"], 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def assign_random(layer):
    random = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(random.normal(size=weight.shape))


def make(kind, bidirectional=False, **options):
    layer = Recurrent(UNITS, kind, bidirectional, **options)
    layer.build(INPUTS.shape)
    assign_random(layer)
    return layer


def run_reference(cell, rows, mask):
    """Returns every state of one row, padding leaving it as it was."""
    state = [np.zeros((1, UNITS))] * cell.num_states
    found = []
    for x, real in zip(rows, mask, strict=True):
        if real:
            state = reference(cell, x[None], state)
        found.append(state)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_cell_against_the_formula(kind):
    random = np.random.default_rng(2)
    states = [
        random.normal(size=(BATCH, UNITS)).astype("float32")
        for _ in range(1 if kind == "gru" else 2)
    ]
    context = random.normal(size=(BATCH, 3)).astype("float32")
    arguments = {"units": UNITS, "kind": kind, "context_size": 3}
    options = {
        "state": [tf.constant(s) for s in states],
        "context": tf.constant(context),
    }
    names = [*CELL[kind], "context_kernel"]
    run_layer_test(RecurrentCell, arguments, INPUTS[:, 0], names, options)
    cell = RecurrentCell(**arguments)
    cell.build((None, SIZE))
    assign_random(cell)
    found = cell(INPUTS[:, 0], **options)
    expected = reference(cell, INPUTS[:, 0], states, context)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_sequence_against_the_formula(kind, bidirectional):
    names = CELL[kind] * (2 if bidirectional else 1)
    arguments = {"units": UNITS, "kind": kind, "bidirectional": bidirectional}
    options = {"padding_mask": MASK}
    run_layer_test(Recurrent, arguments, INPUTS, names, options)
    layer = make(kind, bidirectional)
    outputs, last = layer(INPUTS, padding_mask=MASK)
    for row in range(BATCH):
        forward = run_reference(layer.forward_cell, INPUTS[row], MASK[row])
        hidden = [state[0][0] for state in forward]
        if bidirectional:
            backward = run_reference(
                layer.backward_cell, INPUTS[row][::-1], MASK[row][::-1]
            )
            hidden = [
                np.concatenate([h, state[0][0]])
                for h, state in zip(hidden, backward[::-1], strict=True)
            ]
            check_states([part[row] for part in last[1]], backward[-1])
        np.testing.assert_allclose(outputs[row], hidden, rtol=1e-4, atol=1e-5)
        check_states([part[row] for part in last[0]], forward[-1])


def check_states(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("graph", [False, True, "xla"])
def test_the_loops_gradient_is_that_of_its_steps(kind, graph):
    """Against TensorFlow's gradient of the same steps, written out."""
    layer = make(kind, bidirectional=True)
    weights = [v.value for v in layer.trainable_variables]

    def written_out(inputs, mask):
        outputs = []
        for cell, order in (
            (layer.forward_cell, range(LENGTH)),
            (layer.backward_cell, range(LENGTH - 1, -1, -1)),
        ):
            state, found = cell.first_state(BATCH), {}
            for t in order:
                new = cell.step(cell.project(inputs[:, t]), state)
                state = [
                    tf.where(mask[:, t, None], a, b)
                    for a, b in zip(new, state, strict=True)
                ]
                found[t] = state[0]
            outputs.append(tf.stack([found[t] for t in range(LENGTH)], 1))
        return tf.concat(outputs, -1)

    def gradients_of(function):
        inputs, mask = tf.constant(INPUTS), tf.constant(MASK)
        with tf.GradientTape() as tape:
            tape.watch([inputs, *weights])
            outputs = function(inputs, mask)
            loss = tf.reduce_sum(tf.sin(outputs) * outputs)
        return outputs, *tape.gradient(loss, [inputs, *weights])

    def looped(inputs, mask):
        return layer(inputs, padding_mask=mask)[0]

    run = gradients_of
    if graph:
        run = tf.function(gradients_of, jit_compile=graph == "xla")
    for one, other in zip(run(looped), gradients_of(written_out), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_last_states_have_gradients_too():
    layer = make("lstm", bidirectional=True)
    with tf.GradientTape() as tape:
        inputs = tf.constant(INPUTS)
        tape.watch(inputs)
        _, last = layer(inputs, padding_mask=MASK)
        loss = tf.add_n([tf.reduce_sum(s) for d in last for s in d])
    gradient = tape.gradient(loss, inputs).numpy()
    assert np.all(np.any(gradient[MASK] != 0, axis=-1))
    assert not gradient[~MASK].any()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_changes_nothing(bidirectional):
    layer = make("gru", bidirectional)
    found, last = layer(INPUTS, padding_mask=MASK)
    wide = np.concatenate([INPUTS, 9 * INPUTS], axis=1)
    mask = np.concatenate([MASK, np.zeros_like(MASK)], axis=1)
    again, last_again = layer(wide, padding_mask=mask)
    np.testing.assert_allclose(again[:, :LENGTH], found, atol=1e-6)
    for one, other in zip(
        tf.nest.flatten(last), tf.nest.flatten(last_again), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 0, SIZE), (0, 0, SIZE), (0, 3, SIZE)])
def test_sequences_without_anything_in_them(shape):
    layer = make("lstm", bidirectional=True)
    run = tf.function(
        layer, input_signature=[tf.TensorSpec([None, None, SIZE])]
    )
    for call in (layer, run):
        outputs, last = call(tf.zeros(shape))
        assert outputs.shape == (*shape[:2], 2 * UNITS)
        assert not np.any(last[0][0])


def test_half_precision_is_close_and_states_are_float32():
    layer = make("gru", dtype="mixed_bfloat16")
    plain = make("gru")
    plain.set_weights(layer.get_weights())
    found, _ = layer(INPUTS)
    assert found.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(found, tf.float32), plain(INPUTS)[0], atol=0.1
    )
    state = layer.forward_cell.first_state(2)
    projected = tf.zeros([2, 3 * UNITS], tf.bfloat16)
    assert layer.forward_cell.step(projected, state)[0].dtype == tf.float32


def test_weights_are_held_outside_of_the_loop():
    layer = make("gru")

    @tf.function
    def run(inputs):
        with held_weights():
            return layer(inputs)[0]

    np.testing.assert_allclose(run(INPUTS), layer(INPUTS)[0], atol=1e-6)
    graph = run.get_concrete_function(tf.constant(INPUTS)).graph.as_graph_def()
    bodies = [f for f in graph.library.function if "body" in f.signature.name]
    assert bodies
    for body in bodies:
        assert not [n for n in body.node_def if n.op == "ReadVariableOp"]


def test_a_stack_is_one_layer_over_the_other():
    arguments = {"units": UNITS, "num_layers": 2, "bidirectional": True}
    options = {"padding_mask": MASK}
    names = CELL["gru"] * 4
    run_layer_test(
        RecurrentEncoder, {**arguments, "dropout": 0.1}, INPUTS, names, options
    )
    stack = RecurrentEncoder(**arguments)
    states, last = stack(INPUTS, padding_mask=MASK)
    assert states.shape == (BATCH, LENGTH, stack.output_size)
    below, first = stack.blocks[0](INPUTS, padding_mask=MASK)
    expected, second = stack.blocks[1](below, padding_mask=MASK)
    np.testing.assert_array_equal(states, expected)
    for one, other in zip(
        tf.nest.flatten(last), tf.nest.flatten([first, second]), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert len(last) == len(last[0]) == 2


def test_dropout_is_between_the_layers():
    stack = RecurrentEncoder(UNITS, 2, dropout=0.5)
    plain = stack(INPUTS)[0]
    keras.utils.set_random_seed(1)
    assert np.any(stack(INPUTS, training=True)[0] != plain)
    one = RecurrentEncoder(UNITS, 1, dropout=0.5)
    np.testing.assert_array_equal(one(INPUTS, training=True)[0], one(INPUTS)[0])


def test_kernels_start_as_the_papers_do():
    cell = RecurrentCell(UNITS, "lstm")
    cell.build((None, SIZE))
    for part in np.split(cell.state_kernel.numpy(), 4, axis=-1):
        np.testing.assert_allclose(part @ part.T, np.eye(UNITS), atol=1e-5)
    forget = np.split(cell.input_bias.numpy(), 4)
    np.testing.assert_array_equal(
        forget, np.eye(4)[1][:, None] * np.ones(UNITS)
    )


def test_errors():
    with pytest.raises(ValueError, match="kind must be one of gru, lstm"):
        Recurrent(UNITS, "rnn")
    with pytest.raises(ValueError, match="units must be at least 1, got 0"):
        Recurrent(0)
    with pytest.raises(ValueError, match="context_size must be at least 0"):
        RecurrentCell(UNITS, context_size=-1)
    with pytest.raises(ValueError, match="num_layers must be at least 1"):
        RecurrentEncoder(UNITS, 0)
    with pytest.raises(ValueError, match="padding_mask must be a bool tensor"):
        make("gru")(INPUTS, padding_mask=MASK.astype("float32"))
    cell = RecurrentCell(UNITS)
    state = cell.first_state(BATCH)
    with pytest.raises(ValueError, match="context_size=0 and a context"):
        cell(INPUTS[:, 0], state, INPUTS[:, 1])
    cell = RecurrentCell(UNITS, context_size=SIZE)
    with pytest.raises(ValueError, match="context_size=4 and no context"):
        cell(INPUTS[:, 0], state)

"""The two decoders against the papers' equations, and step by step."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import BahdanauDecoder, LuongDecoder, seed_scope
from tests.layers.conformance import run_layer_test

RANDOM = np.random.default_rng(0)
BATCH, LENGTH, SOURCE, SIZE, UNITS, MEMORY = 3, 4, 5, 3, 6, 7
INPUTS = RANDOM.normal(size=(BATCH, LENGTH, SIZE)).astype("float32")
STATES = RANDOM.normal(size=(BATCH, SOURCE, MEMORY)).astype("float32")
MASK = np.arange(SOURCE) < np.array([[5], [2], [3]])
DECODERS = {
    "bahdanau": (BahdanauDecoder, {"maxout_size": 4}),
    "luong": (LuongDecoder, {}),
    "luong fed": (LuongDecoder, {"input_feeding": True}),
}
VARIANTS = [
    {},
    {"kind": "lstm", "num_layers": 2},
    {"attention": {"score": "general", "alignment": "local-p", "window": 2}},
    {
        "attention": {
            "score": "concat",
            "alignment": "local-m",
            "window": 1,
            "units": 3,
        }
    },
    {"attention": {"score": "location", "max_length": SOURCE}},
]


def arguments_of(name, **changes):
    """Returns the class and its arguments."""
    decoder, options = DECODERS[name]
    found = {
        "units": UNITS,
        "memory_size": MEMORY,
        "first_state": "copy",
        "kind": "gru",
        "attention": {"score": "concat"},
    }
    return decoder, found | options | changes


def make(name, **changes):
    decoder, arguments = arguments_of(name, **changes)
    layer = decoder(**arguments)
    layer.build(INPUTS.shape)
    random = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(random.normal(size=weight.shape) * 0.7)
    return layer


def last_of(layer, directions=1):
    """Returns an encoder's last states for the layer."""
    random = np.random.default_rng(2)
    shape = (layer.num_layers, directions, layer.cells[0].num_states)
    values = random.normal(size=(*shape, BATCH, UNITS)).astype("float32")
    return [
        [tuple(map(tf.constant, direction)) for direction in level]
        for level in values
    ]


def source_of(layer):
    """Returns the arguments of a call that say what is looked at."""
    found = {"last": last_of(layer)}
    if layer.attention is not None:
        found["source"] = tf.constant(STATES)
        found["padding_mask"] = tf.constant(MASK)
    return found


def start(layer):
    """Returns a first state, and the memory."""
    return layer.begin(**source_of(layer))


def product(weights, *inputs):
    return np.concatenate(inputs, axis=-1) @ weights.numpy()


def reference(layer):
    """The equations of one layer of GRUs, position by position."""
    state, memory = start(layer)
    (cell,), attention = layer.cells, layer.attention
    (s,), fed = state["cells"][0], state.get("fed")
    outputs, weights = [], []

    def look(query, t):
        options = {}
        if attention.alignment == "local-m":
            options["positions"] = [[t]]
        context, looked = attention(
            query[:, None], memory=memory, return_attention_weights=True,
            **options,
        )  # fmt: skip
        weights.append(looked[:, 0])
        return context[:, 0]

    for t in range(LENGTH):
        y = INPUTS[:, t]
        if isinstance(layer, BahdanauDecoder):
            context = None if attention is None else look(s, t)
            seen = [] if context is None else [context]
            both = product(layer.output_kernel, s, y, *seen)
            both = both + layer.output_bias.numpy()
            outputs.append(np.maximum(*np.split(both, 2, axis=-1)))
            (s,) = cell(y, (s,), context)
            continue
        (s,) = cell(y, (s,), fed)
        outputs.append(s)
        if attention is not None:
            combined = product(layer.output_kernel, look(s, t), s)
            outputs[-1] = np.tanh(combined)
        fed = outputs[-1] if layer.input_feeding else None
    return np.stack(outputs, 1), np.stack(weights, 1) if weights else None


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("changes", [VARIANTS[0], *VARIANTS[2:]], ids=str)
def test_decoder_against_the_equations(name, changes):
    layer = make(name, **changes)
    found = layer(INPUTS, **source_of(layer), return_attention_weights=True)
    for one, other in zip(found, reference(layer), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["bahdanau", "luong"])
def test_without_attention_there_is_no_context(name):
    layer = make(name, attention=None)
    found = layer(INPUTS, **source_of(layer))
    expected, _ = reference(layer)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_step_by_step_is_the_whole(name, changes):
    """Also with several hypotheses of a sentence, in a graph."""
    layer = make(name, **changes)
    state, memory = start(layer)
    whole = layer(INPUTS, **source_of(layer))
    beams = 2
    state = tf.nest.map_structure(lambda x: tf.repeat(x, beams, 0), state)
    step = tf.function(layer.step)
    for t in range(LENGTH):
        rows = tf.repeat(INPUTS[:, t], beams, axis=0)
        found, state = step(
            rows, tf.constant(t), state, memory, tf.constant(beams)
        )
        expected = tf.repeat(whole[:, t], beams, axis=0)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_is_a_layer(name):
    """Builds, serialises, trains, compiles with XLA, and mixes precisions."""
    changes = {"kind": "lstm", "num_layers": 2, "dropout": 0.1}
    decoder, arguments = arguments_of(name, **changes, first_state="both")
    names = [w.name for w in make(name, **arguments).trainable_weights]
    source = source_of(make(name, **changes))
    source["last"] = last_of(make(name, **changes), directions=2)
    source["return_attention_weights"] = True
    run_layer_test(decoder, arguments, INPUTS, names, source)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("changes", VARIANTS[1:4], ids=str)
def test_gradients_are_those_of_the_steps(name, changes):
    """Of inputs, first state, memory and weights."""
    layer = make(name, **changes)
    weights = [v.value for v in layer.trainable_variables]
    last = last_of(layer)

    def stepwise(inputs, source):
        outputs = []
        state, memory = layer.begin(last, source, MASK)
        for t in range(LENGTH):
            output, state = layer.step(
                inputs[:, t], tf.constant(t), state, memory
            )
            outputs.append(output)
        return tf.stack(outputs, 1)

    def at_once(inputs, source):
        return layer(inputs, last=last, source=source, padding_mask=MASK)

    def gradients_of(function):
        inputs, source = tf.constant(INPUTS), tf.constant(STATES)
        sources = [inputs, source, *tf.nest.flatten(last), *weights]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs = function(inputs, source)
            loss = tf.reduce_sum(tf.sin(outputs) * outputs)
        return tape.gradient(loss, sources)

    for one, other in zip(
        gradients_of(at_once), gradients_of(stepwise), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("source", ["backward", "both"])
def test_first_states_are_made_of_the_encoders_last(source):
    layer = make("luong", kind="lstm", num_layers=2, first_state=source)
    parts = last_of(layer, directions=2)
    state, _ = layer.begin(parts, STATES)
    for level in range(2):
        for part in range(2):
            both = [direction[part] for direction in parts[level]]
            taken = both if source == "both" else both[1:]
            kernel = getattr(layer, f"first_{level}_{part}_kernel")
            bias = getattr(layer, f"first_{level}_{part}_bias").numpy()
            expected = np.tanh(product(kernel, *taken) + bias)
            np.testing.assert_allclose(
                state["cells"][level][part], expected, rtol=1e-4, atol=1e-5
            )


@pytest.mark.parametrize("name", DECODERS)
def test_dropout_between_layers_is_drawn_for_each_step(name):
    layer = make(name, num_layers=2, dropout=0.5)
    layer.between.rate = 0.0  # the same loop, with masks of ones
    source = source_of(layer)
    plain = layer(INPUTS, **source).numpy()
    np.testing.assert_array_equal(layer(INPUTS, **source, training=True), plain)
    layer.between.rate = 0.5
    drawn = []
    for seed in (1, 1, 2):
        with seed_scope(tf.constant([seed, 0])):
            drawn.append(layer(INPUTS, **source, training=True).numpy())
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.any(drawn[0] != drawn[2])
    # The first output of Bahdanau's is of the state before any step.
    assert np.all(np.any(drawn[0] != plain, axis=(0, 2))[1:])


def test_errors():
    one = {"mode": "many-to-one"}
    with pytest.raises(ValueError, match="must be of mode 'many-to-many'"):
        BahdanauDecoder(UNITS, MEMORY, attention=one)
    with pytest.raises(ValueError, match="input_feeding goes with attention"):
        LuongDecoder(UNITS, MEMORY, input_feeding=True)
    with pytest.raises(ValueError, match="first_state must be one of copy"):
        LuongDecoder(UNITS, MEMORY, first_state="last")
    with pytest.raises(ValueError, match="maxout_size must be at least 1"):
        BahdanauDecoder(UNITS, MEMORY, maxout_size=0)
    layer = make("luong", attention=None)
    with pytest.raises(ValueError, match="return_attention_weights goes with"):
        layer(INPUTS, **source_of(layer), return_attention_weights=True)

"""Encoder and decoder with variants of attention, and the decoder's steps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import (
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
    TransformerConfig,
    seed_scope,
    segment_mask,
)
from tests.layers.conformance import run_layer_test
from tests.selection import few

RANDOM = np.random.default_rng(0)
HIDDEN, BATCH, LENGTH, MEMORY = 8, 2, 7, 3
INPUTS = RANDOM.normal(size=(BATCH, LENGTH, HIDDEN)).astype("float32")
STATES = RANDOM.normal(size=(BATCH, MEMORY, HIDDEN)).astype("float32")
VARIANTS = {
    "plain": {},
    "relative": {"position": "relative", "max_relative_position": 2},
    "t5_bias": {
        "position": "t5_bias",
        "relative_attention_num_buckets": 4,
        "relative_attention_max_distance": 3,
    },
    "rotary": {"position": "rotary"},
    "alibi": {"position": "alibi"},
    "local": {"local_attention_radius": 2},
    "grouped": {"num_key_value_heads": 2},
}
LOCAL = ["relative", "t5_bias", "rotary", "alibi"]
VARIANTS |= {
    f"{name}, local, multi-query": {
        **VARIANTS[name],
        "local_attention_radius": 3,
        "num_key_value_heads": 1,
    }
    for name in LOCAL
}
each_variant = pytest.mark.parametrize("name", VARIANTS)
# All that there is, each at least once; every time with one of the positions.
each_together = pytest.mark.parametrize(
    "name", few([name for name in VARIANTS if "local, " in name])
)


def config(name, **changes):
    fields = {"hidden_size": HIDDEN, "filter_size": 6, "num_heads": 4}
    return TransformerConfig(**fields, variant=VARIANTS[name], **changes)


@pytest.fixture(autouse=True)
def the_same_weights_every_time():
    """Seeds what layers begin with: rare draws multiply rounding tenfold."""
    keras.utils.set_random_seed(1)


def noisy(stack):
    """Builds a stack and makes all of its weights differ from the start's."""
    stack.build((None, None, HIDDEN))
    for weight in stack.trainable_weights:
        weight.assign_add(np.random.normal(size=weight.shape) * 0.3)
    return stack


@each_together
def test_layers_and_stacks_conform(name):
    names = [
        "query_key_value_kernel",
        "output_kernel",
        *{
            "relative": ["key_embeddings", "value_embeddings"],
            "t5_bias": ["embeddings"],
        }.get(VARIANTS[name].get("position"), []),
    ]
    feed_forward = [
        *("filter_kernel", "filter_bias", "output_kernel", "output_bias")
    ]
    norm = ["scale", "bias"]
    memory = ["query_kernel", "key_value_kernel", "output_kernel"]
    arguments = {"config": config(name)}
    run_layer_test(
        EncoderLayer, arguments, INPUTS, [*names, *feed_forward, *norm * 2]
    )
    run_layer_test(
        DecoderLayer,
        arguments,
        (INPUTS, STATES),
        [*names, *memory, *feed_forward, *norm * 3],
    )


@each_variant
def test_shared_buckets_are_one_weight_of_the_stack(name):
    counts = {}
    for stack in (Encoder, Decoder):
        counts[stack] = []
        for num_layers in (1, 3):
            layer = noisy(stack(config(name, norm="post"), num_layers))
            paths = [
                v.path for v in layer.trainable_weights if "positions" in v.path
            ]
            assert len(set(paths)) == len(paths)
            counts[stack].append(len(paths))
    position = VARIANTS[name].get("position")
    expected = {"relative": [2, 6], "t5_bias": [1, 1]}.get(position, [0, 0])
    assert list(counts.values()) == [expected] * 2


@each_variant
def test_every_weight_is_saved_and_restored(name, tmp_path):
    for stack, inputs in ((Encoder, (INPUTS,)), (Decoder, (INPUTS, STATES))):
        layer = noisy(stack(config(name), 2))
        path = tf.train.Checkpoint(stack=layer).save(tmp_path / "weights")
        copy = stack.from_config(layer.get_config())
        copy.build(INPUTS.shape)
        tf.train.Checkpoint(stack=copy).restore(path).assert_consumed()
        np.testing.assert_array_equal(copy(*inputs), layer(*inputs))


@each_variant
def test_causality(name):
    decoder = noisy(Decoder(config(name), 2))
    before = decoder(INPUTS, STATES)
    changed = INPUTS.copy()
    changed[:, 4] = changed[:, 4] ** 2
    after = decoder(changed, STATES)
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert np.all(np.any(before[:, 4] != after[:, 4], axis=-1))


@each_variant
@pytest.mark.parametrize("form", ["segments", "mask"])
def test_packed_rows_are_their_unpacked_examples(name, form):
    encoder, decoder = (
        noisy(stack(config(name), 2)) for stack in (Encoder, Decoder)
    )
    memory = encoder(STATES)
    expected = decoder(INPUTS, memory)
    rows, sources = (
        np.repeat([[1, 2]], length, axis=1).astype("int32")
        for length in (LENGTH, MEMORY)
    )
    masks = [rows, sources]
    if form == "mask":
        masks = [segment_mask(ids, ids) for ids in masks]
    packed_memory = encoder(
        STATES.reshape(1, -1, HIDDEN), attention_mask=masks[1]
    )
    packed = decoder(
        INPUTS.reshape(1, -1, HIDDEN),
        packed_memory,
        self_mask=masks[0],
        memory_mask=segment_mask(rows, sources),
    )
    np.testing.assert_allclose(
        tf.reshape(packed, expected.shape), expected, atol=2e-5
    )


@each_variant
def test_weights_on_request_change_nothing(name):
    encoder, decoder = (
        noisy(stack(config(name), 2)) for stack in (Encoder, Decoder)
    )
    output, weights = encoder(INPUTS, return_attention_weights=True)
    np.testing.assert_array_equal(output, encoder(INPUTS))
    assert [w.shape for w in weights] == [(BATCH, 4, LENGTH, LENGTH)] * 2
    output, weights = decoder(INPUTS, STATES, return_attention_weights=True)
    np.testing.assert_array_equal(output, decoder(INPUTS, STATES))
    for layer in weights:
        assert layer["self"].shape == (BATCH, 4, LENGTH, LENGTH)
        assert layer["memory"].shape == (BATCH, 4, LENGTH, MEMORY)
        np.testing.assert_allclose(
            tf.reduce_sum(layer["self"], -1), 1.0, rtol=1e-5
        )
        assert not np.any(np.triu(layer["self"][0, 0], k=1))


def random_paths(beams):
    """Returns parents: which beam each beam goes on from, at every step."""
    return RANDOM.integers(0, beams, (LENGTH, BATCH, beams))


@each_variant
@pytest.mark.parametrize("beams", [1, 3])
def test_steps_of_reordered_beams_are_the_full_forward(name, beams):
    """Hypotheses leave their beams and share ancestors, as in a search."""
    decoder = noisy(Decoder(config(name), 2))
    mask = np.array([[[True, True, True]], [[True, False, False]]])
    memory = decoder.project_memory(STATES)
    cache = decoder.init_cache(BATCH)
    parents = random_paths(beams)
    tokens = RANDOM.normal(size=(LENGTH, BATCH, beams, HIDDEN))
    tokens = tokens.astype("float32")
    ancestry = np.zeros((BATCH, beams, 0), int)
    rows = np.arange(BATCH)[:, None]
    for index in range(LENGTH):
        itself = np.tile(np.arange(beams), [BATCH, 1])[..., None]
        path = np.concatenate([ancestry, itself], axis=2)
        mine = path[..., None] == np.arange(beams)
        mine = mine.reshape(BATCH, beams, -1)
        states, cache = decoder.step(
            *(tokens[index], memory, cache, mine, mask), tf.constant(index)
        )
        # Each hypothesis' own inputs from the first on.
        steps = np.arange(index + 1)[:, None, None]
        history = tokens[steps, rows[None], np.moveaxis(path, 2, 0)]
        history = np.moveaxis(history, 0, 2).reshape(-1, index + 1, HIDDEN)
        full = decoder(
            history,
            np.repeat(STATES, beams, axis=0),
            memory_mask=np.repeat(mask, beams, axis=0),
        )
        np.testing.assert_allclose(
            tf.reshape(states, [-1, HIDDEN]), full[:, -1], atol=2e-5
        )
        ancestry = path[rows, parents[index]]
    variant = VARIANTS[name]
    radius = variant.get("local_attention_radius", LENGTH)
    heads = variant.get("num_key_value_heads", 4)
    places = min(radius, LENGTH) * beams
    assert cache[1]["key"].shape == (BATCH, heads, places, 2)
    assert memory[1]["key"].shape == (BATCH, heads, MEMORY, 2)


@each_together
def test_recomputed_layers_have_the_same_gradients(name):
    dropout = {"attention_dropout": 0.3, "residual_dropout": 0.3}
    for stack, inputs in ((Encoder, (INPUTS,)), (Decoder, (INPUTS, STATES))):
        plain = noisy(stack(config(name, **dropout), 2))
        saving = stack(config(name, **dropout), 2, recompute=True)
        saving.build(INPUTS.shape)
        saving.set_weights(plain.get_weights())
        found = [_gradients(layer, inputs) for layer in (plain, saving)]
        for one, other in zip(*found, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def _gradients(stack, inputs):
    @tf.function(autograph=False)
    def run():
        weights = stack.trainable_variables
        with tf.GradientTape() as tape, seed_scope(tf.constant([1, 2])):
            output = stack(*map(tf.constant, inputs), training=True)
            loss = tf.reduce_sum(tf.sin(output))
        gradients = tape.gradient(loss, [w.value for w in weights])
        return [output, *map(tf.convert_to_tensor, gradients)]

    return run()


def test_a_configuration_takes_its_variant_as_a_dict():
    fields = {"position": "rotary", "num_key_value_heads": 2}
    made = TransformerConfig(
        hidden_size=8, filter_size=8, num_heads=4, variant=fields
    )
    assert made.variant.position == "rotary"
    assert TransformerConfig.of(made.to_dict()) == made
    with pytest.raises(ValueError, match="position must be one of none"):
        TransformerConfig(
            hidden_size=8, filter_size=8, num_heads=4, variant={"position": ""}
        )

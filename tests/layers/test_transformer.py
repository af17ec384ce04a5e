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

RANDOM = np.random.default_rng(0)
BATCH, LENGTH, MEMORY, HIDDEN = 2, 4, 3, 8
INPUTS = RANDOM.normal(size=(BATCH, LENGTH, HIDDEN)).astype("float32")
STATES = RANDOM.normal(size=(BATCH, MEMORY, HIDDEN)).astype("float32")
FEED_FORWARD = ["filter_kernel", "filter_bias", "output_kernel", "output_bias"]
NORM = ["scale", "bias"]
SELF = ["query_key_value_kernel", "output_kernel"]
CROSS = ["query_kernel", "key_value_kernel", "output_kernel"]
ENCODER_LAYER = [*SELF, *FEED_FORWARD, *NORM * 2]
DECODER_LAYER = [*SELF, *CROSS, *FEED_FORWARD, *NORM * 3]


def config(**changes):
    fields = {"hidden_size": HIDDEN, "filter_size": 16, "num_heads": 2}
    return TransformerConfig(**{**fields, **changes})


DROPPING = {
    "attention_dropout": 0.5,
    "relu_dropout": 0.5,
    "residual_dropout": 0.5,
}


def test_encoder_layer():
    arguments = {"config": config(**DROPPING)}
    run_layer_test(EncoderLayer, arguments, INPUTS, ENCODER_LAYER)


def test_decoder_layer():
    arguments = {"config": config()}
    inputs = (INPUTS, STATES)
    run_layer_test(DecoderLayer, arguments, inputs, DECODER_LAYER)


def test_encoder():
    arguments = {"config": config(), "num_layers": 1}
    run_layer_test(Encoder, arguments, INPUTS, [*ENCODER_LAYER, *NORM])


def test_decoder():
    arguments = {"config": config(norm="post"), "num_layers": 1}
    run_layer_test(Decoder, arguments, (INPUTS, STATES), DECODER_LAYER)


@pytest.mark.parametrize("stack", [Encoder, Decoder])
def test_pre_norm_ends_with_a_norm_and_post_norm_does_not(stack):
    lengths = {}
    for norm in ("pre", "post"):
        layer = stack(config(norm=norm), 2)
        layer.build(INPUTS.shape)
        lengths[norm] = len(layer.trainable_weights)
    assert lengths["pre"] == lengths["post"] + len(NORM)


def test_weight_paths_are_readable_and_unique():
    decoder = Decoder(config(), 2, name="decoder")
    decoder.build(INPUTS.shape)
    paths = [variable.path for variable in decoder.variables]
    assert len(set(paths)) == len(paths)
    assert "decoder/layer_1/memory_attention/key_value_kernel" in paths
    assert "decoder/layer_0/feed_forward_residual/norm/scale" in paths
    assert "decoder/final_norm/bias" in paths


def test_causality():
    decoder = Decoder(config(), 2)
    before = decoder(INPUTS, STATES)
    changed = INPUTS.copy()
    changed[:, 2] = changed[:, 2] ** 2
    after = decoder(changed, STATES)
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert np.all(np.any(before[:, 2:] != after[:, 2:], axis=-1))


def test_encoder_ignores_masked_padding():
    encoder = Encoder(config(), 2)
    padded = np.concatenate([INPUTS, INPUTS**2], axis=1)
    mask = np.array([[[True] * LENGTH + [False] * LENGTH]] * BATCH)
    output = encoder(padded, attention_mask=mask)
    np.testing.assert_allclose(output[:, :LENGTH], encoder(INPUTS), atol=1e-5)


def test_packed_rows_are_their_unpacked_examples():
    encoder, decoder = Encoder(config(), 2), Decoder(config(), 2)
    memory = encoder(STATES)
    expected = decoder(INPUTS, memory)
    packed_inputs = INPUTS.reshape(1, -1, HIDDEN)
    packed_states = STATES.reshape(1, -1, HIDDEN)
    rows = np.repeat([[1, 2]], LENGTH, axis=1).astype("int32")
    sources = np.repeat([[1, 2]], MEMORY, axis=1).astype("int32")
    packed_memory = encoder(
        packed_states, attention_mask=segment_mask(sources, sources)
    )
    packed = decoder(
        packed_inputs,
        packed_memory,
        self_mask=segment_mask(rows, rows),
        memory_mask=segment_mask(rows, sources),
    )
    np.testing.assert_allclose(
        tf.reshape(packed, expected.shape), expected, atol=1e-5
    )


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("beams", [1, 3])
def test_cached_decoding_is_the_full_forward(norm, beams):
    decoder = Decoder(config(norm=norm, **DROPPING), 2)
    rows = BATCH * beams
    inputs = RANDOM.normal(size=(rows, LENGTH, HIDDEN)).astype("float32")
    mask = np.array([[[True, True, True]], [[True, False, False]]])
    full = decoder(
        inputs,
        np.repeat(STATES, beams, axis=0),
        memory_mask=np.repeat(mask, beams, axis=0),
    )
    memory = decoder.project_memory(STATES)
    cache = decoder.init_cache(BATCH)
    for index in range(LENGTH):
        mine = np.tile(np.eye(beams, dtype=bool), [BATCH, 1, index + 1])
        states, cache = decoder.step(
            inputs[:, index].reshape(BATCH, beams, HIDDEN),
            memory,
            cache,
            None if beams == 1 else mine,
            mask,
        )
        np.testing.assert_allclose(
            tf.reshape(states, [rows, HIDDEN]), full[:, index], atol=1e-5
        )
    assert cache[1]["key"].shape == (BATCH, 2, LENGTH * beams, 4)


def test_step_in_a_graph_with_everything_dynamic():
    decoder = Decoder(config(), 1, dtype="mixed_bfloat16")
    decoder.build(INPUTS.shape)

    @tf.function(input_signature=[tf.TensorSpec([None, None, HIDDEN])] * 2)
    def run(states, inputs):
        memory = decoder.project_memory(states)
        cache = decoder.init_cache(tf.shape(inputs)[0])
        output, cache = decoder.step(inputs, memory, cache)
        return decoder.step(output, memory, cache)[0]

    assert run(STATES, INPUTS[:, :2]).shape == (BATCH, 2, HIDDEN)


def test_attention_weights_on_request():
    _, weights = Encoder(config(), 2)(INPUTS, return_attention_weights=True)
    assert [w.shape for w in weights] == [(BATCH, 2, LENGTH, LENGTH)] * 2
    _, weights = Decoder(config(), 2)(
        INPUTS, STATES, return_attention_weights=True
    )
    assert weights[1]["self"].shape == (BATCH, 2, LENGTH, LENGTH)
    assert weights[1]["memory"].shape == (BATCH, 2, LENGTH, MEMORY)
    assert not np.any(np.triu(weights[0]["self"][0, 0], k=1))


def test_training_drops_as_the_seed_says():
    encoder = Encoder(config(**DROPPING), 2)

    def run(seed):
        with seed_scope(tf.constant(seed)):
            return encoder(INPUTS, training=True).numpy()

    np.testing.assert_array_equal(run([1, 2]), run([1, 2]))
    assert np.any(run([1, 2]) != run([1, 3]))
    assert np.any(run([1, 2]) != encoder(INPUTS).numpy())


def test_every_weight_is_saved_and_restored(tmp_path):
    decoder = Decoder(config(), 2)
    model = keras.Sequential([Encoder(config(), 2)])
    expected = model(INPUTS), decoder(INPUTS, STATES)
    model.save(tmp_path / "encoder.keras")
    path = tf.train.Checkpoint(decoder=decoder).save(tmp_path / "decoder")
    copy = Decoder(config(), 2)
    copy.build(INPUTS.shape)
    status = tf.train.Checkpoint(decoder=copy).restore(path)
    status.assert_consumed()
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(loaded(INPUTS), expected[0])
    np.testing.assert_array_equal(copy(INPUTS, STATES), expected[1])


def test_errors():
    with pytest.raises(ValueError, match="num_layers must be at least 1"):
        Encoder(config(), 0)
    with pytest.raises(ValueError, match="norm must be one of pre, post"):
        config(norm="none")
    with pytest.raises(ValueError, match=r"relu_dropout must be in \[0, 1\)"):
        config(relu_dropout=1.5)

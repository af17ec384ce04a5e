import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import (
    DepthRecurrence,
    EncoderLayer,
    TransformerConfig,
    UniversalDecoder,
    UniversalEncoder,
)
from tests.layers.conformance import run_layer_test
from tests.layers.test_transformer import (
    BATCH,
    DECODER_LAYER,
    ENCODER_LAYER,
    HIDDEN,
    INPUTS,
    LENGTH,
    MEMORY,
    NORM,
    STATES,
    config,
)

PLACES = np.random.default_rng(1).normal(size=(1, LENGTH, HIDDEN))
PLACES = np.repeat(PLACES, BATCH, axis=0).astype("float32")
FIXED = {"num_steps": 2}
HALTING = {"num_steps": 3, "epsilon": 0.1, "timing": "learned"}
HALTS = ["halting_kernel", "halting_bias", "embeddings"]


@pytest.mark.parametrize(
    ("recurrence", "weights"), [(FIXED, []), (HALTING, HALTS)]
)
def test_conformance(recurrence, weights):
    arguments = {"config": config(), "recurrence": recurrence}
    states, took = run_layer_test(
        UniversalEncoder,
        arguments,
        (INPUTS, PLACES),
        [*ENCODER_LAYER, *weights, *NORM],
        float32_outputs=(1,),
    )
    assert states.shape == INPUTS.shape
    assert took.shape == (BATCH, LENGTH)
    run_layer_test(
        UniversalDecoder,
        arguments,
        (INPUTS, STATES, PLACES),
        [*DECODER_LAYER, *weights, *NORM],
        float32_outputs=(1,),
    )


def test_one_layer_is_all_steps():
    encoder = UniversalEncoder(config(norm="post"), {"num_steps": 3})
    found, took = encoder(INPUTS, PLACES)
    layer = EncoderLayer(config(norm="post"))
    layer.build(INPUTS.shape)
    layer.set_weights(encoder.block.get_weights())
    states = INPUTS
    for step in range(3):
        time = encoder.recurrence.time(tf.constant([[step]]))
        states = layer(states + PLACES + time)
    np.testing.assert_allclose(found, states, atol=1e-5)
    assert (took.numpy() == 3).all()


def test_the_number_of_steps_adds_no_weights():
    counts = set()
    for steps in (1, 6):
        decoder = UniversalDecoder(config(), {"num_steps": steps})
        decoder.build(INPUTS.shape)
        counts.add(decoder.count_params())
    assert len(counts) == 1


@pytest.mark.parametrize("recurrence", [FIXED, HALTING], ids=str)
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_steps_with_a_cache_equal_a_call(recurrence, norm):
    decoder = UniversalDecoder(config(norm=norm), recurrence)
    decoder(INPUTS, STATES, PLACES)
    rng = np.random.default_rng(4)
    decoder.set_weights(
        [
            rng.normal(size=value.shape).astype("float32") * 0.5
            for value in decoder.get_weights()
        ]
    )
    mask = np.array([[[1, 1, 0]], [[1, 1, 1]]], bool)
    full, took = decoder(INPUTS, STATES, PLACES, memory_mask=mask)
    if "epsilon" in recurrence:
        assert len(set(np.ceil(took.numpy()).flat)) > 1
    memory, cache = decoder.project_memory(STATES), decoder.init_cache(BATCH)
    for index in range(LENGTH):
        states, cache = decoder.step(
            INPUTS[:, index : index + 1],
            PLACES[:1, index : index + 1],
            memory,
            cache,
            None,
            tf.constant(mask),
        )
        np.testing.assert_allclose(
            states[:, 0], full[:, index], rtol=1e-4, atol=1e-4
        )
    assert len(cache) == recurrence["num_steps"]
    assert cache[0]["key"].shape[2] == LENGTH


def test_attention_weights_are_those_of_each_step():
    decoder = UniversalDecoder(config(), {"num_steps": 3})
    _, _, weights = decoder(
        INPUTS, STATES, PLACES, return_attention_weights=True
    )
    assert [set(each) for each in weights] == [{"self", "memory"}] * 3
    assert weights[0]["memory"].shape == (BATCH, 2, LENGTH, MEMORY)
    first, last = weights[0]["memory"], weights[2]["memory"]
    assert np.abs(first - last).max() > 1e-4


def test_arguments_come_from_a_dict():
    fields = TransformerConfig(
        hidden_size=HIDDEN, filter_size=16, num_heads=2
    ).to_dict()
    encoder = UniversalEncoder(fields, HALTING)
    assert isinstance(encoder.recurrence, DepthRecurrence)
    assert encoder.recurrence.epsilon == 0.1

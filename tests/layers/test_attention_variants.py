"""Variants of self-attention against their papers, and the laws they keep."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import (
    AttentionVariant,
    MultiHeadAttention,
    causal_mask,
    segment_mask,
)
from tests.layers import variant_reference
from tests.layers.conformance import run_layer_test
from tests.selection import few

RANDOM = np.random.default_rng(0)
HIDDEN, HEADS, BATCH, LENGTH = 12, 3, 2, 7
STATES = RANDOM.normal(size=(BATCH, LENGTH, HIDDEN)).astype("float32")
KERNELS = ["query_key_value_kernel", "output_kernel"]
TABLES = {
    "relative": ["key_embeddings", "value_embeddings"],
    "t5_bias": ["embeddings"],
}
POSITIONS = {
    "relative": {"max_relative_position": 2},
    "t5_bias": {
        "relative_attention_num_buckets": 6,
        "relative_attention_max_distance": 5,
    },
    "rotary": {"rotary_base": 50.0},
    "alibi": {},
}
VARIANTS = {
    **{name: {"position": name, **more} for name, more in POSITIONS.items()},
    "relative, further than the length": {
        "position": "relative",
        "max_relative_position": 20,
    },
    "multi-query": {"num_key_value_heads": 1},
    "local": {"local_attention_radius": 2},
    **{
        f"{name}, local, multi-query": {
            "position": name,
            "local_attention_radius": 3,
            "num_key_value_heads": 1,
            **more,
        }
        for name, more in POSITIONS.items()
    },
}
each_variant = pytest.mark.parametrize("name", VARIANTS)
each_direction = pytest.mark.parametrize("causal", [False, True])


def make(name, causal=False, **arguments):
    variant = AttentionVariant(**VARIANTS[name], causal=causal)
    layer = MultiHeadAttention(HIDDEN, HEADS, variant=variant, **arguments)
    layer.build()
    for weight in layer.trainable_weights:
        weight.assign(RANDOM.normal(size=weight.shape) * 0.5)
    return layer


def padding(length=LENGTH):
    """The last two positions of the second row are padding."""
    mask = np.ones((BATCH, 1, length), bool)
    mask[1, :, -2:] = False
    return mask


@each_variant
@each_direction
@pytest.mark.parametrize("sizes", [(None, None), (6, 5)], ids=str)
def test_the_formula(name, causal, sizes):
    layer = make(name, causal, key_head_size=sizes[0], value_head_size=sizes[1])
    mask = RANDOM.integers(0, 3, (BATCH, LENGTH, LENGTH)) > 0
    mask[0, 1] = False
    output, weights = layer(
        STATES, attention_mask=mask, return_attention_weights=True
    )
    expected, expected_weights = variant_reference.attention(
        layer, STATES, mask
    )
    np.testing.assert_allclose(weights, expected_weights, atol=1e-5)
    np.testing.assert_allclose(output, expected, atol=1e-5)
    np.testing.assert_array_equal(output[0, 1], np.zeros(HIDDEN))


@pytest.mark.parametrize(
    ("name", "causal"),
    few(itertools.product(VARIANTS, [False, True]), always=range(0, 24, 3)),
)
def test_the_layer_conforms(name, causal):
    variant = AttentionVariant(**VARIANTS[name], causal=causal)
    arguments = {
        "hidden_size": HIDDEN,
        "num_heads": HEADS,
        "dropout": 0.1,
        "variant": variant.to_dict(),
    }
    names = KERNELS + TABLES.get(variant.position, [])
    mask = tf.constant(padding())
    run_layer_test(
        MultiHeadAttention, arguments, STATES, names, {"attention_mask": mask}
    )


@each_variant
def test_weights_sum_to_one_and_are_zero_on_padding(name):
    _, weights = make(name)(
        STATES, attention_mask=padding(), return_attention_weights=True
    )
    assert weights.shape == (BATCH, HEADS, LENGTH, LENGTH)
    attends = np.ones((BATCH, LENGTH), bool)
    if "local" in name:  # which may see nothing but padding
        attends[1] = (
            np.arange(LENGTH)
            < LENGTH - 2 + (VARIANTS[name]["local_attention_radius"])
        )
    sums = tf.reduce_sum(weights, -1).numpy()
    np.testing.assert_allclose(
        sums, attends[:, None] * 1.0 + 0 * sums, rtol=1e-5
    )
    assert not np.any(weights[1, ..., -2:])


@each_variant
def test_causality(name):
    layer = make(name, causal=True)
    changed = STATES.copy()
    changed[:, 4] += 1.0
    before, after = layer(STATES), layer(changed)
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert np.all(np.any(before[:, 4] != after[:, 4], axis=-1))


# T5's buckets are others where keys lie on both sides.
@pytest.mark.parametrize("name", [n for n in VARIANTS if "t5_bias" not in n])
def test_a_causal_mask_makes_attention_causal(name):
    causal = make(name, causal=True)
    other = make(name)
    other.set_weights(causal.get_weights())
    np.testing.assert_allclose(
        other(STATES, attention_mask=causal_mask(LENGTH)),
        causal(STATES),
        atol=1e-6,
    )


@each_variant
@each_direction
def test_padding_changes_nothing(name, causal):
    layer = make(name, causal)
    longer = np.concatenate([STATES, 9.0 * STATES], axis=1)
    mask = np.arange(2 * LENGTH)[None, None] < LENGTH
    found = layer(longer, attention_mask=np.tile(mask, [BATCH, 1, 1]))
    np.testing.assert_allclose(found[:, :LENGTH], layer(STATES), atol=1e-5)


@each_variant
@each_direction
@pytest.mark.parametrize("form", ["segments", "mask"])
def test_packed_rows_are_their_unpacked_examples(name, causal, form):
    layer = make(name, causal)
    expected = layer(STATES)
    filler = np.zeros((1, 3, HIDDEN), "float32")
    row = [STATES[:1], STATES[1:], filler]
    ids = np.repeat([[1, 2, 0]], [LENGTH, LENGTH, 3], axis=1).astype("int32")
    mask = ids if form == "segments" else segment_mask(ids, ids)
    found = layer(np.concatenate(row, axis=1), attention_mask=mask)
    np.testing.assert_allclose(
        tf.reshape(found[:, : 2 * LENGTH], expected.shape), expected, atol=1e-5
    )
    np.testing.assert_array_equal(found[:, 2 * LENGTH :], filler)


@pytest.mark.parametrize(
    "name", [n for n in VARIANTS if "position" in VARIANTS[n]]
)
@each_direction
def test_only_distances_count(name, causal):
    """The same states later in a row attend in the same way."""
    layer = make(name, causal)
    shift = 5
    before = RANDOM.normal(size=(BATCH, shift, HIDDEN)).astype("float32")
    mask = np.arange(shift + LENGTH)[None, None] >= shift
    _, weights = layer(
        np.concatenate([before, STATES], axis=1),
        attention_mask=np.tile(mask, [BATCH, 1, 1]),
        return_attention_weights=True,
    )
    _, expected = layer(STATES, return_attention_weights=True)
    np.testing.assert_allclose(
        weights[..., shift:, shift:], expected, atol=1e-5
    )


@pytest.mark.parametrize("name", list(POSITIONS))
def test_positions_are_told_apart(name):
    """Attention without positions gives the order back; these do not."""
    order = np.array([2, 0, 1, 3, 5, 4, 6])
    plain = MultiHeadAttention(HIDDEN, HEADS)
    np.testing.assert_allclose(
        plain(STATES[:, order]), plain(STATES).numpy()[:, order], atol=1e-6
    )
    layer = make(name)
    found, same = layer(STATES[:, order]), layer(STATES).numpy()[:, order]
    assert np.abs(found - same).max() > 1e-2


@each_variant
def test_cached_calls_are_the_full_forward(name):
    layer = make(name, causal=True, key_head_size=6, value_head_size=5)
    cache = layer.init_cache(BATCH)
    outputs, weights = [], None
    for start, end in ((0, 1), (1, 4), (4, 5), (5, LENGTH)):
        output, cache, weights = layer(
            STATES[:, start:end], cache=cache, return_attention_weights=True
        )
        outputs.append(output)
    full, expected = layer(STATES, return_attention_weights=True)
    np.testing.assert_allclose(tf.concat(outputs, 1), full, atol=1e-5)
    np.testing.assert_allclose(weights, expected[:, :, 5:], atol=1e-5)
    heads = VARIANTS[name].get("num_key_value_heads", HEADS)
    assert cache["key"].shape == (BATCH, heads, LENGTH, 6)
    assert cache["value"].shape == (BATCH, heads, LENGTH, 5)


@each_variant
@each_direction
def test_graphs_of_open_sizes(name, causal):
    layer = make(name, causal)

    def run(states, mask):
        output, weights = layer(
            states, attention_mask=mask, return_attention_weights=True
        )
        assert output.shape[2] == HIDDEN
        return output, weights

    expected = run(tf.constant(STATES), tf.constant(padding()))
    specs = [
        tf.TensorSpec([None, None, HIDDEN]),
        tf.TensorSpec([None, None, None], tf.bool),
    ]
    for options in ({}, {"jit_compile": True}):
        found = tf.function(run, input_signature=specs, **options)(
            STATES, padding()
        )
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)


@each_variant
def test_an_empty_batch_and_a_single_position(name):
    layer = make(name)
    assert layer(STATES[:0]).shape == (0, LENGTH, HIDDEN)
    assert layer(STATES[:, :0]).shape == (BATCH, 0, HIDDEN)
    assert np.isfinite(layer(STATES[:, :1])).all()


@each_variant
def test_mixed_precision_is_close(name):
    layer = make(name, dtype="mixed_bfloat16")
    exact = make(name)
    exact.set_weights(layer.get_weights())
    found = layer(STATES, attention_mask=padding())
    assert found.dtype == tf.bfloat16
    expected = exact(STATES, attention_mask=padding())
    difference = tf.cast(found, tf.float32) - expected
    assert np.abs(difference).max() < 0.03 * np.abs(expected).max()


def test_layers_of_one_stack_may_share_their_positions():
    layers = [
        MultiHeadAttention(HIDDEN, HEADS, variant=VARIANTS["t5_bias"])
        for _ in range(2)
    ]
    shared = layers[0].make_positions()
    for layer in layers:
        layer.positions = shared
        layer.build()
    first, second = (layer.trainable_weights[-1] for layer in layers)
    assert first is second


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"position": "rotory"}, "position must be one of none, relative"),
        ({"max_relative_position": 0}, "max_relative_position must be at lea"),
        ({"relative_attention_num_buckets": 5}, "num_buckets must be an even"),
        ({"relative_attention_max_distance": 16}, "above half of .*=32, got 1"),
        ({"rotary_base": 1.0}, "rotary_base must be above 1, got 1.0"),
        ({"local_attention_radius": 0}, "local_attention_radius must be at"),
        ({"num_key_value_heads": 2}, "divisor of num_heads=3, got 2"),
        ({"num_key_value_heads": 0}, "num_key_value_heads must be at least 1"),
    ],
)
def test_errors(variant, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(HIDDEN, HEADS, variant=variant)


def test_errors_of_combinations():
    variant = AttentionVariant(position="rotary")
    with pytest.raises(
        ValueError, match=r"key_head_size must be even .* got 5"
    ):
        MultiHeadAttention(HIDDEN, HEADS, key_head_size=5, variant=variant)
    for wrong in (variant, AttentionVariant(causal=True)):
        with pytest.raises(ValueError, match="are for projection='self', got"):
            MultiHeadAttention(
                HIDDEN, HEADS, projection="memory", variant=wrong
            )
    layer = make("local")
    with pytest.raises(ValueError, match="got int32 of shape"):
        layer(
            STATES,
            attention_mask=tf.ones([BATCH, LENGTH], tf.int32),
            cache=layer.init_cache(BATCH),
        )


def test_the_default_is_plain_attention():
    plain = MultiHeadAttention(HIDDEN, HEADS)
    assert plain.variant == AttentionVariant()
    output = plain(STATES)
    for heads in (None, HEADS):
        same = MultiHeadAttention(
            HIDDEN, HEADS, variant={"num_key_value_heads": heads}
        )
        same.build()
        same.set_weights(plain.get_weights())
        np.testing.assert_array_equal(same(STATES), output)
    fields = [field.name for field in dataclasses.fields(AttentionVariant)]
    assert list(plain.get_config()["variant"]) == fields

"""Attention to near keys alone, block by block, is that to all with a mask."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import AttentionVariant, MultiHeadAttention, segment_mask
from t2t_lite.layers.local_attention import Blocks

RANDOM = np.random.default_rng(0)
HIDDEN, HEADS, BATCH = 8, 2, 2
# Radii below and above a block's least size; lengths of one block and of
# several, most of them no multiple of it.
RADII = [1, 5, 40]
LENGTHS = [1, 31, 32, 33, 64, 100, 121]
each_radius = pytest.mark.parametrize("radius", RADII)
each_length = pytest.mark.parametrize("length", LENGTHS)
each_direction = pytest.mark.parametrize("causal", [False, True])


def make(radius, causal, **fields):
    variant = AttentionVariant(
        local_attention_radius=radius, causal=causal, **fields
    )
    layer = MultiHeadAttention(HIDDEN, HEADS, variant=variant)
    layer.build()
    return layer


def full(layer):
    """The same attention to all keys, which a mask has to restrict."""
    fields = {**layer.variant.to_dict(), "local_attention_radius": None}
    copy = MultiHeadAttention(HIDDEN, HEADS, variant=fields)
    copy.build()
    copy.set_weights(layer.get_weights())
    return copy


def band(length, radius):
    places = np.arange(length)
    return (np.abs(places[:, None] - places) <= radius)[None]


def states_of(length):
    return RANDOM.normal(size=(BATCH, length, HIDDEN)).astype("float32")


def segments_of(length):
    """Segments that blocks cut anywhere; the second row ends in padding."""
    ids = np.sort(RANDOM.integers(1, 6, (BATCH, length)), axis=1)
    ids[1, length * 2 // 3 :] = 0
    return ids.astype("int32")


def masks_of(length, radius):
    """Every form of a mask, and the mask of all pairs that says the same."""
    near = band(length, radius)
    segments = segments_of(length)
    padding = (segments != 0)[:, None]
    pairs = RANDOM.integers(0, 3, (BATCH, length, length)) > 0
    return {
        "none": (None, near),
        "padding": (padding, near & padding),
        "segments": (segments, near & segment_mask(segments, segments)),
        "pairs": (pairs, near & pairs),
        "one of pairs": (pairs[:1], near & pairs[:1]),
    }


@each_radius
@each_length
@each_direction
@pytest.mark.parametrize("form", ["none", "padding", "segments", "pairs"])
def test_blocks_are_full_attention_with_a_band(radius, length, causal, form):
    layer, states = make(radius, causal), states_of(length)
    given, whole = masks_of(length, radius)[form]
    found = layer(states, attention_mask=given, return_attention_weights=True)
    expected = full(layer)(
        states, attention_mask=whole, return_attention_weights=True
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("form", "causal", "jit_compile"),
    [
        ("segments", True, True),
        ("segments", False, False),
        ("padding", True, False),
        ("padding", False, True),
        ("one of pairs", True, False),
        ("one of pairs", False, False),
    ],
)
def test_gradients_and_open_sizes(causal, form, jit_compile):
    """Of the layer's weights and its inputs, with every position."""
    length, radius = 75, 6
    for position in ("relative", "t5_bias", "rotary", "alibi"):
        layer = make(radius, causal, position=position, num_key_value_heads=1)
        states = tf.constant(states_of(length))
        given, whole = masks_of(length, radius)[form]
        results = []
        for attention, mask in ((layer, given), (full(layer), whole)):
            mask = tf.constant(mask)

            def gradients(states, mask, attention=attention):
                weights = [v.value for v in attention.trainable_variables]
                with tf.GradientTape() as tape:
                    tape.watch([states, *weights])
                    output = attention(states, attention_mask=mask)
                    loss = tf.reduce_sum(tf.sin(output))
                return tape.gradient(loss, [states, *weights])

            specs = [
                tf.TensorSpec([None, None, HIDDEN]),
                tf.TensorSpec([None] * mask.shape.rank, mask.dtype),
            ]
            function = tf.function(
                gradients, input_signature=specs, jit_compile=jit_compile
            )
            results.append(function(states, mask))
        for one, other in zip(*results, strict=True):
            one, other = map(tf.convert_to_tensor, (one, other))
            np.testing.assert_allclose(one, other, atol=2e-4, err_msg=position)


def test_nothing_grows_with_the_square_of_the_length():
    """Twice the length is twice the numbers, forward and backward."""
    counts = []
    for length in (320, 640):
        layer = make(8, True, position="relative")

        @tf.function(autograph=False)
        def run(states, segments, layer=layer):
            with tf.GradientTape() as tape:
                tape.watch(states)
                output = layer(states, attention_mask=segments)
            return tape.gradient(output, states)

        graph = run.get_concrete_function(
            tf.TensorSpec([1, length, HIDDEN]),
            tf.TensorSpec([1, length], tf.int32),
        ).graph
        sizes = [
            output.shape.num_elements() or 0
            for operation in graph.get_operations()
            for output in operation.outputs
        ]
        counts.append(sum(sizes))
    assert 1.8 < counts[1] / counts[0] < 2.05


def test_weights_are_made_for_all_pairs_only_where_they_are_wanted():
    layer, states = make(3, False), states_of(100)

    @tf.function(autograph=False)
    def run(states):
        return layer(states)

    graph = run.get_concrete_function(tf.constant(states)).graph
    largest = max(
        output.shape.num_elements() or 0
        for operation in graph.get_operations()
        for output in operation.outputs
    )
    assert largest < BATCH * HEADS * 100 * 100


@each_radius
def test_a_radius_of_the_length_is_full_attention(radius):
    layer = make(radius, False)
    states = states_of(radius + 1)
    np.testing.assert_allclose(layer(states), full(layer)(states), atol=1e-6)


@pytest.mark.parametrize(
    ("length", "radius", "causal", "expected"),
    [
        (100, 5, False, (4, 32, 42)),
        (100, 5, True, (4, 32, 37)),
        (100, 40, False, (3, 40, 120)),
        (32, 5, False, (1, 32, 32)),
        (7, 5, True, (1, 7, 7)),
    ],
)
def test_blocks_are_as_long_as_the_radius_at_least(
    length, radius, causal, expected
):
    """How many, the queries of each, the keys of each."""
    blocks = Blocks.of(length, radius, causal)
    distances = blocks.distances
    found = (blocks.count, distances.query_length, distances.key_length)
    assert found == expected
    dynamic = Blocks.of(tf.constant(length), radius, causal)
    assert (int(dynamic.count), int(dynamic.size)) == expected[:2]

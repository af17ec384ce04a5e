import math

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import MultiHeadAttention, causal_mask
from tests.layers.conformance import run_layer_test

RANDOM = np.random.default_rng(0)
HIDDEN, HEADS, BATCH, LENGTH, MEMORY = 8, 2, 3, 4, 5
QUERY = RANDOM.normal(size=(BATCH, LENGTH, HIDDEN)).astype("float32")
KEY = RANDOM.normal(size=(BATCH, MEMORY, HIDDEN)).astype("float32")
VALUE = RANDOM.normal(size=(BATCH, MEMORY, HIDDEN)).astype("float32")
KERNELS = {
    "self": ["query_key_value_kernel", "output_kernel"],
    "memory": ["query_kernel", "key_value_kernel", "output_kernel"],
    "separate": [
        "query_kernel",
        "key_kernel",
        "value_kernel",
        "output_kernel",
    ],
}
SOURCES = {"self": (QUERY,), "memory": (QUERY, KEY)}
SOURCES["separate"] = (QUERY, KEY, VALUE)


def make(projection="self", **arguments):
    layer = MultiHeadAttention(
        HIDDEN, HEADS, projection=projection, **arguments
    )
    layer.build()
    return layer


def reference(layer, query, key, value, mask):
    """The paper's formula, head by head."""
    heads, size = layer.num_heads, layer.key_head_size
    *fused, output_kernel = (w.numpy() for w in layer.trainable_weights)
    kernels = np.concatenate(fused, axis=-1)
    bounds = np.cumsum([heads * size, heads * size])
    kernels = np.split(kernels, bounds, axis=-1)
    parts = [
        np.split(source @ kernel, heads, axis=-1)
        for source, kernel in zip((query, key, value), kernels, strict=True)
    ]
    contexts = []
    for q, k, v in zip(*parts, strict=True):
        scores = np.einsum("bqd,bkd->bqk", q, k) / math.sqrt(size)
        weights = np.exp(scores - scores.max()) * mask
        total = weights.sum(-1, keepdims=True)
        weights /= np.where(total == 0, 1, total)
        contexts.append(weights @ v)
    return np.concatenate(contexts, axis=-1) @ output_kernel


@pytest.mark.parametrize("projection", ["self", "memory", "separate"])
@pytest.mark.parametrize("sizes", [(None, None), (3, 5)])
def test_layer_against_the_formula(projection, sizes):
    arguments = {
        "hidden_size": HIDDEN,
        "num_heads": HEADS,
        "key_head_size": sizes[0],
        "value_head_size": sizes[1],
        "projection": projection,
        "dropout": 0.1,
    }
    sources = SOURCES[projection]
    run_layer_test(MultiHeadAttention, arguments, sources, KERNELS[projection])
    layer = MultiHeadAttention(**arguments)
    layer.build()
    query, key, value = {1: sources * 3, 2: (*sources, KEY), 3: sources}[
        len(sources)
    ]
    mask = RANDOM.integers(0, 2, (BATCH, LENGTH, key.shape[1])) == 1
    mask[0, 1] = False
    output = layer(*sources, attention_mask=mask)
    expected = reference(layer, query, key, value, mask)
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(output[0, 1], np.zeros(HIDDEN))


def test_bias_is_off_by_default_and_can_be_had():
    names = [
        "query_key_value_kernel",
        "query_key_value_bias",
        "output_kernel",
        "output_bias",
    ]
    arguments = {"hidden_size": 8, "num_heads": 2, "use_bias": True}
    run_layer_test(MultiHeadAttention, arguments, QUERY, names)


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_fully_masked_row_is_zero_with_zero_gradients(dtype, use_bias):
    layer = make(dtype=dtype, use_bias=use_bias)
    query = tf.cast(QUERY, dtype)
    for variable in layer.trainable_weights:
        variable.assign(tf.ones_like(variable))
    mask = np.ones((BATCH, LENGTH, LENGTH), bool)
    mask[0] = False
    weights = [v.value for v in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(query)
        output, attention = layer(
            query, attention_mask=mask, return_attention_weights=True
        )
    gradients = tape.gradient(output, [query, *weights])
    for result in (output, attention):
        assert not np.any(result[0])
        assert np.any(result[1])
    assert not np.any(gradients[0][0])
    for gradient in gradients:
        assert np.isfinite(tf.cast(gradient, tf.float32)).all()


def test_weights_sum_to_one_and_are_zero_on_padding():
    mask = np.array([[[True] * 3 + [False] * 2]] * BATCH)
    _, weights = make("memory")(
        QUERY, KEY, attention_mask=mask, return_attention_weights=True
    )
    assert weights.shape == (BATCH, HEADS, LENGTH, MEMORY)
    np.testing.assert_allclose(tf.reduce_sum(weights, -1), 1.0, rtol=1e-6)
    assert not np.any(weights[..., 3:])


def test_softmax_is_float32_under_mixed_precision():
    layer = make(dtype="mixed_bfloat16")
    mixed = tf.cast(layer(QUERY), tf.float32)
    plain = make()
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(mixed, plain(QUERY), atol=0.05)


def test_causality():
    layer, mask = make(), causal_mask(LENGTH)
    before = layer(QUERY, attention_mask=mask)
    changed = QUERY.copy()
    changed[:, 2] += 1.0
    after = layer(changed, attention_mask=mask)
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert np.all(np.any(before[:, 2:] != after[:, 2:], axis=-1))


def test_padding_invariance():
    layer = make("memory")
    padded = np.concatenate([KEY, 9.0 * VALUE], axis=1)
    mask = np.array([[[True] * MEMORY + [False] * MEMORY]])
    np.testing.assert_allclose(
        layer(QUERY, padded, attention_mask=mask),
        layer(QUERY, KEY),
        atol=1e-6,
    )


def test_cached_steps_are_the_full_forward():
    layer = make(key_head_size=3, value_head_size=5)
    cache = layer.init_cache(BATCH)
    assert cache["key"].shape == (BATCH, HEADS, 0, 3)
    outputs = []
    for index in range(LENGTH):
        output, cache = layer(QUERY[:, index : index + 1], cache=cache)
        outputs.append(output)
    assert cache["value"].shape == (BATCH, HEADS, LENGTH, 5)
    full = layer(QUERY, attention_mask=causal_mask(LENGTH))
    np.testing.assert_allclose(tf.concat(outputs, 1), full, atol=1e-6)


@pytest.mark.parametrize("projection", ["memory", "separate"])
def test_projected_memory_is_the_same_memory(projection):
    layer = make(projection)
    query, *sources = SOURCES[projection]
    mask = RANDOM.integers(0, 2, (BATCH, LENGTH, MEMORY)) == 1
    memory = layer.project_memory(*sources)
    np.testing.assert_allclose(
        layer(query, attention_mask=mask, memory=memory),
        layer(query, *sources, attention_mask=mask),
        atol=1e-6,
    )


def test_fused_kernels_start_like_separate_ones():
    layer = MultiHeadAttention(64, 2, key_head_size=8, value_head_size=96)
    layer.build()
    parts = np.split(layer.get_weights()[0], [16, 32], axis=-1)
    for part in parts:
        limit = math.sqrt(6 / sum(part.shape))
        assert np.abs(part).max() == pytest.approx(limit, rel=0.02)
    assert np.any(parts[0] != parts[1])


def test_dynamic_shapes_keep_what_is_known():
    layer = make("memory")

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, HIDDEN]),
            tf.TensorSpec([None, None, HIDDEN]),
            tf.TensorSpec([None, 1, None], tf.bool),
        ]
    )
    def run(query, key, mask):
        output = layer(query, key, attention_mask=mask)
        assert output.shape.as_list() == [None, None, HIDDEN]
        return output

    mask = np.ones((BATCH, 1, MEMORY), bool)
    np.testing.assert_allclose(
        run(QUERY, KEY, mask), layer(QUERY, KEY), atol=1e-6
    )


@pytest.mark.parametrize(
    ("projection", "sources", "message"),
    [
        ("self", {"key": KEY}, "'self' takes neither key.*, got key"),
        ("memory", {}, "'memory' takes key or memory, got none"),
        ("memory", {"key": KEY, "value": KEY}, "got key, value"),
        ("separate", {"key": KEY}, "takes key and value or memory, got key"),
    ],
)
def test_sources_must_go_with_the_projection(projection, sources, message):
    with pytest.raises(ValueError, match=message):
        make(projection)(QUERY, **sources)


@pytest.mark.parametrize(
    ("mask", "found"),
    [
        (np.ones((BATCH, LENGTH), bool), "bool of shape"),
        (np.ones((BATCH, 1, LENGTH), "int32"), "int32 of shape"),
    ],
)
def test_a_mask_of_another_form_is_refused(mask, found):
    with pytest.raises(ValueError, match=f"attention_mask must be .* {found}"):
        make()(QUERY, attention_mask=mask)


def test_errors():
    with pytest.raises(ValueError, match="hidden_size=8, num_heads=3"):
        MultiHeadAttention(8, 3)
    with pytest.raises(ValueError, match="projection must be one of self"):
        MultiHeadAttention(8, 2, projection="cross")
    with pytest.raises(ValueError, match="cache goes with projection='self'"):
        make("memory")(QUERY, KEY, cache=make().init_cache(BATCH))

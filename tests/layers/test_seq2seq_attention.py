"""Scores and alignments against the papers' formulas, and their laws."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import Seq2SeqAttention
from tests.layers.conformance import run_layer_test
from tests.layers.seq2seq_reference import (
    ALIGNMENTS,
    ALL,
    BATCH,
    KEY,
    LENGTHS,
    MANY,
    MASK,
    ONE,
    QUERIES,
    QUERY,
    SCORES,
    SIZE,
    SOURCE,
    VALUE,
    arguments_of,
    make,
    predicted,
    query_of,
    reference,
)


@pytest.mark.parametrize(("score", "alignment", "mode"), ALL)
def test_layer_against_the_formula(score, alignment, mode):
    layer = make(score, alignment, mode)
    for value in (KEY, VALUE):
        found = layer(
            query_of(layer),
            KEY,
            value=value,
            padding_mask=MASK,
            return_attention_weights=True,
        )
        expected = reference(layer, query_of(layer), KEY, value, MASK)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("score", "alignment", "mode"), ALL)
def test_every_combination_is_a_layer(score, alignment, mode):
    """Builds, serialises, trains, compiles with XLA, and mixes precisions."""
    arguments = arguments_of(score, alignment, mode)
    query = QUERY if mode == MANY else QUERY[:, 0]
    names = SCORES[score] + ALIGNMENTS[alignment]
    run_layer_test(
        Seq2SeqAttention,
        arguments,
        (query, KEY),
        names,
        {"padding_mask": MASK, "return_attention_weights": True},
    )


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize(("score", "alignment", "mode"), ALL)
def test_weights_sum_to_one_and_are_zero_on_padding(
    score, alignment, mode, dtype
):
    layer = make(score, alignment, mode, dtype=dtype)
    _, weights = layer(
        query_of(layer), KEY, padding_mask=MASK, return_attention_weights=True
    )
    assert weights.dtype == layer.compute_dtype
    weights = tf.cast(weights, tf.float32).numpy()
    mask = MASK[:, None] if mode == MANY else MASK
    assert not weights[~np.broadcast_to(mask, weights.shape)].any()
    total, tolerance = weights.sum(-1), 1e-6 if dtype == "float32" else 0.02
    if alignment == "local-p":  # a Gaussian comes after the softmax
        assert (total < 1 + tolerance).all()
        assert (total > 0).all()
    elif alignment == "local-m" and mode == MANY:
        # Queries more than a window after a source's end see nothing.
        sees = np.arange(QUERIES) - 2 < LENGTHS[:, None]
        np.testing.assert_allclose(total, sees, atol=tolerance)
        assert not sees.all()
    else:
        np.testing.assert_allclose(total, 1.0, atol=tolerance)


def test_bahdanaus_worked_case():
    """Scores (2, .5, 1) are weights (.629, .140, .231)."""
    layer = Seq2SeqAttention("dot")
    _, weights = layer(
        np.ones([1, 1, 1], "float32"),
        np.array([[[2.0], [0.5], [1.0]]], "float32"),
        return_attention_weights=True,
    )
    np.testing.assert_allclose(weights[0, 0], [0.629, 0.140, 0.231], atol=6e-4)


@pytest.mark.parametrize("mode", [MANY, ONE])
def test_concat_with_a_zero_vector_looks_everywhere_alike(mode):
    layer = make("concat", mode=mode)
    layer.score_kernel.assign(np.zeros(layer.score_kernel.shape))
    _, weights = layer(
        query_of(layer), KEY, padding_mask=MASK, return_attention_weights=True
    )
    uniform = MASK / LENGTHS[:, None]
    expected = uniform[:, None] if mode == MANY else uniform
    expected = np.broadcast_to(expected, weights.shape)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("mode", [MANY, ONE])
def test_a_window_as_long_as_the_source_is_global(score, mode):
    """Local-m is global; local-p is global times its Gaussian."""
    results = {}
    for alignment in ("global", "local-m", "local-p"):
        changes = {} if alignment == "global" else {"window": SOURCE}
        layer = make(score, alignment, mode, **changes)
        _, results[alignment] = layer(
            query_of(layer),
            KEY,
            padding_mask=MASK,
            return_attention_weights=True,
        )
    np.testing.assert_array_equal(results["global"], results["local-m"])
    query = query_of(layer).reshape(BATCH, -1, SIZE)
    p = [
        [n * predicted(layer, one) for one in rows]
        for n, rows in zip(LENGTHS, query, strict=True)
    ]
    distance = np.arange(SOURCE) - np.array(p)[..., None]
    factors = np.exp(-(distance**2) / (2 * (SOURCE / 2) ** 2))
    np.testing.assert_allclose(
        results["local-p"],
        results["global"] * factors.reshape(results["local-p"].shape),
        rtol=1e-4,
        atol=1e-6,
    )


def test_open_gates_and_a_wide_window_are_global():
    """Local-p* with all gates at 1; and local-p as its window widens."""
    plain = make("general", mode=ONE)
    gated = make("general", "local-p*", ONE, window=SOURCE, units=SIZE)
    wide = make("general", "local-p", ONE, window=10**6)
    kernel = np.diag(100.0 * np.sign(KEY[0, 0])).astype("float32")
    gated.position_kernel.assign(kernel)
    gated.position_vector_kernel.assign(np.full((SIZE, 1), 50.0))
    key = np.abs(KEY) * np.sign(KEY[0, 0])  # so that every tanh is 1
    expected = plain(QUERY[:, 0], key, padding_mask=MASK)
    for layer in (gated, wide):
        found = layer(QUERY[:, 0], key, padding_mask=MASK)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_local_p_star_keeps_as_many_as_its_window():
    for window in (1, 2, SOURCE + 3):
        layer = make("dot", "local-p*", ONE, window=window)
        _, weights = layer(
            QUERY[:, 0], KEY, padding_mask=MASK, return_attention_weights=True
        )
        kept = np.count_nonzero(weights, axis=-1)
        np.testing.assert_array_equal(kept, np.minimum(window, LENGTHS))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize(("score", "alignment", "mode"), ALL)
def test_a_fully_masked_row_is_zero_with_finite_gradients(
    score, alignment, mode, dtype
):
    layer = make(score, alignment, mode, dtype=dtype)
    key = tf.cast(KEY, dtype)
    mask = MASK.copy()
    mask[1] = False
    weights = [v.value for v in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch([key, *weights])
        results = layer(
            query_of(layer),
            key,
            padding_mask=mask,
            return_attention_weights=True,
        )
    for result in results:
        assert not np.any(result[1])
        assert np.any(result[0])
    gradients = tape.gradient(
        results, [key, *weights], unconnected_gradients="zero"
    )
    for gradient in gradients:
        assert np.isfinite(tf.cast(gradient, tf.float32)).all()
    assert not np.any(gradients[0][1])


@pytest.mark.parametrize(("score", "alignment", "mode"), ALL)
def test_padding_changes_nothing(score, alignment, mode):
    layer = make(score, alignment, mode)
    wide = np.concatenate([KEY, 9 * KEY], axis=1)
    mask = np.concatenate([MASK, np.zeros_like(MASK)], axis=1)
    np.testing.assert_allclose(
        layer(query_of(layer), wide, padding_mask=mask),
        layer(query_of(layer), KEY, padding_mask=MASK),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("alignment", ["global", "local-m", "local-p"])
def test_places_are_counted_without_padding(alignment):
    """So padding may come before a source as well as after it."""
    layer = make("general", alignment)
    before = np.concatenate([9 * KEY[:, :3], KEY], axis=1)
    mask = np.concatenate([np.zeros((BATCH, 3), bool), MASK], axis=1)
    np.testing.assert_allclose(
        layer(QUERY, before, padding_mask=mask),
        layer(QUERY, KEY, padding_mask=MASK),
        rtol=1e-5,
        atol=1e-6,
    )

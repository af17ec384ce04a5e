"""Scores and alignments against the papers' formulas, and their laws."""

import keras
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


@pytest.mark.parametrize(("score", "alignment", "mode"), ALL)
def test_a_projected_source_is_the_same_source(score, alignment, mode):
    """Also where its queries come one by one, as a decoder's do."""
    layer = make(score, alignment, mode)
    memory = layer.project_memory(KEY, VALUE, MASK)
    whole = layer(query_of(layer), KEY, value=VALUE, padding_mask=MASK)
    np.testing.assert_allclose(
        layer(query_of(layer), memory=memory), whole, rtol=1e-5, atol=1e-6
    )
    if mode == MANY:
        t = np.arange(QUERIES)[:, None, None]
        positions = t if alignment == "local-m" else [None] * QUERIES
        steps = [
            layer(QUERY[:, i : i + 1], memory=memory, positions=positions[i])
            for i in range(QUERIES)
        ]
        np.testing.assert_allclose(
            tf.concat(steps, 1), whole, rtol=1e-5, atol=1e-6
        )


def test_the_source_is_projected_once_for_all_queries():
    """With concat the memory is U key, and a call on it reads no U."""
    layer = make("concat")
    memory = layer.project_memory(KEY)
    np.testing.assert_allclose(
        memory["key"], KEY @ layer.key_kernel.numpy(), rtol=1e-5, atol=1e-6
    )
    before = layer(QUERY, memory=memory)
    layer.key_kernel.assign(np.zeros(layer.key_kernel.shape))
    np.testing.assert_array_equal(layer(QUERY, memory=memory), before)
    assert "key" not in make("dot").project_memory(KEY)


def test_positions_move_the_window():
    layer = make("dot", "local-m", window=1)
    positions = np.array([[6, 0, 3, 9]])
    _, weights = layer(
        QUERY, KEY, positions=positions, return_attention_weights=True
    )
    seen = [np.flatnonzero(row).tolist() for row in weights[0].numpy()]
    assert seen == [[5, 6], [0, 1], [2, 3, 4], []]
    one = make("dot", "local-m", ONE, window=1)
    options = {"padding_mask": MASK, "return_attention_weights": True}
    _, weights = one(QUERY[:, 0], KEY, **options)
    assert np.flatnonzero(weights[1]).tolist() == [2, 3]
    _, weights = one(QUERY[:, 0], KEY, positions=np.zeros(3, int), **options)
    assert np.flatnonzero(weights[1]).tolist() == [0, 1]


def test_location_looks_at_no_place_that_it_has_no_score_for():
    layer = make("location", max_length=3)
    _, weights = layer(QUERY, KEY, return_attention_weights=True)
    np.testing.assert_allclose(np.sum(weights[..., :3], -1), 1, rtol=1e-6)
    assert not np.any(weights[..., 3:])


def test_softmax_is_float32_under_mixed_precision():
    """Scores that float16 cannot tell apart from infinity."""
    layer = Seq2SeqAttention("dot", dtype="float16")
    key = np.array([[[6e4], [5.9e4]]], "float16")
    _, weights = layer(
        np.ones((1, 1, 1), "float16"), key, return_attention_weights=True
    )
    np.testing.assert_array_equal(weights[0, 0], [1, 0])


def test_a_keras_model_of_it_is_saved_and_loaded(tmp_path):
    ids = keras.Input((None,), dtype="int32")
    states = keras.layers.Embedding(9, SIZE)(ids)
    layer = Seq2SeqAttention("general", "local-p*", ONE, window=2)
    context, weights = layer(
        keras.ops.mean(states, axis=1),
        states,
        padding_mask=keras.ops.not_equal(ids, 0),
        return_attention_weights=True,
    )
    model = keras.Model(ids, [context, weights])
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    batch = np.array([[3, 4, 5, 0], [7, 0, 0, 0]])
    for one, other in zip(model(batch), copy(batch), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.predict(batch, verbose=0)[1].shape == (2, 4)


def test_dynamic_shapes_compile():
    layer = make("concat", "local-p")

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, SIZE]),
            tf.TensorSpec([None, None, SIZE]),
            tf.TensorSpec([None, None], tf.bool),
        ],
        jit_compile=True,
    )
    def run(query, key, mask):
        output = layer(query, key, padding_mask=mask)
        assert output.shape.as_list() == [None, None, SIZE]
        return output

    np.testing.assert_allclose(
        run(QUERY, KEY, MASK),
        layer(QUERY, KEY, padding_mask=MASK),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"alignment": "local-p*", "window": 2},
            "'local-p.' goes with mode='many-to-one' alone.* which goes with "
            "'global', 'local-m' and 'local-p'",
        ),
        ({"alignment": "local-m"}, "window goes with the local .* need it"),
        ({"window": 3}, "window goes with the local alignments; got .*=3"),
        ({"alignment": "local-p", "window": 0}, "window must be at least 1"),
        ({"score": "location"}, "max_length goes with score 'location', which"),
        ({"max_length": 4}, "max_length goes with score 'location'; got"),
        (
            {"score": "dot", "units": 4},
            "units goes with score 'concat' and the alignments 'local-p' and",
        ),
        ({"score": "additive"}, "score must be one of dot, scaled_dot, gene"),
        ({"alignment": "local"}, "alignment must be one of global, local-m"),
        ({"mode": "one-to-many"}, "mode must be one of many-to-many, many"),
    ],
)
def test_illegal_combinations_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Seq2SeqAttention(**arguments)


@pytest.mark.parametrize(
    ("arguments", "call", "message"),
    [
        ({}, {"query": QUERY[:, 0], "key": KEY}, "query must have 3 axes in"),
        ({"mode": ONE}, {"query": QUERY, "key": KEY}, "must have 2 axes in"),
        ({}, {"query": QUERY}, "give key or memory, got neither"),
        (
            {},
            {"query": QUERY, "memory": {"value": KEY}, "value": KEY},
            "memory holds the value and the mask already",
        ),
        (
            {},
            {"query": QUERY, "key": KEY, "positions": np.zeros((1, 4), int)},
            "positions go with alignment='local-m', got alignment='global'",
        ),
        (
            {},
            {"query": QUERY, "key": KEY, "padding_mask": MASK.astype(int)},
            r"padding_mask must be a bool tensor \(batch, length\), got int",
        ),
    ],
)
def test_calls_that_do_not_go_together_are_named(arguments, call, message):
    layer = make(**arguments)
    with pytest.raises(ValueError, match=message):
        layer(call.pop("query"), call.pop("key", None), **call)


def test_sizes_must_go_with_the_score():
    for score in ("dot", "scaled_dot"):
        with pytest.raises(ValueError, match=f"'{score}' goes with a query"):
            Seq2SeqAttention(score)(QUERY, VALUE)
    assert Seq2SeqAttention("general")(QUERY, VALUE).shape[-1] == 5
    with pytest.raises(ValueError, match="key is missing: the first call"):
        Seq2SeqAttention()(QUERY, memory={"value": KEY})

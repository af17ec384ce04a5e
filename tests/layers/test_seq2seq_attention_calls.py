"""How attention is called: memories, positions, models, and mistakes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import Seq2SeqAttention
from tests.layers.seq2seq_reference import (
    ALL,
    KEY,
    MANY,
    MASK,
    ONE,
    QUERIES,
    QUERY,
    SIZE,
    VALUE,
    make,
    query_of,
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

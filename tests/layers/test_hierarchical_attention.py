"""One level of attention with a context vector, and two of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import ContextVectorAttention, HierarchicalAttention
from tests.layers.conformance import run_layer_test

RANDOM = np.random.default_rng(0)
BATCH, SENTENCES, LENGTH, SIZE = 3, 4, 5, 6
WORDS = RANDOM.normal(size=(BATCH, SENTENCES, LENGTH, SIZE)).astype("float32")
# Words of each sentence: the second document has two, the third none.
COUNTS = np.array([[5, 2, 1, 3], [4, 1, 0, 0], [0, 0, 0, 0]])
MASK = np.arange(LENGTH) < COUNTS[..., None]
NAMES = ["hidden_kernel", "hidden_bias", "context_vector_kernel"]
OPTIONS = {"padding_mask": MASK, "return_attention_weights": True}


def assign_random(layer):
    random = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(random.normal(size=weight.shape))


def mean(layer, states, real):
    """Yang et al.'s equations of one sequence: (mean, weights)."""
    kernel, bias, vector = (w.numpy() for w in layer.trainable_weights)
    scores = np.tanh(states @ kernel + bias) @ vector[:, 0]
    weights = np.exp(scores - scores.max()) * real
    weights /= weights.sum() or 1.0
    return weights @ states, weights


def test_context_vector_against_the_formula():
    inputs, mask = WORDS[0], MASK[0]
    options = {"padding_mask": mask, "return_attention_weights": True}
    run_layer_test(ContextVectorAttention, {"units": 3}, inputs, NAMES, options)
    layer = ContextVectorAttention(units=3)
    layer.build(inputs.shape)
    assign_random(layer)
    found = layer(inputs, **options)
    expected = [
        np.array(part)
        for part in zip(
            *[mean(layer, *pair) for pair in zip(inputs, mask, strict=True)],
            strict=True,
        )
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_zero_context_vector_is_the_mean_of_the_real_states():
    layer = ContextVectorAttention()
    layer.build(WORDS[0].shape)
    layer.context_vector_kernel.assign(np.zeros((SIZE, 1)))
    found = layer(WORDS[0], padding_mask=MASK[0])
    expected = [s[:n].mean(0) for s, n in zip(WORDS[0], COUNTS[0], strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_hierarchy_against_the_formula():
    arguments = {"word_units": 3, "sentence_units": 4}
    run_layer_test(HierarchicalAttention, arguments, WORDS, 2 * NAMES, OPTIONS)
    layer = HierarchicalAttention(**arguments)
    layer.build(WORDS.shape)
    assign_random(layer)
    document, words, sentences = layer(WORDS, **OPTIONS)
    for row in range(BATCH):
        pairs = [
            mean(layer.word_attention, *pair)
            for pair in zip(WORDS[row], MASK[row], strict=True)
        ]
        vectors = np.array([vector for vector, _ in pairs])
        expected, weights = mean(
            layer.sentence_attention, vectors, COUNTS[row] > 0
        )
        tolerance = {"rtol": 1e-4, "atol": 1e-5}
        np.testing.assert_allclose(
            words[row], [w for _, w in pairs], **tolerance
        )
        np.testing.assert_allclose(sentences[row], weights, **tolerance)
        np.testing.assert_allclose(document[row], expected, **tolerance)


def test_masks_on_both_levels():
    layer = HierarchicalAttention()
    document, words, sentences = layer(WORDS, **OPTIONS)
    assert not np.any(words.numpy()[~MASK])
    assert not np.any(sentences.numpy()[COUNTS == 0])
    np.testing.assert_allclose(np.sum(words, -1), COUNTS > 0, atol=1e-6)
    np.testing.assert_allclose(np.sum(sentences, -1), [1, 1, 0], atol=1e-6)
    assert not np.any(document[2])
    changed = np.where(MASK[..., None], WORDS, 9.0)
    found = layer(changed, padding_mask=MASK)
    np.testing.assert_allclose(found, document, atol=1e-6)


def test_the_papers_sentence_encoder_is_one_of_keras(tmp_path):
    """Masked: sentences of padding change nothing, and it is saved with it."""
    encoder = keras.layers.Bidirectional(
        keras.layers.GRU(3, return_sequences=True)
    )
    inputs = keras.Input((None, LENGTH, SIZE))
    mask = keras.Input((None, LENGTH), dtype="bool")
    layer = HierarchicalAttention(sentence_encoder=encoder)
    model = keras.Model([inputs, mask], layer(inputs, padding_mask=mask))
    found = model([WORDS[:2], MASK[:2]])
    assert found.shape == (2, 6)
    more = [np.concatenate([x[:2], 0 * x[:2]], axis=1) for x in (WORDS, MASK)]
    np.testing.assert_allclose(model(more), found, rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(copy([WORDS[:2], MASK[:2]]), found)


def test_a_sentence_encoder_need_not_take_a_mask():
    layer = HierarchicalAttention(sentence_encoder=keras.layers.Dense(2))
    found = layer(WORDS)
    np.testing.assert_array_equal(
        found, layer(WORDS, padding_mask=np.ones_like(MASK))
    )
    copy = HierarchicalAttention.from_config(layer.get_config())
    copy.build(WORDS.shape)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(WORDS), found)


def test_errors():
    with pytest.raises(ValueError, match="units must be at least 1, got 0"):
        HierarchicalAttention(word_units=0)
    with pytest.raises(
        ValueError, match=r"bool tensor \(batch, sentences, length\), got bool"
    ):
        HierarchicalAttention()(WORDS, padding_mask=MASK[:, 0])
    with pytest.raises(ValueError, match=r"bool tensor .* got int32"):
        ContextVectorAttention()(
            WORDS[0], padding_mask=tf.cast(MASK[0], tf.int32)
        )

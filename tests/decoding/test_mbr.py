"""Minimum Bayes risk against its definition, written out in Python."""

import collections
import math

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.decoding import mbr
from t2t_lite.decoding.state import SearchResult

NONE = -float("inf")


def _counts(ids, n):
    return collections.Counter(
        tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)
    )


def _bleu(output, other):
    """Smoothed BLEU of one list of ids against another."""
    log = 0.0
    for n in range(1, 5):
        mine, theirs = _counts(output, n), _counts(other, n)
        hits = sum(min(count, theirs[g]) for g, count in mine.items())
        more = int(n > 1)
        total = max(sum(mine.values()) + more, 1)
        log += math.log(max((hits + more) / total, 1e-9))
    longer = 1 - len(other) / max(len(output), 1)
    return math.exp(log / 4 + min(longer, 0.0))


def _gains(outputs, scores, power):
    weights = np.exp(power * (np.array(scores) - max(scores)))
    weights /= weights.sum()
    return [
        sum(w * _bleu(a, b) for w, b in zip(weights, outputs, strict=True))
        for a in outputs
    ]


def _result(rows, scores, length=9):
    """Returns a SearchResult of lists of ids, end marks added."""
    ids = np.zeros((len(rows), len(rows[0]), length), np.int32)
    for b, outputs in enumerate(rows):
        for k, output in enumerate(outputs):
            ids[b, k, : len(output) + 1] = [*output, 1]
    lengths = (ids != 0).sum(2).astype(np.int32)
    return SearchResult(
        tf.constant(ids),
        tf.constant(scores, tf.float32),
        tf.constant(lengths),
        tf.ones(ids.shape[:2], tf.bool),
    )


def _random(rng, count):
    """Returns outputs of few ids, so that n-grams repeat and are shared."""
    return [
        rng.integers(2, 5, size=rng.integers(0, 9)).tolist()
        for _ in range(count)
    ]


@pytest.mark.parametrize("power", [0.5, 3.0])
def test_gains_are_the_definitions(power):
    rng = np.random.default_rng(1)
    rows = [_random(rng, 6) for _ in range(4)]
    scores = -rng.random((4, 6)).astype(np.float32)
    found = mbr.expected_bleu(
        _result(rows, scores), tf.constant([power] * 4)
    ).numpy()
    expected = [_gains(*pair, power) for pair in zip(rows, scores, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_what_most_agree_on_comes_first():
    rows = [[[2, 3, 4, 5], [6, 7, 8, 9], [6, 7, 8, 9], [6, 7, 8, 9]]]
    result = _result(rows, [[-0.1, -0.2, -0.3, -0.4]])
    found = mbr.ranked(result, tf.constant([1.0]), tf.constant([2]))
    assert found.ids.shape[1] == 2
    assert found.ids[0, 0].numpy().tolist()[:5] == [6, 7, 8, 9, 1]
    assert float(found.scores[0, 0]) == pytest.approx(-0.2)
    assert found.lengths[0, 0] == 5


def test_without_it_the_order_stays_and_rows_are_cut():
    rows = [[[2], [3, 3], [3, 3, 4]]] * 2
    scores = [[-0.1, -0.2, -0.3]] * 2
    found = mbr.ranked(
        _result(rows, scores), tf.constant([0.0, 1.0]), tf.constant([3, 1])
    )
    assert found.ids[0, :, 0].numpy().tolist() == [2, 3, 3]
    assert found.scores[0].numpy().tolist() == pytest.approx(scores[0])
    assert found.scores[1, 1:].numpy().tolist() == [NONE, NONE]
    assert not found.ids[1, 1:].numpy().any()
    assert found.finished.numpy().tolist() == [[True] * 3, [True, False, False]]


def test_missing_hypotheses_neither_count_nor_come_first():
    rows = [[[2, 3, 4], [5, 6], [], []]]
    scores = [[-0.1, -0.2, NONE, NONE]]
    result = _result(rows, scores)
    found = mbr.ranked(result, tf.constant([1.0]), tf.constant([4]))
    np.testing.assert_array_equal(found.scores[0, 2:], [NONE, NONE])
    alone = _gains(rows[0][:2], scores[0][:2], 1.0)
    gains = mbr.expected_bleu(result, tf.constant([1.0])).numpy()[0, :2]
    np.testing.assert_allclose(gains, alone, rtol=1e-5)


def test_a_whole_search_ranks_so():
    from t2t_lite.decoding.search import SearchOptions
    from t2t_lite.trainer.predictor import Predictor
    from tests.models_for_tests import tiny_hparams, tiny_model, word_encoder

    hparams = tiny_hparams()
    options = SearchOptions(beam_size=6, extra_length=4)
    predictor = Predictor(tiny_model(hparams), word_encoder(), hparams, options)
    texts = ["one red dog", "two small dog", "old"]
    everything = predictor.predict(texts, num_results=6)
    for text, all_of_it in zip(texts, everything, strict=True):
        (found,) = predictor.predict([text], mbr=2.0)
        outputs = [
            predictor.encoder.encode(output).tolist()
            for output in all_of_it.outputs
        ]
        gains = _gains(outputs, all_of_it.scores, 2.0)
        best = all_of_it.outputs[int(np.argmax(gains))]
        assert found.outputs == [best]
    mixed = predictor.predict(texts, mbr=[0.0, 2.0, 0.0])
    assert mixed[0].outputs == everything[0].outputs[:1]
    assert mixed[1].outputs == predictor.predict(texts[1:2], mbr=2.0)[0].outputs

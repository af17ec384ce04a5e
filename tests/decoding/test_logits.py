"""Logits whose best are known better than the others."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.decoding.logits import (
    Logits,
    best_of,
    corrected,
    log_normalizer,
    refined,
)
from t2t_lite.decoding.request import Request
from t2t_lite.decoding.search import SearchOptions, beam_search
from tests.decoding.toy_model import ToyModel

RANDOM = np.random.default_rng(0)
TRUE = RANDOM.normal(0.0, 3.0, (2, 3, 64)).astype("float32")


def _rough():
    rough = tf.cast(tf.cast(TRUE, tf.bfloat16), tf.float32)
    return Logits(rough, lambda ids: tf.gather(TRUE, ids, batch_dims=2))


def test_the_normaliser_is_that_of_the_logits_with_the_exact_ones():
    logits = _rough()
    rough, ids = best_of(logits.rough, tf.constant(8))
    exact = logits.exact(ids)
    found = corrected(log_normalizer(logits.rough), rough, exact)
    mixed = refined(logits, tf.constant(8))
    np.testing.assert_allclose(found, log_normalizer(mixed), rtol=1e-5)


def test_refined_logits_have_the_best_exactly_and_the_rest_as_they_are():
    found = refined(_rough(), tf.constant(5)).numpy()
    order = np.argsort(-_rough().rough.numpy(), axis=2)
    for places, expected in (
        (order[..., :5], TRUE),
        (order[..., 5:], _rough().rough.numpy()),
    ):
        np.testing.assert_array_equal(
            np.take_along_axis(found, places, 2),
            np.take_along_axis(expected, places, 2),
        )


def _search(model, step, **options):
    request = Request.of(
        SearchOptions(beam_size=3, num_results=3, **options),
        tf.constant([4, 4, 3]),
    ).checked()
    return beam_search(step, model.cache(3, 3), tf.range(3), request)


@pytest.mark.parametrize("options", [{}, {"no_repeat_ngram": 3}], ids=str)
def test_a_search_over_rounded_logits_finds_what_exact_ones_give(options):
    """Plain, and with a wish, which goes another way."""
    model = ToyModel(vocab_size=9, depth=4, batch=3, seed=3)
    exact = model.step_fn()

    def rounded(*args):
        logits, cache = exact(*args)
        rough = tf.cast(tf.cast(logits, tf.bfloat16), tf.float32)
        return (
            Logits(rough, lambda ids: tf.gather(logits, ids, batch_dims=2)),
            cache,
        )

    expected = _search(model, exact, **options)
    found = _search(model, rounded, **options)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3)

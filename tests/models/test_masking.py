"""What a masked language model is shown and asked, by counting."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.models.masking import MASK_ID, masked

VOCAB = 5_000
SHARE = 0.15


def texts(rows, length, seed=0):
    """Rows of tokens, an end mark, then padding."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(3, VOCAB, (rows, length)).astype(np.int32)
    for row, end in zip(ids, rng.integers(1, length, rows), strict=True):
        row[end] = 1
        row[end + 1 :] = 0
    return ids


def drawn(ids, seed=7, training=True, share=SHARE):
    with layers.seed_scope(tf.constant([seed, 1])):
        found = masked(tf.constant(ids), share, VOCAB, training)
    return {name: value.numpy() for name, value in found.items()}


def asked_places(found):
    """Yields (row, place) of every token that is asked for."""
    for row, (places, targets) in enumerate(
        zip(found["asked"], found["targets"], strict=True)
    ):
        yield from ((row, p) for p in places[targets != 0])


def test_a_rounded_share_of_each_row_is_asked_for_once():
    ids = texts(400, 40)
    found = drawn(ids)
    tokens = (ids > 1).sum(axis=1)
    wanted = np.maximum(np.round(tokens * SHARE), 1)
    np.testing.assert_array_equal((found["targets"] != 0).sum(axis=1), wanted)
    places = list(asked_places(found))
    assert len(set(places)) == len(places)
    assert found["asked"].shape[1] == round(40 * SHARE)
    for row, place in places:
        assert ids[row, place] > 1  # no end mark, no padding
    real = found["targets"][found["targets"] != 0]
    np.testing.assert_array_equal(real, [ids[p] for p in places])


def test_every_place_is_asked_for_alike():
    ids = np.full((4_000, 10), 9, np.int32)
    counts = np.zeros(10)
    for _, place in asked_places(drawn(ids, share=0.2)):
        counts[place] += 1
    # 8,000 in all: 800 each, of deviation 28.
    assert np.abs(counts - 800).max() < 5 * 28


def test_of_ten_eight_are_masked_one_is_replaced_and_one_stays():
    ids = texts(600, 60, seed=1)
    found = drawn(ids)
    places = list(asked_places(found))
    shown = np.array([found["inputs"][p] for p in places])
    there = np.array([ids[p] for p in places])
    count = len(places)
    assert count > 2_000
    masks = (shown == MASK_ID).sum()
    kept = (shown == there).sum()
    replaced = count - masks - kept
    for number, share in ((masks, 0.8), (kept, 0.1), (replaced, 0.1)):
        deviation = np.sqrt(count * share * (1 - share))
        assert abs(number - count * share) < 5 * deviation
    others = shown[(shown != MASK_ID) & (shown != there)]
    assert others.min() >= 3
    assert others.max() < VOCAB
    assert len(set(others.tolist())) > len(others) // 2


def test_what_is_not_asked_for_is_shown():
    ids = texts(50, 30)
    found = drawn(ids)
    hidden = np.zeros(ids.shape, bool)
    for place in asked_places(found):
        hidden[place] = True
    np.testing.assert_array_equal(found["inputs"][~hidden], ids[~hidden])


def test_it_is_drawn_anew_in_training_and_never_else():
    ids = texts(20, 30)
    first, other = drawn(ids, seed=1), drawn(ids, seed=2)
    assert (first["asked"] != other["asked"]).any()
    again = drawn(ids, seed=1)
    still = [drawn(ids, seed=s, training=False) for s in (1, 2)]
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
        np.testing.assert_array_equal(still[0][name], still[1][name])


@pytest.mark.parametrize(
    "rows", [[[1, 0, 0]], [[0, 0, 0]], [[5, 1, 0], [1, 0, 0]]], ids=str
)
def test_a_text_without_tokens_is_asked_nothing(rows):
    found = drawn(np.array(rows, np.int32))
    tokens = [sum(i > 1 for i in row) for row in rows]
    assert (found["targets"] != 0).sum(axis=1).tolist() == [
        min(count, 1) for count in tokens
    ]


@pytest.mark.parametrize("training", [False, True])
def test_xla_draws_the_same(training):
    ids = tf.constant(texts(6, 20))
    seed = tf.constant([3, 4])

    def draw(ids, seed):
        with layers.seed_scope(seed):
            return masked(ids, SHARE, VOCAB, training)

    compiled = tf.function(draw, jit_compile=True)(ids, seed)
    for name, value in draw(ids, seed).items():
        np.testing.assert_array_equal(compiled[name], value, err_msg=name)

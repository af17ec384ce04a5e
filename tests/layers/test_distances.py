"""What knows positions: tables of distances, slopes and buckets."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import AttentionVariant, MultiHeadAttention
from t2t_lite.layers.bucket_bias import buckets
from t2t_lite.layers.distances import Distances, place_distances
from t2t_lite.layers.linear_bias import slopes
from t2t_lite.layers.relative_positions import to_distances, to_pairs
from tests.layers import variant_reference

RANDOM = np.random.default_rng(0)
HIDDEN, HEADS = 12, 3


@pytest.mark.parametrize("most", [1, 3, 9])
@pytest.mark.parametrize("sizes", [(4, 4, 0), (2, 6, -4), (3, 9, -3)], ids=str)
def test_moving_by_reshaping_is_looking_up(most, sizes):
    """Where rows of distances go, and their sums, pair by pair."""
    distances = Distances(*sizes)
    queries, keys, first = sizes
    products = RANDOM.normal(size=(1, 2, queries, 2 * most + 1))
    weights = RANDOM.normal(size=(1, 2, queries, keys))
    pairs, sums = np.zeros_like(weights), np.zeros_like(products)
    for i, j in np.ndindex(queries, keys):
        column = np.clip(j - i + first, -most, most) + most
        assert distances.matrix()[i, j] == j - i + first
        pairs[..., i, j] = products[..., i, column]
        sums[..., i, column] += weights[..., i, j]
    np.testing.assert_allclose(
        to_pairs(tf.constant(products), distances), pairs
    )
    np.testing.assert_allclose(
        to_distances(tf.constant(weights), distances, most), sums, atol=1e-12
    )


def test_relative_positions_need_no_vector_for_each_pair():
    """No tensor has a head's size beside both lengths."""
    length, size = 50, HIDDEN // HEADS
    layer = MultiHeadAttention(
        HIDDEN,
        HEADS,
        variant={"position": "relative", "max_relative_position": 2},
    )
    function = tf.function(layer).get_concrete_function(
        tf.TensorSpec([1, length, HIDDEN])
    )
    sizes = [
        output.shape.num_elements() or 0
        for operation in function.graph.get_operations()
        for output in operation.outputs
    ]
    # Products are padded by the length, and read as rows of it.
    assert max(sizes) <= HEADS * length * (length + 2 * 2 + 2)
    assert max(sizes) < length * length * size


def test_the_papers_slopes():
    np.testing.assert_allclose(slopes(8), [2.0**-h for h in range(1, 9)])
    np.testing.assert_allclose(
        slopes(16), [2.0 ** (-h / 2) for h in range(1, 17)]
    )
    found = slopes(12)
    np.testing.assert_allclose(found[:8], slopes(8))
    np.testing.assert_allclose(found[8:], slopes(16)[[0, 2, 4, 6]])
    np.testing.assert_allclose(slopes(1), [2.0**-8])
    np.testing.assert_allclose(slopes(3), [2.0**-4, 2.0**-8, 2.0**-2])
    assert [len(set(slopes(n))) for n in range(1, 40)] == list(range(1, 40))


def test_the_papers_buckets():
    """32 buckets to 128, Raffel et al. 2020's: a few by hand."""
    distances = np.array([0, -1, -7, -8, -15, -16, -127, -128, -999, 1, 8, 99])
    found = buckets(tf.constant(distances), 32, 128, False)
    expected = [0, 1, 7, 8, 9, 10, 15, 15, 15, 17, 24, 31]
    np.testing.assert_array_equal(found, expected)
    found = buckets(tf.constant(distances), 32, 128, True)
    expected = [0, 1, 7, 8, 15, 16, 31, 31, 31, 0, 0, 0]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("form", [(32, 128), (6, 5), (4, 3), (64, 1000)])
def test_buckets_are_the_formulas(causal, form):
    variant = AttentionVariant(
        relative_attention_num_buckets=form[0],
        relative_attention_max_distance=form[1],
        causal=causal,
    )
    distances = np.arange(-1100, 1100)
    found = buckets(tf.constant(distances), *form, causal)
    expected = [variant_reference.bucket(variant, d) for d in distances]
    np.testing.assert_array_equal(found, expected)


def test_places_of_a_step():
    """Two beams, three earlier positions: each position twice."""
    np.testing.assert_array_equal(
        place_distances(6, 2), [-3, -3, -2, -2, -1, -1, 0, 0]
    )
    np.testing.assert_array_equal(place_distances(0, 3), [0, 0, 0])

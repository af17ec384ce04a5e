import numpy as np
import pytest
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.errors import UserError
from tests.models.small import VOCAB, features_of, small_hparams, small_model

STEP = 8  # samples of a frame at 800 a second


@pytest.fixture(scope="module")
def model():
    return small_model("speech")


# To every remainder of frames by 4, which is what two convolutions halve.
@pytest.mark.parametrize("more", [1, STEP, 2 * STEP, 3 * STEP, 5 * STEP + 3])
def test_zeros_at_the_end_change_nothing(model, more):
    batch = features_of("speech")
    wide = {
        "inputs": np.pad(batch["inputs"], [[0, 0], [0, more]]),
        "targets": np.pad(batch["targets"], [[0, 0], [0, 2]]),
    }
    np.testing.assert_allclose(
        model(wide).numpy()[:, :7], model(batch).numpy(), atol=2e-5
    )
    np.testing.assert_allclose(
        model.sentence_vectors(wide["inputs"]),
        model.sentence_vectors(batch["inputs"]),
        atol=2e-5,
    )


@pytest.mark.parametrize("samples", [1, STEP, 4 * STEP, 50, 97])
def test_a_clip_alone_is_as_in_a_batch(model, samples):
    batch = features_of("speech")
    batch["inputs"][1, :samples] = 1_000
    batch["inputs"][1, samples:] = 0
    together = model(batch).numpy()[1:2]
    alone = {
        "inputs": batch["inputs"][1:2, :samples],
        "targets": batch["targets"][1:2],
    }
    np.testing.assert_allclose(model(alone), together, atol=2e-5)


@pytest.mark.parametrize(
    ("samples", "states"), [(0, 0), (1, 1), (32, 1), (33, 2), (65, 3), (97, 4)]
)
def test_the_length_of_a_clip_is_that_of_its_last_sample(
    model, samples, states
):
    inputs = np.zeros((1, 140), np.int32)
    inputs[0, :samples] = 5
    inputs[0, samples // 2 : samples // 2 + 1] = 0  # silence inside counts
    if samples:
        inputs[0, samples - 1] = 5
    mask = model.inputs_mask(inputs).numpy()
    assert mask.shape == (1, 5)  # of 18 frames, four each
    assert mask.sum() == states
    assert not mask[0, states:].any()


def test_loudness_does_not_matter(model):
    batch = features_of("speech")
    quiet = {**batch, "inputs": batch["inputs"] // 4}
    np.testing.assert_allclose(model(quiet), model(batch), atol=0.05)


def test_causality(model):
    batch = features_of("speech")
    before = model(batch).numpy()
    batch["targets"][:, 3] = 5
    after = model(batch).numpy()
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-5)
    assert np.abs(after[0, 4:] - before[0, 4:]).max() > 1e-3


def test_cached_decoding_equals_the_full_forward():
    model = small_model("speech", num_decoder_layers=2)
    batch = features_of("speech", rows=2)
    full = model(batch).numpy()
    context = model.encode(tf.constant(batch["inputs"]))
    cache = model.init_cache(2, 1)
    ids = tf.zeros([2, 1], tf.int32)
    for index in range(7):
        mine = np.ones((2, 1, index + 1), bool)
        logits, cache = model.decode_step(
            ids, tf.constant(index), cache, context, mine
        )
        np.testing.assert_allclose(
            logits.rough[:, 0], full[:, index], rtol=1e-4, atol=1e-4
        )
        ids = tf.constant(batch["targets"][:, index : index + 1])
    assert full.shape == (2, 7, VOCAB)


def masked(model, frames, seed=2):
    """Returns where training silences ones, (batch, time, bins)."""
    ones = tf.ones([len(frames), max(frames), model.hparams.num_mel_bins])
    with layers.seed_scope(tf.constant([seed, 1])):
        return model._masked(ones, tf.constant(frames)).numpy() == 0


def test_spans_of_time_are_silenced_within_the_clip():
    changes = {"time_masks": 1, "frequency_masks": 0}
    model = small_model("speech", time_mask_share=0.3, **changes)
    frames = [40] * 200 + [20] * 200
    found = masked(model, frames)
    assert (found.all(axis=2) == found.any(axis=2)).all()  # whole frames
    times = found.all(axis=2)
    for row, count in zip(times, frames, strict=True):
        places = np.flatnonzero(row)
        if len(places):
            assert places[-1] < count
            assert len(places) == places[-1] - places[0] + 1 < 0.3 * count
    assert times.any(axis=1).mean() > 0.8
    assert times.any(axis=0)[:20].all()


def test_spans_of_bins_are_silenced():
    changes = {"time_masks": 0, "frequency_masks": 1}
    model = small_model("speech", frequency_mask_bins=5, **changes)
    found = masked(model, [6] * 300)
    bins = found.all(axis=1)
    assert (bins == found.any(axis=1)).all()
    assert set(bins.sum(axis=1).tolist()) == {0, 1, 2, 3, 4}
    # The paper's f_0 lies below v - f, so that the last bin is always heard.
    assert bins.any(axis=0)[:-1].all()
    assert not bins[:, -1].any()


def test_nothing_is_silenced_but_in_training():
    changes = {"time_masks": 2, "frequency_masks": 2}
    batch = features_of("speech")
    with layers.seed_scope(tf.constant([1, 2])):
        plain = small_model("speech")(batch).numpy()
        still = small_model("speech", **changes)(batch).numpy()
        drawn = small_model("speech", **changes)(batch, training=True).numpy()
    np.testing.assert_array_equal(still, plain)
    assert np.abs(drawn - plain).max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_mel_bins": 0}, "num_mel_bins: expected an int above 0"),
        ({"time_masks": -1}, "time_masks: expected an int of 0 or more"),
        ({"time_mask_share": 0.0}, "time_mask_share: expected a share in"),
    ],
)
def test_wrong_hyperparameters_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        small_hparams("speech", **changes)

"""What holds of every model: the same update however it is computed."""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.trainer.step import TrainStep
from tests.models.small import (
    CASES,
    features_of,
    small_hparams,
    small_model,
)

UPDATES = 4
each = pytest.mark.parametrize("case", CASES)


@functools.cache
def trained(case, xla=False, splits=2, lanes=1, **changes):
    """Returns (weights, loss per token of each update) after some updates."""
    _, hparams = small_hparams(case, **changes)
    model = small_model(case, **changes)
    step = TrainStep(
        model,
        hparams,
        tf.distribute.get_strategy(),
        xla=xla,
        seed=1,
        splits=splits,
        lanes=lanes,
    )
    batch = features_of(case)
    losses = []
    for number in range(1, UPDATES + 1):
        sums = step.update([batch], number, 0.3, first_batch=0)
        losses.append(float(sums["loss"]) / float(sums["tokens"]))
    return [v.numpy() for v in model.trainable_variables], losses


def assert_same(first, second, rtol=1e-3, atol=1e-4):
    np.testing.assert_allclose(first[1], second[1], rtol=rtol)
    for one, other in zip(first[0], second[0], strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)


@each
def test_updates_lower_the_loss(case):
    _, losses = trained(case)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


@each
@pytest.mark.parametrize(
    "other",
    [
        {"splits": 1, "lanes": 2},
        {"xla": True, "recompute": True, "softmax_chunk": 3},
    ],
    ids=["lanes", "XLA with less memory"],
)
def test_the_same_update_computed_otherwise(case, other):
    assert_same(trained(case), trained(case, **other))


@each
def test_bfloat16_is_close_and_weights_stay_float32(case):
    exact, mixed = small_model(case), small_model(case, dtype="mixed_bfloat16")
    features = exact.prepared(features_of(case), training=False)
    expected, found = exact(features), mixed(features)
    assert found.dtype == tf.bfloat16
    assert {v.dtype for v in mixed.trainable_variables} == {"float32"}
    difference = np.abs(tf.cast(found, tf.float32) - expected)
    assert difference.max() < 0.2 * np.abs(expected).max()


@each
def test_config_makes_the_same_model(case):
    model = small_model(case)
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    copy = keras.saving.deserialize_keras_object(stored)
    assert type(copy) is type(model)
    assert copy.get_config() == model.get_config()
    copy.build_variables()
    copy.set_weights(model.get_weights())
    features = model.prepared(features_of(case), training=False)
    np.testing.assert_array_equal(copy(features), model(features))


@each
def test_logits_are_of_the_states(case):
    model = small_model(case)
    features = model.prepared(features_of(case), training=False)
    logits = model(features)
    assert logits.shape[:2] == features["targets"].shape
    assert logits.shape[2] == model.task.num_targets
    np.testing.assert_allclose(
        model.softmax.logits(model.states(features)), logits, atol=1e-5
    )


@each
def test_parameters_are_not_fewer_than_are_counted_beforehand(case):
    """A checkpoint that holds fewer is refused before anything is made."""
    model = small_model(case)
    least = model.least_parameters(model.hparams, model.task)
    assert 0 < least <= model.count_params() < 2 * least


@each
def test_other_tasks_are_refused(case):
    wrong = next(t for _, t in CASES.values() if not _fits(case, t))
    with pytest.raises(ValueError, match=f"takes .*, got {wrong.describe()}"):
        small_model(case, task=wrong)


def _fits(case, task):
    return type(small_model(case)).fits(task)

"""What holds of every model: the same update however it is computed."""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.errors import UserError
from t2t_lite.layers import seed_scope
from t2t_lite.trainer.step import TrainStep
from tests.models.small import (
    CASES,
    features_of,
    small_hparams,
    small_model,
)
from tests.selection import few

UPDATES = 4
DROPPING = {"layer_prepostprocess_dropout": 0.3}
DRAWING = {
    "image": {"crop_padding": 1, "flip": True, "random_erasing": 0.5},
    "speech": {"time_masks": 1, "frequency_masks": 1},
}
each = pytest.mark.parametrize("case", CASES)


def make_step(case, xla=False, splits=1, lanes=1, **changes):
    """Returns (model, its TrainStep)."""
    _, hparams = small_hparams(case, **changes)
    model = small_model(case, **changes)
    strategy = tf.distribute.get_strategy()
    options = {"xla": xla, "seed": 1, "splits": splits, "lanes": lanes}
    return model, TrainStep(model, hparams, strategy, **options)


@functools.cache
def trained(case, xla=False, splits=2, lanes=1, **changes):
    """Returns (weights, loss per token of each update) after some updates."""
    model, step = make_step(case, xla, splits, lanes, **changes)
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
def test_the_same_update_in_lanes(case):
    assert_same(trained(case), trained(case, splits=1, lanes=2))


@pytest.mark.parametrize("case", few(CASES, always=(3, 5, 7)))
def test_the_same_update_under_xla_with_less_memory(case):
    less = {"recompute": True, "softmax_chunk": 3}
    assert_same(trained(case), trained(case, xla=True, **less))


@each
def test_an_update_is_a_function_of_its_number_and_the_state(case):
    """So that a run goes on to the same weights wherever it was stopped."""
    _, step = make_step(case, **DRAWING.get(case, {}), **DROPPING)
    batch = features_of(case)
    variables = [*step.parameters, *step.slots.values()]

    def state():
        return [variable.numpy() for variable in variables]

    def ended(begun, *numbers):
        """Returns the state after updates from a state."""
        for variable, value in zip(variables, begun, strict=True):
            variable.assign(value)
        for number in numbers:
            step.update([batch], number, 0.3)
        return state()

    begun = state()
    whole = ended(begun, 1, 2)
    resumed = ended(ended(begun, 1), 2)
    other = ended(begun, 1, 3)
    for one, again in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one, again)
    assert any((a != b).any() for a, b in zip(whole, other, strict=True))


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


@pytest.mark.parametrize("case", ["language model", "tags", "speech"])
def test_word_dropout_hides_words_and_leaves_their_positions(case):
    """Nearly all are hidden: others in their places change little."""
    model = small_model(case, word_dropout=0.999)
    features = features_of(case)
    hidden = "inputs" if case == "tags" else "targets"
    words = {hidden: np.where(features[hidden] > 0, 4, 0)}

    def states(training, **changes):
        with seed_scope(tf.constant([1, 2])):
            result = model.states({**features, **changes}, training=training)
        return result.numpy()

    def same(training):
        first, second = states(training), states(training, **words)
        return np.isclose(first, second, atol=1e-5).all(-1).mean()

    assert same(training=True) > 0.8 > same(training=False)
    assert np.abs(np.diff(states(True), axis=1)).max() > 1e-3


def test_images_have_no_words_to_drop():
    with pytest.raises(UserError, match="word_dropout: expected 0 of images"):
        small_hparams("image", word_dropout=0.1)

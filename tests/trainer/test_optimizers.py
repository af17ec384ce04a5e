import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.trainer import optimizers
from tests.models_for_tests import tiny_hparams

SHAPES = [(5, 7), (7,), (2, 3, 4)]


def _run(optimizer, steps=6, rate=0.01):
    """Returns the parameters after `steps` updates with fixed gradients."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=s).astype(np.float32) for s in SHAPES]
    slots = [optimizer.slots(s) for s in SHAPES]
    for step in range(1, steps + 1):
        for i, shape in enumerate(SHAPES):
            gradient = rng.normal(size=shape).astype(np.float32)
            values[i], slots[i] = optimizer.update(
                tf.constant(values[i]),
                tf.constant(gradient),
                slots[i],
                tf.constant(float(step)),
                tf.constant(rate),
            )
    return [np.asarray(v) for v in values]


def _run_keras(optimizer, steps=6):
    rng = np.random.default_rng(0)
    variables = [
        keras.Variable(rng.normal(size=s).astype(np.float32)) for s in SHAPES
    ]
    for _ in range(steps):
        gradients = [
            tf.constant(rng.normal(size=s).astype(np.float32)) for s in SHAPES
        ]
        optimizer.apply(gradients, variables)
    return [v.numpy() for v in variables]


def test_adam_equals_keras():
    ours = _run(optimizers.Adam(0.9, 0.98, 1e-9))
    theirs = _run_keras(
        keras.optimizers.Adam(0.01, beta_1=0.9, beta_2=0.98, epsilon=1e-9)
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_adamw_decays_matrices_alone():
    plain = _run(optimizers.Adam(0.9, 0.98, 1e-9), steps=1)
    decayed = _run(optimizers.Adam(0.9, 0.98, 1e-9, 0.1), steps=1)
    rng = np.random.default_rng(0)
    first = [rng.normal(size=s).astype(np.float32) for s in SHAPES]
    for shape, a, b, p in zip(SHAPES, plain, decayed, first, strict=True):
        expected = a - 0.01 * 0.1 * p if len(shape) > 1 else a
        np.testing.assert_allclose(b, expected, rtol=1e-5, atol=1e-7)


def test_adafactor_equals_keras():
    ours = _run(optimizers.Adafactor())
    theirs = _run_keras(
        keras.optimizers.Adafactor(learning_rate=0.01, relative_step=False)
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_adadelta_equals_keras():
    ours = _run(optimizers.Adadelta(), rate=1.0)
    theirs = _run_keras(keras.optimizers.Adadelta(1.0, 0.95, 1e-6))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_sgd_equals_keras():
    ours = _run(optimizers.Sgd())
    theirs = _run_keras(keras.optimizers.SGD(0.01))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adafactor", optimizers.Adafactor),
        ("adadelta", optimizers.Adadelta),
        ("sgd", optimizers.Sgd),
        ("adam", optimizers.Adam),
    ],
)
def test_optimizers_are_made_by_name(name, kind):
    assert type(optimizers.create(tiny_hparams(optimizer=name))) is kind


@pytest.mark.parametrize("norm", [None, 100.0, 1.0])
def test_clipping_keeps_the_direction(norm):
    gradients = [tf.constant([3.0, 0.0]), tf.constant([[0.0, 4.0]])]
    clipped, total = optimizers.clip_by_global_norm(gradients, norm)
    assert float(total) == pytest.approx(5.0)
    scale = 1.0 if norm in (None, 100.0) else 0.2
    np.testing.assert_allclose(clipped[0], [3.0 * scale, 0.0], rtol=1e-6)
    np.testing.assert_allclose(clipped[1], [[0.0, 4.0 * scale]], rtol=1e-6)

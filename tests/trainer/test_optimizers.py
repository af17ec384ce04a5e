import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.trainer import optimizers
from tests.models_for_tests import tiny_hparams

SHAPES = [(5, 7), (7,), (2, 3, 4)]


def _run(optimizer, steps=6, rate=0.01, shapes=SHAPES):
    """Returns the parameters after `steps` updates with fixed gradients."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=s).astype(np.float32) for s in shapes]
    slots = [optimizer.slots(s) for s in shapes]
    for step in range(1, steps + 1):
        for i, shape in enumerate(shapes):
            gradient = rng.normal(size=shape).astype(np.float32)
            values[i], slots[i] = optimizer.update(
                tf.constant(values[i]),
                tf.constant(gradient),
                slots[i],
                tf.constant(float(step)),
                tf.constant(rate),
            )
    return [np.asarray(v) for v in values]


def _run_keras(optimizer, steps=6, shapes=SHAPES):
    rng = np.random.default_rng(0)
    variables = [
        keras.Variable(rng.normal(size=s).astype(np.float32)) for s in shapes
    ]
    for _ in range(steps):
        gradients = [
            tf.constant(rng.normal(size=s).astype(np.float32)) for s in shapes
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


def test_muon_equals_keras():
    shapes = [(5, 7), (7, 5), (6, 6)]
    ours = _run(optimizers.Muon(), shapes=shapes)
    theirs = _run_keras(
        keras.optimizers.Muon(0.01, weight_decay=None, adam_weight_decay=None),
        shapes=shapes,
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 12), (12, 4)])
def test_muon_takes_square_blocks_by_themselves(shape):
    gradient = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    muon, axis = optimizers.Muon(), int(np.argmax(shape))

    def change(gradient):
        zeros = tf.zeros(gradient.shape)
        slots = muon.slots(gradient.shape)
        value, _ = muon.update(zeros, gradient, slots, 1.0, 1.0)
        return value.numpy()

    blocks = [change(block) for block in np.split(gradient, 3, axis)]
    np.testing.assert_allclose(
        change(gradient), np.concatenate(blocks, axis), rtol=1e-4, atol=1e-5
    )
    singular = np.linalg.svd(blocks[0] / 0.4, compute_uv=False)
    assert singular.min() > 0.3
    assert singular.max() < 1.3


def test_muon_decays():
    value = tf.ones((3, 3))
    for decay in (0.0, 0.5):
        muon = optimizers.Muon(weight_decay=decay)
        slots = muon.slots((3, 3))
        new, _ = muon.update(value, tf.zeros((3, 3)), slots, 1.0, 0.1)
        np.testing.assert_allclose(new, value * (1 - 0.1 * decay))


@pytest.mark.parametrize(
    ("path", "shape", "kind"),
    [
        (
            "transformer/decoder/layer_0/feed_forward/filter_kernel",
            (4, 8),
            "Muon",
        ),
        ("transformer/decoder/layer_0/feed_forward/filter_bias", (8,), "Adam"),
        ("transformer/embedding/embeddings", (23, 4), "Adam"),
        ("universal_transformer/halting_kernel", (4, 1), "Adam"),
    ],
)
def test_muon_has_what_lies_between_hidden_states(path, shape, kind):
    found = optimizers.create(tiny_hparams(optimizer="muon"), path, shape)
    assert type(found).__name__ == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adafactor", optimizers.Adafactor),
        ("adadelta", optimizers.Adadelta),
        ("sgd", optimizers.Sgd),
        ("adam", optimizers.Adam),
        ("muon", optimizers.Muon),
    ],
)
def test_optimizers_are_made_by_name(name, kind):
    made = optimizers.create(tiny_hparams(optimizer=name), "a/kernel", (2, 3))
    assert type(made) is kind


@pytest.mark.parametrize("norm", [None, 100.0, 1.0])
def test_clipping_keeps_the_direction(norm):
    gradients = [tf.constant([3.0, 0.0]), tf.constant([[0.0, 4.0]])]
    clipped, total = optimizers.clip_by_global_norm(gradients, norm)
    assert float(total) == pytest.approx(5.0)
    scale = 1.0 if norm in (None, 100.0) else 0.2
    np.testing.assert_allclose(clipped[0], [3.0 * scale, 0.0], rtol=1e-6)
    np.testing.assert_allclose(clipped[1], [[0.0, 4.0 * scale]], rtol=1e-6)

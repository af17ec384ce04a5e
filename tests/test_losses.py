import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.losses import (
    label_smoothed_cross_entropy,
    rdrop_cross_entropy,
)

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(2, 4, 6)).astype("float32")
TARGETS = np.array([[2, 1, 5, 0], [3, 0, 0, 0]], "int32")


def smoothed(targets, size, smoothing, pad_id=0):
    """The smoothed labels, row by row."""
    labels = np.full((*targets.shape, size), smoothing / (size - 2))
    np.put_along_axis(labels, targets[..., None], 1 - smoothing, axis=-1)
    labels[..., pad_id] = 0
    labels[targets == pad_id] = 0
    return labels


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def run(logits, targets, smoothing, scale=1.0, pad_id=0, **options):
    """Returns (loss, nll, tokens) and the scaled loss' gradient."""

    @tf.function(**options)
    def step(logits, targets, scale):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            sums = label_smoothed_cross_entropy(
                logits, targets, smoothing, pad_id=pad_id
            )
            loss = sums[0] * scale
        return sums, tape.gradient(loss, logits)

    return step(logits, targets, tf.constant(scale))


def test_smoothed_rows_by_log_probabilities_that_name_them():
    # With every class' -log softmax known, the loss reads the labels back.
    targets = np.array([2, 1, 0, 3, 3], "int32")
    labels = smoothed(targets, 5, 0.4)
    np.testing.assert_allclose(labels[0], [0, 0.4 / 3, 0.6, 0.4 / 3, 0.4 / 3])
    np.testing.assert_array_equal(labels[2], np.zeros(5))
    logits = tf.constant(RANDOM.normal(size=(5, 5)).astype("float32"))
    _, gradient = run(logits, targets, 0.4)
    real = (targets != 0)[:, None]
    np.testing.assert_allclose(
        tf.nn.softmax(logits) * real - gradient, labels, atol=1e-6
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_against_the_definition(smoothing, jit_compile):
    sums, gradient = run(
        tf.constant(LOGITS), TARGETS, smoothing, 0.25, jit_compile=jit_compile
    )
    labels = smoothed(TARGETS, 6, smoothing)
    logs = log_softmax(LOGITS)
    nll = -(logs * smoothed(TARGETS, 6, 0.0)).sum()
    np.testing.assert_allclose(
        sums, [-(labels * logs).sum(), nll, 4.0], rtol=1e-5
    )
    real = (TARGETS != 0)[..., None]
    expected = (np.exp(logs) * real - labels) * 0.25
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_logits(dtype):
    logits = tf.cast(LOGITS, dtype)
    sums, gradient = run(logits, TARGETS, 0.1, 2.0)
    exact, exact_gradient = run(tf.cast(logits, tf.float32), TARGETS, 0.1, 2.0)
    assert {value.dtype for value in sums} == {tf.float32}
    assert gradient.dtype == dtype
    np.testing.assert_allclose(sums, exact, rtol=1e-5)
    np.testing.assert_allclose(
        tf.cast(gradient, tf.float32), exact_gradient, rtol=0.01, atol=1e-6
    )


def test_eager_and_dynamic_shapes():
    expected = label_smoothed_cross_entropy(LOGITS, TARGETS, 0.1)
    dynamic = tf.function(
        lambda logits, targets: label_smoothed_cross_entropy(
            logits, targets, 0.1
        ),
        input_signature=[
            tf.TensorSpec([None, None, 6]),
            tf.TensorSpec([None, None], tf.int32),
        ],
    )
    np.testing.assert_allclose(dynamic(LOGITS, TARGETS), expected, rtol=1e-6)
    np.testing.assert_allclose(
        dynamic(LOGITS[:1], TARGETS[:1])[2], 3.0, rtol=1e-6
    )


def test_extreme_logits_stay_finite():
    logits = tf.constant([[[1e4, -1e4, 0.0, 3e4]]])
    sums, gradient = run(logits, np.array([[1]], "int32"), 0.1)
    assert np.isfinite(sums).all()
    assert np.isfinite(gradient).all()


def test_another_pad_id_and_nothing_but_padding():
    sums, gradient = run(tf.constant(LOGITS), TARGETS, 0.2, pad_id=5)
    labels = smoothed(TARGETS, 6, 0.2, pad_id=5)
    expected = -(labels * log_softmax(LOGITS)).sum()
    np.testing.assert_allclose(sums[0], expected, rtol=1e-5)
    sums, gradient = run(tf.constant(LOGITS), np.zeros_like(TARGETS), 0.2)
    np.testing.assert_array_equal(sums, np.zeros(3))
    assert not np.any(gradient)


def test_the_reported_nll_has_no_gradient():
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        _, nll, _ = label_smoothed_cross_entropy(logits, TARGETS, 0.1)
    assert tape.gradient(nll, logits) is None


def test_errors():
    with pytest.raises(ValueError, match=r"in \[0, 1\), got 1.0"):
        label_smoothed_cross_entropy(LOGITS, TARGETS, 1.0)
    with pytest.raises(ValueError, match="at least 3 classes"):
        label_smoothed_cross_entropy(LOGITS[..., :2], TARGETS, 0.1)


def drawn(logits, targets, smoothing, alpha):
    """R-Drop's loss by its definition, for automatic differentiation."""
    logs = tf.nn.log_softmax(logits)
    labels = tf.constant(smoothed(targets, logits.shape[-1], smoothing))
    labels = tf.cast(labels, tf.float32)
    first, second = tf.split(logs, 2)
    real = tf.constant((targets != 0)[..., None], tf.float32)
    divergences = tf.exp(first) * (first - second)
    divergences += tf.exp(second) * (second - first)
    entropies = -tf.reduce_sum(labels * (first + second)) / 2
    return entropies + alpha / 4 * tf.reduce_sum(divergences * real)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_rdrop_against_the_definition(alpha, jit_compile):
    logits = tf.constant(RANDOM.normal(size=(4, 4, 6)).astype("float32"))

    @tf.function(jit_compile=jit_compile)
    def ours(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            sums = rdrop_cross_entropy(logits, TARGETS, 0.1, alpha)
        return sums, tape.gradient(sums[0], logits)

    with tf.GradientTape() as tape:
        tape.watch(logits)
        expected = drawn(logits, TARGETS, 0.1, alpha)
    (loss, nll, tokens), gradient = ours(logits)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(
        gradient, tape.gradient(expected, logits), atol=1e-6
    )
    plain = run(logits, np.concatenate([TARGETS] * 2), 0.1)[0]
    np.testing.assert_allclose(nll, plain[1] / 2, rtol=1e-5)
    assert tokens == 4


def test_rdrop_of_several_vocabularies_in_one_process():
    """The compiled passes are traced for any size after the second one."""
    for size in (5, 7, 11):
        logits = tf.random.stateless_normal([6, size], (1, size))
        targets = np.array([1, 3, 0])
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = rdrop_cross_entropy(logits, targets, 0.1, 2.0)[0]
        expected = drawn(logits, targets, 0.1, 2.0)
        np.testing.assert_allclose(loss, expected, rtol=1e-5)
        assert tape.gradient(loss, logits).shape == (6, size)


def test_rdrop_of_equal_halves_is_the_plain_loss():
    twice = tf.concat([LOGITS, LOGITS], 0)
    loss, nll, _ = rdrop_cross_entropy(twice, TARGETS, 0.1, 5.0)
    plain = label_smoothed_cross_entropy(LOGITS, TARGETS, 0.1)
    np.testing.assert_allclose([loss, nll], plain[:2], rtol=1e-5)


def test_rdrop_in_half_precision():
    logits = tf.cast(RANDOM.normal(size=(4, 4, 6)), tf.bfloat16)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        loss = rdrop_cross_entropy(logits, TARGETS, 0.1, 5.0)[0]
        exact = drawn(tf.cast(logits, tf.float32), TARGETS, 0.1, 5.0)
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, exact, rtol=1e-5)
    gradient = tape.gradient(loss, logits)
    assert gradient.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(gradient, tf.float32),
        tf.cast(tape.gradient(exact, logits), tf.float32),
        atol=1e-2,
    )

"""Losses over a vocabulary."""

from __future__ import annotations

import tensorflow as tf


def label_smoothed_cross_entropy(
    logits: tf.Tensor,
    targets: tf.Tensor,
    label_smoothing: float,
    pad_id: int = 0,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Sums the cross entropy with smoothed labels over the real tokens.

    `loss = - sum_v q(v) log softmax(logits)_v`, with q = 1 - s at the target,
    0 at `pad_id` and s / (vocab_size - 2) elsewhere; targets equal to `pad_id`
    count nothing. q is never stored: since it sums to 1,
    `loss = lse - (1 - s - u) z_target - u (sum_v z_v - z_pad)`, with
    u = s / (vocab_size - 2). Computed in float32; the gradient
    `softmax(z) - q` is formed in one pass in the logits' dtype, already
    multiplied with what the caller's scaling sends back. XLA compiles these
    passes once per number of tokens, so give it planned shapes.

    Args:
        logits: float tensor `(..., vocab_size)`, of any float dtype.
        targets: int tensor `(...)`.
        label_smoothing: float in [0, 1), the mass s taken off the target.
        pad_id: int, the class that padding has.

    Returns:
        Float32 scalars: the loss sum, the sum of `-log softmax(logits)` at the
        targets (nats; it carries no gradient), and the number of real tokens.

    Raises:
        ValueError: label_smoothing is outside [0, 1), or the vocabulary's
            size is not static or below 3.

    Reference: Szegedy et al. 2016, section 7; Vaswani et al. 2017, section
    5.4.
    """
    vocab_size = logits.shape[-1]
    constants = _constants(logits, label_smoothing, pad_id)
    targets = tf.reshape(tf.cast(targets, tf.int32), [-1])

    @tf.custom_gradient
    def loss_sums(logits):
        sums, normalizers = _forward(logits, targets, *constants)

        def gradient(loss_upstream, *_unused):
            return _backward(
                logits, targets, normalizers, loss_upstream, *constants
            )

        return sums, gradient

    loss, nll = loss_sums(tf.reshape(logits, [-1, vocab_size]))
    num_tokens = tf.reduce_sum(_real(targets, pad_id))
    return loss, tf.stop_gradient(nll), num_tokens


def rdrop_cross_entropy(
    logits: tf.Tensor,
    targets: tf.Tensor,
    label_smoothing: float,
    alpha: float,
    pad_id: int = 0,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Cross entropy of two predictions of the same tokens, drawn together.

    `loss = (CE(p) + CE(q)) / 2 + alpha / 4 (KL(p || q) + KL(q || p))`, with p
    from the first half of the rows and q from the second, CE as
    `label_smoothed_cross_entropy`. That is half of the paper's loss, so that a
    token weighs as much with R-Drop as without. Both divergences together are
    `sum_v (p - q)(z_p - z_q)` of the logits z; the gradient is formed in one
    pass.

    Args:
        logits: float tensor `(2 batch, ..., vocab_size)`, of any float dtype.
        targets: int tensor `(batch, ...)`, what both halves predict.
        label_smoothing, pad_id: as there.
        alpha: float, the paper's; 5 for translation there.

    Returns:
        As there: float32 scalars, the loss sum, the mean of both halves' nll
        sums, and the number of real tokens of one half.

    Raises:
        ValueError: as there.

    Reference: Wu et al. 2021 (R-Drop), equations 2 to 4.
    """
    vocab_size = logits.shape[-1]
    constants = _constants(logits, label_smoothing, pad_id)
    targets = tf.reshape(tf.cast(targets, tf.int32), [-1])
    both = tf.tile(targets, [2])

    @tf.custom_gradient
    def loss_sums(logits):
        (loss, nll), normalizers = _forward(logits, both, *constants)
        apart, means = _divergence(logits, normalizers, targets, pad_id)
        loss = loss / 2 + alpha / 4 * apart

        def gradient(upstream, *_unused):
            # Two passes: XLA would take each exponential twice in one.
            probabilities = _softmax(logits, normalizers)
            return _drawn_backward(
                logits,
                probabilities,
                targets,
                means,
                upstream,
                (alpha, *constants),
            )

        return (loss, nll / 2), gradient

    loss, nll = loss_sums(tf.reshape(logits, [-1, vocab_size]))
    num_tokens = tf.reduce_sum(_real(targets, pad_id))
    return loss, tf.stop_gradient(nll), num_tokens


def _constants(
    logits: tf.Tensor, label_smoothing: float, pad_id: int
) -> tuple[float, float, int]:
    """Returns (mass of the target beyond the others', of another, pad_id).

    Raises:
        ValueError: what `label_smoothed_cross_entropy` says.
    """
    vocab_size = logits.shape[-1]
    if not 0.0 <= label_smoothing < 1.0:
        raise ValueError(
            f"label_smoothing must be in [0, 1), got {label_smoothing!r}."
        )
    if vocab_size is None or vocab_size < 3:
        raise ValueError(
            "logits must have a static last axis of at least 3 classes, got "
            f"shape {logits.shape}."
        )
    other = label_smoothing / (vocab_size - 2)
    return 1.0 - label_smoothing - other, other, pad_id


def _real(targets: tf.Tensor, pad_id: int) -> tf.Tensor:
    return tf.cast(tf.not_equal(targets, pad_id), tf.float32)


# Compiled on their own where the caller's function is not: XLA fuses the
# passes over the logits, the largest tensor of a step, into one or two.
@tf.function(jit_compile=True, reduce_retracing=True)
def _forward(logits, targets, target_mass, other_mass, pad_id):
    """Returns ((loss sum, nll sum), log-normalizers `(tokens,)`)."""
    logits = tf.cast(logits, tf.float32)
    real = _real(targets, pad_id)
    normalizers = tf.reduce_logsumexp(logits, axis=-1)
    at_target = tf.gather(logits, targets, batch_dims=1)
    nll = normalizers - at_target
    others = tf.reduce_sum(logits, axis=-1) - logits[:, pad_id]
    loss = normalizers - target_mass * at_target - other_mass * others
    sums = (tf.reduce_sum(loss * real), tf.reduce_sum(nll * real))
    return sums, normalizers


@tf.function(jit_compile=True, reduce_retracing=True)
def _backward(
    logits, targets, normalizers, upstream, target_mass, other_mass, pad_id
):
    """Returns the logits' gradient, `upstream (softmax - q)` where real."""
    classes = tf.range(tf.shape(logits)[-1])[None]
    weight = (_real(targets, pad_id) * upstream)[:, None]
    probabilities = tf.exp(tf.cast(logits, tf.float32) - normalizers[:, None])
    labels = tf.where(classes == targets[:, None], target_mass, 0.0)
    labels += tf.where(classes == pad_id, 0.0, other_mass)
    return tf.cast((probabilities - labels) * weight, logits.dtype)


@tf.function(jit_compile=True, reduce_retracing=True)
def _divergence(logits, normalizers, targets, pad_id):
    """Returns (sum of both divergences, means of the logits' gaps).

    The gap of a prediction is its logits less the other's; its mean, float32
    (2, tokens, 1), is taken under the prediction.
    """
    pair = _pair(tf.cast(logits, tf.float32))
    probabilities = tf.exp(pair - tf.reshape(normalizers, [2, -1, 1]))
    gaps = pair - pair[::-1]
    means = tf.reduce_sum(probabilities * gaps, axis=-1)
    apart = tf.reduce_sum(means, axis=0) * _real(targets, pad_id)
    return tf.reduce_sum(apart), means[..., None]


@tf.function(jit_compile=True, reduce_retracing=True)
def _softmax(logits, normalizers):
    return tf.exp(tf.cast(logits, tf.float32) - normalizers[:, None])


@tf.function(jit_compile=True, reduce_retracing=True)
def _drawn_backward(logits, probabilities, targets, means, upstream, constants):
    """Returns the gradient of `rdrop_cross_entropy` by the logits.

    That of the divergences is `p (gap - mean) + p - q`, as the gap of the
    logits and that of their log-probabilities differ by a constant.
    """
    alpha, target_mass, other_mass, pad_id = constants
    pair = _pair(tf.cast(logits, tf.float32))
    p = _pair(probabilities)
    classes = tf.range(tf.shape(logits)[-1])
    labels = tf.where(classes == targets[:, None], target_mass, 0.0)
    labels += tf.where(classes == pad_id, 0.0, other_mass)
    apart = p * (pair - pair[::-1] - means) + p - p[::-1]
    gradient = (p - labels) / 2 + alpha / 4 * apart
    gradient *= (_real(targets, pad_id) * upstream)[:, None]
    return tf.reshape(tf.cast(gradient, logits.dtype), tf.shape(logits))


def _pair(rows):
    """Splits rows `(2 tokens, vocab_size)` into `(2, tokens, vocab_size)`."""
    # Its trace may serve models of several vocabularies: no static size.
    return tf.reshape(rows, [2, -1, tf.shape(rows)[-1]])

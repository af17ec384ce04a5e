"""What a train step minimises, as sums over target tokens.

    sums = training_sums(
        model, hparams, parameters, others, features, seed, alpha
    )

Everything is a sum, so that replicas, parts and accumulated batches add up;
`pure_update` divides once by the number of target tokens.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite import layers, losses
from t2t_lite.hparams import HParams
from t2t_lite.trainer.measures import SUMS, num_correct

Features = dict[str, tf.Tensor]


def passes(hparams: HParams, train_steps: int) -> tuple[int, ...]:
    """Returns how often a row is passed in each phase of a run: 1 or 2."""
    if not hparams.rdrop_alpha or hparams.rdrop_start_step >= train_steps:
        return (1,)
    return (1, 2) if hparams.rdrop_start_step else (2,)


def training_sums(
    model: keras.Model,
    hparams: HParams,
    parameters: list[tf.Tensor],
    others: list[tf.Tensor],
    features: Features,
    seed: tf.Tensor,
    alpha: float,
) -> dict[str, tf.Tensor]:
    """Returns the sums of `SUMS` of one batch; `loss` is differentiable.

    With `alpha`, every row is passed twice, with other dropout, and the
    loss is `losses.rdrop_cross_entropy`; the other sums are the means of both
    passes.

    Args:
        model, hparams: `model(features, training)` gives logits of
            `features["targets"]`.
        parameters, others: values of the model's trainable and non-trainable
            variables.
        features: the batch; `targets` int32, 0 = padding.
        seed: int32 (2,), of this batch's dropout masks.
        alpha: float, R-Drop's; 0 = one pass.
    Returns:
        Float32 scalars: `loss`, `nll` without smoothing, `tokens`, and
        `correct` predictions.
    """
    targets = features["targets"]
    if alpha:
        features = {k: tf.concat([v, v], 0) for k, v in features.items()}
    with layers.seed_scope(seed):
        logits, _ = model.stateless_call(
            parameters, others, features, training=True
        )
    correct = num_correct(logits, features["targets"])
    if alpha:
        correct /= 2
        loss, nll, tokens = losses.rdrop_cross_entropy(
            logits, targets, hparams.label_smoothing, alpha
        )
    else:
        loss, nll, tokens = losses.label_smoothed_cross_entropy(
            logits, targets, hparams.label_smoothing
        )
    values = (loss, nll, tokens, correct)
    return {
        name: tf.cast(value, tf.float32)
        for name, value in zip(SUMS, values, strict=True)
    }

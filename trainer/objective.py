"""What a train step minimises, as sums over target tokens.

    sums = training_sums(
        model, hparams, values, features, seed, scale, alpha
    )

Everything is a sum, so that replicas, parts and accumulated batches add up;
`pure_update` divides once by the number of target tokens.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf

from t2t_lite import layers, losses
from t2t_lite.chunked_sums import ChunkedSums
from t2t_lite.errors import UserError
from t2t_lite.hparams import HParams
from t2t_lite.trainer.measures import SUMS, num_correct

Features = dict[str, tf.Tensor]


def passes(hparams: HParams, train_steps: int) -> tuple[int, ...]:
    """Returns how often a row is passed in each phase of a run: 1 or 2."""
    if not hparams.rdrop_alpha or hparams.rdrop_start_step >= train_steps:
        return (1,)
    return (1, 2) if hparams.rdrop_start_step else (2,)


def check_chunks(name: str, model: Any, hparams: HParams) -> None:
    """Raises UserError if `softmax_chunk` is asked of a model without states.

    Args:
        name: str, the model's registered name.
        model: its class, or what it is registered with.
        hparams: its hyperparameters.
    """
    if hparams.softmax_chunk and not hasattr(model, "states"):
        raise UserError(
            f"hparam softmax_chunk: model {name} has no method states(features,"
            " training), whose logits could be formed in parts; leave it out"
        )


def training_sums(
    model: keras.Model,
    hparams: HParams,
    values: tuple[list[tf.Tensor], list[tf.Tensor]],
    features: Features,
    seed: tf.Tensor,
    scale: tf.Tensor,
    alpha: float,
) -> dict[str, tf.Tensor]:
    """Returns the sums of `SUMS` of one batch; `loss` is differentiable.

    With `alpha`, every row is passed twice, with other dropout, and the
    loss is `losses.rdrop_cross_entropy`; the other sums are the means of both
    passes. What the model adds by `add_loss` is added to the loss.

    Args:
        model, hparams: `model(features, training)` gives logits of
            `features["targets"]`; with `softmax_chunk`, `model.states` and
            `model.softmax` give them in parts.
        values: of the model's trainable and of its non-trainable variables.
        features: the batch; `targets` int32, 0 = padding.
        seed: int32 (2,) or (3,), as `layers.seed_scope` takes it.
        scale: float32 scalar, what the caller multiplies the loss with before
            it takes the gradient.
        alpha: float, R-Drop's; 0 = one pass.
    Returns:
        Float32 scalars: `loss`, `nll` without smoothing, `tokens`, and
        `correct` predictions.
    """
    copies = 2 if alpha else 1
    variables = (model.trainable_variables, model.non_trainable_variables)
    mapping = [
        pair
        for kind in zip(variables, values, strict=True)
        for pair in zip(*kind, strict=True)
    ]
    sums_of = functools.partial(
        token_sums,
        label_smoothing=hparams.label_smoothing,
        rdrop_alpha=alpha,
    )
    scope = keras.StatelessScope(mapping, collect_losses=True)
    with layers.seed_scope(seed), scope:
        features = model.prepared(features, training=True)
        targets = tf.reshape(features["targets"], [-1])
        features = {k: tf.concat([v] * copies, 0) for k, v in features.items()}
        if hparams.softmax_chunk:
            states = model.states(features, training=True)
            chunks = ChunkedSums(model.softmax, sums_of, hparams.softmax_chunk)
            rows = tf.reshape(states, [copies, -1, states.shape[-1]])
            sums = chunks.with_gradient(rows, targets, scale)
        else:
            logits = model.call(features, training=True)
            rows = tf.reshape(logits, [copies, -1, logits.shape[-1]])
            sums = sums_of(rows, targets)
    found = dict(zip(SUMS, tf.unstack(sums), strict=True))
    added = [tf.cast(loss, tf.float32) / copies for loss in scope.losses]
    return {**found, "loss": tf.add_n([found["loss"], *added])}


def token_sums(
    logits: tf.Tensor,
    targets: tf.Tensor,
    label_smoothing: float,
    rdrop_alpha: float = 0.0,
) -> tf.Tensor:
    """Returns the sums of `SUMS` in their order, float32 (4,).

    Args:
        logits: float tensor (1, tokens, vocab_size), or (2, ...) of both
            passes with `rdrop_alpha`.
        targets: int32 (tokens,), 0 = padding.
        label_smoothing, rdrop_alpha: of the loss.
    """
    correct = num_correct(logits, targets)
    if rdrop_alpha:
        correct /= 2
        sums = losses.rdrop_cross_entropy(
            logits, targets, label_smoothing, rdrop_alpha
        )
    else:
        sums = losses.label_smoothed_cross_entropy(
            logits, targets, label_smoothing
        )
    return tf.stack([*sums, correct])

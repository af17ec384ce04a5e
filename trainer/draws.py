"""The seeds of a run's dropout masks, and how much of its rates dropout has.

A seed is int32 `(2,)`: the run's, and the number of the part of a batch among
all parts of the run. Where rates rise at first it is `(3,)`, with the share of
them that layers have (`layers.seed_scope`).
"""

from __future__ import annotations

import tensorflow as tf

from t2t_lite import layers
from t2t_lite.hparams import HParams


def share_of_dropout(hparams: HParams, step: int) -> float:
    """Returns the share of their rates that layers drop in update `step`.

    Args:
        hparams: `dropout_warmup_steps` and `dropout_warmup_start`.
        step: int, 1 for the first update.
    """
    steps, start = hparams.dropout_warmup_steps, hparams.dropout_warmup_start
    if step > steps:
        return 1.0
    return start + (1.0 - start) * (step - 1) / steps


def specification(hparams: HParams) -> tf.TensorSpec:
    """Returns that of a run's seeds."""
    size = 3 if hparams.dropout_warmup_steps else 2
    return tf.TensorSpec([size], tf.int32)


def seed_of_part(
    hparams: HParams, seed: int, number: int, step: int
) -> tf.Tensor:
    """Returns the seed of a part of a batch.

    Args:
        hparams: of the run.
        seed: int, the run's.
        number: int, of the part.
        step: int, the update that the batch is for, from 1.
    """
    share = layers.share_of_rates(share_of_dropout(hparams, step))
    numbers = [seed, number, share]
    return tf.constant(numbers[: specification(hparams).shape[0]], tf.int32)


def parts_on(seed: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
    """Returns the seed of the part that comes `count` parts later."""
    first, number, *share = tf.unstack(seed)
    return tf.stack([first, number + count, *share])

"""What keeps a bad update out: the loss scale, and who counts as diverged.

Both are pure functions of scalars, so that every device decides alike and a
resumed run decides as an undisturbed one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

Slots = dict[str, tf.Tensor]

_SCALE_INTERVAL = 2000
_FIRST_SCALE = 2.0**15

SPIKE_SIGMAS = 6.0
SPIKE_NATS = 1.0
_SETTLED = 100.0  # good updates before a loss can be called a spike
_DECAY = 0.98


def slots(loss_scaling: bool) -> dict[str, np.float32]:
    """Returns the initial state: the running loss, and the loss scale."""
    names = ["divergence/mean", "divergence/variance", "divergence/updates"]
    values = dict.fromkeys(names, np.float32(0.0))
    if loss_scaling:
        values["loss/scale"] = np.float32(_FIRST_SCALE)
        values["loss/good_steps"] = np.float32(0.0)
    return values


def forget_losses(variables: Mapping[str, tf.Variable]) -> None:
    """Begins anew: the losses from here on are of another kind.

    Args:
        variables: the state.
    """
    for name, value in slots(loss_scaling=False).items():
        variables[name].assign(value)


def is_spike(slots: Slots, loss: tf.Tensor) -> tf.Tensor:
    """Returns whether a loss lies far above the recent ones, bool scalar.

    `loss > mean + max(6 sigma, 1 nat)`, with the mean and the variance of the
    losses of the good updates, decayed by 0.98 an update, once there were 100
    of them. One nat is a perplexity 2.7 times the mean's: below it, batches
    of a well-learned task differ by many sigmas.

    Args:
        slots: the state, float32 scalars.
        loss: float32 scalar, loss per target token of this update.
    """
    sigma = tf.sqrt(slots["divergence/variance"])
    bound = slots["divergence/mean"] + tf.maximum(
        SPIKE_SIGMAS * sigma, SPIKE_NATS
    )
    settled = slots["divergence/updates"] >= _SETTLED
    return settled & (loss > bound)


def next_losses(slots: Slots, loss: tf.Tensor) -> Slots:
    """Returns the state after a good update of this loss per token."""
    updates = slots["divergence/updates"]
    weight = tf.maximum(1.0 - _DECAY, 1.0 / (updates + 1.0))
    difference = loss - slots["divergence/mean"]
    variance = slots["divergence/variance"]
    return {
        "divergence/mean": slots["divergence/mean"] + weight * difference,
        "divergence/variance": (1.0 - weight)
        * (variance + weight * tf.square(difference)),
        "divergence/updates": updates + 1.0,
    }


def next_scale(slots: Slots, finite: tf.Tensor) -> Slots:
    """Doubles the loss scale after 2000 good updates, halves it after a bad.

    Reference: Micikevicius et al. 2018, section 3.2, and TensorFlow's
    dynamic loss scale, whose constants these are.
    """
    scale, good = slots["loss/scale"], slots["loss/good_steps"]
    good = tf.where(finite, good + 1.0, 0.0)
    grown = good >= _SCALE_INTERVAL
    scale = tf.where(
        finite, tf.where(grown, scale * 2, scale), tf.maximum(scale / 2, 1.0)
    )
    return {
        "loss/scale": scale,
        "loss/good_steps": tf.where(grown, 0.0, good),
    }

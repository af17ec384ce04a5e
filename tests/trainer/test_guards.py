import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.trainer import guards


def _slots(losses):
    slots = {k: tf.constant(v) for k, v in guards.slots(False).items()}
    for loss in losses:
        slots = guards.next_losses(slots, tf.constant(loss, tf.float32))
    return slots


def test_running_mean_and_variance_start_unbiased():
    losses = [3.0, 1.0, 2.0, 5.0]
    slots = _slots(losses)
    assert float(slots["divergence/mean"]) == pytest.approx(np.mean(losses))
    assert float(slots["divergence/variance"]) == pytest.approx(np.var(losses))
    assert float(slots["divergence/updates"]) == len(losses)


@pytest.mark.parametrize(
    ("losses", "loss", "spike"),
    [
        ([2.0] * 100, 3.1, True),  # above 1 nat
        ([2.0] * 100, 2.9, False),  # below 1 nat, though sigma is 0
        ([2.0] * 99, 9.0, False),  # not settled yet
        ([2.0, 4.0] * 60, 8.5, False),  # sigma is 1: below 6 sigma
        ([2.0, 4.0] * 60, 9.6, True),
    ],
)
def test_spikes(losses, loss, spike):
    assert bool(guards.is_spike(_slots(losses), tf.constant(loss))) is spike


def test_loss_scale_grows_after_good_updates_and_halves_after_a_bad_one():
    slots = {k: tf.constant(v) for k, v in guards.slots(True).items()}
    for _ in range(2000):
        slots |= guards.next_scale(slots, tf.constant(True))
    assert float(slots["loss/scale"]) == 2.0**16
    slots |= guards.next_scale(slots, tf.constant(False))
    assert float(slots["loss/scale"]) == 2.0**15
    assert float(slots["loss/good_steps"]) == 0.0

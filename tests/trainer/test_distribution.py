"""The same update on one device, on two, and in turns and lanes of one."""

import functools

import numpy as np
import pytest

from t2t_lite.trainer import checkpoints
from t2t_lite.trainer.training import Training
from tests.models_for_tests import tiny_hparams
from tests.selection import few
from tests.trainer.conftest import make_setup

STEPS = 20
IN_TURNS = {"batch_size": 128, "tokens_per_update": 256}
# Each with its hparams, strategy and lanes.
MODES = {
    "plain": ({"batch_size": 256}, "one_device", "1"),
    "mirrored": ({"batch_size": 128}, "mirrored", "1"),
    "in_turns": (IN_TURNS, "one_device", "1"),
    "in_lanes": ({"batch_size": 256}, "one_device", "2"),
    "in_turns_side_by_side": (IN_TURNS, "one_device", "2"),
}


def _weights(folder, mode, dropout, stops=(STEPS,)):
    """Returns the tensors of a run's end; `stops` = steps of each start."""
    values, strategy, lanes = MODES[mode]
    hparams = tiny_hparams(
        layer_prepostprocess_dropout=dropout,
        attention_dropout=dropout,
        **values,
    )
    for steps in stops:
        setup = make_setup(
            folder,
            hparams,
            train_steps=steps,
            eval_interval=10,
            log_interval=10,
            strategy=strategy,
            lanes=lanes,
        )
        assert setup.tokens_per_update == 256
        Training(setup).run()
    return checkpoints.read(checkpoints.path(setup.run.checkpoints, STEPS))[0]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return _weights(tmp_path_factory.mktemp("plain"), "plain", 0.0)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "plain"])
def test_same_weights_after_20_steps(tmp_path, plain, mode):
    found = _weights(tmp_path, mode, 0.0)
    for name, value in plain.items():
        np.testing.assert_allclose(
            found[name], value, rtol=2e-3, atol=2e-4, err_msg=name
        )


@pytest.fixture(scope="module")
def dropped(tmp_path_factory):
    """dropped(mode) -> the weights of a run with dropout, made once."""
    return functools.cache(
        lambda mode: _weights(tmp_path_factory.mktemp(mode), mode, 0.3)
    )


@pytest.mark.parametrize("mode", few(["mirrored", "in_turns_side_by_side"]))
def test_resume_is_exact_with_dropout(tmp_path, dropped, mode):
    whole = dropped(mode)
    parts = _weights(tmp_path, mode, 0.3, stops=(10, STEPS))
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(value, parts[name], err_msg=name)


@pytest.mark.parametrize(
    "mode", ["in_turns", "in_lanes", "in_turns_side_by_side"]
)
def test_two_devices_drop_what_two_parts_drop(dropped, mode):
    found = dropped(mode)
    for name, value in dropped("mirrored").items():
        np.testing.assert_allclose(
            found[name], value, rtol=2e-3, atol=2e-4, err_msg=name
        )


def test_a_run_keeps_its_update_on_other_devices(tmp_path):
    """Begun on two devices, it goes on in two turns on one."""
    hparams = tiny_hparams(batch_size=128)
    options = {"train_steps": 2, "log_interval": 2}
    first = make_setup(tmp_path, hparams, strategy="mirrored", **options)
    Training(first).run()
    options |= {"train_steps": 4, "strategy": "one_device"}
    second = make_setup(tmp_path, hparams, lanes="1", **options)
    assert (first.turns, second.turns) == (1, 2)
    assert second.tokens_per_update == first.tokens_per_update == 256
    assert second.plan == first.plan
    second.close()
    third = make_setup(tmp_path, hparams, lanes="2", **options)
    assert (third.turns, third.num_lanes) == (1, 2)
    assert Training(third).run().step == 4

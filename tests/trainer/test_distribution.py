"""The same update on one device, on two, and in two turns of one."""

import numpy as np
import pytest

from t2t_lite.trainer import checkpoints
from t2t_lite.trainer.training import Training
from tests.models_for_tests import tiny_hparams
from tests.trainer.conftest import make_setup

STEPS = 20
MODES = {
    "plain": ({"batch_size": 256}, "one_device"),
    "mirrored": ({"batch_size": 128}, "mirrored"),
    "in_turns": ({"batch_size": 128, "tokens_per_update": 256}, "one_device"),
}


def _weights(folder, mode, dropout, stops=(STEPS,)):
    """Returns the tensors of a run's end; `stops` = steps of each start."""
    values, strategy = MODES[mode]
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
        )
        assert setup.tokens_per_update == 256
        Training(setup).run()
    return checkpoints.read(checkpoints.path(setup.run.checkpoints, STEPS))[0]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return _weights(tmp_path_factory.mktemp("plain"), "plain", 0.0)


@pytest.mark.parametrize("mode", ["mirrored", "in_turns"])
def test_same_weights_after_20_steps(tmp_path, plain, mode):
    found = _weights(tmp_path, mode, 0.0)
    for name, value in plain.items():
        np.testing.assert_allclose(
            found[name], value, rtol=2e-3, atol=2e-4, err_msg=name
        )


@pytest.mark.parametrize("mode", MODES)
def test_resume_is_exact_with_dropout(tmp_path, mode):
    whole = _weights(tmp_path / "whole", mode, 0.3)
    parts = _weights(tmp_path / "parts", mode, 0.3, stops=(10, STEPS))
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(value, parts[name], err_msg=name)


def test_two_devices_drop_what_two_turns_drop(tmp_path):
    mirrored = _weights(tmp_path / "a", "mirrored", 0.3)
    in_turns = _weights(tmp_path / "b", "in_turns", 0.3)
    for name, value in mirrored.items():
        np.testing.assert_allclose(
            in_turns[name], value, rtol=2e-3, atol=2e-4, err_msg=name
        )


def test_a_run_keeps_its_update_on_other_devices(tmp_path):
    """Begun on two devices, it goes on in two turns on one."""
    hparams = tiny_hparams(batch_size=128)
    options = {"train_steps": 2, "log_interval": 2}
    first = make_setup(tmp_path, hparams, strategy="mirrored", **options)
    Training(first).run()
    options["train_steps"] = 4
    second = make_setup(tmp_path, hparams, strategy="one_device", **options)
    assert (first.splits, second.splits) == (1, 2)
    assert second.tokens_per_update == first.tokens_per_update == 256
    assert second.plan == first.plan
    assert Training(second).run().step == 4

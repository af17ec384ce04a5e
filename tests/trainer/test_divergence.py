"""Updates out of bounds: found, left out, named, and what follows."""

import json
import signal

import numpy as np
import pytest

from t2t_lite.trainer import checkpoints, divergence, guards
from t2t_lite.trainer.divergence import DivergenceError
from t2t_lite.trainer.interruption import Interrupted
from t2t_lite.trainer.training import Training
from tests.models_for_tests import tiny_hparams
from tests.trainer.conftest import make_setup

BAD_BATCH = 18  # from 0: that of update 19
OPTIONS = {"train_steps": 24, "eval_interval": 8, "log_interval": 8}


@pytest.fixture(autouse=True)
def settled_early(monkeypatch):
    monkeypatch.setattr(guards, "_SETTLED", 8.0)
    monkeypatch.setattr(guards, "SPIKE_SIGMAS", 0.5)  # the loss still falls


def _spoiled(folder, **options):
    """A run whose batch number 18 has letters for digits as targets."""
    hparams = tiny_hparams(layer_prepostprocess_dropout=0.1)
    setup = make_setup(folder, hparams, **(OPTIONS | options))
    batch = setup.batches.batch

    def spoiled(number):
        found = dict(batch(number))
        if number == BAD_BATCH:
            targets = found["targets"]
            found["targets"] = np.where(targets > 3, 150 + targets, targets)
        return found

    setup.batches.batch = spoiled
    return setup


def _tensors(folder, step):
    root = str(folder / "run" / "checkpoints")
    return checkpoints.read(checkpoints.path(root, step))[0]


def _assert_equal(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_stop_names_step_and_examples_and_keeps_the_good(tmp_path):
    setup = _spoiled(tmp_path)
    with pytest.raises(
        DivergenceError,
        match=r"the loss jumped to .* at step 19, from a running mean of .*; "
        r"last good checkpoint: .*step-00000016; training examples of that "
        r"update: \d+ rows, the worst by loss per token: \d+ \(\d+\.\d+\), ",
    ):
        Training(setup).run()
    assert checkpoints.listing(setup.run.checkpoints)[-1].endswith("016")


def test_skip_leaves_that_update_out_and_goes_on(tmp_path, capsys):
    setup = _spoiled(tmp_path, on_divergence="skip")
    assert Training(setup).run().step == 24
    assert "left out: the loss jumped" in capsys.readouterr().out
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(row) for row in rows]
    left_out = {r["step"]: r["left_out"] for r in rows if r["kind"] == "train"}
    assert left_out == {8: 0, 16: 0, 24: 1}


def test_skip_does_not_skip_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(divergence, "MAX_LEFT_OUT_IN_A_ROW", 1)
    with pytest.raises(DivergenceError, match="1 updates in a row left out"):
        Training(_spoiled(tmp_path, on_divergence="skip")).run()


def test_rollback_goes_on_after_the_bad_data(tmp_path, capsys):
    """Equals a run whose data jump from update 16 to those of update 20."""
    setup = _spoiled(tmp_path / "a", on_divergence="rollback")
    assert Training(setup).run().step == 24
    assert "step-00000016; going on with the data after those of step 19" in (
        capsys.readouterr().out
    )
    other = _spoiled(tmp_path / "b")
    batch = other.batches.batch
    other.batches.batch = lambda n: batch(n if n < 16 else n + 3)
    update = other.step.update

    def update_with_number(batches, step, rate, first, **options):
        first = first if first < 16 else first + 3
        return update(batches, step, rate, first, **options)

    other.step.update = update_with_number
    Training(other).run()
    _assert_equal(_tensors(tmp_path / "a", 24), _tensors(tmp_path / "b", 24))


def test_rollback_is_exact_across_a_resume(tmp_path):
    whole = _spoiled(tmp_path / "whole", on_divergence="rollback")
    Training(whole).run()
    for stop_at in (18, 22):
        setup = _spoiled(tmp_path / "parts", on_divergence="rollback")
        update = setup.step.update

        def interrupted(
            batches, step, *arguments, _update=update, _at=stop_at, **options
        ):
            if step == _at:
                signal.raise_signal(signal.SIGINT)
            return _update(batches, step, *arguments, **options)

        setup.step.update = interrupted
        with pytest.raises(Interrupted):
            Training(setup).run()
    last = _spoiled(tmp_path / "parts", on_divergence="rollback")
    assert Training(last).run().step == 24
    first = _tensors(tmp_path / "whole", 24)
    _assert_equal(first, _tensors(tmp_path / "parts", 24))


def test_rollback_without_a_checkpoint_stops(tmp_path):
    options = {"on_divergence": "rollback", "eval_interval": 24}
    with pytest.raises(DivergenceError, match="no evaluation has saved"):
        Training(_spoiled(tmp_path, **options)).run()

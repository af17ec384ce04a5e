"""Less memory, the same update: recomputed layers, logits in parts."""

import json

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.errors import UserError
from t2t_lite.trainer import strategies
from t2t_lite.trainer.objective import check_chunks
from t2t_lite.trainer.step import TrainStep
from t2t_lite.trainer.training import Training
from tests.models_for_tests import random_batch, tiny_hparams, tiny_model
from tests.selection import few
from tests.trainer.conftest import make_setup

SAVING = {
    "recompute": {"recompute": True},
    "chunks": {"softmax_chunk": 10},
    "both": {"recompute": True, "softmax_chunk": 10},
}
DROPOUT = {
    "layer_prepostprocess_dropout": 0.3,
    "attention_dropout": 0.2,
    "relu_dropout": 0.2,
}


def _train(precision="float32", xla=False, lanes=1, **changes):
    """Returns (weights after two updates, the last one's sums)."""
    hparams = tiny_hparams(**{**DROPOUT, **changes})
    model = tiny_model(hparams, dtype=strategies.policy_name(precision))
    strategy = tf.distribute.get_strategy()
    step = TrainStep(model, hparams, strategy, xla=xla, seed=1, lanes=lanes)
    for number in (1, 2):
        sums = step.update([random_batch(8, 7)], number, 0.01)
    weights = [v.numpy() for v in model.trainable_variables]
    return weights, {name: float(value) for name, value in sums.items()}


def _assert_same(first, second, rtol=1e-4, atol=1e-5):
    for a, b in zip(first[0], second[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)
    for name, value in first[1].items():
        assert second[1][name] == pytest.approx(value, rel=rtol), name


@pytest.fixture(scope="module")
def plain():
    return _train()


@pytest.mark.parametrize("saving", SAVING)
def test_same_update(plain, saving):
    _assert_same(plain, _train(**SAVING[saving]))


@pytest.mark.parametrize(
    "options",
    few([{"xla": True}, {"lanes": 2}, {"rdrop_alpha": 5.0}]),
    ids=str,
)
def test_same_update_of_other_steps(options):
    _assert_same(_train(**options), _train(**options, **SAVING["both"]))


def test_same_update_in_bfloat16():
    plain, saved = _train("bfloat16"), _train("bfloat16", **SAVING["both"])
    # Adam's first updates are the gradients' signs: few may turn.
    far = [
        np.mean(np.abs(a - b) > 5e-3)
        for a, b in zip(plain[0], saved[0], strict=True)
    ]
    assert np.mean(far) < 0.02
    assert saved[1]["loss"] == pytest.approx(plain[1]["loss"], rel=1e-2)


def test_run_may_go_on_with_less_memory(tmp_path, capsys):
    plain, saved = tmp_path / "plain", tmp_path / "saved"
    Training(make_setup(plain)).run()
    Training(make_setup(saved, train_steps=2)).run()
    hparams = tiny_hparams(
        layer_prepostprocess_dropout=0.1, recompute=True, softmax_chunk=10
    )
    Training(make_setup(saved, hparams)).run()
    shown = capsys.readouterr().out
    assert "computed again in the backward pass; logits of 10 tokens" in shown
    losses = [_losses(folder / "run") for folder in (plain, saved)]
    assert len(losses[0]) == 6
    np.testing.assert_allclose(*losses, rtol=1e-4)


def _losses(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_dropout_is_on_and_drawn_once(plain):
    kept, _ = _train(recompute=True, **dict.fromkeys(DROPOUT, 0.0))
    assert any((a != b).any() for a, b in zip(plain[0], kept, strict=True))


def test_chunks_of_a_model_without_states_are_refused():
    class Model:
        pass

    with pytest.raises(UserError, match="softmax_chunk: model mine has no"):
        check_chunks("mine", Model, tiny_hparams(softmax_chunk=8))
    check_chunks("mine", Model, tiny_hparams())

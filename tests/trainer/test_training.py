import json
import os
import shutil
import signal

import numpy as np
import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError
from t2t_lite.trainer import checkpoints
from t2t_lite.trainer.divergence import DivergenceError
from t2t_lite.trainer.finishing import finished_results
from t2t_lite.trainer.interruption import Interrupted
from t2t_lite.trainer.run_folder import RunFolder
from t2t_lite.trainer.training import Training
from tests.models_for_tests import tiny_hparams
from tests.trainer.conftest import DATA, make_setup


def _tensors(folder, step):
    root = str(folder / "run" / "checkpoints")
    return checkpoints.read(checkpoints.path(root, step))[0]


def _metrics(folder):
    with open(folder / "run" / "metrics.jsonl") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        row.pop("tokens_per_second", None)
    return rows


def test_resume_is_exact(tmp_path):
    """Weights, slots and losses equal the undisturbed run's bit for bit."""
    hparams = tiny_hparams(layer_prepostprocess_dropout=0.3, accumulate_steps=2)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Training(make_setup(whole, hparams)).run()
    Training(make_setup(parts, hparams, train_steps=2)).run()
    assert Training(make_setup(parts, hparams)).run().step == 4
    first, second = _tensors(whole, 4), _tensors(parts, 4)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
    assert _metrics(whole) == _metrics(parts)


def test_damaged_newest_checkpoint_is_skipped(tmp_path, capsys):
    Training(make_setup(tmp_path, train_steps=4)).run()
    expected = _tensors(tmp_path, 4)
    root = tmp_path / "run" / "checkpoints"
    data = root / "step-00000004" / "tensors.data-00000-of-00001"
    os.truncate(data, 100)
    Training(make_setup(tmp_path)).run()
    assert "step-00000004 is damaged" in capsys.readouterr().out
    for name, value in _tensors(tmp_path, 4).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_a_save_after_a_damaged_checkpoint_stays(tmp_path):
    """Between evaluations, at a step below that of the damaged one."""
    options = {"train_steps": 8, "eval_interval": 4}

    def stopped_at(number):
        setup = make_setup(tmp_path, **options)
        update = setup.step.update

        def interrupted(batches, step, *arguments, **values):
            if step == number:
                signal.raise_signal(signal.SIGINT)
            return update(batches, step, *arguments, **values)

        setup.step.update = interrupted
        with pytest.raises(Interrupted, match=f"step {number}: saved"):
            Training(setup).run()

    stopped_at(7)
    root = tmp_path / "run" / "checkpoints"
    os.truncate(root / "step-00000007" / "tensors.data-00000-of-00001", 100)
    stopped_at(5)
    steps = [checkpoints.step_of(f) for f in checkpoints.listing(str(root))]
    assert steps == [4, 5]
    assert Training(make_setup(tmp_path, **options)).run().step == 8


def test_non_finite_loss_stops_and_names_the_batch(tmp_path):
    setup = make_setup(
        tmp_path,
        tiny_hparams(learning_rate_constant=1e30),
        train_steps=6,
    )
    with pytest.raises(
        DivergenceError,
        match=r"not finite at step [2-6]; last good checkpoint: .*"
        r"training examples of that update: \d+ rows, .* \d+ \(nan\)",
    ):
        Training(setup).run()


def _assert_same_run(first, second, step):
    """Weights, slots, measurements and best checkpoints are the same."""
    tensors = _tensors(second, step)
    for name, value in _tensors(first, step).items():
        np.testing.assert_array_equal(value, tensors[name], err_msg=name)
    assert _metrics(first) == _metrics(second)
    kept = [os.listdir(f / "run" / "checkpoints") for f in (first, second)]
    assert sorted(kept[0]) == sorted(kept[1])


def test_ctrl_c_saves_and_the_rest_is_exact(tmp_path, monkeypatch):
    """In the middle of a progress line, which is the same in the end."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = {"eval_interval": 4, "log_interval": 4}
    Training(make_setup(whole, **options)).run()
    setup = make_setup(parts, **options)
    update = setup.step.update

    def interrupted_update(batches, step, *arguments, **options):
        if step == 3:
            signal.raise_signal(signal.SIGINT)
        return update(batches, step, *arguments, **options)

    monkeypatch.setattr(setup.step, "update", interrupted_update)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match="SIGINT at step 3: saved") as stop:
        Training(setup).run()
    assert stop.value.signal == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is handler
    Training(make_setup(parts, **options)).run()
    _assert_same_run(whole, parts, 4)


def test_an_evaluation_that_was_interrupted_is_made_again(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Training(make_setup(whole)).run()
    setup = make_setup(parts)
    evaluate = setup.evaluate_loss

    def interrupted(before_batch):
        signal.raise_signal(signal.SIGINT)
        return evaluate(before_batch)

    setup.evaluate_loss = interrupted
    with pytest.raises(
        Interrupted, match=r"SIGINT in the evaluation of step 2: saved .*02;"
    ):
        Training(setup).run()
    assert [row["kind"] for row in _metrics(parts)] == ["train", "train"]
    Training(make_setup(parts)).run()
    _assert_same_run(whole, parts, 4)


def test_finished_run_is_not_finished_twice(tmp_path, capsys):
    setup = make_setup(tmp_path, train_steps=2)
    assert finished_results(setup, 2) is None
    results = tmp_path / "run" / "results.json"
    results.write_text('{"step": 2}')
    assert finished_results(setup, 2) is None
    assert "final is no checkpoint: it holds no" in capsys.readouterr().out
    final = str(tmp_path / "run" / "checkpoints" / "final")
    checkpoints.write(final, setup.model_tensors(), {"step": 2})
    assert finished_results(setup, 2) == {"step": 2}
    assert finished_results(setup, 4) is None
    results.write_text('{"step": ')
    assert finished_results(setup, 2) is None
    assert "results.json is damaged" in capsys.readouterr().out


def test_early_stopping_stops_and_stays_stopped(tmp_path, capsys):
    options = {
        "train_steps": 5,
        "eval_interval": 1,
        "early_stopping_metric": "accuracy",
        "early_stopping_min_delta": 1.0,
    }
    setup = make_setup(tmp_path, early_stopping_patience=2, **options)
    progress = Training(setup).run()
    assert progress.step == 3
    assert progress.stopped.startswith("early stop at step 3: accuracy")
    again = make_setup(tmp_path, early_stopping_patience=2, **options)
    assert Training(again).run().step == 3
    assert "nothing left to train: early stop" in capsys.readouterr().out
    patient = make_setup(tmp_path, early_stopping_patience=9, **options)
    assert Training(patient).run().step == 5


def test_unknown_stopping_metric_is_refused_at_once(tmp_path):
    with pytest.raises(UserError, match=r"not measured .*'accuracy'"):
        make_setup(tmp_path, early_stopping_metric="acuracy")
    assert os.listdir(tmp_path) == []


def test_moving_average_is_evaluated_kept_and_resumed(tmp_path):
    """The best checkpoint holds the average; the run's own keeps both."""
    hparams = tiny_hparams(layer_prepostprocess_dropout=0.1, ema_decay=0.9)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    setup = make_setup(whole, hparams)
    Training(setup).run()
    Training(make_setup(parts, hparams, train_steps=2)).run()
    Training(make_setup(parts, hparams)).run()
    first, second = _tensors(whole, 4), _tensors(parts, 4)
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
    assert _metrics(whole) == _metrics(parts)
    root = setup.run.checkpoints
    best = checkpoints.listing(root, "best")[0]
    step = checkpoints.step_of(best)
    kept = checkpoints.read(best)[0]
    saved = checkpoints.read(checkpoints.path(root, step))[0]
    for name, value in checkpoints.evaluated_weights(saved).items():
        np.testing.assert_array_equal(kept[name], value, err_msg=name)
    assert any((kept[name] != saved[name]).any() for name in kept)


def test_packed_training_runs_and_says_so(tmp_path, capsys):
    setup = make_setup(
        tmp_path, tiny_hparams(pack=True, batch_size=128), train_steps=2
    )
    assert Training(setup).run().step == 2
    assert setup.batches.batch(0)["inputs_segments"].max() > 1
    share = f"several examples in a row; {setup.batches.padding_share:.1%} pad"
    assert share in capsys.readouterr().out
    lengths = {b["targets"].shape[1] for b in setup.validation_batches}
    assert max(lengths) < setup.plan.shapes[-1].targets_length


def test_another_runs_folder_is_refused(tmp_path):
    Training(make_setup(tmp_path, train_steps=2)).run()
    with pytest.raises(UserError, match="run with filter_size=32, asked is 64"):
        make_setup(
            tmp_path,
            tiny_hparams(layer_prepostprocess_dropout=0.1, filter_size=64),
        )
    with pytest.raises(UserError, match="run with seed=1, asked is 2"):
        make_setup(tmp_path, seed=2)
    other = problems.create("algorithmic_sort", DATA, str(tmp_path / "data"))
    with pytest.raises(UserError, match="problem='algorithmic_reverse'"):
        make_setup(tmp_path, problem=other)
    fewer = DATA | {"train_examples": 300}
    other = problems.create("algorithmic_reverse", fewer, str(tmp_path))
    with pytest.raises(
        UserError, match="run with train_examples=400, asked is 300"
    ):
        make_setup(tmp_path, problem=other)


def test_foreign_folders_are_refused_before_anything_is_made(tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"not empty \('thesis.txt'\)"):
        make_setup(tmp_path, output_dir=str(foreign))
    assert os.listdir(foreign) == ["thesis.txt"]
    with pytest.raises(UserError, match="a file is in the way"):
        make_setup(tmp_path, output_dir=str(foreign / "thesis.txt"))
    assert os.listdir(tmp_path) == ["foreign"]


def test_a_run_without_a_checkpoint_can_be_begun_anew(tmp_path):
    make_setup(tmp_path)
    hparams = tiny_hparams(vocab_kind="bpe", vocab_size=270)
    setup = make_setup(tmp_path, hparams)
    assert setup.run.describe().hparams == hparams
    assert sorted(n for n in os.listdir(tmp_path / "run") if "vocab" in n) == [
        "vocab.model"
    ]


def test_finished_run_holds_what_later_commands_need(finished_run):
    names = set(os.listdir(finished_run))
    assert {
        "hparams.json",
        "vocab.bytes.json",
        "checkpoints",
        "metrics.jsonl",
        "results.json",
        "train.log",
        "tensorboard",
        "curves.png",
        "export",
    } <= names
    results = json.loads((finished_run / "results.json").read_text())
    assert results["step"] == 4
    assert "exact_match" in results["test"]
    assert os.listdir(finished_run / "export") == ["1"]
    described = RunFolder(str(finished_run)).describe()
    assert described.problem == "algorithmic_reverse"
    assert described.hparams == tiny_hparams(layer_prepostprocess_dropout=0.1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is damaged"),
        ("{}", "is damaged"),
        ('{"format": 99}', "format 99"),
    ],
)
def test_damaged_description_is_named(finished_run, tmp_path, content, message):
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(finished_run / "vocab.bytes.json", copy)
    (copy / "hparams.json").write_text(content)
    with pytest.raises(UserError, match=message):
        RunFolder(str(copy)).describe()

"""A run of a few updates that the tests of the engine share."""

import contextlib
import io

import pytest

from t2t_lite import problems
from t2t_lite.models.resolve import model_of
from t2t_lite.trainer.finishing import finish
from t2t_lite.trainer.options import TrainingOptions
from t2t_lite.trainer.setup import Setup
from t2t_lite.trainer.training import Training
from tests.models_for_tests import tiny_hparams

DATA = {"train_examples": 400, "eval_examples": 20}


def make_setup(folder, hparams=None, problem=None, decode=False, **options):
    """Returns the setup of a small run in `folder`/run.

    Args:
        folder: pathlib.Path; prepared data come into `folder`/data.
        hparams: by default tiny_hparams with some dropout.
        problem: by default that of reversed digits.
        decode: bool, whether outputs are judged and shown; else the loss is,
            which spares each run the seconds that a search takes to trace.
        options: fields of TrainingOptions.
    """
    values = {
        "output_dir": str(folder / "run"),
        "data_dir": str(folder / "data"),
        "train_steps": 4,
        "eval_interval": 2,
        "log_interval": 1,
        "eval_decode_examples": 4,
        "decode_hparams": "beam_size=2,extra_length=4",
        "precision": "float32",
        "xla": "off",
        "lanes": "1",  # one part of the step to trace in place of two
    }
    problem = problem or problems.create(
        "algorithmic_reverse", DATA, values["data_dir"]
    )
    if not decode:
        problem.scored_by_loss, problem.main_metric = True, "nll"
        values["show_samples"] = 0
    hparams = hparams or tiny_hparams(layer_prepostprocess_dropout=0.1)
    return Setup(
        problem,
        model_of(hparams),
        hparams,
        TrainingOptions(**(values | options)),
    )


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """The folder of a finished, exported run."""
    folder = tmp_path_factory.mktemp("finished")
    # What a test that asks for it prints is read by that test.
    with contextlib.redirect_stdout(io.StringIO()):
        setup = make_setup(folder, decode=True)
        finish(setup, Training(setup).run().step)
        setup.close()
    return folder / "run"

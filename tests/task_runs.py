"""Finished runs of every kind of task, a few updates each."""

from __future__ import annotations

import dataclasses

from t2t_lite import problems
from t2t_lite.hparams import replace_known
from t2t_lite.models.resolve import resolve
from t2t_lite.trainer.finishing import finish
from t2t_lite.trainer.options import TrainingOptions
from t2t_lite.trainer.setup import Setup
from t2t_lite.trainer.training import Training
from tests.conformance import other_sources, text_sources
from tests.conformance.table import WRITERS

assert other_sources
assert text_sources  # they fill WRITERS
# (problem, hparams set, which names the model).
KINDS = {
    "language": ("languagemodel_files", "transformer_lm_tiny"),
    "blanks": ("languagemodel_files", "transformer_encoder_tiny"),
    "label": ("classify_files", "transformer_encoder_tiny"),
    "image": ("image_mnist", "vit_test"),
    "speech": ("speech_digits", "speech_transformer_tiny"),
}


def make_setup(folder, kind, vocab_file=None, changes=None, **options):
    """Returns the setup of a small run in `folder`/run.

    Args:
        folder: pathlib.Path; prepared data come into `folder`/data.
        kind: str, one of KINDS.
        vocab_file: str, see Problem.
        changes: dict of hyperparameters.
        options: fields of TrainingOptions.
    """
    name, hparams_set = KINDS[kind]
    source = folder / f"source-{name}"
    source.mkdir(parents=True, exist_ok=True)
    given = WRITERS[name](source, name)
    given = {k: str(v) for k, v in given.items()}
    problem = problems.create(name, given, str(folder / "data"))
    problem.vocab_file = vocab_file
    model, hparams = resolve(hparams_set)
    hparams = replace_known(hparams, problem.defaults)
    small = {"vocab_kind": "byte", "vocab_size": 259, "max_shapes": 1}
    hparams = dataclasses.replace(hparams, **small | (changes or {}))
    values = {
        "output_dir": str(folder / "run"),
        "data_dir": str(folder / "data"),
        "train_steps": 2,
        "eval_interval": 2,
        "log_interval": 1,
        "show_samples": 1,
        "eval_decode_examples": 3,
        "decode_hparams": "beam_size=2,extra_length=4,max_length=40",
        "precision": "float32",
        "xla": "off",
    }
    return Setup(problem, model, hparams, TrainingOptions(**values | options))


def finished(folder, kind):
    """Trains, ends and exports a run; returns its folder."""
    setup = make_setup(folder, kind)
    finish(setup, Training(setup).run().step)
    setup.close()
    return folder / "run"

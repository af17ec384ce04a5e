"""A small model with all that is made of it, shared by the problems it fits.

Tracing is what takes long; problems whose tasks are the same share it.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from t2t_lite.data.batching import TrainBatches, eval_batches
from t2t_lite.data.bucketing import plan_buckets
from t2t_lite.data.records import PreparedData
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.hparams import replace_known
from t2t_lite.models.resolve import build, resolve
from t2t_lite.trainer import evaluation, exporting, predictors
from t2t_lite.trainer.judging import Judge
from t2t_lite.trainer.step import TrainStep
from tests.conformance.table import TINY
from tests.serving.session_model import SessionModel

DECODED = 3
_OPTIONS = SearchOptions(beam_size=2, extra_length=4, max_length=8)
_VOCABULARY = {"vocab_kind": "byte", "vocab_size": 259, "max_shapes": 1}


def hparams_of(model, problem):
    """Returns a model's tiny set with a problem's defaults over it."""
    _, hparams = resolve(TINY[model])
    hparams = replace_known(hparams, problem.defaults)
    return dataclasses.replace(hparams, **_VOCABULARY)


class Engine:
    """A model of a task: its update, its judge, its predictor, its export.

    Args:
        model: str, a registered model.
        data: PreparedData of its first problem.
        problem: that.
        folder: where it is exported to.
    """

    def __init__(self, model, data: PreparedData, problem, folder):
        self.hparams = hparams_of(model, problem)
        self.model = build(model, self.hparams, data.task, "float32")
        self.first_weights = self.model.get_weights()
        self.step = TrainStep(
            self.model,
            self.hparams,
            tf.distribute.get_strategy(),
            xla=False,
            seed=1,
        )
        self.predictor = predictors.create(
            self.model, data.encoder, self.hparams, _OPTIONS
        )
        self._folder = str(folder)

    @functools.cached_property
    def export(self) -> SessionModel:
        """The model as a server loads it, with its first weights."""
        self.model.set_weights(self.first_weights)
        folder = exporting.export(
            self.predictor, self._folder, samples=[self._sample]
        )
        return SessionModel(folder)

    def train(self, data: PreparedData, problem) -> list[dict[str, float]]:
        """Makes two updates from the first weights; returns their sums."""
        self.model.set_weights(self.first_weights)
        split = data.split("train")
        hparams = hparams_of_data(self.hparams, problem)
        self._plan = plan_buckets(
            split.lengths, hparams.batch_size, hparams.max_length, 1
        )
        batches = TrainBatches(split, self._plan, seed=1)
        found = []
        for step in (1, 2):
            sums = self.step.update([batches.batch(0)], step, 1e-3)
            found.append({name: float(value) for name, value in sums.items()})
        return found

    def judge(self, data: PreparedData, problem):
        """Returns the scores on validation, or on its first examples."""
        split = data.split("validation")
        judge = Judge(problem, self.predictor)
        if problem.scored_by_loss:
            return judge(split, eval_batches(split, self._plan)).scores
        decoded = evaluation.decode_split(
            self.predictor, problem, split, limit=DECODED
        )
        assert len(decoded.predictions) == min(DECODED, split.num_examples)
        return decoded.scores

    def answers(self, data: PreparedData):
        """Returns what predictor and export answer to some of validation.

        Returns:
            (texts of the predictor, texts of the export).
        """
        inputs = data.split("validation").sources(DECODED)
        self._sample = inputs[0]
        export = self.export
        self.model.set_weights(self.first_weights)
        tensor = self._tensor(inputs)
        found = export.predict({"inputs": tensor})["outputs"]
        texts = [text.decode("utf-8", "replace") for text in found]
        return self.predictor(inputs), texts

    def signatures(self, data: PreparedData) -> dict[str, dict]:
        """Returns what every signature of the export answers."""
        split = data.split("validation")
        inputs = self._tensor(split.sources(DECODED))
        texts = split.texts("targets")[:DECODED]
        targets = np.array([text.encode() for text in texts], object)
        found = {}
        for name, definition in self.export.signatures.items():
            if name.startswith("__"):
                continue
            given = {"inputs": inputs}
            if "targets" in definition.inputs:
                given["targets"] = targets
            found[name] = self.export.predict(given, name)
        return found

    def _tensor(self, inputs):
        from t2t_lite.trainer import sources

        return sources.batch(inputs, self.model.task).numpy()


def hparams_of_data(hparams, problem):
    """Returns the hyperparameters with a problem's sizes of batches."""
    return dataclasses.replace(
        replace_known(hparams, problem.defaults), **_VOCABULARY
    )

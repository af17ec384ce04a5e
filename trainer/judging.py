"""How good a model is on a split, by the measures of its problem."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from t2t_lite.trainer import evaluation
from t2t_lite.trainer.batch_predictor import BatchPredictor
from t2t_lite.trainer.measures import mean_measures
from t2t_lite.trainer.workers import Workers


class Judge:
    """Scores a predictor's present weights as a problem wants it.

    Args:
        problem: says whether outputs or the loss are judged, and how.
        predictor: what is judged.
        workers: who shares the work; None = this process alone.
    """

    def __init__(
        self,
        problem,
        predictor: BatchPredictor,
        workers: Workers | None = None,
    ):
        self._problem = problem
        self._predictor = predictor
        self._workers = workers

    def __call__(
        self,
        split,
        batches: Sequence[dict[str, Any]],
        before_batch: Callable[[], None] = lambda: None,
    ) -> evaluation.DecodedSplit:
        """Judges a whole split.

        Args:
            split: prepared split.
            batches: the split's, as `eval_batches` gives them.
            before_batch: called before each batch; may raise Interrupted.
        """
        if not self._problem.scored_by_loss:
            return evaluation.decode_split(
                self._predictor,
                self._problem,
                split,
                workers=self._workers,
                before_batch=before_batch,
            )
        sums = self.loss.sums(batches, self._workers, before_batch)
        scores = mean_measures(sums) | self.of_texts(sums, split)
        return evaluation.DecodedSplit([], [], [], scores)

    @functools.cached_property
    def loss(self) -> evaluation.LossEvaluator:
        """Measures the loss of the predictor's model."""
        return evaluation.LossEvaluator(
            self._predictor.model, self._predictor.hparams
        )

    def of_texts(self, sums: dict[str, float], split) -> dict[str, float]:
        """Returns what the loss of a language model says of whole texts."""
        if self._predictor.model.answers != "continuation":
            return {}
        return self._problem.score_losses(sums["nll"], split.texts("targets"))

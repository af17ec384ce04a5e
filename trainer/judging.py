"""How good a model is on a split, by the measures of its problem."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

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
        self.predictor = predictor
        self._problem = problem
        self._workers = workers

    def __call__(
        self,
        split,
        batches: Sequence[dict[str, Any]],
        before_batch: Callable[[], None] = lambda: None,
        limit: int | None = None,
    ) -> evaluation.DecodedSplit:
        """Judges a split.

        Args:
            split: prepared split.
            batches: the split's, as `eval_batches` gives them, of which the
                loss is measured.
            before_batch: called before each batch; may raise Interrupted.
            limit: int, only the first examples are decoded; None = all.
        """
        if not self._problem.scored_by_loss:
            decoded = evaluation.decode_split(
                self.predictor,
                self._problem,
                split,
                limit,
                workers=self._workers,
                before_batch=before_batch,
            )
            if not self._problem.loss_parts:
                return decoded
            losses = self._losses_of_parts(split, batches, before_batch)
            scores = self._problem.with_losses(decoded.scores, losses)
            return dataclasses.replace(decoded, scores=scores)
        sums = self.loss.sums(batches, self._workers, before_batch)
        scores = mean_measures(sums) | self.of_texts(sums, split)
        return evaluation.DecodedSplit([], [], [], scores)

    @functools.cached_property
    def loss(self) -> evaluation.LossEvaluator:
        """Measures the loss of the predictor's model."""
        return evaluation.LossEvaluator(
            self.predictor.model, self.predictor.hparams
        )

    def _losses_of_parts(
        self, split, batches: Sequence[dict[str, Any]], before_batch
    ) -> dict[str, tuple[float, int, list[str]]]:
        """Returns what `Problem.with_losses` takes."""
        names = [self._problem.loss_part(s) for s in split.sources()]
        texts, found = split.texts("targets"), {}
        for part in self._problem.loss_parts:
            mine = np.array([name == part for name in names])
            chosen, rows = [], []
            for batch in batches:
                ids = batch["example_ids"]
                taken = (ids >= 0) & mine[ids]
                if taken.any():
                    # Padding has no loss.
                    targets = np.where(taken[:, None], batch["targets"], 0)
                    chosen.append({**batch, "targets": targets})
                    rows += ids[taken].tolist()
            if rows:
                sums = self.loss.sums(chosen, self._workers, before_batch)
                mine_texts = [texts[row] for row in rows]
                found[part] = (sums["nll"], int(sums["tokens"]), mine_texts)
        return found

    def of_texts(self, sums: dict[str, float], split) -> dict[str, float]:
        """Returns what the loss of a language model says of whole texts."""
        if self.predictor.model.answers != "continuation":
            return {}
        return self._problem.score_losses(sums["nll"], split.texts("targets"))

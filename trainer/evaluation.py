"""Evaluation: loss over target tokens, and metrics of decoded text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from t2t_lite import losses
from t2t_lite.trainer.inference import Predictor
from t2t_lite.trainer.measures import SUMS, mean_measures, num_correct


@dataclasses.dataclass(frozen=True)
class DecodedSplit:
    """Decoded text of a split beside its references, with its scores."""

    sources: list[str]
    predictions: list[str]
    references: list[str]
    scores: dict[str, float | str]


class LossEvaluator:
    """Loss, perplexity and token accuracy of a model on batches.

    Args:
        model: built Keras model; its variables are read at every call.
        label_smoothing: float, as in training.
    """

    def __init__(self, model, label_smoothing: float):
        self._model = model
        self._smoothing = label_smoothing
        self._sums = tf.function(
            self._graph, autograph=False, reduce_retracing=True
        )

    def _graph(self, features):
        logits = self._model(features, training=False)
        targets = features["targets"]
        loss, nll, tokens = losses.label_smoothed_cross_entropy(
            logits, targets, self._smoothing
        )
        correct = num_correct(logits, targets)
        return tf.stack(
            [tf.cast(v, tf.float32) for v in (loss, nll, tokens, correct)]
        )

    def __call__(self, batches: Sequence[dict[str, Any]]) -> dict[str, float]:
        """Returns `loss` (smoothed) and `nll` per target token, `perplexity`
        = exp(nll), and `accuracy`, the share of target tokens whose most
        likely prediction is right."""
        sums = np.zeros(4)
        for batch in batches:
            features = {
                k: tf.constant(v)
                for k, v in batch.items()
                if k != "example_ids"
            }
            sums += self._sums(features).numpy()
        return mean_measures(dict(zip(SUMS, sums, strict=True)))


def decode_split(
    predictor: Predictor, problem, split, limit: int | None = None
) -> DecodedSplit:
    """Decodes a split and scores it with the problem's own metrics.

    Args:
        predictor: what decodes.
        problem: gives `score`.
        split: prepared split with `texts`.
        limit: int, only the first examples; None = all.
    """
    sources = split.texts("inputs")[:limit]
    references = split.texts("targets")[:limit]
    predictions = [p.outputs[0] for p in predictor.predict(sources)]
    scores = problem.score(predictions, references, sources)
    return DecodedSplit(sources, predictions, references, scores)

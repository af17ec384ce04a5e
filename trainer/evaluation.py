"""Evaluation: loss over target tokens, and metrics of decoded text."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from t2t_lite.chunked_sums import ChunkedSums
from t2t_lite.hparams import HParams
from t2t_lite.trainer.batch_predictor import BatchPredictor
from t2t_lite.trainer.measures import SUMS, mean_measures
from t2t_lite.trainer.objective import token_sums
from t2t_lite.trainer.workers import Workers, interleaved


@dataclasses.dataclass(frozen=True)
class DecodedSplit:
    """What a split became beside its references, with its scores.

    Fields:
        sources: what was given, each in one line of text.
        predictions, references: texts, as many; nothing where a problem is
            judged by the loss alone.
        scores: as `Problem.score` returns them.
    """

    sources: list[str]
    predictions: list[str]
    references: list[str]
    scores: dict[str, float | str]


class LossEvaluator:
    """Loss, perplexity and token accuracy of a model on batches.

    Args:
        model: built Keras model; its variables are read at every call.
        hparams: as in training: `label_smoothing` and `softmax_chunk`.
    """

    def __init__(self, model, hparams: HParams):
        self._model = model
        self._chunk = hparams.softmax_chunk
        self._sums_of = functools.partial(
            token_sums, label_smoothing=hparams.label_smoothing
        )
        ids = tf.TensorSpec([None, None], tf.int32)
        self._sums = tf.function(
            self._graph,
            input_signature=[{"inputs": ids, "targets": ids}],
            autograph=False,
        )

    def _graph(self, features):
        features = self._model.prepared(features, training=False)
        targets = tf.reshape(features["targets"], [-1])
        if self._chunk:
            states = self._model.states(features, training=False)
            rows = tf.reshape(states, [1, -1, states.shape[-1]])
            chunks = ChunkedSums(
                self._model.softmax, self._sums_of, self._chunk
            )
            return chunks(rows, targets)
        logits = self._model(features, training=False)
        rows = tf.reshape(logits, [1, -1, logits.shape[-1]])
        return self._sums_of(rows, targets)

    def __call__(
        self,
        batches: Sequence[dict[str, Any]],
        workers: Workers | None = None,
        before_batch: Callable[[], None] = lambda: None,
    ) -> dict[str, float]:
        """Measures the model.

        Args:
            batches: as `eval_batches` gives them.
            workers: who shares the work; None = this process alone.
            before_batch: called before each batch; may raise Interrupted.
        Returns:
            `loss` (smoothed) and `nll` per target token, `perplexity`
            = exp(nll), and `accuracy`, the share of target tokens whose most
            likely prediction is right.
        """
        return mean_measures(self.sums(batches, workers, before_batch))

    def sums(
        self,
        batches: Sequence[dict[str, Any]],
        workers: Workers | None = None,
        before_batch: Callable[[], None] = lambda: None,
    ) -> dict[str, float]:
        """Returns the sums of `SUMS`; arguments as a call's."""
        mine = workers.mine(batches) if workers else batches

        def measure():
            sums = np.zeros(4)
            for batch in mine:
                before_batch()
                sums += self._sums(_features(batch)).numpy()
            return sums.tolist()

        parts = workers.share(measure) if workers else [measure()]
        sums = np.sum(parts, axis=0)
        return dict(zip(SUMS, sums.tolist(), strict=True))

    def row_losses(
        self, batch: dict[str, Any]
    ) -> list[tuple[float, list[int]]]:
        """Returns (nats per target token, example ids) of a batch's rows.

        Args:
            batch: with `example_ids`; rows without one are left out.
        """
        features = self._model.prepared(_features(batch), training=False)
        logits = self._model(features, training=False)
        targets = features["targets"]
        real = tf.cast(targets != 0, tf.float32)
        nll = tf.nn.sparse_softmax_cross_entropy_with_logits(
            targets, tf.cast(logits, tf.float32)
        )
        tokens = tf.maximum(tf.reduce_sum(real, axis=1), 1.0)
        rows = tf.reduce_sum(nll * real, axis=1) / tokens
        ids = batch["example_ids"].reshape(len(rows), -1)
        return [
            (float(loss), [int(i) for i in row if i >= 0])
            for loss, row in zip(rows.numpy(), ids, strict=True)
            if (row >= 0).any()
        ]


def _features(batch: dict[str, Any]) -> dict[str, tf.Tensor]:
    return {k: tf.constant(v) for k, v in batch.items() if k != "example_ids"}


def decode_split(
    predictor: BatchPredictor,
    problem,
    split,
    limit: int | None = None,
    workers: Workers | None = None,
    before_batch: Callable[[], None] = lambda: None,
) -> DecodedSplit:
    """Decodes a split and scores it with the problem's own metrics.

    Args:
        predictor: what decodes.
        problem: gives `score`.
        split: prepared split with `texts`.
        limit: int, only the first examples; None = all. Those that the loss
            judges (see `Problem.loss_part`) are left out.
        workers: who shares the work; None = this process alone.
        before_batch: called before each batch; may raise Interrupted.
    """
    sources = split.sources(limit)
    references = split.texts("targets")[:limit]
    rows = [i for i, s in enumerate(sources) if problem.loss_part(s) is None]
    sources = [sources[i] for i in rows]
    references = [references[i] for i in rows]
    mine = workers.mine(sources) if workers else sources

    def decode():
        found = predictor.predict(mine, before_batch=before_batch)
        return [p.outputs[0] for p in found]

    parts = workers.share(decode) if workers else [decode()]
    predictions = interleaved(parts)
    scores = problem.score(predictions, references, sources)
    shown = [
        _shown(split, row, source)
        for row, source in zip(rows, sources, strict=True)
    ]
    return DecodedSplit(shown, predictions, references, scores)


def _shown(split, index: int, source: Any) -> str:
    """Returns an input for people: a text is itself."""
    if isinstance(source, str):
        return source
    return f"{split.task.inputs} {index} of {split.name}"

"""Which predictor answers for a model: by what it gives.

A model's `answers` says that: "text" (a search), "continuation", "label",
"tags" or "blanks". The methods that each needs of it:

    text          encode, init_cache, decode_step, attention, sentence_vectors
    continuation  encode, init_cache, decode_step, sentence_vectors
    label, tags   a call; of texts also sentence_vectors
    blanks        a call with `asked`, sentence_vectors
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from t2t_lite.data.text_encoder import TextEncoder
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.hparams import HParams
from t2t_lite.layers import QuantizedWeights
from t2t_lite.trainer import sources
from t2t_lite.trainer.audio_graphs import AudioGraphs
from t2t_lite.trainer.batch_predictor import BatchPredictor, text_of
from t2t_lite.trainer.continuation_graphs import ContinuationGraphs
from t2t_lite.trainer.label_graphs import BlankGraphs, LabelGraphs, TagGraphs
from t2t_lite.trainer.predictor import Predictor


class SpeechPredictor(Predictor):
    """Clips in, what was said out; see `Predictor`.

    `translate`, `score` and `encode` take clips where it takes texts.
    """

    graphs_class = AudioGraphs


class ContinuationPredictor(BatchPredictor):
    """How texts go on, by a search with the wishes of `Predictor`."""

    graphs_class = ContinuationGraphs

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._score = self.traced(self.graphs.score, self._inputs)
        self._encode = self.traced(self.graphs.encode, self._inputs)

    def score(self, texts: Sequence[str]) -> list[float]:
        """Returns the log-probability of each text, in nats.

        Args:
            texts: str each; of a longer one its end is scored.
        """
        if not texts:
            return []
        tensor = sources.batch(texts, self.model.task)
        return self._score(tensor)["log_probs"].numpy().tolist()

    def token_log_probs(
        self, texts: Sequence[str]
    ) -> list[list[tuple[str, float]]]:
        """Returns (token, log-probability in nats) of each token of each text.

        Args:
            texts: as for `score`.
        """
        if not texts:
            return []
        found = self._score(sources.batch(texts, self.model.task))
        arrays = [found[n].numpy() for n in ("tokens", "token_log_probs")]
        return [
            [
                (text_of(token), float(value))
                for token, value in zip(*row, strict=True)
                if token
            ]
            for row in zip(*arrays, strict=True)
        ]

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Returns a vector of each text, float32 (len(texts), size)."""
        tensor = sources.batch(texts, self.model.task)
        return self._encode(tensor)["vectors"].numpy()


class DirectPredictor(BatchPredictor):
    """Answers without a search."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Returns a vector of each text, float32 (len(texts), size).

        Raises:
            UserError: the model's inputs are no texts.
        """
        if self.model.task.inputs not in ("text", "none"):
            raise UserError(
                f"encode: the model reads {self.model.task.inputs}s, no texts"
            )
        tensor = sources.batch(texts, self.model.task)
        return self._encode(tensor)["vectors"].numpy()

    @functools.cached_property
    def _encode(self) -> Any:
        return self.traced(self.graphs.encode, self._inputs)


class LabelPredictor(DirectPredictor):
    """Labels of texts or images; a score is the label's probability.

    The details are `probabilities`, those of all labels by name, the most
    likely first.
    """

    graphs_class = LabelGraphs

    def probabilities(self, inputs: Sequence[Any]) -> list[dict[str, float]]:
        """Returns every label's probability, the most likely first."""
        found = self.predict_batch(inputs)
        return [prediction.details["probabilities"] for prediction in found]

    def _details(self, arrays, row):
        names = [text_of(name) for name in arrays["labels"][row]]
        values = arrays["probabilities"][row].tolist()
        return {"probabilities": dict(zip(names, values, strict=True))}


class TagPredictor(DirectPredictor):
    """A tag for each word of a text; a score is the least sure tag's.

    The details are `tags` and `probabilities`, one of each word.
    """

    graphs_class = TagGraphs

    def _details(self, arrays, row):
        tags = [text_of(tag) for tag in arrays["tags"][row] if tag]
        values = arrays["probabilities"][row, : len(tags)].tolist()
        return {"tags": tags, "probabilities": values}


class BlankPredictor(DirectPredictor):
    """Texts whose every `<mask>` is filled in.

    The details are, of each blank, the most likely `tokens` and their
    `probabilities`.
    """

    graphs_class = BlankGraphs

    def _details(self, arrays, row):
        values = arrays["probabilities"][row]
        values = values[values[:, 0] > 0].tolist()
        tokens = arrays["tokens"][row, : len(values)].tolist()
        return {
            "tokens": [[text_of(t) for t in blank] for blank in tokens],
            "probabilities": values,
        }


PREDICTORS: dict[str, type[BatchPredictor]] = {
    "text": Predictor,
    "continuation": ContinuationPredictor,
    "label": LabelPredictor,
    "tags": TagPredictor,
    "blanks": BlankPredictor,
}


def create(
    model,
    encoder: TextEncoder,
    hparams: HParams,
    options: SearchOptions,
    lanes: int = 1,
    quantized: QuantizedWeights | None = None,
) -> BatchPredictor:
    """Returns the predictor of a model; arguments as `BatchPredictor`'s."""
    kind = PREDICTORS[model.answers]
    if kind is Predictor and model.task.inputs == "audio":
        kind = SpeechPredictor
    return kind(model, encoder, hparams, options, lanes, quantized)


def require_text(predictor: BatchPredictor, what: str) -> None:
    """Raises UserError unless a predictor translates texts.

    Args:
        predictor: any.
        what: str, the flag or command that needs it.
    """
    if type(predictor) is not Predictor:
        raise UserError(
            f"{what}: works for models from text to text; this one gives "
            f"{predictor.model.answers} for {predictor.model.task.inputs}"
        )

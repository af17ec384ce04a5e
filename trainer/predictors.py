"""Which predictor answers for a model: by what it gives.

A model's `answers` says that: "text" (a search), "continuation", "label",
"tags" or "blanks". The methods that each needs of it:

    text          encode, init_cache, decode_step, attention, sentence_vectors
    continuation  encode, init_cache, decode_step, sentence_vectors
    label, tags   a call; of texts also sentence_vectors
    blanks        a call with `asked`, sentence_vectors
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from t2t_lite.data.text_encoder import TextEncoder
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.hparams import HParams
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


class LabelPredictor(BatchPredictor):
    """Labels of texts or images; a score is the label's probability."""

    graphs_class = LabelGraphs

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._classify = self.traced(self.graphs.classify, self._inputs)

    def probabilities(self, inputs: Sequence[Any]) -> list[dict[str, float]]:
        """Returns every label's probability, the most likely first."""
        if not len(inputs):
            return []
        found = self._classify(sources.batch(inputs, self.model.task))
        labels, values = (
            found[name].numpy() for name in ("labels", "probabilities")
        )
        return [
            {text_of(n): float(p) for n, p in zip(*row, strict=True)}
            for row in zip(labels, values, strict=True)
        ]


class TagPredictor(BatchPredictor):
    """A tag for each word of a text; a score is the least sure tag's."""

    graphs_class = TagGraphs


class BlankPredictor(BatchPredictor):
    """Texts whose every `<mask>` is filled in."""

    graphs_class = BlankGraphs


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
) -> BatchPredictor:
    """Returns the predictor of a model; arguments as `BatchPredictor`'s."""
    kind = PREDICTORS[model.answers]
    if kind is Predictor and model.task.inputs == "audio":
        kind = SpeechPredictor
    return kind(model, encoder, hparams, options, lanes)


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

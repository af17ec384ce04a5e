"""A trained model as a function of sentences, for Python and the commands."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from t2t_lite.errors import UserError
from t2t_lite.task import Task
from t2t_lite.trainer import sources
from t2t_lite.trainer.batch_predictor import (
    BatchPredictor,
    Prediction,
    row_of,
    text_of,
)
from t2t_lite.trainer.text_graphs import TextGraphs

__all__ = ["Prediction", "Predictor", "Translation", "text_tensor"]
_TEXTS = Task(vocab_size=1)


@dataclasses.dataclass(frozen=True)
class Translation(Prediction):
    """What one input became, in detail.

    Fields beside those of `Prediction`:
        lengths: int for each output, in ids, the end mark included.
        finished: bool for each output, whether it came to its end mark.
        input_tokens, output_tokens: the pieces of the input and of the best
            output, end marks included; none of an input that is no text.
        attention: float32 (len(output_tokens), len(input_tokens)), how much
            each piece of the best output looked at each of the input's; of a
            clip at each state of the batch's longest.
    """

    lengths: list[int]
    finished: list[bool]
    input_tokens: list[str]
    output_tokens: list[str]
    attention: np.ndarray


class Predictor(BatchPredictor):
    """A model with its tokenizer and search: sentences in, sentences out.

    What a search shall do may be said call by call, as keyword arguments: a
    field of SearchOptions that has to do with results, `prefix` (str: the
    outputs begin with it), `required` and `forbidden` (lists of phrases), or
    `replace_unknown`. A value holds for all texts; a list of as many values as
    there are texts, for one each.

        predictor(texts, beam_size=8, forbidden=["der Hund"])

    Args: see `BatchPredictor`; the model has `encode`, `init_cache`,
        `decode_step`, `attention` and `sentence_vectors`.
    """

    graphs_class = TextGraphs

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        wishes = self._wish_specs
        targets = tf.TensorSpec([None], tf.string, "targets")
        penalty = [wishes["alpha"], wishes["length_offset"]]
        graphs, inputs = self.graphs, self._inputs
        self._translate = self.traced(graphs.translate, inputs, wishes)
        self._score = self.traced(graphs.score, inputs, targets, *penalty)
        self._encode = self.traced(graphs.encode, inputs)

    def translate(
        self, texts: Sequence[str], **wishes: Any
    ) -> list[Translation]:
        """Translates texts as one batch, and says how.

        Args:
            texts, wishes: as for `predict_batch`.
        """
        if not len(texts):
            return []
        inputs = sources.batch(texts, self.model.task)
        values = self._wishes(len(texts), {**wishes, "return_attention": True})
        return translations(self._translate(inputs, values))

    def score(
        self,
        texts: Sequence[str],
        targets: Sequence[str],
        alpha: float | None = None,
        length_offset: float | None = None,
    ) -> list[float]:
        """Returns the score of each given output, as a search would give it.

        Args:
            texts, targets: str each, as many of both; longer ones are cut.
            alpha: float, exponent of the length penalty; 0 = the
                log-probability. None = that of the options.
            length_offset: float, see SearchOptions; None = likewise.
        Raises:
            UserError: their numbers differ.
        """
        if len(texts) != len(targets):
            raise UserError(
                f"{len(texts)} texts and {len(targets)} targets: expected as "
                "many of both"
            )
        if not len(texts):
            return []
        penalty = [
            getattr(self.options, name) if value is None else value
            for name, value in [
                ("alpha", alpha),
                ("length_offset", length_offset),
            ]
        ]
        result = self._score(
            sources.batch(texts, self.model.task),
            text_tensor(targets),
            *tf.constant([[value] for value in penalty], tf.float32),
        )
        return result["scores"].numpy().tolist()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Returns a vector of each text, float32 (len(texts), size)."""
        tensor = sources.batch(texts, self.model.task)
        return self._encode(tensor)["vectors"].numpy()


def text_tensor(texts: Sequence[str | bytes]) -> tf.Tensor:
    """Returns texts as UTF-8, string (len(texts),), whatever is in them.

    Raises:
        UserError: a text is neither str nor bytes.
    """
    return sources.batch(texts, _TEXTS)


def translations(result: Mapping[str, tf.Tensor]) -> list[Translation]:
    """Returns each row of what `TextGraphs.translate` or its export gives."""
    arrays = {name: value.numpy() for name, value in result.items()}
    return [
        Translation(**row_of(arrays, row), **_details(arrays, row))
        for row in range(len(arrays["outputs"]))
    ]


def _details(arrays: Mapping[str, np.ndarray], row: int) -> dict[str, Any]:
    sides = {
        name: [text_of(t) for t in arrays.get(name, {row: ()})[row] if t]
        for name in ("input_tokens", "output_tokens")
    }
    # What is heard has no tokens.
    columns = len(sides["input_tokens"]) or None
    rows = len(sides["output_tokens"])
    return {
        "lengths": arrays["lengths"][row].tolist(),
        "finished": arrays["finished"][row].tolist(),
        "attention": arrays["attention"][row, :rows, :columns],
        **sides,
    }

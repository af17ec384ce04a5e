"""A trained model as a function of sentences, for Python and the commands."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from t2t_lite.data.text_encoder import TextEncoder
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.hparams import HParams
from t2t_lite.trainer.text_graphs import TextGraphs
from t2t_lite.trainer.wishes import request_values, wishes_of


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What one input became.

    Fields:
        outputs: texts, best first.
        scores: float for each output: its log-probability over the length
            penalty.
        truncated: whether the input was cut to the longest length.
    """

    outputs: list[str]
    scores: list[float]
    truncated: bool


@dataclasses.dataclass(frozen=True)
class Translation(Prediction):
    """What one input became, in detail.

    Fields beside those of `Prediction`:
        lengths: int for each output, in ids, the end mark included.
        finished: bool for each output, whether it came to its end mark.
        input_tokens, output_tokens: the pieces of the input and of the best
            output, end marks included.
        attention: float32 (len(output_tokens), len(input_tokens)), how much
            each piece of the best output looked at each of the input's.
    """

    lengths: list[int]
    finished: list[bool]
    input_tokens: list[str]
    output_tokens: list[str]
    attention: np.ndarray


class Predictor:
    """A model with its tokenizer and search: sentences in, sentences out.

    What a search shall do may be said call by call, as keyword arguments: a
    field of SearchOptions that has to do with results, `prefix` (str: the
    outputs begin with it), `required` and `forbidden` (lists of phrases), or
    `replace_unknown`. A value holds for all texts; a list of as many values as
    there are texts, for one each.

        predictor(texts, beam_size=8, forbidden=["der Hund"])

    Args:
        model: built model with `encode`, `init_cache`, `decode_step`,
            `attention` and `sentence_vectors`.
        encoder: the run's TextEncoder.
        hparams: the run's hyperparameters (`max_length` cuts inputs).
        options: SearchOptions.
        lanes: int, batches that `predict` decodes at once.
    """

    def __init__(
        self,
        model,
        encoder: TextEncoder,
        hparams: HParams,
        options: SearchOptions,
        lanes: int = 1,
    ):
        self.model = model
        self.encoder = encoder
        self.hparams = hparams
        self.options = options
        self.lanes = lanes
        self.tokenizer = encoder.graph_tokenizer()
        self.graphs = TextGraphs(
            model, self.tokenizer, options, self.max_input_length
        )
        wishes = self.graphs.specification()
        inputs = wishes.pop("inputs")
        self._search = _traced(self.graphs.search, inputs, wishes)
        self._translate = _traced(self.graphs.translate, inputs, wishes)
        targets = tf.TensorSpec([None], tf.string, "targets")
        penalty = [wishes["alpha"], wishes["length_offset"]]
        self._score = _traced(self.graphs.score, inputs, targets, *penalty)
        self._encode = _traced(self.graphs.encode, inputs)

    @property
    def max_input_length(self) -> int:
        """Longest input in tokens, end mark included; the rest is cut."""
        return self.options.max_input_length or self.hparams.max_length

    @property
    def truncation_note(self) -> str:
        """What to say of an input that was cut."""
        return f"input cut to {self.max_input_length} tokens"

    def predict_batch(
        self, texts: Sequence[str], **wishes: Any
    ) -> list[Prediction]:
        """Translates texts as one batch.

        Args:
            texts: str, or bytes of UTF-8; what is no UTF-8 is replaced.
            wishes: see the class.
        Raises:
            UserError: a text is neither, or a wish is unknown or wrong.
        """
        if not texts:
            return []
        inputs = text_tensor(texts)
        result = self._search(inputs, self._wishes(len(texts), wishes))
        arrays = {name: value.numpy() for name, value in result.items()}
        return [Prediction(**_of_row(arrays, row)) for row in range(len(texts))]

    def translate(
        self, texts: Sequence[str], **wishes: Any
    ) -> list[Translation]:
        """Translates texts as one batch, and says how.

        Args:
            texts, wishes: as for `predict_batch`.
        """
        if not texts:
            return []
        inputs = text_tensor(texts)
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
        if not texts:
            return []
        penalty = [
            getattr(self.options, name) if value is None else value
            for name, value in [
                ("alpha", alpha),
                ("length_offset", length_offset),
            ]
        ]
        result = self._score(
            tf.constant(_all_utf8(texts)),
            tf.constant(_all_utf8(targets)),
            *tf.constant([[value] for value in penalty], tf.float32),
        )
        return result["scores"].numpy().tolist()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Returns a vector of each text, float32 (len(texts), size)."""
        return self._encode(text_tensor(texts))["vectors"].numpy()

    def _wishes(self, count: int, wishes: Mapping[str, Any]):
        return request_values(self.graphs, count, wishes)

    def predict(
        self,
        texts: Sequence[str],
        batch_size: int = 64,
        before_batch: Callable[[], None] = lambda: None,
        **wishes: Any,
    ) -> list[Prediction]:
        """Translates texts in batches of similar length, in input order.

        Args:
            texts: any number of sentences.
            batch_size: int, most sentences at a time.
            before_batch: called before each batch; may raise to end the work.
            wishes: see the class.
        """
        texts = _all_utf8(texts)
        self._wishes(len(texts), wishes)  # mistakes come before the work
        order = np.argsort([len(t) for t in texts], kind="stable")[::-1]
        parts = [
            order[start : start + batch_size]
            for start in range(0, len(order), batch_size)
        ]

        def decode(part):
            return self.predict_batch(
                [texts[i] for i in part],
                **wishes_of(part, len(texts), wishes),
            )

        results: list[Prediction | None] = [None] * len(texts)
        if parts:
            self._search.get_concrete_function()  # traced on this thread
        for part, batch in zip(
            parts, _ahead(decode, parts, self.lanes, before_batch), strict=True
        ):
            for i, prediction in zip(part, batch, strict=True):
                results[i] = prediction
        return results

    def __call__(
        self, texts: Sequence[str] | str, **wishes: Any
    ) -> list[str] | str:
        """Returns the best translation of each text (or of the one text)."""
        if isinstance(texts, (str, bytes)):
            return self.predict([texts], **wishes)[0].outputs[0]
        return [p.outputs[0] for p in self.predict(texts, **wishes)]


def text_tensor(texts: Sequence[str | bytes]) -> tf.Tensor:
    """Returns texts as UTF-8, string (len(texts),), whatever is in them.

    Raises:
        UserError: a text is neither str nor bytes.
    """
    return tf.constant(_all_utf8(texts), tf.string)


def translations(result: Mapping[str, tf.Tensor]) -> list[Translation]:
    """Returns each row of what `TextGraphs.translate` or its export gives."""
    arrays = {name: value.numpy() for name, value in result.items()}
    return [
        Translation(**_of_row(arrays, row), **_details(arrays, row))
        for row in range(len(arrays["outputs"]))
    ]


def _traced(function, *specification):
    return tf.function(function, input_signature=specification, autograph=False)


def _of_row(arrays: Mapping[str, np.ndarray], row: int) -> dict[str, Any]:
    return {
        "outputs": [_text(t) for t in arrays["outputs"][row]],
        "scores": arrays["scores"][row].tolist(),
        "truncated": bool(arrays["truncated"][row]),
    }


def _details(arrays: Mapping[str, np.ndarray], row: int) -> dict[str, Any]:
    sides = {
        name: [_text(t) for t in arrays[name][row] if t]
        for name in ("input_tokens", "output_tokens")
    }
    rows, columns = (len(sides[f"{s}_tokens"]) for s in ("output", "input"))
    return {
        "lengths": arrays["lengths"][row].tolist(),
        "finished": arrays["finished"][row].tolist(),
        "attention": arrays["attention"][row, :rows, :columns],
        **sides,
    }


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _all_utf8(texts: Sequence[str]) -> list[bytes]:
    return [_utf8(i, text) for i, text in enumerate(texts)]


def _ahead(function, items, count, before) -> Iterator[Any]:
    """Yields function(item) in order, `count` at a time on threads.

    `before` is called, on the caller's thread, before each item is begun.
    """
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        waiting: collections.deque = collections.deque()
        for item in items:
            if len(waiting) == count:
                yield waiting.popleft().result()
            before()
            waiting.append(pool.submit(function, item))
        while waiting:
            yield waiting.popleft().result()


def _utf8(index: int, text: Any) -> bytes:
    """Returns a text as UTF-8, whatever is in it."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str):
        raise UserError(
            f"text {index}: expected str, got {type(text).__name__}"
        )
    return text.encode("utf-8", "replace")

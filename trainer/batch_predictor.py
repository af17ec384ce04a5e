"""A trained model as a function of what it was trained on, batch by batch."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from t2t_lite.data.text_encoder import TextEncoder
from t2t_lite.decoding.lines import ahead
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.hparams import HParams
from t2t_lite.layers import (
    QuantizedWeights,
    frozen_weights,
    held_weights,
    one_thread_each,
)
from t2t_lite.trainer import sources
from t2t_lite.trainer.wishes import request_values, wishes_of


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What one input became.

    Fields:
        outputs: texts, best first.
        scores: float for each output: of a search its log-probability over
            the length penalty, of a label its probability.
        truncated: whether the input was cut to the longest length.
        details: what else there is to say, by name, of JSON's types.
    """

    outputs: list[str]
    scores: list[float]
    truncated: bool
    details: Mapping[str, Any] = dataclasses.field(
        default_factory=dict, kw_only=True
    )


class BatchPredictor(abc.ABC):
    """A model with its tokenizer: inputs in, texts out.

    Inputs are texts; of a task whose inputs are images, uint8 arrays (height,
    width, channels); of one whose inputs are audio, int16 arrays (samples,).

    Args:
        model: built model.
        encoder: the run's TextEncoder.
        hparams: the run's hyperparameters (`max_length` cuts inputs).
        options: SearchOptions.
        lanes: int, batches that `predict` decodes at once.
        quantized: QuantizedWeights to read in place of the model's large
            matrices.
    Attributes:
        graphs_class: what computes the answers, such as TextGraphs.
        graphs: one of these, of the model's variables.
    """

    graphs_class: type

    def __init__(
        self,
        model,
        encoder: TextEncoder,
        hparams: HParams,
        options: SearchOptions,
        lanes: int = 1,
        quantized: QuantizedWeights | None = None,
    ):
        self.model = model
        self.quantized = quantized
        self.encoder = encoder
        self.hparams = hparams
        self.options = options
        self.lanes = lanes
        self.tokenizer = encoder.graph_tokenizer()
        self.graphs = self._new_graphs()
        wishes = self.graphs.specification()
        self._inputs = wishes.pop("inputs")
        self._wish_specs = wishes
        self._defaults = self.graphs.defaults()
        self._search = self.traced(self.graphs.search, self._inputs, wishes)

    @property
    def dtype(self) -> str:
        """What it computes in, as `inference.load` calls it."""
        if self.quantized:
            return f"int8_{self.quantized.products}"
        return self.model.dtype_policy.name

    def graphs_of(self, parts: int = 1, frozen: bool = False):
        """Returns the functions of the model, e.g. for an export.

        They are to be called as `reading` returns them. The usual ones are
        `graphs` themselves, whose search may have been traced.

        Args:
            parts: see `TextGraphs`.
            frozen: bool, whether the search has the weights as constants; all
                else reads the variables.
        """
        usual = parts == 1 and not frozen
        return self.graphs if usual else self._new_graphs(parts, frozen)

    def _new_graphs(self, parts: int = 1, frozen: bool = False):
        reading = functools.partial(held_weights, parts)
        if self.quantized:
            reading = functools.partial(self.quantized.reading, parts)
        elif frozen:
            reading = frozen_weights
        # Searches side by side, each on a core of its own. With matrices that
        # TensorFlow packs that was slower.
        many = max(parts, self.lanes) > 1
        one_thread = many and self.quantized is not None

        @contextlib.contextmanager
        def scope():
            with reading(), one_thread_each(one_thread):
                yield

        return self.graphs_class(
            self.model,
            self.tokenizer,
            self.options,
            self.max_input_length,
            parts,
            scope,
        )

    def reading(self, function: Callable) -> Callable:
        """Returns the same function of graphs, reading this one's weights."""
        if not self.quantized:
            return function

        def call(*args, **kwargs):
            with self.quantized.reading():
                return function(*args, **kwargs)

        return call

    def defaults(self) -> dict[str, tf.Tensor]:
        """Returns what holds where nothing is asked for, by name."""
        return dict(self._defaults)

    def traced(self, function: Callable, *specification: Any) -> Any:
        """Returns the function as a graph of one trace."""
        return tf.function(
            self.reading(function),
            input_signature=specification,
            autograph=False,
        )

    @property
    def max_input_length(self) -> int:
        """Longest input in units of its length; the rest is cut."""
        return self.options.max_input_length or self.hparams.max_length

    @property
    def truncation_note(self) -> str:
        """What to say of an input that was cut."""
        kind = self.model.task.inputs
        if kind == "audio":
            return f"input cut to {self.max_input_length / 100:g} seconds"
        return f"input cut to {self.max_input_length} tokens"

    def source(self, line: str) -> Any:
        """Returns the input that a line of a file names.

        A text is the line itself; of an image or a clip it is the path.

        Raises:
            UserError: there is no such file, or it is another kind of one.
        """
        return sources.read(line, self.model.task)

    def length(self, line: str) -> int:
        """Returns how long a line's input is, out of `options.batch_size`."""
        most = self.options.batch_size
        return sources.length(line, self.model.task, most)

    def trace(self) -> None:
        """Makes the graph, on the thread that asks; does nothing twice."""
        self._search.get_concrete_function()

    def predict_batch(
        self, inputs: Sequence[Any], **wishes: Any
    ) -> list[Prediction]:
        """Answers inputs as one batch.

        Args:
            inputs: see the class; a text is str, or bytes of UTF-8; what is no
                UTF-8 is replaced.
            wishes: what a search shall do; see `Predictor`.
        Raises:
            UserError: an input is of another kind, or a wish is unknown or
                wrong.
        """
        if not len(inputs):
            return []
        tensor = sources.batch(inputs, self.model.task)
        result = self._search(tensor, self._wishes(len(inputs), wishes))
        arrays = {name: value.numpy() for name, value in result.items()}
        return [
            Prediction(
                **row_of(arrays, row), details=self._details(arrays, row)
            )
            for row in range(len(inputs))
        ]

    def _details(
        self, arrays: Mapping[str, np.ndarray], row: int
    ) -> dict[str, Any]:
        """Returns the details of one row's Prediction."""
        del arrays, row
        return {}

    def _wishes(self, count: int, wishes: Mapping[str, Any]):
        return request_values(self, count, wishes)

    def predict(
        self,
        inputs: Sequence[Any],
        batch_size: int = 64,
        before_batch: Callable[[], None] = lambda: None,
        **wishes: Any,
    ) -> list[Prediction]:
        """Answers inputs in batches of similar length, in their order.

        Args:
            inputs: any number of them.
            batch_size: int, most at a time.
            before_batch: called before each batch; may raise to end the work.
            wishes: see `predict_batch`.
        """
        inputs = sources.checked(inputs, self.model.task)
        if not 0 < len(inputs) <= batch_size:  # mistakes before the work
            self._wishes(len(inputs), wishes)
        sizes = [len(value) for value in inputs]
        order = np.argsort(sizes, kind="stable")[::-1]
        parts = [
            order[start : start + batch_size]
            for start in range(0, len(order), batch_size)
        ]

        def decode(part):
            return self.predict_batch(
                [inputs[i] for i in part],
                **wishes_of(part, len(inputs), wishes),
            )

        results: list[Prediction | None] = [None] * len(inputs)
        if parts:
            self.trace()
        for part, batch in zip(
            parts, ahead(decode, parts, self.lanes, before_batch), strict=True
        ):
            for i, prediction in zip(part, batch, strict=True):
                results[i] = prediction
        return results

    def __call__(
        self, inputs: Sequence[Any] | str, **wishes: Any
    ) -> list[str] | str:
        """Returns the best answer to each input (or to the one text)."""
        if isinstance(inputs, (str, bytes)):
            return self.predict([inputs], **wishes)[0].outputs[0]
        return [p.outputs[0] for p in self.predict(inputs, **wishes)]


def row_of(arrays: Mapping[str, np.ndarray], row: int) -> dict[str, Any]:
    """Returns the fields of one row's `Prediction`."""
    return {
        "outputs": [text_of(t) for t in arrays["outputs"][row]],
        "scores": arrays["scores"][row].tolist(),
        "truncated": bool(arrays["truncated"][row]),
    }


def text_of(data: bytes) -> str:
    """Returns bytes of a graph as text."""
    return data.decode("utf-8", "replace")

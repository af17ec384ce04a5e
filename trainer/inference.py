"""From text to text: one graph for Python, the commands and the SavedModel.

translate = t2t_lite.load("runs/ende")
translate(["A sentence."])  ->  ["Ein Satz."]
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from t2t_lite.data import storage
from t2t_lite.data.text_encoder import EOS_ID, TextEncoder, load_encoder
from t2t_lite.decoding.search import (
    Request,
    SearchOptions,
    beam_search,
    most_beams,
    output_lengths,
)
from t2t_lite.errors import UserError
from t2t_lite.hparams import HParams
from t2t_lite.models.resolve import build
from t2t_lite.registry import MODELS
from t2t_lite.trainer import checkpoints
from t2t_lite.trainer.run_folder import RunFolder


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


class Predictor:
    """A model with its tokenizer and search: sentences in, sentences out.

    Args:
        model: built model with `encode`, `init_cache` and `decode_step`.
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
        self._function = tf.function(
            self.graph,
            input_signature=[tf.TensorSpec([None], tf.string, "inputs")],
            autograph=False,
        )

    @property
    def max_input_length(self) -> int:
        """Longest input in tokens, end mark included; the rest is cut."""
        return self.options.max_input_length or self.hparams.max_length

    @property
    def truncation_note(self) -> str:
        """What to say of an input that was cut."""
        return f"input cut to {self.max_input_length} tokens"

    def graph(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Translates strings (batch,) inside a graph.

        Returns:
            `outputs` string and `scores` float32 (batch, results), best
            first, and `truncated` bool (batch,). An input without a visible
            character gives empty outputs with score 0.
        """
        pieces = self.tokenizer.tokenize(inputs)
        longest = self.max_input_length - 1
        truncated = pieces.row_lengths() > longest
        pieces = pieces[:, :longest]
        ends = tf.fill([tf.shape(inputs)[0], 1], EOS_ID)
        ids = tf.concat([pieces, ends], axis=1).to_tensor()
        lengths = tf.cast(pieces.row_lengths(), tf.int32) + 1
        shortest, longest = output_lengths(self.options, lengths)
        request = Request.of(self.options, longest, min_lengths=shortest)
        request = request.checked()
        result = beam_search(
            self.model.decode_step,
            self.model.init_cache(tf.shape(ids)[0], most_beams(request)),
            self.model.encode(ids),
            request,
        )
        shape = tf.shape(result.ids)
        texts = self.tokenizer.detokenize(
            tf.reshape(result.ids, [shape[0] * shape[1], shape[2]])
        )
        texts = tf.reshape(texts, shape[:2])
        visible = tf.strings.length(tf.strings.strip(inputs)) > 0
        return {
            "outputs": tf.where(visible[:, None], texts, ""),
            "scores": tf.where(visible[:, None], result.scores, 0.0),
            "truncated": truncated,
        }

    def predict_batch(self, texts: Sequence[str]) -> list[Prediction]:
        """Translates texts as one batch.

        Args:
            texts: str, or bytes of UTF-8; what is no UTF-8 is replaced.
        Raises:
            UserError: something is neither.
        """
        if not texts:
            return []
        inputs = [_utf8(i, text) for i, text in enumerate(texts)]
        result = self._function(tf.constant(inputs, tf.string))
        outputs = result["outputs"].numpy()
        return [
            Prediction(
                [t.decode("utf-8", "replace") for t in row], scores, bool(cut)
            )
            for row, scores, cut in zip(
                outputs,
                result["scores"].numpy().tolist(),
                result["truncated"].numpy(),
                strict=True,
            )
        ]

    def predict(
        self,
        texts: Sequence[str],
        batch_size: int = 64,
        before_batch: Callable[[], None] = lambda: None,
    ) -> list[Prediction]:
        """Translates texts in batches of similar length, in input order.

        Args:
            texts: any number of sentences.
            batch_size: int, most sentences at a time.
            before_batch: called before each batch; may raise to end the work.
        """
        texts = [_utf8(i, text) for i, text in enumerate(texts)]
        order = np.argsort([len(t) for t in texts], kind="stable")[::-1]
        parts = [
            order[start : start + batch_size]
            for start in range(0, len(order), batch_size)
        ]

        def decode(part):
            return self.predict_batch([texts[i] for i in part])

        results: list[Prediction | None] = [None] * len(texts)
        if parts:
            self._function.get_concrete_function()  # traced on this thread
        for part, batch in zip(
            parts, _ahead(decode, parts, self.lanes, before_batch), strict=True
        ):
            for i, prediction in zip(part, batch, strict=True):
                results[i] = prediction
        return results

    def __call__(self, texts: Sequence[str] | str) -> list[str] | str:
        """Returns the best translation of each text (or of the one text)."""
        if isinstance(texts, (str, bytes)):
            return self.predict([texts])[0].outputs[0]
        return [p.outputs[0] for p in self.predict(texts)]


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


def choose_checkpoint(run: RunFolder, checkpoint_path: str | None) -> str:
    """Returns the folder of the weights to use.

    Args:
        run: the run's folder.
        checkpoint_path: str, a checkpoint folder of the user's choice; else
            the end of training's choice, the best or the newest is taken.
    Raises:
        UserError: there is none.
    """
    if checkpoint_path:
        if not os.path.isdir(checkpoint_path):
            raise UserError(
                f"--checkpoint_path={checkpoint_path}: no such folder; "
                f"checkpoints are in {run.checkpoints}"
            )
        return checkpoint_path
    final = os.path.join(run.checkpoints, "final")
    if os.path.isdir(final):
        return final
    for kind in ("best", "step"):
        folders = checkpoints.listing(run.checkpoints, kind)
        if folders:
            return folders[-1]
    raise UserError(
        f"{run.checkpoints} holds no checkpoint yet; train first, or wait "
        "for the first evaluation"
    )


def assign_weights(model, tensors: dict[str, np.ndarray], source: str) -> None:
    """Sets every weight of `model` from a checkpoint's tensors.

    Raises:
        UserError: a weight is missing or has another shape.
    """
    for variable in model.weights:
        value = tensors.get(f"model/{variable.path}")
        if value is None or value.shape != tuple(variable.shape):
            found = "missing" if value is None else f"of shape {value.shape}"
            raise UserError(
                f"{source}: tensor {variable.path} is {found}, expected "
                f"{tuple(variable.shape)}; it belongs to another model or "
                "vocabulary"
            )
        variable.assign(value)


def load(
    output_dir: str,
    checkpoint_path: str | None = None,
    decode_hparams: str | None = None,
    dtype: str = "float32",
    log: Callable[[str], None] | None = None,
    lanes: int = 1,
) -> Predictor:
    """Loads a trained run for prediction.

    Args:
        output_dir: str, the run's folder.
        checkpoint_path: str, a checkpoint folder; by default the best.
        decode_hparams: str, e.g. "beam_size=4,alpha=0.6"; None = the run's.
        dtype: str, Keras dtype policy of the computation.
        log: called with lines such as which weights were taken. Without it
            nothing is said, but for a damaged checkpoint: a UserWarning.
        lanes: int, batches that `predict` decodes at once.
    Returns:
        A Predictor; call it with a list of strings.
    Raises:
        UserError: no run there, or damaged files.
    """
    run = RunFolder(output_dir)
    description = run.describe()
    vocabulary = run.file(description.vocabulary)
    encoder = load_encoder(vocabulary)
    expected = description.settings.get("vocabulary_sha256")
    if expected != storage.sha256_of_bytes(encoder.to_bytes()):
        raise UserError(
            f"{vocabulary} is not the vocabulary that the run was trained "
            "with; restore the run's own vocabulary"
        )
    if encoder.vocab_size != description.vocab_size:
        raise UserError(
            f"{run.file(description.vocabulary)} has {encoder.vocab_size} "
            f"entries, the run was trained with {description.vocab_size}; "
            "restore the run's own vocabulary"
        )
    if decode_hparams is None:
        decode_hparams = description.settings.get("decode_hparams", "")
    options = SearchOptions.parse(decode_hparams)
    folder = choose_checkpoint(run, checkpoint_path)
    folder, tensors, state = _read_or_fall_back(
        run, folder, checkpoint_path, log or warnings.warn
    )
    _check_size(description, tensors, folder)
    model = build(
        description.model, description.hparams, encoder.vocab_size, dtype
    )
    if log:
        log(f"weights of step {state['step']} from {folder}")
    weights = checkpoints.evaluated_weights(tensors)
    assign_weights(model, weights, folder)
    return Predictor(model, encoder, description.hparams, options, lanes)


def _check_size(description, tensors: dict[str, np.ndarray], source) -> None:
    """Raises UserError if the model is larger than a checkpoint's tensors.

    Before the model is built: sizes read from a file could ask for more
    memory than there is.
    """
    count = getattr(MODELS.get(description.model), "least_parameters", None)
    if count is None:  # a user's model need not have it
        return
    needed = count(description.hparams, description.vocab_size)
    held = sum(value.size for value in tensors.values())
    if needed > held:
        raise UserError(
            f"{source}: {held:,} numbers, but the run's hparams make a model "
            f"of {needed:,}; it belongs to another model or vocabulary"
        )


def _read_or_fall_back(run, folder, asked, log):
    """Returns (folder, tensors, state) of a checkpoint that reads whole."""
    try:
        return folder, *checkpoints.read(folder)
    except checkpoints.DamagedCheckpointError as error:
        if asked:
            raise
        log(f"{error}; trying the newest one that is whole")
        found = checkpoints.read_newest(run.checkpoints, log)
        if found is None:
            raise
        return found

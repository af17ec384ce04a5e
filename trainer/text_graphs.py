"""From text to text inside a graph: what Python, commands and servers call.

Everything a request may ask for is an input with a default, so that one trace
serves all requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from t2t_lite.data.text_encoder import EOS_ID
from t2t_lite.decoding import mbr
from t2t_lite.decoding.parts import side_by_side
from t2t_lite.decoding.request import (
    LONGEST,
    MOST,
    OPTIONS,
    Request,
    output_lengths,
)
from t2t_lite.decoding.search import (
    SearchOptions,
    SearchResult,
    beam_search,
    length_penalty,
    most_beams,
)
from t2t_lite.layers import held_weights
from t2t_lite.trainer.signatures import Signature
from t2t_lite.trainer.unknown_words import replaced

_USUAL_BEAMS = 4
_OUTPUT_SHARE = 3  # ids that an output may have and seldom has, as one
_LENGTHS = {
    "extra_length": tf.int32,
    "max_ratio": tf.float32,
    "max_length": tf.int32,
    "min_length": tf.int32,
    "min_ratio": tf.float32,
}


class TextGraphs:
    """The functions of a trained model from text to text.

    Args:
        model: built model with `encode`, `init_cache`, `decode_step`,
            `attention`, `sentence_vectors` and a call.
        tokenizer: a TextEncoder's `graph_tokenizer()`.
        options: SearchOptions, the defaults of a request.
        max_input_length: int, longest input in ids, end mark included.
        parts: int, parts of a batch that are searched side by side.
        scope: opens the scope in which the search reads weights, such as
            `held_weights`; all else reads them in that of its caller.
    Attributes:
        switches: names of what may be asked for beside the search's options.
    """

    switches: tuple[str, ...] = ("replace_unknown", "return_attention")

    def __init__(
        self,
        model,
        tokenizer,
        options: SearchOptions,
        max_input_length: int,
        parts: int = 1,
        scope: Callable[[], Any] = held_weights,
    ):
        self._scope = scope
        # One function of its own, however many callers and parts: constants
        # are in the graph once.
        self._search = tf.function(
            self._search_ids,
            input_signature=(
                tf.TensorSpec([None, None], tf.int32, "ids"),
                Request.specification(),
            ),
            autograph=False,
            experimental_attributes={"_noinline": True},
        )
        if parts > 1:
            self._search = side_by_side(self._search, parts)
        self._model = model
        self._tokenizer = tokenizer
        self.options = options
        self.max_input_length = max_input_length

    def specification(self) -> dict[str, tf.TensorSpec]:
        """Returns the inputs of `translate` by name."""
        specs = {"inputs": self.inputs_spec()}
        for name, value in self.defaults().items():
            shape = [None] * value.shape.rank
            specs[name] = tf.TensorSpec(shape, value.dtype, name)
        return specs

    def inputs_spec(self) -> tf.TensorSpec:
        """Returns what a batch of inputs is."""
        return tf.TensorSpec([None], tf.string, "inputs")

    def signatures(self) -> dict[str, Signature]:
        """Returns what an export offers, by name."""
        specs = self.specification()
        inputs = {"inputs": specs["inputs"]}
        defaults = self.defaults()
        penalty = ("alpha", "length_offset")
        targets = tf.TensorSpec([None], tf.string, "targets")
        return {
            "serving_default": Signature(self.serve, inputs),
            "translate": Signature(
                lambda inputs, **wishes: self.translate(inputs, wishes),
                specs,
                defaults,
            ),
            "score": Signature(
                self.score,
                {
                    **inputs,
                    "targets": targets,
                    **{name: specs[name] for name in penalty},
                },
                {name: defaults[name] for name in penalty},
            ),
            "encode": Signature(self.encode, inputs),
        }

    def defaults(self) -> dict[str, tf.Tensor]:
        """Returns the defaults of `translate` by name, each of one row."""
        values = {
            name: tf.constant([getattr(self.options, name) or 0], dtype)
            for name, dtype in {**OPTIONS, **_LENGTHS}.items()
        }
        values |= {name: tf.constant([False]) for name in self.switches}
        values["prefix"] = tf.constant([""])
        values["required"] = values["forbidden"] = tf.constant([[""]])
        return values

    def serve(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Translates with the defaults.

        Args:
            inputs: string (batch,).
        Returns:
            `outputs` string (batch,) and `scores` float32 (batch,).
        """
        found = self.search(inputs, self.defaults())
        return {
            "outputs": found["outputs"][:, 0],
            "scores": found["scores"][:, 0],
        }

    def search(
        self, inputs: tf.Tensor, wishes: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Translates; the results' text and scores alone.

        Args:
            inputs: string (batch,).
            wishes: as `defaults`, each of one row or of batch rows.
        Returns:
            `outputs` string (batch, num_results), best first; `scores`
            float32 (batch, num_results), log-probability over length penalty;
            `truncated` bool (batch,), the input was cut to its first
            `max_input_length` ids. An input without a visible character
            gives empty outputs with score 0.
        """
        ids, truncated = self._ids(inputs)
        result = self._search(ids, self._request(ids, wishes))
        texts = self._pieces_of(result)
        return {
            **self._texts(result, inputs, ids, texts),
            "truncated": truncated,
        }

    def translate(
        self, inputs: tf.Tensor, wishes: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Translates with everything that a request may ask for.

        Args:
            inputs, wishes: as for `search`.
        Returns:
            As `search`, and `lengths` int32 (batch, num_results), in ids, the
            end mark included; `finished` bool, whether the output came to its
            end mark; `input_tokens` and `output_tokens` string (batch,
            length), of the input and of the best output; with
            `return_attention`, `attention` float32 (batch, output length,
            input length), how much each token of the best output looked at
            each of the input's, else of length 0.
        """
        ids, truncated = self._ids(inputs)
        result = self._search(ids, self._request(ids, wishes))
        texts = self._outputs((inputs, ids), result, wishes)
        return {
            **self._texts(result, inputs, ids, texts),
            "truncated": truncated,
            "lengths": result.lengths,
            "finished": result.finished,
            **self._tokens(ids, result.ids[:, 0], wishes),
        }

    def _outputs(self, source, result: SearchResult, wishes) -> tf.Tensor:
        """Returns the texts of all results, as the request wants them."""
        if self._tokenizer.unk_id is None:  # all text has ids of its own
            return self._pieces_of(result)
        wanted = wishes["replace_unknown"]
        unknown = tf.reduce_any(result.ids == self._tokenizer.unk_id)
        return tf.cond(
            unknown & tf.reduce_any(wanted),
            lambda: replaced(
                self._model, self._tokenizer, source, result, wanted
            ),
            lambda: self._pieces_of(result),
        )

    def _tokens(self, ids, best, wishes) -> dict[str, Any]:
        return {
            "input_tokens": self._tokenizer.tokens(ids),
            "output_tokens": self._tokenizer.tokens(best),
            "attention": self._attention(ids, best, wishes),
        }

    def _attention(self, ids, best, wishes) -> tf.Tensor:
        said = tf.cast(best != 0, tf.float32)[:, :, None]
        return tf.cond(
            tf.reduce_any(wishes["return_attention"]),
            lambda: self._model.attention(ids, best) * said,
            lambda: tf.zeros([tf.shape(ids)[0], 0, 0]),
        )

    def score(
        self,
        inputs: tf.Tensor,
        targets: tf.Tensor,
        alpha: tf.Tensor,
        length_offset: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Scores given translations.

        Args:
            inputs, targets: string (batch,).
            alpha, length_offset: float32 (batch,) or (1,), of the length
                penalty.
        Returns:
            `scores` float32 (batch,), as `search` gives; `log_probs` float32
            (batch,), without the penalty; `tokens` string (batch, length) of
            the targets and `token_log_probs` float32, 0 after the end mark.
        """
        ids, truncated = self._ids(inputs)
        outputs, cut = self._text_ids(targets)
        logits = self._model({"inputs": ids, "targets": outputs})
        logits = tf.cast(logits, tf.float32)
        chosen = tf.gather(logits, outputs, batch_dims=2)
        log_probs = chosen - tf.reduce_logsumexp(logits, axis=2)
        log_probs = tf.where(outputs == 0, 0.0, log_probs)
        total = tf.reduce_sum(log_probs, axis=1)
        lengths = tf.math.count_nonzero(outputs, axis=1, dtype=tf.int32)
        return {
            "scores": total / length_penalty(lengths, alpha, length_offset),
            "log_probs": total,
            "tokens": self._tokenizer.tokens(outputs),
            "token_log_probs": log_probs,
            "truncated": truncated | cut,
        }

    def encode(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns a vector of each sentence.

        Args:
            inputs: string (batch,).
        Returns:
            `vectors` float32 (batch, hidden_size): the mean of the encoder's
            states over the input's ids, end mark included.
        """
        ids, truncated = self._ids(inputs)
        return {
            "vectors": self._model.sentence_vectors(ids),
            "truncated": truncated,
        }

    def row_sizes(self, given: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns how much of `options.batch_size` each row takes.

        Args:
            given: the arguments of a signature by name.
        Returns:
            Int32 (batch,): ids of the input, of `targets`, or a third of those
            that the output may have, whatever is most; where a row wants more
            beams than usual, so many times as many.
        """
        ids = self._ids(given["inputs"])[0]
        wishes = {**self.defaults(), **given}
        lengths = {name: wishes[name] for name in _LENGTHS}
        _, longest = output_lengths(self._lengths(ids), **lengths)
        longest = tf.clip_by_value(longest, 0, LONGEST) // _OUTPUT_SHARE
        sizes = tf.maximum(self._sizes(ids), longest)
        if "targets" in given:
            targets = self._text_ids(given["targets"])[0]
            sizes = tf.maximum(sizes, _count(targets))
        beams = tf.maximum(wishes["beam_size"], wishes["num_results"])
        usual = max(self.options.beam_size, _USUAL_BEAMS)
        return sizes * -(-tf.clip_by_value(beams, 1, MOST) // usual)

    def _sizes(self, ids: tf.Tensor) -> tf.Tensor:
        return _count(ids)  # in the unit of batches

    def _ids(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what the model reads, and what was cut.

        Returns:
            (int32 (batch, length), 0 = padding; bool (batch,)).
        """
        return self._text_ids(inputs)

    def _text_ids(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns ids (batch, length) with end marks, and what was cut."""
        pieces = self._tokenizer.tokenize(texts)
        longest = self.max_input_length - 1
        truncated = pieces.row_lengths() > longest
        ends = tf.fill([tf.shape(texts)[0], 1], EOS_ID)
        ids = tf.concat([pieces[:, :longest], ends], axis=1)
        return ids.to_tensor(), truncated

    def _request(self, ids: tf.Tensor, wishes: dict[str, tf.Tensor]) -> Request:
        batch = tf.shape(ids)[0]

        def row(name):
            return tf.broadcast_to(wishes[name], [batch])

        shortest, longest = output_lengths(
            self._lengths(ids), **{name: row(name) for name in _LENGTHS}
        )
        prefix = self._prefix(ids, row)
        return Request(
            **{name: row(name) for name in OPTIONS},
            min_lengths=shortest,
            max_lengths=longest,
            prefix=prefix,
            required=self._phrases(wishes["required"], batch),
            forbidden=self._phrases(wishes["forbidden"], batch),
        ).checked()

    def _lengths(self, ids: tf.Tensor) -> tf.Tensor:
        return _count(ids)  # for the lengths of outputs

    def _prefix(self, ids: tf.Tensor, row) -> tf.Tensor:
        """Returns what the outputs begin with, int32 (batch, length)."""
        del ids
        return self._tokenizer.tokenize(row("prefix")).to_tensor()

    def _phrases(self, texts: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        """Returns the ids of phrases, (batch, phrases, length)."""
        count = tf.shape(texts)[1]
        texts = tf.broadcast_to(texts, [batch, count])
        ids = self._tokenizer.tokenize(tf.reshape(texts, [-1])).to_tensor()
        return tf.reshape(ids, [batch, count, tf.shape(ids)[1]])

    def _search_ids(self, ids: tf.Tensor, request: Request) -> SearchResult:
        asked = request.with_all_results().checked()
        with self._scope():
            result = beam_search(
                self._model.decode_step,
                self._model.init_cache(tf.shape(ids)[0], most_beams(asked)),
                self._model.encode(ids),
                asked,
            )
        wanted = request.num_results
        return tf.cond(
            tf.reduce_any(request.mbr > 0),
            lambda: mbr.ranked(result, request.mbr, wanted),
            lambda: result,
        )

    def _pieces_of(self, result: SearchResult) -> tf.Tensor:
        """Returns the texts of all results, string (batch, results)."""
        shape = tf.shape(result.ids)
        flat = tf.reshape(result.ids, [shape[0] * shape[1], shape[2]])
        return tf.reshape(self._tokenizer.detokenize(flat), shape[:2])

    def _visible(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns which inputs say anything, bool (batch,)."""
        return tf.strings.length(tf.strings.strip(inputs)) > 0

    def _texts(self, result, inputs, ids, texts) -> dict[str, tf.Tensor]:
        """Returns texts and scores; nothing for an input that says nothing."""
        del ids
        visible = self._visible(inputs)[:, None]
        none = tf.math.is_inf(result.scores)
        return {
            "outputs": tf.where(visible, texts, ""),
            "scores": tf.where(visible | none, result.scores, 0.0),
        }


def _count(ids: tf.Tensor) -> tf.Tensor:
    """Returns how many ids each row has, int32 (batch,)."""
    return tf.math.count_nonzero(ids, axis=1, dtype=tf.int32)

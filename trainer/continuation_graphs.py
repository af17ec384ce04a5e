"""How texts go on, and how likely they are: a language model's graphs."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from t2t_lite.data.text_encoder import EOS_ID
from t2t_lite.decoding.search import SearchResult
from t2t_lite.trainer.signatures import Signature
from t2t_lite.trainer.text_graphs import TextGraphs


class ContinuationGraphs(TextGraphs):
    """The functions of a trained language model.

    Inputs are how a text begins, and may be empty; of one that is too long
    its end is read. Outputs are how it goes on. Scores are of the whole text.
    The search's lengths count the beginning too: `extra_length` is how long
    the continuation may be.

    Args: see `TextGraphs`.
    """

    switches = ()

    def signatures(self) -> dict[str, Signature]:
        specs = self.specification()
        inputs = {"inputs": specs["inputs"]}
        return {
            "serving_default": Signature(self.serve, inputs),
            "continue": Signature(
                lambda inputs, **wishes: self.translate(inputs, wishes),
                specs,
                self.defaults(),
            ),
            "score": Signature(self.score, inputs),
            "encode": Signature(self.encode, inputs),
        }

    def defaults(self) -> dict[str, tf.Tensor]:
        values = super().defaults()
        del values["prefix"]  # that is what the inputs are
        return values

    def score(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns how likely texts are, token by token.

        Args:
            inputs: string (batch,); of one that is too long its end is scored.
        Returns:
            `log_probs` float32 (batch,), of all tokens together; `tokens`
            string (batch, length) and `token_log_probs` float32, 0 where there
            is none; `truncated` bool (batch,). No end mark is counted.
        """
        ids, truncated = self._ids(inputs)
        logits = tf.cast(self._model({"targets": ids}), tf.float32)
        chosen = tf.gather(logits, ids, batch_dims=2)
        found = chosen - tf.reduce_logsumexp(logits, axis=2)
        found = tf.where(ids == 0, 0.0, found)
        return {
            "log_probs": tf.reduce_sum(found, axis=1),
            "tokens": self._tokenizer.tokens(ids),
            "token_log_probs": found,
            "truncated": truncated,
        }

    def _ids(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pieces = self._tokenizer.tokenize(inputs)
        truncated = pieces.row_lengths() > self.max_input_length
        return pieces[:, -self.max_input_length :].to_tensor(), truncated

    def _prefix(self, ids: tf.Tensor, row) -> tf.Tensor:
        del row
        return ids

    def _outputs(self, source, result: SearchResult, wishes) -> tf.Tensor:
        del source, wishes
        return self._pieces_of(result)

    def _tokens(self, ids, best, wishes) -> dict[str, Any]:
        del ids, wishes
        return {"output_tokens": self._tokenizer.tokens(best)}

    def _visible(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.ones(tf.shape(inputs)[:1], tf.bool)

    def _texts(self, result, inputs, ids, texts) -> dict[str, tf.Tensor]:
        """Cuts what was given off the texts."""
        whole = super()._texts(result, inputs, ids, texts)
        ends = tf.fill([tf.shape(ids)[0], 1], EOS_ID)
        given = self._tokenizer.detokenize(tf.concat([ids, ends], axis=1))
        size = tf.strings.length(given)[:, None]
        size = tf.minimum(size, tf.strings.length(whole["outputs"]))
        rest = tf.strings.length(whole["outputs"]) - size
        outputs = tf.strings.substr(whole["outputs"], size, rest)
        return {**whole, "outputs": outputs}

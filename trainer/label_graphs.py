"""Labels, tags and filled blanks inside a graph: answers without a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from t2t_lite.data.text_encoder import EOS_ID, NUM_SPECIAL_IDS
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.models.masking import MASK_ID
from t2t_lite.trainer.signatures import Signature
from t2t_lite.trainer.sources import IMAGES

BLANK = "<mask>"
_MOST_TOKENS = 5


class DirectGraphs:
    """The functions of a trained model that answers at once.

    Args:
        model: built model.
        tokenizer: a TextEncoder's `graph_tokenizer()`.
        options: SearchOptions, of which batch_size and max_input_length count.
        max_input_length: int, longest input in units of its length.
        parts, scope: as for `TextGraphs`; an answer is one call of the model,
            which neither changes.
    """

    def __init__(
        self,
        model,
        tokenizer,
        options: SearchOptions,
        max_input_length: int,
        parts: int = 1,
        scope: Any = None,
    ):
        del parts, scope
        self._model = model
        self._task = model.task
        self._tokenizer = tokenizer
        self.options = options
        self.max_input_length = max_input_length

    def defaults(self) -> dict[str, tf.Tensor]:
        """Returns what a request may ask for: nothing."""
        return {}

    def specification(self) -> dict[str, tf.TensorSpec]:
        """Returns the inputs by name."""
        return {"inputs": self.inputs_spec()}

    def inputs_spec(self) -> tf.TensorSpec:
        """Returns what a batch of inputs is."""
        if self._task.inputs == "image":
            shape = [None, *self._task.image_shape]
            return tf.TensorSpec(shape, tf.uint8, "inputs")
        return tf.TensorSpec([None], tf.string, "inputs")

    def search(self, inputs: tf.Tensor, wishes) -> dict[str, tf.Tensor]:
        """Answers, as `TextGraphs.search` does: one result each.

        All that there is to say of them comes with it.
        """
        del wishes
        found = self.answers(inputs)
        return {
            **found,
            "outputs": found["outputs"][:, None],
            "scores": found["scores"][:, None],
        }

    def serve(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the best answers.

        Returns:
            `outputs` string (batch,) and `scores` float32 (batch,).
        """
        found = self.answers(inputs)
        return {name: found[name] for name in ("outputs", "scores")}

    def answers(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `outputs`, `scores`, `truncated` bool (batch,), and more."""
        raise NotImplementedError

    def row_sizes(self, given: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns how much of `options.batch_size` each row takes.

        Returns:
            Int32 (batch,): ids of a text; of images 64 are a batch.
        """
        inputs = given["inputs"]
        if self._task.inputs == "image":
            size = max(1, self.options.batch_size // IMAGES)
            return tf.fill(tf.shape(inputs)[:1], size)
        ids = self._ids(inputs)[0]
        return tf.math.count_nonzero(ids, axis=1, dtype=tf.int32)

    def encode(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns a vector of each text, see `TextGraphs.encode`."""
        ids, truncated = self._ids(inputs)
        return {
            "vectors": self._model.sentence_vectors(ids),
            "truncated": truncated,
        }

    def _ids(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what the model reads, and what was cut.

        Returns:
            (int32 (batch, length), bool (batch,)).
        """
        if self._task.inputs == "image":
            size = self._task.unit("inputs")
            numbers = tf.reshape(tf.cast(inputs, tf.int32), [-1, size])
            return numbers, tf.zeros(tf.shape(inputs)[:1], tf.bool)
        pieces = self._tokenizer.tokenize(inputs)
        longest = self.max_input_length - 1
        truncated = pieces.row_lengths() > longest
        ends = tf.fill([tf.shape(inputs)[0], 1], EOS_ID)
        ids = tf.concat([pieces[:, :longest], ends], axis=1)
        return ids.to_tensor(), truncated

    def _probabilities(self, features: dict, first: int = 1) -> tf.Tensor:
        """Returns those of the ids from `first` on, float32 (..., ids).

        Padding, and of texts the other marks, are no answers.
        """
        logits = tf.cast(self._model(features), tf.float32)
        return tf.nn.softmax(logits[..., first:])


class LabelGraphs(DirectGraphs):
    """The functions of a trained classifier of texts or images."""

    def signatures(self) -> dict[str, Signature]:
        """Returns what an export offers, by name."""
        inputs = self.specification()
        found = {
            "serving_default": Signature(self.serve, inputs),
            "classify": Signature(self.classify, inputs),
        }
        if self._task.inputs == "text":
            found["encode"] = Signature(self.encode, inputs)
        return found

    def answers(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the most likely labels, their probabilities, and all."""
        found = self.classify(inputs)
        return {
            **found,
            "outputs": found["labels"][:, 0],
            "scores": found["probabilities"][:, 0],
        }

    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns all labels, the most likely first.

        Returns:
            `labels` string (batch, labels), `probabilities` float32 (batch,
            labels), `truncated` bool (batch,).
        """
        ids, truncated = self._ids(inputs)
        found = self._probabilities({"inputs": ids})[:, 0]
        names = tf.constant(self._task.labels)
        best = tf.argsort(found, axis=1, direction="DESCENDING", stable=True)
        return {
            "labels": tf.gather(names, best),
            "probabilities": tf.gather(found, best, batch_dims=1),
            "truncated": truncated,
        }


class TagGraphs(DirectGraphs):
    """The functions of a trained tagger: a tag for each word of a text.

    Words are what spaces part.
    """

    def signatures(self) -> dict[str, Signature]:
        """Returns what an export offers, by name."""
        inputs = self.specification()
        return {
            "serving_default": Signature(self.serve, inputs),
            "tag": Signature(self.tag, inputs),
            "encode": Signature(self.encode, inputs),
        }

    def answers(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the tags as texts, and each.

        Returns:
            `outputs` string (batch,), tags with spaces between them; `scores`
            float32 (batch,), the least sure tag's probability; of a text
            without words "" and 1. The rest as `tag`.
        """
        tags, probabilities, truncated = self._tags(inputs)
        least = tf.reduce_min(probabilities, axis=1)
        empty = tags.row_lengths() == 0
        return {
            "outputs": tf.strings.reduce_join(tags, axis=1, separator=" "),
            "scores": tf.where(empty, 1.0, least),
            "tags": tags.to_tensor(""),
            "probabilities": probabilities.to_tensor(),
            "truncated": truncated,
        }

    def tag(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the tag of each word.

        Returns:
            `tags` string (batch, words), "" where there is no word;
            `probabilities` float32 (batch, words), 0 there; `truncated` bool
            (batch,), words at the end have no tag.
        """
        found = self.answers(inputs)
        names = ("tags", "probabilities", "truncated")
        return {name: found[name] for name in names}

    def _tags(self, inputs: tf.Tensor):
        ids, truncated = self._ids(inputs)
        found = self._probabilities({"inputs": ids})
        starts = self._tokenizer.word_starts(ids)
        best = tf.argmax(found, axis=2)
        names = tf.gather(tf.constant(self._task.labels), best)
        return (
            tf.ragged.boolean_mask(names, starts),
            tf.ragged.boolean_mask(tf.reduce_max(found, axis=2), starts),
            truncated,
        )


class BlankGraphs(DirectGraphs):
    """The functions of a masked language model: it fills in blanks.

    Each `<mask>` of a text stands for one token.
    """

    def signatures(self) -> dict[str, Signature]:
        """Returns what an export offers, by name."""
        inputs = self.specification()
        return {
            "serving_default": Signature(self.serve, inputs),
            "fill": Signature(self.fill, inputs),
            "encode": Signature(self.encode, inputs),
        }

    def answers(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the texts, filled in, and what else might be there.

        Returns:
            `outputs` string (batch,) and `scores` float32 (batch,), the sum of
            the log-probabilities of what was filled in. The rest as `fill`.
        """
        ids, truncated, found, places = self._found(inputs)
        best = tf.argmax(found, axis=2, output_type=tf.int32) + NUM_SPECIAL_IDS
        logs = tf.math.log(tf.maximum(tf.reduce_max(found, axis=2), 1e-30))
        outputs = self._tokenizer.detokenize(tf.where(places, best, ids))
        tokens, probabilities = self._best(found, places)
        return {
            "outputs": outputs,
            "scores": tf.reduce_sum(tf.where(places, logs, 0.0), axis=1),
            "tokens": tokens,
            "probabilities": probabilities,
            "truncated": truncated,
        }

    def fill(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the most likely tokens of each blank.

        Returns:
            `tokens` string (batch, blanks, 5), the most likely first, ""
            where there is no blank; `probabilities` float32 of the same shape;
            `truncated` bool (batch,).
        """
        found = self.answers(inputs)
        names = ("tokens", "probabilities", "truncated")
        return {name: found[name] for name in names}

    def _best(self, found: tf.Tensor, places: tf.Tensor):
        """Returns the most likely tokens of each blank, and how likely."""
        size = self._task.vocab_size - NUM_SPECIAL_IDS
        rows = tf.ragged.boolean_mask(found, places).to_tensor()
        rows = tf.ensure_shape(rows, [None, None, size])
        count = min(_MOST_TOKENS, size)
        probabilities, best = tf.math.top_k(rows, count)
        ids = tf.where(probabilities > 0, best + NUM_SPECIAL_IDS, 0)
        flat = tf.reshape(ids, [-1, count])
        tokens = tf.reshape(self._tokenizer.tokens(flat), tf.shape(best))
        return tokens, probabilities

    def _found(self, inputs: tf.Tensor):
        """Returns ids, what was cut, each place's probabilities, the blanks."""
        ids, truncated = self._ids(inputs)
        places = tf.range(tf.shape(ids)[1])[None]
        asked = tf.broadcast_to(places, tf.shape(ids))
        features = {"inputs": ids, "asked": asked}
        found = self._probabilities(features, NUM_SPECIAL_IDS)
        return ids, truncated, found, ids == MASK_ID

    def _ids(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parts = tf.strings.split(inputs, BLANK)
        pieces = self._tokenizer.tokenize(parts.values)
        # A blank after each part; the last one of a text is cut off.
        blanks = tf.fill([tf.shape(parts.values)[0], 1], MASK_ID)
        joined = tf.concat([pieces, blanks], axis=1)
        rows = parts.with_values(joined).merge_dims(1, 2)[:, :-1]
        longest = self.max_input_length - 1
        truncated = rows.row_lengths() > longest
        ends = tf.fill([tf.shape(inputs)[0], 1], EOS_ID)
        ids = tf.concat([rows[:, :longest], ends], axis=1)
        return ids.to_tensor(), truncated

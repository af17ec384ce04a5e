"""What is asked of a search, one row for each sentence of the batch."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from t2t_lite.decoding.options import (
    MAX_ALPHA,
    MAX_LENGTH_OFFSET,
    SearchOptions,
)


class Request(NamedTuple):
    """Tensors, so that one graph serves every wish; axis 0 = batch.

    A server may put sentences of several clients into one batch: each has its
    own row here, and its results are those that it would get alone.

    Fields, (batch,) unless said:
        beam_size: int32, hypotheses kept; 1 = greedy.
        num_results: int32, outputs wanted, at most `beam_size`.
        alpha: float32, exponent of the length penalty.
        length_offset: float32, added to lengths there.
        min_lengths, max_lengths: int32, of the output in ids, the end mark
            included. A prefix and phrases that must appear go before
            `max_lengths`.
        num_groups: int32, diverse groups that share the beam.
        diversity: float32, taken off a token's log-probability for each
            earlier group that chose it in the same step.
        no_repeat_ngram: int32, n-grams of this size come once at most; 0 =
            as they like.
        repetition_penalty: float32, above 1 makes what was said less likely.
        temperature: float32, 0 = search; above 0, `num_results` samples.
        top_k: int32, most probable ids sampled from; 0 = all.
        top_p: float32, least probability of the ids sampled from; 1 = all.
        seed: int32, of the samples.
        mbr: float32, above 0: outputs are ranked by the BLEU that they
            promise against all hypotheses; see `decoding.mbr`.
        prefix: int32 (batch, length), ids that the output begins with, then
            padding.
        required, forbidden: int32 (batch, phrases, length), phrases that must
            and that must not appear, each followed by padding; one of padding
            alone asks for nothing. Where both cannot be, or a required phrase
            would repeat an n-gram, what is required appears, and 1,000 is
            taken off the output's log-probability.
    """

    beam_size: tf.Tensor
    num_results: tf.Tensor
    alpha: tf.Tensor
    length_offset: tf.Tensor
    min_lengths: tf.Tensor
    max_lengths: tf.Tensor
    num_groups: tf.Tensor
    diversity: tf.Tensor
    no_repeat_ngram: tf.Tensor
    repetition_penalty: tf.Tensor
    temperature: tf.Tensor
    top_k: tf.Tensor
    top_p: tf.Tensor
    seed: tf.Tensor
    mbr: tf.Tensor
    prefix: tf.Tensor
    required: tf.Tensor
    forbidden: tf.Tensor

    @classmethod
    def of(
        cls, options: SearchOptions, max_lengths: tf.Tensor, **given: tf.Tensor
    ) -> Request:
        """Returns the same wish for every sentence.

        Args:
            options: SearchOptions; what it says of lengths is not used, for
                it depends on the inputs (see `output_lengths`).
            max_lengths: int32 (batch,).
            given: tensors of single fields, which go before the options.
        """
        max_lengths = tf.cast(tf.convert_to_tensor(max_lengths), tf.int32)
        if max_lengths.shape.rank != 1:
            raise ValueError(
                "max_lengths: expected shape (batch,), got "
                f"{tuple(max_lengths.shape)}"
            )
        batch = tf.shape(max_lengths)[0]
        fields = {
            name: tf.fill([batch], tf.constant(getattr(options, name), dtype))
            for name, dtype in OPTIONS.items()
        }
        nothing = {
            "min_lengths": tf.zeros_like(max_lengths),
            "prefix": tf.zeros([batch, 0], tf.int32),
            "required": tf.zeros([batch, 0, 0], tf.int32),
            "forbidden": tf.zeros([batch, 0, 0], tf.int32),
        }
        return cls(**{**nothing, **fields, "max_lengths": max_lengths, **given})

    @classmethod
    def specification(cls) -> Request:
        """Returns each field's TensorSpec, sizes left open."""
        dtypes = {name: OPTIONS.get(name, tf.int32) for name in cls._fields}
        ranks = {"prefix": 2, "required": 3, "forbidden": 3}
        return cls(
            **{
                name: tf.TensorSpec([None] * ranks.get(name, 1), dtype, name)
                for name, dtype in dtypes.items()
            }
        )

    def checked(self) -> Request:
        """Returns the wish with every value in its range.

        Values of a client come unchecked to the graph, where an error would
        be every other sentence's too: they are moved to the nearest one that
        makes sense.
        """
        samples = self.temperature > 0
        must = tf.math.count_nonzero(self.required, axis=[1, 2])
        fixed = tf.math.count_nonzero(self.prefix, axis=1)
        needed = tf.cast(must + fixed, tf.int32)
        needed += tf.cast(needed > 0, tf.int32)  # and an end mark
        samples &= must == 0
        results = tf.clip_by_value(self.num_results, 1, MOST)
        beams = tf.clip_by_value(self.beam_size, 1, MOST)
        beams = tf.where(samples, results, tf.maximum(beams, results))
        groups = tf.where(samples, 1, tf.clip_by_value(self.num_groups, 1, 64))
        beams = -(-beams // groups) * groups  # groups are equally large
        return self._replace(
            beam_size=beams,
            num_results=results,
            alpha=tf.clip_by_value(self.alpha, 0.0, MAX_ALPHA),
            length_offset=tf.clip_by_value(
                self.length_offset, 0.0, MAX_LENGTH_OFFSET
            ),
            min_lengths=tf.maximum(self.min_lengths, 0),
            max_lengths=tf.maximum(tf.maximum(self.max_lengths, 0), needed),
            num_groups=groups,
            no_repeat_ngram=tf.maximum(self.no_repeat_ngram, 0),
            repetition_penalty=tf.where(
                self.repetition_penalty > 0, self.repetition_penalty, 1.0
            ),
            temperature=tf.where(samples, self.temperature, 0.0),
            top_k=tf.maximum(self.top_k, 0),
            top_p=tf.where(self.top_p > 0, self.top_p, 1.0),
            mbr=tf.maximum(self.mbr, 0.0),
        )

    def with_all_results(self) -> Request:
        """Returns the wish for all that minimum Bayes risk chooses from."""
        everything = tf.maximum(self.beam_size, self.num_results)
        ranked = self.mbr > 0
        return self._replace(
            beam_size=tf.where(ranked, everything, self.beam_size),
            num_results=tf.where(ranked, everything, self.num_results),
        )

    def is_plain(self) -> tf.Tensor:
        """Returns a bool scalar: nothing but beams, results and lengths."""
        special = (
            (self.num_groups > 1)
            | (self.no_repeat_ngram > 0)
            | (self.repetition_penalty != 1.0)
            | (self.temperature > 0)
        )
        sizes = [self.prefix, self.required, self.forbidden]
        given = sum(tf.math.count_nonzero(ids) for ids in sizes)
        return ~tf.reduce_any(special) & (given == 0)


MOST = 1024  # beams; memory grows with them
LONGEST = 1 << 16  # ids of an output; a search ends in the end
OPTIONS = {
    "beam_size": tf.int32,
    "num_results": tf.int32,
    "alpha": tf.float32,
    "length_offset": tf.float32,
    "num_groups": tf.int32,
    "diversity": tf.float32,
    "no_repeat_ngram": tf.int32,
    "repetition_penalty": tf.float32,
    "temperature": tf.float32,
    "top_k": tf.int32,
    "top_p": tf.float32,
    "seed": tf.int32,
    "mbr": tf.float32,
}


def output_lengths(
    input_lengths: tf.Tensor,
    *,
    extra_length: tf.Tensor,
    max_ratio: tf.Tensor,
    max_length: tf.Tensor,
    min_length: tf.Tensor,
    min_ratio: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the shortest and the longest output of each input.

    Args:
        input_lengths: int32 (batch,), in ids, the end mark included.
        extra_length, max_length, min_length: int32 (batch,), see
            SearchOptions; a `max_length` of 0 is none.
        max_ratio, min_ratio: float32 (batch,).
    Returns:
        (int32 (batch,), int32 (batch,)), end marks included.
    """
    lengths = tf.cast(input_lengths, tf.float32)
    longest = tf.math.ceil(lengths * tf.maximum(max_ratio, 0.0))
    longest = tf.cast(longest, tf.int32) + extra_length
    longest = tf.minimum(longest, tf.where(max_length > 0, max_length, LONGEST))
    shortest = tf.math.ceil(lengths * tf.maximum(min_ratio, 0.0))
    shortest = tf.maximum(tf.cast(shortest, tf.int32), min_length)
    return tf.minimum(shortest, longest), longest

"""What a search keeps between its steps, and what it gives in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from t2t_lite.decoding import rules
from t2t_lite.decoding.logits import Logits
from t2t_lite.decoding.request import Request

NEVER = rules.NEVER


class Cache(NamedTuple):
    """What a decoder keeps of earlier steps.

    Fields:
        kept: nested tensors with axis 0 = sentences, into which a step writes
            what all hypotheses computed, and which is never reordered: the
            step is told which places each hypothesis descends from.
        moved: nested tensors (sentences, beams, ...), reordered as the
            hypotheses are: recurrent states.

    Axes of static size 0 may grow; all else keeps its shape.
    """

    kept: Any = ()
    moved: Any = ()


StepFn = Callable[..., tuple[Logits | tf.Tensor, Cache]]


class SearchResult(NamedTuple):
    """The outputs of every sentence, best first.

    Fields:
        ids: int32 (batch, num_results, length), end mark included, then
            `pad_id`; length is that of the longest output.
        scores: float32 (batch, num_results): log-probability over length
            penalty. -inf where there are fewer hypotheses than results.
        lengths: int32 (batch, num_results), end mark included.
        finished: bool (batch, num_results), whether the output reached its
            end mark; the others were closed at their sentence's max length.
            Finished ones come first.
    """

    ids: tf.Tensor
    scores: tf.Tensor
    lengths: tf.Tensor
    finished: tf.Tensor


class Ids(NamedTuple):
    """The ids that mean something to a search: end mark and padding."""

    eos: int
    pad: int


class Beams(NamedTuple):
    """The sentences still searched: axis 0 of every tensor is n of them.

    K = most beams, R = most results, G = most groups, i = steps done. The
    first of `ids` is `pad_id`, which the decoder is fed first.

    Fields:
        sentence: int32 (n,), the place in the batch.
        active: bool (n,).
        ids: int32 (n, K, 1 + i), live hypotheses, best first in their group.
        log_probs: float32 (n, K), -inf = none.
        ancestry: int32 (n, K, i), the beam that the hypothesis was at every
            step.
        done_ids: int32 (n, G, R, 1 + i), finished ones of each group, best
            first.
        done_scores: float32 (n, G, R), -inf = none.
        rules: Rules.
        request: Request.
        cache: Cache.
        context: nested tensors, what every step reads.
    """

    sentence: tf.Tensor
    active: tf.Tensor
    ids: tf.Tensor
    log_probs: tf.Tensor
    ancestry: tf.Tensor
    done_ids: tf.Tensor
    done_scores: tf.Tensor
    rules: rules.Rules
    request: Request
    cache: Cache
    context: Any


class Turn(NamedTuple):
    """What a step has made of Beams; fields of these names are theirs.

    Fields:
        moved: of the cache.
    """

    ids: tf.Tensor
    log_probs: tf.Tensor
    ancestry: tf.Tensor
    done_ids: tf.Tensor
    done_scores: tf.Tensor
    active: tf.Tensor
    rules: rules.Rules
    moved: Any

    def after(self, beams: Beams, kept: Any) -> Beams:
        """Returns the state after it, with the cache's new `kept`."""
        fields = self._asdict()
        cache = Cache(kept=kept, moved=fields.pop("moved"))
        return beams._replace(cache=cache, **fields)


def length_penalty(
    lengths: tf.Tensor, alpha: tf.Tensor, offset: tf.Tensor
) -> tf.Tensor:
    """`((offset + length) / (offset + 1)) ** alpha`, float32.

    Lengths count the end mark. Reference: Wu et al. 2016 (GNMT), section 7,
    without the coverage term; their offset is 5. An offset of 0 is the
    `length ** alpha` of Marian, fairseq and CTranslate2.
    """
    lengths = tf.cast(lengths, tf.float32)
    return tf.pow((offset + lengths) / (offset + 1.0), alpha)


def penalties(request: Request, lengths: tf.Tensor) -> tf.Tensor:
    """Returns each sentence's penalty for its length, float32 (batch,)."""
    return length_penalty(lengths, request.alpha, request.length_offset)


def start(
    request: Request, cache: Cache, context: Any, sizes: tuple, pad_id: int
) -> Beams:
    """Returns the state before the first step; sizes are (K, R, G)."""
    beams, results, groups = sizes
    n = tf.shape(request.beam_size)[0]
    # One live hypothesis a group, or as many as there are samples: K copies
    # of the empty one would stay copies.
    slots = tf.range(beams)[None]
    size = (request.beam_size // request.num_groups)[:, None]
    first = slots % tf.maximum(size, 1) == 0
    first |= (request.temperature > 0)[:, None]
    first &= slots < request.beam_size[:, None]
    return Beams(
        sentence=tf.range(n),
        active=request.max_lengths > 0,
        ids=tf.fill([n, beams, 1], pad_id),
        log_probs=tf.where(first, 0.0, NEVER),
        ancestry=tf.zeros([n, beams, 0], tf.int32),
        done_ids=tf.fill([n, groups, results, 1], pad_id),
        done_scores=tf.fill([n, groups, results], NEVER),
        rules=rules.start(request, beams),
        request=request,
        cache=cache,
        context=context,
    )


def invariants(beams: Beams) -> Beams:
    """Returns shapes for a loop: sentences leave, and lengths grow."""

    def opened(tensor):
        shape = tensor.shape
        if not shape.rank:
            return shape
        return tf.TensorShape([None, *(size or None for size in shape[1:])])

    shapes = tf.nest.map_structure(opened, beams)
    grows = ("ids", "ancestry", "done_ids")
    return shapes._replace(
        **{
            name: tf.TensorShape([None] * getattr(beams, name).shape.rank)
            for name in grows
        },
        log_probs=tf.TensorShape([None, None]),
        done_scores=tf.TensorShape([None] * 3),
        rules=tf.nest.map_structure(
            lambda t: tf.TensorShape([None] * t.shape.rank), beams.rules
        ),
    )


def padded(ids: tf.Tensor, pad_id: int) -> tf.Tensor:
    """Adds one column of padding to ids (n, G, R, i)."""
    return tf.pad(ids, [[0, 0], [0, 0], [0, 0], [0, 1]], constant_values=pad_id)


class Outcome(NamedTuple):
    """The results of the whole batch; length is the longest possible one.

    Fields:
        ids: int32 (batch, R, length).
        scores: float32 (batch, R).
        finished: bool (batch, R).
    """

    ids: tf.Tensor
    scores: tf.Tensor
    finished: tf.Tensor


def no_outcome(
    batch: tf.Tensor, results: tf.Tensor, length: tf.Tensor, pad_id: int
) -> Outcome:
    """Returns the results before any sentence has them."""
    return Outcome(
        ids=tf.fill([batch, results, length], pad_id),
        scores=tf.fill([batch, results], NEVER),
        finished=tf.fill([batch, results], False),
    )


def collect(outcome: Outcome, beams: Beams, pad_id: int) -> Outcome:
    """Writes the sentences of `beams` into the results, as they are now.

    Each group's best comes first, then each one's second, and so on; then as
    many live hypotheses, closed as they are, as are missing. What a sentence
    gets is sorted by score, finished ones before the others.
    """
    ids, scores, finished = _candidates(beams)
    results = tf.shape(outcome.ids)[1]
    level = _rounds(beams, scores, finished)
    kept = _order(level, scores)[:, :results]
    scores = tf.gather(scores, kept, batch_dims=1)
    finished = tf.gather(finished, kept, batch_dims=1)
    wanted = tf.range(results)[None] < beams.request.num_results[:, None]
    scores = tf.where(wanted, scores, NEVER)
    order = _order(tf.where(finished, 0, 1), scores)
    kept = tf.gather(kept, order, batch_dims=1)
    scores = tf.gather(scores, order, batch_dims=1)
    possible = scores > NEVER
    finished = tf.gather(finished, order, batch_dims=1) & possible
    ids = tf.gather(ids, kept, batch_dims=1)[:, :, 1:]
    ids = tf.where(possible[..., None], ids, pad_id)
    missing = tf.shape(outcome.ids)[2] - tf.shape(ids)[2]
    ids = tf.pad(ids, [[0, 0], [0, 0], [0, missing]], constant_values=pad_id)
    places = beams.sentence[:, None]
    update = tf.tensor_scatter_nd_update
    return Outcome(
        ids=update(outcome.ids, places, ids),
        scores=update(outcome.scores, places, scores),
        finished=update(outcome.finished, places, finished),
    )


def _candidates(beams: Beams):
    """Returns ids (n, GR + K, 1 + i), scores and whether finished."""
    n, groups, results, length = tf.unstack(tf.shape(beams.done_ids))
    ids = tf.reshape(beams.done_ids, [n, groups * results, length])
    done = tf.reshape(beams.done_scores, [n, groups * results])
    penalty = penalties(beams.request, beams.request.max_lengths)
    live = beams.log_probs / penalty[:, None]
    scores = tf.concat([done, live], axis=1)
    finished = tf.concat([done > NEVER, tf.zeros_like(live, tf.bool)], axis=1)
    return tf.concat([ids, beams.ids], axis=1), scores, finished


def _rounds(beams: Beams, scores, finished):
    """Returns the round in which each is taken, int32 (n, GR + K)."""
    _, groups, results, _ = tf.unstack(tf.shape(beams.done_ids))
    rank = tf.tile(tf.range(results), [groups])
    rank = tf.pad(rank, [[0, tf.shape(beams.ids)[1]]])
    rounds = tf.where(finished, rank[None], results)
    return tf.where(scores > NEVER, rounds, results + 1)


def _order(level: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Returns places, int32 (n, m): by level, then best first, then index."""
    best = tf.argsort(scores, direction="DESCENDING", stable=True)
    level = tf.gather(level, best, batch_dims=1)
    order = tf.argsort(level, stable=True)
    return tf.gather(best, order, batch_dims=1)


def without_stopped(beams: Beams) -> Beams:
    """Returns the sentences that are active, alone."""
    keep = tf.where(beams.active)[:, 0]
    return tf.nest.map_structure(lambda t: tf.gather(t, keep), beams)

"""Search for the outputs of a batch over one step function, in one graph.

Greedy, beam and diverse beam search and sampling, with every wish of a
`Request`. Core TensorFlow operations only, so that a SavedModel holds the whole
search; all that is asked for comes as tensors, sentence by sentence.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from t2t_lite.decoding import greedy, rules, selection, state
from t2t_lite.decoding.options import SearchOptions
from t2t_lite.decoding.request import Request, output_lengths
from t2t_lite.decoding.selection import Choice
from t2t_lite.decoding.state import (
    Beams,
    Cache,
    Ids,
    Logits,
    SearchResult,
    StepFn,
    Turn,
    length_penalty,
)
from t2t_lite.layers.one_thread import in_turn, loop_of_turns

__all__ = [
    "Cache",
    "Logits",
    "Request",
    "SearchOptions",
    "SearchResult",
    "StepFn",
    "beam_search",
    "length_penalty",
    "most_beams",
    "output_lengths",
]

# Sentences that have ended leave the batch once they are this share of it.
_LEAVING = 8


def beam_search(
    step_fn: StepFn,
    cache: Cache,
    context: Any,
    request: Request,
    *,
    eos_id: int = 1,
    pad_id: int = 0,
) -> SearchResult:
    """Searches for the most probable outputs of every sentence.

    Score = log P(ids) / ((o + length) / (o + 1))**alpha, o being the request's
    length_offset, the length counting the end mark. Each step takes the best 2
    K continuations of a sentence: those that end are finished, the best K
    others live on. P is normalised over the whole vocabulary, padding
    included, as in training, but `pad_id` is never produced; ids that the
    request bans are passed over, and P is that of the model as it is. A
    sentence stops when no continuation of a live hypothesis can displace its
    worst result, which is exact for alpha >= 0; so its results depend on no
    other sentence of the batch. Beam size 1 takes the most probable id at each
    step. At its sentence's max length a live hypothesis is closed as it is,
    without an end mark; it is a result only where finished ones are too few,
    and then follows them.

    Args:
        step_fn: called as `step_fn(ids, index, cache, context, ancestors)`
            with the ids before (int32 (n, K), `pad_id` at first), the position
            (int32 scalar, from 0), and bool (n, K, (index + 1) * K): which of
            the places that `cache.kept` will have, K for each step, are the
            hypothesis' own ancestors or itself. Returns the next ids' logits,
            float (n, K, vocab_size >= 2) or `Logits`, and the new cache.
        cache: Cache for the whole batch and the most beams of any sentence
            (`most_beams`).
        context: nested tensors with axis 0 = batch that every step reads.
            Sentences that are done leave the batch, here as everywhere.
        request: Request, which `checked` has put in order.
        eos_id: int, the end mark.
        pad_id: int, fills results after the end mark, is the first id fed to
            the decoder, and is never produced.
    Returns:
        A SearchResult.

    Reference: Wu et al. 2016, section 7; Tensor2Tensor's beam_search, with
    its top 2 K and its test for stopping, made exact per sentence; Vijayakumar
    et al. 2018 for diverse groups.
    """
    ids = Ids(eos_id, pad_id)
    cache, context = tf.nest.map_structure(
        tf.convert_to_tensor, (cache, context)
    )
    sizes = (most_beams(request), _most(request.num_results))
    sizes = (*sizes, _most(request.num_groups))
    beams = state.start(request, cache, context, sizes, pad_id)
    longest = tf.maximum(tf.reduce_max(request.max_lengths), 0)
    batch = tf.shape(request.beam_size)[0]
    outcome = state.no_outcome(batch, sizes[1], longest, pad_id)
    manner = _manner(request, sizes)
    shapes = state.invariants(beams)

    def body(index, beams, outcome):
        with in_turn():
            beams = _step(step_fn, index, beams, manner, ids)
        beams = tf.nest.map_structure(_with_shape, beams, shapes)
        stopped = tf.reduce_sum(tf.cast(~beams.active, tf.int32))
        leave = stopped * _LEAVING >= tf.size(beams.active)
        leave &= (stopped > 0) & tf.reduce_any(beams.active)
        beams, outcome = tf.cond(
            leave,
            lambda: (
                state.without_stopped(beams),
                state.collect(outcome, beams, pad_id),
            ),
            lambda: (beams, outcome),
        )
        return index + 1, beams, outcome

    results = tf.while_loop(
        lambda index, beams, outcome: tf.reduce_any(beams.active),
        body,
        (tf.constant(0), beams, outcome),
        shape_invariants=(
            tf.TensorShape([]),
            shapes,
            state.Outcome(
                tf.TensorShape([None] * 3),
                tf.TensorShape([None] * 2),
                tf.TensorShape([None] * 2),
            ),
        ),
    )
    loop_of_turns(results)
    _, beams, outcome = results
    return _result(state.collect(outcome, beams, pad_id), pad_id)


def most_beams(request: Request) -> tf.Tensor:
    """Returns K, the most hypotheses that a sentence of the batch keeps."""
    return _most(request.beam_size)


def _most(values: tf.Tensor) -> tf.Tensor:
    return tf.maximum(tf.reduce_max(values), 1)


def _with_shape(tensor: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Checks that a step's result has the loop's shape, and states it."""
    return tf.ensure_shape(tensor, shape)


def _manner(request: Request, sizes: tuple) -> tf.Tensor:
    """Returns how steps choose, int32: 0 with all rules, 1 plainly, 2 greedily.

    Args:
        request: Request.
        sizes: (K, R, G), see `Beams`.
    """
    plain = request.is_plain()
    single = (sizes[0] == 1) & (sizes[1] == 1)
    return tf.cast(plain, tf.int32) + tf.cast(plain & single, tf.int32)


def _step(step_fn, index, beams: Beams, manner, ids: Ids) -> Beams:
    """One step of every sentence that is still searched."""
    logits, cache = step_fn(
        beams.ids[:, :, -1],
        index,
        beams.cache,
        beams.context,
        _ancestors(beams),
    )
    if not isinstance(logits, Logits):
        logits = Logits(logits)
    _check_logits(logits.rough)

    def chosen(choose, plain):
        choice = choose(beams, logits, index, ids)
        return _advance(beams, cache.moved, choice, index, plain)

    turns = [
        lambda: chosen(selection.full, False),
        lambda: chosen(selection.plain, True),
    ]
    if logits.rough.shape[1] in (None, 1):  # else there are never so few
        turns.append(
            lambda: greedy.turn(beams, cache.moved, logits, index, ids)
        )
    return tf.switch_case(manner, turns).after(beams, cache.kept)


def _check_logits(logits: tf.Tensor) -> None:
    if logits.shape.rank != 3 or (logits.shape[2] or 0) < 2:
        raise ValueError(
            "step_fn: expected logits of shape (sentences, beams, vocab_size "
            f">= 2), vocab_size known, got {logits.shape}"
        )


def _ancestors(beams: Beams) -> tf.Tensor:
    """Returns which kept places are each hypothesis' own, (n, K, (i+1) K)."""
    n, count, length = tf.unstack(tf.shape(beams.ids))
    itself = tf.reshape(tf.range(count), [1, -1, 1])
    itself = tf.broadcast_to(itself, [n, count, 1])
    path = tf.concat([beams.ancestry, itself], axis=2)
    own = tf.expand_dims(path, 3) == tf.range(count)
    return tf.reshape(own, [n, count, length * count])


def _advance(beams: Beams, moved, choice: Choice, index, plain: bool) -> Turn:
    """Returns what a choice makes of the state and of the cache's `moved`."""

    def followed(tensor):
        return tf.gather(tensor, choice.parents, batch_dims=1)

    history = followed(beams.ids)
    tokens = choice.tokens
    new_rules = beams.rules
    if not plain:
        new_rules = rules.advance(
            tf.nest.map_structure(followed, beams.rules),
            beams.request,
            history[:, :, 1:],
            tokens,
        )
    count = tf.shape(beams.ids)[1]
    itself = tf.broadcast_to(tf.range(count)[None], tf.shape(tokens))
    path = tf.concat([beams.ancestry, itself[..., None]], axis=2)
    # The hypotheses of sentences that have stopped stay as they were.
    active = beams.active[:, None]
    old = tf.where(active[..., None], history, beams.ids)
    last = tf.where(active, tokens, beams.ids[:, :, 0])  # padding
    log_probs = tf.where(active, choice.log_probs, beams.log_probs)
    new = Turn(
        ids=tf.concat([old, last[..., None]], axis=2),
        log_probs=log_probs,
        ancestry=followed(path),
        done_ids=choice.done_ids,
        done_scores=choice.done_scores,
        active=beams.active,
        rules=new_rules,
        moved=tf.nest.map_structure(followed, moved),
    )
    goes_on = _can_improve(new.after(beams, ()))
    goes_on &= index + 1 < beams.request.max_lengths
    return new._replace(active=beams.active & goes_on)


def _can_improve(beams: Beams) -> tf.Tensor:
    """Returns bool (n,): a live hypothesis can still become a result."""
    request = beams.request
    groups, results = tf.unstack(tf.shape(beams.done_scores)[1:])
    count = tf.shape(beams.log_probs)[1]
    size = tf.maximum(request.beam_size // request.num_groups, 1)[:, None]
    group = tf.range(count)[None] // size
    mine = group[:, None] == tf.range(groups)[None, :, None]
    best = tf.reduce_max(
        tf.where(mine, beams.log_probs[:, None], state.NEVER), axis=2
    )
    penalty = state.penalties(request, request.max_lengths)[:, None]
    # The groups take turns: each needs so many results, and no more.
    quota = -(-request.num_results // request.num_groups)
    quota = tf.minimum(quota, results)[:, None, None] - 1
    quota = tf.broadcast_to(quota, [tf.shape(best)[0], groups, 1])
    worst = tf.gather(beams.done_scores, quota, batch_dims=2)[..., 0]
    better = best / penalty > worst
    # Samples are wanted as they fall.
    alive = (best > state.NEVER) & (request.temperature > 0)[:, None]
    return tf.reduce_any(better | alive, axis=1)


def _result(outcome: state.Outcome, pad_id: int) -> SearchResult:
    """Cuts the results to the longest and measures all."""
    ids = outcome.ids
    lengths = tf.math.count_nonzero(ids != pad_id, axis=2, dtype=tf.int32)
    longest = tf.maximum(tf.reduce_max(lengths), 0)
    return SearchResult(
        ids=ids[:, :, :longest],
        scores=outcome.scores,
        lengths=lengths,
        finished=outcome.finished,
    )

"""Beam and greedy search over one step function, inside one graph.

Core TensorFlow operations only, so that a SavedModel holds the whole search;
the batch may be unknown until it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from t2t_lite.decoding.options import SearchOptions
from t2t_lite.decoding.top_k import top_k

__all__ = ["SearchOptions", "SearchResult", "beam_search", "length_penalty"]

StepFn = Callable[[tf.Tensor, tf.Tensor, Any], tuple[tf.Tensor, Any]]
_NEVER = float("-inf")


class SearchResult(NamedTuple):
    """The outputs of every sentence, best first.

    Fields:
        ids: int32 (batch, num_results, length), end mark included, then
            `pad_id`; length is that of the longest search in the batch.
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


class _Beams(NamedTuple):
    """State of the loop; K = beam_size, R = num_results, i = steps done.

    active bool (batch,); ids int32 (batch, K, 1 + i), log_probs float32
    (batch, K) of live hypotheses, best first; done_ids int32
    (batch, R, 1 + i), done_scores float32 (batch, R) of finished ones, best
    first; -inf = none. The first id of each is `pad_id`, which the decoder
    is fed first.
    """

    index: tf.Tensor
    active: tf.Tensor
    ids: tf.Tensor
    log_probs: tf.Tensor
    done_ids: tf.Tensor
    done_scores: tf.Tensor
    cache: Any


def length_penalty(lengths: tf.Tensor, alpha: float) -> tf.Tensor:
    """`((5 + length) / 6) ** alpha`, float32; lengths count the end mark.

    Reference: Wu et al. 2016 (GNMT), section 7, without the coverage term.
    """
    return tf.pow((5.0 + tf.cast(lengths, tf.float32)) / 6.0, alpha)


def beam_search(
    step_fn: StepFn,
    cache: Any,
    options: SearchOptions,
    *,
    max_lengths: tf.Tensor,
) -> SearchResult:
    """Searches for the most probable outputs of every sentence.

    Score = log P(ids) / ((5 + length) / 6)**alpha, length counting the end
    mark. Each step takes the best 2 K continuations of a sentence: those that
    end are finished, the best K others live on. P is normalised over the
    whole vocabulary, padding included, as in training, but `pad_id` is never
    produced. A sentence stops when no continuation of a live hypothesis can
    displace its worst result, which is exact for alpha >= 0; so its results
    depend on no other sentence of the batch. Beam size 1 takes the most
    probable id at each step.

    At its sentence's max length a live hypothesis is closed as it is, without
    an end mark; it is a result only where finished ones are too few, and then
    follows them.

    Args:
        step_fn: called as `step_fn(ids, index, cache)` with the ids before
            (int32 (batch * K,), `pad_id` at first) and the position (int32
            scalar, from 0); returns the next ids' logits, float
            (batch * K, vocab_size >= 2), and the new cache. What all beams
            share belongs in its closure. A sentence's beams are neighbours.
        cache: nested structure of tensors with axis 0 = batch * K, reordered
            as hypotheses are. Axes of static size 0 may grow; all else keeps
            its shape.
        options: SearchOptions.
        max_lengths: int32 (batch,), most ids of each sentence's outputs, end
            mark included. 0 gives an empty output with score 0.
    Returns:
        A SearchResult.
    Raises:
        ValueError: max_lengths or the logits have the wrong rank.

    Reference: Wu et al. 2016, section 7; Tensor2Tensor's beam_search, with
    its top 2 K and its test for stopping, made exact per sentence.
    """
    max_lengths = tf.cast(tf.convert_to_tensor(max_lengths), tf.int32)
    if max_lengths.shape.rank != 1:
        raise ValueError(
            "max_lengths: expected shape (batch,), got "
            f"{tuple(max_lengths.shape)}"
        )
    cache = tf.nest.map_structure(tf.convert_to_tensor, cache)
    search = _greedy if options.beam_size == 1 else _beam
    return search(step_fn, cache, options, tf.maximum(max_lengths, 0))


def _log_normalizer(logits: tf.Tensor) -> tf.Tensor:
    """Float32 log sum exp of each row (rows, 1), 0 for a row of -inf."""
    total = tf.reduce_logsumexp(
        tf.cast(logits, tf.float32), axis=-1, keepdims=True
    )
    return tf.where(tf.math.is_inf(total), 0.0, total)


def _continuations(
    logits: tf.Tensor, count: int, pad_id: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The most probable next ids, padding excluded.

    Args:
        logits: float (rows, vocab_size).
        count: int, how many at most.
        pad_id: int.
    Returns:
        (float32, int32), both (rows, n): log-probabilities, which are not
        sorted where padding was among the best (its is -inf), and ids; n is
        count + 1 or a smaller vocabulary's size.
    """
    if logits.shape.rank != 2:
        raise ValueError(
            "step_fn: expected logits of shape (batch * beam_size, "
            f"vocab_size), got {logits.shape}"
        )
    vocab_size = logits.shape[1]
    if vocab_size is None or vocab_size < 2:
        raise ValueError(
            f"step_fn: expected a static vocab_size >= 2, got {logits.shape}"
        )
    best, ids = top_k(logits, min(count + 1, vocab_size))
    log_probs = tf.minimum(best - _log_normalizer(logits), 0.0)
    return tf.where(ids == pad_id, _NEVER, log_probs), ids


def _invariant(tensor: tf.Tensor) -> tf.TensorShape:
    """The tensor's shape with axes of size 0, which may grow, left open."""
    shape = tensor.shape
    if not shape.rank:
        return shape
    return tf.TensorShape([shape[0], *(size or None for size in shape[1:])])


def _with_shapes(cache: Any, invariants: Any) -> Any:
    """Checks that a step's cache has the loop's shapes, and states them."""
    return tf.nest.map_structure(tf.ensure_shape, cache, invariants)


def _greedy(step_fn, cache, options, max_lengths) -> SearchResult:
    invariants = tf.nest.map_structure(_invariant, cache)
    batch = max_lengths.shape[0]

    def body(index, active, ids, log_probs, cache):
        logits, cache = step_fn(ids[:, -1], index, cache)
        gains, choices = _continuations(logits, 1, options.pad_id)
        best = tf.argmax(gains, axis=1, output_type=tf.int32)[:, None]
        token = tf.gather(choices, best, batch_dims=1)
        token = tf.where(active[:, None], token, options.pad_id)
        log_probs += tf.where(active, tf.reduce_max(gains, axis=1), 0.0)
        index += 1
        active &= (token[:, 0] != options.eos_id) & (index < max_lengths)
        ids = tf.concat([ids, token], axis=1)
        return index, active, ids, log_probs, _with_shapes(cache, invariants)

    _, _, ids, log_probs, _ = tf.while_loop(
        lambda index, active, *_: tf.reduce_any(active),
        body,
        (
            tf.constant(0),
            max_lengths > 0,
            tf.fill([tf.shape(max_lengths)[0], 1], options.pad_id),
            tf.zeros_like(max_lengths, tf.float32),
            cache,
        ),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([batch]),
            tf.TensorShape([batch, None]),
            tf.TensorShape([batch]),
            invariants,
        ),
    )
    lengths = tf.math.count_nonzero(
        ids != options.pad_id, axis=1, dtype=tf.int32
    )
    scores = log_probs / length_penalty(lengths, options.alpha)
    return _result(ids[:, None], scores[:, None], options)


def _beam(step_fn, cache, options, max_lengths) -> SearchResult:
    invariants = tf.nest.map_structure(_invariant, cache)

    def body(*state):
        state = _Beams(*state)
        last = tf.reshape(state.ids[:, :, -1], [-1])
        logits, cache = step_fn(last, state.index, state.cache)
        state, rows = _advance(state, logits, options, max_lengths)
        cache = tf.nest.map_structure(lambda t: tf.gather(t, rows), cache)
        return tuple(state._replace(cache=_with_shapes(cache, invariants)))

    end = tf.while_loop(
        lambda index, active, *_: tf.reduce_any(active),
        body,
        tuple(_start(cache, options, max_lengths)),
        shape_invariants=tuple(
            _loop_shapes(options, max_lengths.shape[0], invariants)
        ),
    )
    return _collect(_Beams(*end), options, max_lengths)


def _loop_shapes(options, batch, cache_shapes) -> _Beams:
    beams, results = options.beam_size, options.num_results
    return _Beams(
        index=tf.TensorShape([]),
        active=tf.TensorShape([batch]),
        ids=tf.TensorShape([batch, beams, None]),
        log_probs=tf.TensorShape([batch, beams]),
        done_ids=tf.TensorShape([batch, results, None]),
        done_scores=tf.TensorShape([batch, results]),
        cache=cache_shapes,
    )


def _start(cache, options, max_lengths) -> _Beams:
    beams, results = options.beam_size, options.num_results
    batch = tf.shape(max_lengths)[0]
    # One live hypothesis: K copies of the empty one would stay copies.
    first = tf.constant([[0.0] + [_NEVER] * (beams - 1)])
    return _Beams(
        index=tf.constant(0),
        active=max_lengths > 0,
        ids=tf.fill([batch, beams, 1], options.pad_id),
        log_probs=tf.tile(first, [batch, 1]),
        done_ids=tf.fill([batch, results, 1], options.pad_id),
        done_scores=tf.fill([batch, results], _NEVER),
        cache=cache,
    )


def _advance(
    state: _Beams,
    logits: tf.Tensor,
    options: SearchOptions,
    max_lengths: tf.Tensor,
) -> tuple[_Beams, tf.Tensor]:
    """One step of every active sentence.

    Returns:
        The new state, its cache still the old one, and int32 (batch * K,):
        the rows of the cache that the live hypotheses continue.
    """
    beams = options.beam_size
    gains, choices = _continuations(logits, 2 * beams, options.pad_id)
    width = gains.shape[1]
    totals = tf.reshape(gains, [-1, beams, width]) + state.log_probs[..., None]
    totals, chosen = tf.math.top_k(
        tf.reshape(totals, [-1, beams * width]), 2 * beams
    )
    tokens = tf.gather(
        tf.reshape(choices, [-1, beams * width]), chosen, batch_dims=1
    )
    parents = chosen // width
    ids = tf.gather(state.ids, parents, batch_dims=1)
    ids = tf.concat([ids, tokens[..., None]], axis=2)
    active, index = state.active, state.index + 1
    ended = tokens == options.eos_id

    done_ids, done_scores = _merge_finished(
        state,
        ids,
        tf.where(ended & active[:, None], totals, _NEVER)
        / length_penalty(index, options.alpha),
        options,
    )
    log_probs, kept = tf.math.top_k(tf.where(ended, _NEVER, totals), beams)
    log_probs = tf.where(active[:, None], log_probs, state.log_probs)
    # A stopped sentence keeps its live hypotheses as they are.
    ids = tf.where(
        active[:, None, None],
        tf.gather(ids, kept, batch_dims=1),
        _padded(state.ids, options.pad_id),
    )
    parents = tf.gather(parents, kept, batch_dims=1)
    attainable = log_probs[:, 0] / length_penalty(max_lengths, options.alpha)
    active &= (index < max_lengths) & (attainable > done_scores[:, -1])
    first_rows = tf.range(tf.shape(parents)[0])[:, None] * beams
    rows = tf.reshape(first_rows + parents, [-1])
    return state._replace(
        index=index,
        active=active,
        ids=ids,
        log_probs=log_probs,
        done_ids=done_ids,
        done_scores=done_scores,
    ), rows


def _padded(ids: tf.Tensor, pad_id: int) -> tf.Tensor:
    """Adds one column of padding to ids (batch, n, i)."""
    return tf.pad(ids, [[0, 0], [0, 0], [0, 1]], constant_values=pad_id)


def _merge_finished(state, ids, scores, options):
    """Keeps the best of the finished and of those that end in this step."""
    scores = tf.concat([state.done_scores, scores], axis=1)
    ids = tf.concat([_padded(state.done_ids, options.pad_id), ids], axis=1)
    scores, best = tf.math.top_k(scores, options.num_results)
    return tf.gather(ids, best, batch_dims=1), scores


def _collect(state, options, max_lengths) -> SearchResult:
    """Finished hypotheses, then as many closed live ones as are missing."""
    results = options.num_results
    penalty = length_penalty(max_lengths, options.alpha)[:, None]
    scores = tf.concat([state.done_scores, state.log_probs / penalty], axis=1)
    ids = tf.concat([state.done_ids, state.ids], axis=1)
    missing = tf.math.count_nonzero(
        tf.math.is_inf(state.done_scores),
        axis=1,
        keepdims=True,
        dtype=tf.int32,
    )
    slots = tf.range(results)[None]
    slots = tf.where(slots < results - missing, slots, slots + missing)
    return _result(
        tf.gather(ids, slots, batch_dims=1),
        tf.gather(scores, slots, batch_dims=1),
        options,
    )


def _result(ids, scores, options) -> SearchResult:
    """Drops the first id, empties impossible hypotheses, measures all."""
    ids = ids[:, :, 1:]
    possible = scores > _NEVER
    ids = tf.where(possible[..., None], ids, options.pad_id)
    return SearchResult(
        ids=ids,
        scores=scores,
        lengths=tf.math.count_nonzero(
            ids != options.pad_id, axis=2, dtype=tf.int32
        ),
        finished=tf.reduce_any(ids == options.eos_id, axis=2),
    )

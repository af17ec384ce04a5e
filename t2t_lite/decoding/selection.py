"""Which continuations of a step live on, and which are finished."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from t2t_lite.decoding import rules, sampling
from t2t_lite.decoding.logits import (
    Logits,
    best_of,
    corrected,
    log_normalizer,
    refined,
)
from t2t_lite.decoding.request import Request
from t2t_lite.decoding.state import NEVER, Beams, Ids, padded, penalties

# Taken off a log-probability where a required phrase breaks another rule, so
# that such an output comes after all that keep every rule.
_BROKEN = 1000.0


class Choice(NamedTuple):
    """What a step decided.

    Fields:
        tokens: int32 (n, K), the new ids.
        parents: int32 (n, K), the beams they continue.
        log_probs: float32 (n, K), -inf = none.
        done_ids, done_scores: as in Beams, one id longer.
    """

    tokens: tf.Tensor
    parents: tf.Tensor
    log_probs: tf.Tensor
    done_ids: tf.Tensor
    done_scores: tf.Tensor


def _may_not_end(beams: Beams, index: tf.Tensor) -> tf.Tensor:
    """Returns bool (n,): an end mark now would make the output too short."""
    return index + 1 < beams.request.min_lengths


def _width(request: Request) -> tf.Tensor:
    """Returns how many continuations of a group are looked at, (n,).

    Twice as many as live on, for at most half of them end. With one beam the
    most probable id decides.
    """
    size = request.beam_size // request.num_groups
    return tf.where(request.beam_size == 1, 1, 2 * size)


def plain(beams: Beams, logits: Logits, index: tf.Tensor, ids: Ids) -> Choice:
    """Chooses where nothing but beams, results and lengths is asked for.

    Args:
        beams: the state, with the ids so far.
        logits: Logits.
        index: int32 scalar, steps done.
        ids: Ids.
    """
    beam_count = tf.shape(beams.ids)[1]
    rough, tokens = best_of(logits.rough, 2 * beam_count + 2)
    gains = rough if logits.exact is None else logits.exact(tokens)
    normalizer = log_normalizer(logits.rough, rough[:, :, :1])
    if logits.exact is not None:
        normalizer = corrected(normalizer, rough, gains)
    gains = tf.minimum(gains - normalizer, 0.0)
    banned = tokens == ids.pad
    banned |= (tokens == ids.eos) & _may_not_end(beams, index)[:, None, None]
    totals = tf.where(banned, NEVER, gains) + beams.log_probs[..., None]
    flat, parents, tokens = _flat(totals, tokens)
    order, chosen = tf.math.top_k(
        flat, tf.minimum(2 * beam_count, tf.shape(flat)[1])
    )
    looked_at = tf.range(tf.shape(order)[1])[None]
    looked_at = looked_at < _width(beams.request)[:, None]
    order = tf.where(looked_at, order, NEVER)
    tokens = tf.gather(tokens, chosen, batch_dims=1)
    parents = tf.gather(parents, chosen, batch_dims=1)
    done = _finish(beams, index, ids, (order, tokens, parents), group=0)
    live = tf.where(tokens == ids.eos, NEVER, order)
    log_probs, kept = tf.math.top_k(live, beam_count)
    alive = tf.range(beam_count)[None] < beams.request.beam_size[:, None]
    return Choice(
        tokens=tf.gather(tokens, kept, batch_dims=1),
        parents=tf.gather(parents, kept, batch_dims=1),
        log_probs=tf.where(alive, log_probs, NEVER),
        done_ids=done[0],
        done_scores=done[1],
    )


def _flat(totals, tokens):
    """Returns totals, parents and tokens of all continuations, (n, K m)."""
    n, beams, width = tf.unstack(tf.shape(totals))
    shape = [n, beams * width]
    parents = tf.repeat(tf.range(beams), width)
    parents = tf.broadcast_to(parents[None], shape)
    return tf.reshape(totals, shape), parents, tf.reshape(tokens, shape)


def _finish(beams, index, ids, found, group):
    """Returns the finished hypotheses with those that end now.

    Args:
        beams, index, ids: as for `plain`.
        found: (log-probabilities, tokens, parents), each (n, m).
        group: int, or int32 scalar.
    """
    totals, tokens, parents = found
    ended = (tokens == ids.eos) & beams.active[:, None]
    penalty = penalties(beams.request, index + 1)[:, None]
    scores = tf.where(ended, totals / penalty, NEVER)
    before = tf.gather(beams.ids, parents, batch_dims=1)
    mine = tf.concat([before, tokens[..., None]], axis=2)
    pool_ids, pool_scores = padded(beams.done_ids, ids.pad), beams.done_scores
    all_scores = tf.concat([pool_scores[:, group], scores], axis=1)
    all_ids = tf.concat([pool_ids[:, group], mine], axis=1)
    results = tf.shape(pool_scores)[2]
    scores, best = tf.math.top_k(all_scores, results)
    return (
        tf.gather(all_ids, best, batch_dims=1)[:, None],
        scores[:, None],
    )


def full(beams: Beams, logits: Logits, index: tf.Tensor, ids: Ids) -> Choice:
    """Chooses with every rule and way of choosing; as `plain`, but slower."""
    request = beams.request
    history = beams.ids[:, :, 1:]
    logits = refined(logits, 3 * tf.shape(beams.ids)[1] + 2)
    logits = rules.penalised(logits, request, history)
    normalizer = log_normalizer(logits)
    allowed = rules.without_banned(logits, beams.rules, request, history)
    vocabulary = tf.range(tf.shape(logits)[2])
    never = vocabulary == ids.pad
    unmet = ~tf.reduce_all(beams.rules.met, axis=2)
    unended = unmet | _may_not_end(beams, index)[:, None]
    never |= unended[..., None] & (vocabulary == ids.eos)
    allowed = tf.where(never, NEVER, allowed)
    tokens, values = _candidates(beams, logits, allowed, index)
    gains = tf.minimum(values - normalizer, 0.0)
    searched = _grouped(beams, gains, tokens, index, ids)
    return tf.cond(
        tf.reduce_any(request.temperature > 0),
        lambda: _with_samples(
            beams, (logits, allowed, normalizer), searched, index, ids
        ),
        lambda: searched,
    )


def _candidates(beams: Beams, logits, allowed, index):
    """Returns tokens and logits of the continuations looked at, (n, K, m).

    They are the most probable allowed ones, and what brings a required phrase
    on; where the output has a prefix, its next id alone. Continuations that
    leave no room for what is required are taken out.
    """
    request, state = beams.request, beams.rules
    # Groups before may have taken as many as there are beams.
    values, tokens = best_of(allowed, 3 * tf.shape(beams.ids)[1] + 2)
    wanted = rules.next_required(state, request)
    left = rules.needed(
        state.required,
        state.met,
        tf.broadcast_to(request.required[:, None], tf.shape(state.required)),
    )
    room = request.max_lengths[:, None] - index - 1 - left
    # Without room for anything else, it goes before what is forbidden.
    extra = tf.gather(allowed, wanted, batch_dims=2)
    last_resort = tf.gather(logits, wanted, batch_dims=2) - _BROKEN
    broken = (room <= 0)[..., None] & (extra == NEVER)
    extra = tf.where(broken, last_resort, extra)
    listed = tokens[..., None, :] == wanted[..., None]
    listed &= values[..., None, :] > NEVER
    extra = tf.where((wanted == 0) | tf.reduce_any(listed, -1), NEVER, extra)
    tokens = tf.concat([tokens, wanted], axis=2)
    values = tf.concat([values, extra], axis=2)
    after = rules.needed_after(state, request, tokens)
    after = tf.where(left[..., None] == 0, 0, after + 1)  # and an end mark
    room = request.max_lengths[:, None, None] - index - 1 - after
    values = tf.where(room >= 0, values, NEVER)
    return _forced(logits, tokens, values, _next_of_prefix(request, index))


def _next_of_prefix(request: Request, index) -> tf.Tensor:
    """Returns the id that a prefix asks for now, int32 (n,); 0 = none."""
    length = tf.shape(request.prefix)[1]
    padded = tf.pad(request.prefix, [[0, 0], [0, 1]])
    return padded[:, tf.minimum(index, length)]


def _forced(logits, tokens, values, forced):
    """Leaves `forced` (n,) alone, where it is not padding."""
    beams = tf.shape(tokens)[1]
    ids = tf.tile(forced[:, None, None], [1, beams, 1])
    mine = tf.gather(logits, ids, batch_dims=2)
    first = tf.range(tf.shape(tokens)[2]) == 0
    is_forced = (forced != 0)[:, None, None]
    return (
        tf.where(is_forced, ids, tokens),
        tf.where(is_forced, tf.where(first, mine, NEVER), values),
    )


def _grouped(beams: Beams, gains, tokens, index, ids) -> Choice:
    """Lets the groups choose, one after the other."""
    request = beams.request
    n, count, _ = tf.unstack(tf.shape(gains))
    size = (request.beam_size // request.num_groups)[:, None]
    slot_group = tf.range(count)[None] // tf.maximum(size, 1)
    totals = gains + beams.log_probs[..., None]

    def body(group, chosen, parents, log_probs, done_ids, done_scores):
        earlier = (slot_group < group) & (log_probs > NEVER)
        same = tokens[..., None] == chosen[:, None, None]
        times = tf.math.count_nonzero(
            same & earlier[:, None, None], axis=-1, dtype=tf.float32
        )
        mine = tf.where((slot_group == group)[..., None], totals, NEVER)
        found = _looked_at(beams, mine, tokens, times)
        mine_ids, mine_scores = _finish(beams, index, ids, found, group)
        live = (found[1] != ids.eos) & (found[0] > NEVER)
        kept = _slots_of(live, tf.range(count)[None] - group * size)
        here = slot_group == group
        live = tf.gather(live, kept, batch_dims=1)
        new = [tf.gather(values, kept, batch_dims=1) for values in found]
        return (
            group + 1,
            tf.where(here, new[1], chosen),
            tf.where(here, new[2], parents),
            tf.where(here, tf.where(live, new[0], NEVER), log_probs),
            tf.concat([done_ids, mine_ids], axis=1),
            tf.concat([done_scores, mine_scores], axis=1),
        )

    shape = tf.shape(beams.done_ids)
    start = (
        tf.constant(0),
        tf.zeros([n, count], tf.int32),
        tf.zeros([n, count], tf.int32),
        tf.fill([n, count], NEVER),
        tf.zeros([n, 0, shape[2], shape[3] + 1], tf.int32),
        tf.zeros([n, 0, shape[2]]),
    )
    end = tf.while_loop(
        lambda group, *_: group < shape[1],
        body,
        start,
        shape_invariants=tuple(
            tf.TensorShape([None] * tensor.shape.rank) for tensor in start
        ),
    )
    return Choice(*end[1:])


def _looked_at(beams: Beams, totals, tokens, times):
    """Returns the continuations of a group that may live or end, in order.

    Args:
        beams: the state.
        totals: float32 (n, K, m), -inf where a parent is another group's.
        tokens: int32 (n, K, m).
        times: float32 (n, K, m), groups before that chose the token.
    Returns:
        (log-probabilities, tokens, parents), each (n, at most 2 K).
    """
    penalised = totals - beams.request.diversity[:, None, None] * times
    flat, parents, flat_tokens = _flat(totals, tokens)
    order = tf.reshape(penalised, tf.shape(flat))
    order = _by_banks(beams, order, flat_tokens)
    wide = tf.minimum(2 * tf.shape(totals)[1], tf.shape(order)[1])
    best = tf.math.top_k(order, wide).indices
    first = tf.range(tf.shape(best)[1])[None] < _width(beams.request)[:, None]
    flat, flat_tokens, parents = (
        tf.gather(values, best, batch_dims=1)
        for values in (flat, flat_tokens, parents)
    )
    return tf.where(first, flat, NEVER), flat_tokens, parents


def _slots_of(live: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Returns which continuation each slot gets, int32 (n, K).

    Args:
        live: bool (n, m), in their order; the others come after them.
        places: int32 (n, K), the slot's place in its group.
    """
    rank = tf.argsort(tf.where(live, 0, 1), axis=1, stable=True)
    last = tf.shape(rank)[1] - 1
    places = tf.clip_by_value(places, 0, last)
    return tf.gather(rank, places, batch_dims=1)


def _by_banks(beams: Beams, order, tokens):
    """Gives hypotheses that have said more of what is required their places.

    Continuations are put into banks by how much of the required phrases is
    still to be said; the best of each bank come first, as many as its share
    of the beam, then the others.

    Reference: Post and Vilar 2018, dynamic beam allocation.
    """
    request = beams.request
    constrained = tf.reduce_any(request.required > 0, axis=[1, 2])

    def banked():
        n, count = tf.unstack(tf.shape(beams.log_probs))
        by_beam = tf.reshape(tokens, [n, count, -1])
        bank = rules.needed_after(beams.rules, request, by_beam)
        bank = tf.reshape(bank, tf.shape(order))
        same = bank[:, :, None] == bank[:, None]
        ours, theirs = order[:, :, None], order[:, None]
        places = tf.range(tf.shape(order)[1])
        better = theirs > ours
        better |= (theirs == ours) & (places[None] < places[:, None])[None]
        rank = tf.math.count_nonzero(same & better, axis=2, dtype=tf.int32)
        total = tf.math.count_nonzero(
            request.required, axis=[1, 2], dtype=tf.int32
        )
        share = tf.maximum(request.beam_size // (total + 1), 1)
        late = tf.where(rank < share[:, None], 0, 1)
        late = tf.where(order > NEVER, late, 2)
        best = tf.argsort(order, direction="DESCENDING", stable=True)
        late = tf.gather(late, best, batch_dims=1)
        sequence = tf.gather(best, tf.argsort(late, stable=True), batch_dims=1)
        position = tf.cast(tf.argsort(sequence), tf.float32)
        return tf.where(constrained[:, None], -position, order)

    return tf.cond(tf.reduce_any(constrained), banked, lambda: order)


def _with_samples(beams: Beams, scored, searched: Choice, index, ids) -> Choice:
    """Replaces what was searched by samples, where those are wanted."""
    logits, allowed, normalizer = scored
    request = beams.request
    wanted = (request.temperature > 0)[:, None]
    tokens = sampling.sample(allowed, request, index)
    forced = _next_of_prefix(request, index)[:, None]
    tokens = tf.where(forced != 0, forced, tokens)
    gains = tf.gather(logits, tokens[..., None], batch_dims=2) - normalizer
    totals = beams.log_probs + tf.minimum(gains[..., 0], 0.0)
    parents = tf.broadcast_to(
        tf.range(tf.shape(tokens)[1])[None], tf.shape(tokens)
    )
    done_ids, done_scores = _finish(
        beams, index, ids, (totals, tokens, parents), group=0
    )
    rest = tf.shape(searched.done_ids)[1] - 1
    done_ids = tf.pad(done_ids, [[0, 0], [0, rest], [0, 0], [0, 0]])
    done_scores = tf.pad(
        done_scores, [[0, 0], [0, rest], [0, 0]], constant_values=NEVER
    )
    totals = tf.where(tokens == ids.eos, NEVER, totals)
    sampled = Choice(tokens, parents, totals, done_ids, done_scores)

    def chosen(sample, search):
        rank = sample.shape.rank
        where = tf.reshape(wanted, [-1] + [1] * (rank - 1))
        return tf.where(where, sample, search)

    return tf.nest.map_structure(chosen, sampled, searched)

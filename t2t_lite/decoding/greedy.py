"""A step of a search where every sentence wants its most probable output."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from t2t_lite.decoding.logits import (
    Logits,
    best_of,
    corrected,
    log_normalizer,
)
from t2t_lite.decoding.state import (
    NEVER,
    Beams,
    Ids,
    Turn,
    padded,
    penalties,
)

# Ids that are looked at: one is chosen, padding and an end mark that comes too
# early are passed over, and rounded logits may be in another order.
_LOOKED_AT = 4


def turn(
    beams: Beams, moved: Any, logits: Logits, index: tf.Tensor, ids: Ids
) -> Turn:
    """As the others, for one beam and one result, and with few operations.

    Nothing is reordered: the only hypothesis is its own parent.

    Args:
        beams: the state, with the ids so far.
        moved: of the new cache.
        logits: Logits.
        index: int32 scalar, steps done.
        ids: Ids.
    """
    request, active = beams.request, beams.active
    token, gain = _best(beams, logits, index, ids)
    before = tf.squeeze(beams.log_probs, 1)
    total = tf.where(active, before + gain, before)
    ends = active & tf.equal(token, ids.eos)
    live = tf.where(ends, NEVER, total)
    goes_on = active & (live > NEVER)
    goes_on &= index + 1 < request.max_lengths
    score = total / penalties(request, index + 1)
    new_ids = tf.concat(
        [beams.ids, _cells(tf.where(active, token, ids.pad))], axis=2
    )
    done, done_ids = _cells(ends), padded(beams.done_ids, ids.pad)
    return Turn(
        ids=new_ids,
        log_probs=tf.expand_dims(live, 1),
        ancestry=tf.pad(beams.ancestry, [[0, 0], [0, 0], [0, 1]]),
        done_ids=tf.where(
            tf.expand_dims(done, 3), tf.expand_dims(new_ids, 1), done_ids
        ),
        done_scores=tf.where(done, _cells(score), beams.done_scores),
        active=goes_on,
        rules=beams.rules,
        moved=moved,
    )


def _best(beams: Beams, logits: Logits, index, ids: Ids):
    """Returns the most probable ids, int32 (n,), and log-probabilities."""
    rough, tokens = best_of(logits.rough, _LOOKED_AT)
    values = rough if logits.exact is None else logits.exact(tokens)
    normalizer = log_normalizer(logits.rough, rough[:, :, :1])
    if logits.exact is not None:
        normalizer = corrected(normalizer, rough, values)
    early = _cells(index + 1 < beams.request.min_lengths)
    banned = tf.equal(tokens, ids.pad) | (tf.equal(tokens, ids.eos) & early)
    gains = tf.where(banned, NEVER, tf.minimum(values - normalizer, 0.0))
    gain, place = tf.math.top_k(tf.squeeze(gains, 1), 1)
    token = tf.gather(tf.squeeze(tokens, 1), place, batch_dims=1)
    return tf.squeeze(token, 1), tf.squeeze(gain, 1)


def _cells(values: tf.Tensor) -> tf.Tensor:
    """Returns values (n,) as (n, 1, 1)."""
    return tf.reshape(values, [-1, 1, 1])

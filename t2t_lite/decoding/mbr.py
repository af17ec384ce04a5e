"""Minimum Bayes risk: of all outputs found, those most like the others."""

from __future__ import annotations

import tensorflow as tf

from t2t_lite.decoding.state import SearchResult

ORDER = 4  # longest n-gram
_MULTIPLIER = 0x5851F42D4C957F2D  # Knuth's; n-grams are told apart by 64 bits


def ranked(
    result: SearchResult,
    power: tf.Tensor,
    wanted: tf.Tensor,
    *,
    eos_id: int = 1,
    pad_id: int = 0,
) -> SearchResult:
    """Puts the outputs first that promise the highest BLEU, and cuts.

    The gain of an output h is `sum_r w(r) BLEU(h, r)` over all outputs r of
    its sentence, with w(r) in proportion to exp(power score(r)). BLEU is that
    of `expected_bleu`; scores stay what they were.

    Args:
        result: outputs of a search or samples; -inf scores are none.
        power: float32 (batch,); 0 = the order stays.
        wanted: int32 (batch,), outputs that each sentence wants.
        eos_id, pad_id: what are no words of an output.
    Returns:
        SearchResult of as many outputs as the most wanted; beyond a
        sentence's own number they are none.
    Reference: Kumar and Byrne 2004, section 3.
    """
    with tf.name_scope("mbr"):
        utility = expected_bleu(result, power, eos_id, pad_id)
    count = tf.shape(result.scores)[1]
    most = tf.minimum(tf.maximum(tf.reduce_max(wanted), 1), count)
    given = tf.cast(-tf.range(count), tf.float32)[None]
    real = result.scores > tf.float32.min
    keys = tf.where((power > 0)[:, None] & real, utility, given - 1.0)
    keys = tf.where((power > 0)[:, None], keys, given)
    order = tf.argsort(keys, axis=1, direction="DESCENDING", stable=True)
    order = order[:, :most]
    chosen = SearchResult(
        *(tf.gather(field, order, batch_dims=1) for field in result)
    )
    beyond = tf.range(most)[None] >= wanted[:, None]
    return SearchResult(
        ids=tf.where(beyond[..., None], pad_id, chosen.ids),
        scores=tf.where(beyond, -float("inf"), chosen.scores),
        lengths=tf.where(beyond, 0, chosen.lengths),
        finished=chosen.finished & ~beyond,
    )


def expected_bleu(
    result: SearchResult, power: tf.Tensor, eos_id: int = 1, pad_id: int = 0
) -> tf.Tensor:
    """Returns each output's gain, float32 (batch, outputs), 0 to 1.

    BLEU of one output against another, on ids: the geometric mean of the
    clipped precisions of 1- to 4-grams, to whose counts 1 is added from
    2-grams on, times the brevity penalty.

    Args: see `ranked`.
    Reference: Lin and Och 2004 for the added 1.
    """
    shape = tf.shape(result.ids)
    batch, count, length = shape[0], shape[1], shape[2]
    word = (result.ids != pad_id) & (result.ids != eos_id)
    sizes = tf.reduce_sum(tf.cast(word, tf.int32), axis=2)
    grams = _grams(result.ids)
    starts = tf.range(length)[None, None]
    valid = [starts + n <= sizes[..., None] for n in range(1, ORDER + 1)]
    scores = tf.where(result.scores > tf.float32.min, result.scores, -1e30)
    best = tf.reduce_max(scores, axis=1, keepdims=True)
    weights = tf.nn.softmax((scores - best) * power[:, None], axis=1)

    def gain(index):
        row, mine = index // count, index % count
        logs = tf.zeros([count])
        for n in range(ORDER):
            matches, total = _matches(grams[n][row], valid[n][row], mine)
            more = float(n > 0)
            precision = (matches + more) / tf.maximum(total + more, 1.0)
            logs += tf.math.log(tf.maximum(precision, 1e-9))
        lengths = tf.cast(sizes[row], tf.float32)
        own = tf.maximum(lengths[mine], 1.0)
        brevity = tf.minimum(1.0 - lengths / own, 0.0)
        return tf.reduce_sum(tf.exp(logs / ORDER + brevity) * weights[row])

    found = tf.map_fn(
        gain,
        tf.range(batch * count),
        fn_output_signature=tf.TensorSpec([], tf.float32),
    )
    return tf.reshape(found, [batch, count])


def _grams(ids: tf.Tensor) -> list[tf.Tensor]:
    """Returns a number for the n-gram that begins at each place, per n."""
    ids = tf.cast(ids, tf.int64)
    found = [ids]
    for n in range(1, ORDER):
        shifted = tf.pad(ids[:, :, n:], [[0, 0], [0, 0], [0, n]])
        shifted = shifted[:, :, : tf.shape(ids)[2]]
        found.append(found[-1] * _MULTIPLIER + shifted + 1)
    return found


def _matches(grams, valid, mine) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns (clipped matches of one output with each, its n-grams).

    Args:
        grams: int64 (outputs, length).
        valid: bool (outputs, length).
        mine: int32 scalar, the output.
    Returns:
        (float32 (outputs,), float32 scalar).
    """
    own = grams[mine][None, :, None]
    same = (own == grams[:, None]) & valid[:, None]
    theirs = tf.reduce_sum(tf.cast(same, tf.float32), axis=2)
    real = tf.cast(valid[mine], tf.float32)
    each = tf.maximum(theirs[mine], 1.0)
    shares = tf.minimum(theirs, each) / each
    return tf.reduce_sum(shares * real, axis=1), tf.reduce_sum(real)

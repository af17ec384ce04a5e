"""What a masked language model is shown, and what it is asked."""

from __future__ import annotations

import tensorflow as tf

from t2t_lite import layers
from t2t_lite.data.text_encoder import EOS_ID, NUM_SPECIAL_IDS, UNK_ID

MASK_ID = UNK_ID  # no text has it: unknown characters are written as bytes
_MASKED, _REPLACED = 0.8, 0.1
_STILL = (20181011, 1)


def masked(
    ids: tf.Tensor, share: float, vocab_size: int, training: bool
) -> dict[str, tf.Tensor]:
    """Chooses tokens to ask for, and hides most of them.

    Of each row, `share` of its tokens, rounded, but at least one, are asked
    for; end marks never. Of these eight in ten become `MASK_ID`, one in ten
    another token, and one in ten stays.

    Args:
        ids: int32 (batch, length), 0 = padding.
        share: float in (0, 1).
        vocab_size: int.
        training: bool, draw anew from the seeds around; else always the same
            for rows of the same shape.
    Returns:
        `inputs` int32 (batch, length); `asked` int32 (batch, count), places;
        `targets` int32 (batch, count), the tokens there, 0 where a row has
        fewer. count = the length's share.
    Reference: Devlin et al. 2019, section 3.1.
    """
    shape = tf.shape(ids)
    real = ids > EOS_ID
    order, kind, other = (
        layers.uniform_draws(shape, 3)
        if training
        else layers.draws_of(tf.constant(_STILL), shape, 3)
    )
    most = tf.maximum(_rounded(shape[1], share), 1)
    found, asked = tf.math.top_k(tf.where(real, order, -1.0), most)
    tokens = tf.math.count_nonzero(real, axis=1, dtype=tf.int32)
    wanted = tf.maximum(_rounded(tokens, share), 1)[:, None]
    chosen = (found >= 0) & (tf.range(most)[None] < wanted)
    targets = tf.where(chosen, tf.gather(ids, asked, batch_dims=1), 0)
    hidden = tf.reduce_any(
        tf.one_hot(asked, shape[1], True, False, dtype=tf.bool)
        & chosen[..., None],
        axis=1,
    )
    span = vocab_size - NUM_SPECIAL_IDS
    random = NUM_SPECIAL_IDS + tf.cast(other * float(span), tf.int32)
    random = tf.minimum(random, vocab_size - 1)
    shown = tf.where(kind < _MASKED + _REPLACED, random, ids)
    shown = tf.where(kind < _MASKED, MASK_ID, shown)
    return {
        "inputs": tf.where(hidden, shown, ids),
        "asked": asked,
        "targets": targets,
    }


def _rounded(count: tf.Tensor, share: float) -> tf.Tensor:
    return tf.cast(tf.round(tf.cast(count, tf.float32) * share), tf.int32)

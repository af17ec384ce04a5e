"""Boolean masks; True = may attend."""

from __future__ import annotations

import tensorflow as tf

from t2t_lite.layers._math import shape_of

_PAD_ID = 0


def padding_mask(ids: tf.Tensor) -> tf.Tensor:
    """Marks the real tokens.

    Args:
        ids: int tensor `(batch, length)`; 0 is padding.

    Returns:
        Bool tensor `(batch, length)`, True where there is a token. As an
        attention mask it is `mask[:, None, :]`.
    """
    return tf.not_equal(ids, _PAD_ID)


def causal_mask(length: int | tf.Tensor) -> tf.Tensor:
    """Lets every position see itself and what comes before it.

    Args:
        length: int or int scalar tensor.

    Returns:
        Bool tensor `(1, length, length)`, True on and under the diagonal.

    Reference: Vaswani et al. 2017, section 3.2.3.
    """
    positions = tf.range(length)
    return (positions[:, None] >= positions[None, :])[None]


def segment_mask(
    query_segments: tf.Tensor, key_segments: tf.Tensor
) -> tf.Tensor:
    """Keeps the examples that share a packed row apart.

    Args:
        query_segments: int tensor `(batch, query_length)`; 0 is padding.
        key_segments: int tensor `(batch, key_length)`; 0 is padding.

    Returns:
        Bool tensor `(batch, query_length, key_length)`, True where both sides
        have the same segment and it is not padding.
    """
    same = tf.equal(query_segments[:, :, None], key_segments[:, None, :])
    return same & tf.not_equal(key_segments, 0)[:, None, :]


def combine(*masks: tf.Tensor | None) -> tf.Tensor | None:
    """Returns the conjunction of the masks; None stands for all True.

    Args:
        *masks: bool tensors that broadcast to one shape, or None.

    Returns:
        Bool tensor, or None when every mask is None.
    """
    combined = None
    for mask in masks:
        if mask is not None:
            combined = mask if combined is None else combined & mask
    return combined


def look_ahead_mask(
    query: tf.Tensor, attention_mask: tf.Tensor | None
) -> tf.Tensor:
    """Returns `attention_mask` with the causal mask of `query` applied.

    Args:
        query: float tensor `(batch, length, hidden_size)`.
        attention_mask: optional bool tensor `(batch, 1 or length, length)`.

    Returns:
        Bool tensor `(1 or batch, length, length)`.
    """
    return combine(causal_mask(shape_of(query)[1]), attention_mask)

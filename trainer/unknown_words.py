"""Unknown pieces of outputs: replaced by what they looked at in the input."""

from __future__ import annotations

import tensorflow as tf

from t2t_lite.data.text_encoder import EOS_ID
from t2t_lite.decoding.search import SearchResult

# How SentencePiece writes an unknown piece.
_UNKNOWN = " \u2047 "


def replaced(
    model, tokenizer, source, result: SearchResult, wanted: tf.Tensor
) -> tf.Tensor:
    """Returns the texts of results, unknown pieces replaced by the input's.

    Each becomes the piece of the input that it looked at most. A text that has
    the mark of an unknown piece of its own is left as it is.

    Args:
        model: has `attention(ids, outputs)`.
        tokenizer: a TextEncoder's `graph_tokenizer()` with an `unk_id`.
        source: string (batch,) and their ids, int32 (batch, length).
        result: of the search, (batch, results).
        wanted: bool (batch,) or (1,), for which texts.
    Returns:
        string (batch, results).
    """
    inputs, ids = source
    shape = tf.shape(result.ids)
    count = shape[0] * shape[1]
    outputs = tf.reshape(result.ids, [count, shape[2]])
    sources = tf.repeat(ids, shape[1], axis=0)
    attention = model.attention(sources, outputs)
    # What is no text, padding and end mark, cannot be copied.
    attention = tf.where((sources <= EOS_ID)[:, None], -1.0, attention)
    seen = tf.argmax(attention, axis=2, output_type=tf.int32)
    pieces = tokenizer.surfaces(inputs).to_tensor("")
    width = tf.shape(ids)[1]
    pieces = tf.concat([pieces, tf.fill([shape[0], width], "")], axis=1)
    pieces = tf.repeat(pieces[:, :width], shape[1], axis=0)
    copied = tf.gather(pieces, seen, batch_dims=1)
    unknown = outputs == tokenizer.unk_id
    copied = tf.ragged.boolean_mask(copied, unknown)
    copied = copied.with_values(" " + copied.values + " ")
    texts = tokenizer.detokenize(outputs)
    parts = tf.strings.split(texts, sep=_UNKNOWN)
    fits = parts.row_lengths() == copied.row_lengths() + 1
    fits &= tf.repeat(tf.broadcast_to(wanted, shape[:1]), shape[1])
    parts, copied = (
        tf.ragged.boolean_mask(row, fits).to_tensor("")
        for row in (parts, copied)
    )
    last = tf.fill([tf.shape(copied)[0], 1], "")
    copied = tf.concat([copied, last], axis=1)
    width = tf.minimum(tf.shape(parts)[1], tf.shape(copied)[1])
    mended = tf.stack([parts[:, :width], copied[:, :width]], axis=2)
    mended = tf.strings.reduce_join(mended, axis=[2, 1])  # pairs first
    mended = tf.strings.strip(mended)
    texts = tf.tensor_scatter_nd_update(texts, tf.where(fits), mended)
    return tf.reshape(texts, shape[:2])

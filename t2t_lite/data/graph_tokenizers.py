"""The encoders as graph operations, for exported models.

Import this module only where TensorFlow is needed anyway.
"""

from __future__ import annotations

import tensorflow as tf

from t2t_lite.data.text_encoder import (
    EOS_ID,
    NUM_SPECIAL_IDS,
    PAD_ID,
    SPACE,
    UNK_ID,
)


class SentencePieceGraphTokenizer(tf.Module):
    """`SentencePieceEncoder` by TensorFlow Text's operations.

    Args:
        model: bytes, the serialised SentencePiece model.
    """

    unk_id = UNK_ID

    def __init__(self, model: bytes):
        import tensorflow_text

        super().__init__()
        self._tokenizer = tensorflow_text.SentencepieceTokenizer(
            model=model, out_type=tf.int32
        )

    def tokenize(self, texts):
        """string `(batch,)` to RaggedTensor int32 `(batch, None)`, no EOS."""
        return self._tokenizer.tokenize(texts)

    def detokenize(self, ids):
        """int32 `(batch, length)` to string `(batch,)`; stops at EOS."""
        return self._tokenizer.detokenize(ids_of_text(ids))

    def tokens(self, ids):
        """int32 `(batch, length)` to their pieces, string; "" for padding."""
        return without_padding(ids, self._tokenizer.id_to_string(ids))

    def word_starts(self, ids):
        """int32 `(batch, length)` to bool: whether a word begins there."""
        pieces = self._tokenizer.id_to_string(ids)
        return tf.strings.regex_full_match(pieces, f"{SPACE}(?s:.*)")

    def surfaces(self, texts):
        """string `(batch,)` to what of each text every id stands for, ragged.

        Returns:
            RaggedTensor string `(batch, None)`, without outer spaces.
        """
        _, starts, ends = self._tokenizer.tokenize_with_offsets(texts)
        whole = tf.repeat(texts, starts.row_lengths())
        parts = tf.strings.substr(
            whole, starts.values, ends.values - starts.values
        )
        return starts.with_values(tf.strings.strip(parts))


class ByteGraphTokenizer(tf.Module):
    """`ByteEncoder` by TensorFlow's core operations."""

    unk_id = UNK_ID

    def tokenize(self, texts):
        """string `(batch,)` to RaggedTensor int32 `(batch, None)`, no EOS."""
        pieces = tf.strings.bytes_split(texts)
        values = tf.reshape(tf.io.decode_raw(pieces.values, tf.uint8), [-1])
        return pieces.with_values(tf.cast(values, tf.int32) + NUM_SPECIAL_IDS)

    def detokenize(self, ids):
        """int32 `(batch, length)` to string `(batch,)`; stops at EOS."""
        rows = ids_of_text(ids)
        values = tf.gather(_byte_table(), rows.values)
        return tf.strings.unicode_transcode(
            tf.strings.reduce_join(rows.with_values(values), axis=-1),
            "UTF-8",
            "UTF-8",
            errors="replace",
        )

    def tokens(self, ids):
        """int32 `(batch, length)` to their bytes, string; "" for padding."""
        names = tf.concat([["", "</s>", "<unk>"], _byte_table()[3:]], axis=0)
        return without_padding(ids, tf.gather(names, ids))

    def word_starts(self, ids):
        """int32 `(batch, length)` to bool: whether a word begins there."""
        space = NUM_SPECIAL_IDS + ord(" ")
        inside = (ids >= NUM_SPECIAL_IDS) & (ids != space)
        before = tf.pad(inside[:, :-1], [[0, 0], [1, 0]])
        return inside & ~before

    def surfaces(self, texts):
        """string `(batch,)` to its bytes, RaggedTensor `(batch, None)`."""
        return tf.strings.bytes_split(texts)


def without_padding(ids, tokens):
    """Returns the names of ids, "" for padding, string of the ids' shape."""
    return tf.where(tf.equal(ids, PAD_ID), "", tokens)


def ids_of_text(ids):
    """Returns the ids before each row's first EOS, without padding, ragged."""
    ended = tf.cumsum(tf.cast(tf.equal(ids, EOS_ID), tf.int32), axis=1) > 0
    kept = tf.logical_and(tf.not_equal(ids, PAD_ID), tf.logical_not(ended))
    return tf.ragged.boolean_mask(ids, kept)


def _byte_table():
    """Returns the byte string of each id, string `(259,)`; specials empty."""
    return tf.constant(
        [b""] * NUM_SPECIAL_IDS + [bytes([byte]) for byte in range(256)]
    )

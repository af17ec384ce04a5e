"""Hierarchical attention: words make sentences, sentences a document."""

from __future__ import annotations

import inspect

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, shape_of
from t2t_lite.layers.context_vector_attention import ContextVectorAttention
from t2t_lite.layers.seq2seq_attention import check_padding_mask


@keras.saving.register_keras_serializable(package=PACKAGE)
class HierarchicalAttention(keras.layers.Layer):
    """A document's vector from the states of its sentences' words.

    `sentence = word_attention(words); document = sentence_attention(f(
    sentences))`, both `ContextVectorAttention`, f the sentence encoder. A
    sentence without words is padding, and has weight 0 in the document.

    Args:
        word_units, sentence_units: int, hidden sizes of the two attentions;
            None = the size of their inputs.
        sentence_encoder: optional Keras layer from the sentences' vectors
            `(batch, sentences, size)` to states `(batch, sentences,
            other_size)`, as the paper's bidirectional GRU; None = none. Where
            its call takes a `mask`, as Keras' recurrent layers do, that is
            bool `(batch, sentences)`, True = a sentence.

    Call arguments:
        inputs: float tensor `(batch, sentences, length, size)`, the words'
            states, encoded by the caller.
        padding_mask: optional bool tensor `(batch, sentences, length)`; True =
            a word. Sentences are those with at least one.
        return_attention_weights: bool.

    Returns:
        Float tensor `(batch, size of the sentences' states)`, zeros for a
        document without words; with `return_attention_weights` a tuple of it,
        the words' weights `(batch, sentences, length)` and the sentences'
        `(batch, sentences)`.

    Raises:
        ValueError: a size is not positive, or the mask has another form.

    Reference: Yang et al. 2016, section 2.2. inputs = h_it, the sentences'
    vectors = s_i, the document's = v.
    """

    def __init__(
        self,
        word_units: int | None = None,
        sentence_units: int | None = None,
        sentence_encoder: keras.layers.Layer | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.word_units = word_units
        self.sentence_units = sentence_units
        self.sentence_encoder = sentence_encoder
        policy = {"dtype": self.dtype_policy}
        self.word_attention = ContextVectorAttention(
            word_units, name="word_attention", **policy
        )
        self.sentence_attention = ContextVectorAttention(
            sentence_units, name="sentence_attention", **policy
        )

    def build(self, input_shape):
        batch, sentences, length, size = input_shape
        self.word_attention.build((batch, length, size))
        shape = (batch, sentences, size)
        if self.sentence_encoder is not None:
            if not self.sentence_encoder.built:
                self.sentence_encoder.build(shape)
            shape = self.sentence_encoder.compute_output_shape(shape)
        self.sentence_attention.build(shape)

    def call(self, inputs, padding_mask=None, return_attention_weights=False):
        check_padding_mask(padding_mask, rank=3)
        batch, sentences, length, size = shape_of(inputs)
        rows, sentence_mask = batch * sentences, None
        if padding_mask is not None:
            sentence_mask = tf.reduce_any(padding_mask, axis=2)
            padding_mask = tf.reshape(padding_mask, [rows, length])
        vectors, words = self.word_attention(
            tf.reshape(inputs, [rows, length, size]),
            padding_mask=padding_mask,
            return_attention_weights=True,
        )
        vectors = tf.reshape(vectors, [batch, sentences, size])
        document, weights = self.sentence_attention(
            self._encode(vectors, sentence_mask),
            padding_mask=sentence_mask,
            return_attention_weights=True,
        )
        if not return_attention_weights:
            return document
        return document, tf.reshape(words, [batch, sentences, length]), weights

    def _encode(self, vectors, mask):
        encoder = self.sentence_encoder
        if encoder is None:
            return vectors
        if "mask" in inspect.signature(encoder.call).parameters:
            # A copy, without the mask that Keras hangs on it: it is given.
            return tf.identity(encoder(vectors, mask=mask))
        return encoder(vectors)

    def get_config(self):
        return {
            **super().get_config(),
            "word_units": self.word_units,
            "sentence_units": self.sentence_units,
            "sentence_encoder": keras.saving.serialize_keras_object(
                self.sentence_encoder
            ),
        }

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(
            config["sentence_encoder"]
        )
        return cls(**{**config, "sentence_encoder": encoder})

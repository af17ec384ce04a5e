"""Recurrent encoder-decoders with attention: Bahdanau's and Luong's."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.decoding.state import Cache, Logits
from t2t_lite.models.model import Features, Model
from t2t_lite.models.rnn_attention_hparams import (
    RnnAttentionHParams,
    least_parameters,
)
from t2t_lite.models.rnn_attention_start import start_as
from t2t_lite.registry import MODELS
from t2t_lite.task import Task


@MODELS.register("rnn_attention")
@keras.saving.register_keras_serializable(package="t2t_lite")
class RnnAttention(Model):
    """Recurrent encoder-decoder with attention, for text to text.

    A stack of GRUs or LSTMs reads the inputs, and `layers.BahdanauDecoder` or
    `layers.LuongDecoder` writes the targets.

    Args:
        hparams: RnnAttentionHParams.
        task: Task, text to text; or int, the vocabulary's true size.
        dtype: Keras dtype policy, e.g. "mixed_bfloat16".
    Call arguments:
        features: dict of int32 tensors, 0 = padding: `inputs` (batch,
            inputs_length) and `targets` (batch, targets_length). There are no
            packed rows.
        training: bool, dropout on.
    Returns:
        Logits (batch, targets_length, vocab_size) in the compute dtype; the
        logits at t predict targets[t] from targets[:t]. They are
        `softmax.logits(states(features, training))`.
    Raises:
        ValueError: features of packed rows.
    Reference: Bahdanau, Cho, Bengio 2015, appendix A; Luong, Pham, Manning
    2015, section 3.
    """

    hparams_class = RnnAttentionHParams
    default_set = "rnn_attention_bahdanau"

    def __init__(
        self,
        hparams: RnnAttentionHParams,
        task: Task | int,
        dtype: Any = None,
        name: str = "rnn_attention",
    ):
        super().__init__(hparams, task, dtype, name)
        self._create_tables()
        self.dropout = layers.Dropout(hparams.dropout, dtype=self.dtype_policy)
        self.encoder = layers.RecurrentEncoder(
            hparams.hidden_size,
            hparams.num_hidden_layers,
            hparams.cell,
            hparams.bidirectional,
            hparams.dropout,
            dtype=self.dtype_policy,
            name="encoder",
        )
        self.decoder = self._create_decoder()

    @staticmethod
    def least_parameters(hparams: RnnAttentionHParams, task: Task) -> int:
        return least_parameters(hparams, task.vocab_size)

    def _create_tables(self) -> None:
        """Creates the embedding tables; some names may share one."""
        h = self.hparams
        shared = h.shared_embedding
        self.target_embedding = self._table(
            "embedding" if shared == "all" else "target_embedding",
            h.embedding_size,
        )
        self.source_embedding = (
            self.target_embedding
            if shared == "all"
            else self._table("source_embedding", h.embedding_size)
        )
        self.softmax = (
            self._table("softmax", h.output_size)
            if shared == "none"
            else self.target_embedding
        )
        if shared == "none":
            self.softmax.build()  # its lookup is never called

    def _table(self, name: str, size: int) -> layers.SharedEmbedding:
        return layers.SharedEmbedding(
            self.task.vocab_size,
            size,
            scale="none",
            dtype=self.dtype_policy,
            name=name,
        )

    def _create_decoder(self) -> keras.layers.Layer:
        h = self.hparams
        common = {
            "units": h.hidden_size,
            "memory_size": h.memory_size,
            "num_layers": h.num_hidden_layers,
            "kind": h.cell,
            "attention": self._attention_arguments(),
            "dropout": h.dropout,
            "first_state": h.first_state,
            "dtype": self.dtype_policy,
            "name": "decoder",
        }
        if h.architecture == "bahdanau":
            return layers.BahdanauDecoder(maxout_size=h.maxout_size, **common)
        return layers.LuongDecoder(input_feeding=h.input_feeding, **common)

    def _attention_arguments(self) -> dict[str, Any] | None:
        h = self.hparams
        if not h.use_attention:
            return None
        hidden = h.score == "concat" or h.alignment == "local-p"
        return {
            "score": h.score,
            "alignment": h.alignment,
            "window": h.window,
            "units": (h.alignment_size or h.hidden_size) if hidden else None,
            "max_length": h.max_length if h.score == "location" else None,
        }

    def build_variables(self) -> None:
        super().build_variables()
        start_as(self.hparams.initializer, self.trainable_variables)

    def call(self, features: Features, training: bool = False) -> tf.Tensor:
        return self.softmax.logits(self.states(features, training))

    def states(
        self,
        features: Features,
        training: bool = False,
        return_attention_weights: bool = False,
    ) -> Any:
        """Returns what the softmax sees, for losses that form logits in parts.

        Args:
            features, training: as for a call.
            return_attention_weights: bool; needs `hparams.use_attention`.
        Returns:
            Float tensor (batch, targets_length, output_size); with attention
            weights, a tuple of it and those (batch, targets_length,
            inputs_length).
        """
        if "inputs_segments" in features:
            raise ValueError(
                "features: expected rows of one example each, got "
                "inputs_segments; rnn_attention cannot take packed rows"
            )
        real = layers.padding_mask(features["inputs"])
        source, last = self._encode(features["inputs"], real, training)
        # The decoder starts from padding, which is looked up as zeros.
        ids = tf.pad(features["targets"], [[0, 0], [1, 0]])[:, :-1]
        result = self.decoder(
            self.dropout(self.target_embedding(ids), training=training),
            last=last,
            source=source,
            padding_mask=real,
            return_attention_weights=return_attention_weights,
            training=training,
        )
        if not return_attention_weights:
            return self.dropout(result, training=training)
        return self.dropout(result[0], training=training), result[1]

    def attention(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Returns how much each target id looked at each input id.

        Args:
            inputs: int32 (batch, inputs_length), 0 = padding.
            targets: int32 (batch, targets_length), 0 = padding.
        Returns:
            Float32 (batch, targets_length, inputs_length); zeros of a model
            that looks at nothing (`use_attention=false`).
        """
        features = {"inputs": inputs, "targets": targets}
        if self.decoder.attention is None:
            shape = [*tf.unstack(tf.shape(targets)), tf.shape(inputs)[1]]
            return tf.zeros(shape)
        weights = self.states(features, return_attention_weights=True)[1]
        return tf.cast(weights, tf.float32)

    def sentence_vectors(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the mean encoder state of each input.

        Args:
            inputs: int32 (batch, inputs_length), 0 = padding.
        Returns:
            Float32 (batch, encoder's size).
        """
        real = layers.padding_mask(inputs)
        states, _ = self._encode(inputs, real, False)
        weights = tf.cast(real, tf.float32)[..., None]
        total = tf.reduce_sum(tf.cast(states, tf.float32) * weights, axis=1)
        return total / tf.maximum(tf.reduce_sum(weights, axis=1), 1.0)

    def _encode(self, inputs, real, training):
        x = self.dropout(self.source_embedding(inputs), training=training)
        return self.encoder(x, padding_mask=real, training=training)

    def encode(self, inputs: tf.Tensor) -> dict[str, Any]:
        """Prepares decoding: what every decoder step reads and none changes.

        Args:
            inputs: int32 (batch, inputs_length), 0 = padding.
        Returns:
            A structure for `decode_step`: the decoder's first state, and the
            encoder's states as the attention reads them, with their mask.
        """
        real = layers.padding_mask(inputs)
        states, last = self._encode(inputs, real, False)
        first, memory = self.decoder.begin(last, states, real)
        return {"first": first} | ({"memory": memory} if memory else {})

    def init_cache(self, batch: tf.Tensor | int, beams: tf.Tensor | int):
        """Returns the empty `decoding.search.Cache` of `batch` sentences.

        Args:
            batch: int or int32 scalar.
            beams: the same, hypotheses of each: their states move with them.
        """
        h = self.hparams
        zeros = tf.zeros([batch, beams, h.hidden_size])
        cell = (zeros,) * (1 if h.cell == "gru" else 2)
        moved: dict[str, Any] = {"cells": [cell] * h.num_hidden_layers}
        if h.input_feeding:
            moved["fed"] = zeros
        return Cache(moved=moved)

    def decode_step(
        self,
        ids: tf.Tensor,
        index: tf.Tensor,
        cache: Cache,
        context: Any,
        ancestors: tf.Tensor,
    ) -> tuple[Logits, Cache]:
        """Decodes one position of every hypothesis.

        Args:
            ids: int32 (batch, beams), the ids of the position before; 0 at
                the first.
            index: int32 scalar, the position, from 0.
            cache: from `init_cache` or the step before.
            context: from `encode`.
            ancestors: not used: states are moved, and none is kept.
        Returns:
            (Logits (batch, beams, vocab_size), the new cache).
        """
        del ancestors
        batch, beams = tf.unstack(tf.shape(ids))

        def row_states(first, moved):
            states = tf.where(tf.equal(index, 0), first[:, None], moved)
            return tf.reshape(states, [-1, moved.shape[-1]])

        def by_sentence(rows):
            return tf.reshape(rows, [batch, beams, rows.shape[-1]])

        state = tf.nest.map_structure(row_states, context["first"], cache.moved)
        x = self.target_embedding(ids)
        with layers.rows_of_products(tf.size(ids)):
            features, state = self.decoder.step(
                tf.reshape(x, [-1, x.shape[-1]]),
                index,
                state,
                context.get("memory"),
                beams,
            )
            features = by_sentence(features)
            logits = self.softmax.logits(features)
        exact = self.softmax.exact_logits(features)
        moved = tf.nest.map_structure(by_sentence, state)
        return Logits(logits, exact), Cache(moved=moved)

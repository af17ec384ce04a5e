"""The Transformer encoder-decoder of Vaswani et al. 2017, and its sets."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.decoding.state import Cache, Logits
from t2t_lite.models.model import Features
from t2t_lite.models.transformer_hparams import (
    TARGET_SPACES,
    TransformerHParams,
)
from t2t_lite.models.transformer_parts import (
    TransformerModel,
    attention_parameters,
    feed_forward_parameters,
    position_parameters,
    shifted,
)
from t2t_lite.registry import MODELS
from t2t_lite.task import Task


@MODELS.register("transformer")
@keras.saving.register_keras_serializable(package="t2t_lite")
class Transformer(TransformerModel):
    """Encoder-decoder Transformer for text to text.

    Args:
        hparams: TransformerHParams.
        task: Task, text to text; or int, the vocabulary's true size.
        dtype: Keras dtype policy, e.g. "mixed_bfloat16".
    Call arguments:
        features: dict of int32 tensors, 0 = padding: `inputs` (batch,
            inputs_length), `targets` (batch, targets_length), and for packed
            rows `inputs_segments`, `inputs_positions`, `targets_segments` and
            `targets_positions` of the same shapes.
        training: bool, dropout on.
    Returns:
        Logits (batch, targets_length, vocab_size) in the compute dtype; the
        logits at t predict targets[t] from targets[:t]. They are
        `softmax.logits(states(features, training))`.
    Reference: Vaswani et al. 2017, section 3.
    """

    default_set = "transformer_base"
    packs = True

    def __init__(
        self,
        hparams: TransformerHParams,
        task: Task | int,
        dtype: Any = None,
        name: str = "transformer",
    ):
        super().__init__(hparams, task, dtype, name)
        self._create_tables()
        self.source_position = self._position("source_position")
        self.target_position = (
            self._position("target_position")
            if hparams.position == "learned"
            else self.source_position
        )  # None where self-attention knows positions, or nothing does
        self.encoder = self._encoder()
        self.decoder = self._decoder()

    @staticmethod
    def least_parameters(hparams: TransformerHParams, task: Task) -> int:
        h = hparams
        attention = attention_parameters(h)
        feed_forward = feed_forward_parameters(h)
        encoder = h.num_encoder_layers or h.num_hidden_layers
        decoder = h.num_decoder_layers or h.num_hidden_layers
        tables = {"all": 1, "target_softmax": 2, "none": 3}
        rows = tables[h.shared_embedding] * task.vocab_size
        rows += 2 * h.max_length if h.position == "learned" else 0
        rows += 0 if h.target_space_id is None else TARGET_SPACES
        return (
            encoder * (attention + feed_forward)
            + decoder * (2 * attention + feed_forward)
            + rows * h.hidden_size
            + position_parameters(h, encoder + decoder, 2)
        )

    def _create_tables(self) -> None:
        """Creates the embedding tables; some names may share one."""
        shared = self.hparams.shared_embedding
        self.target_embedding = self._table(
            "embedding" if shared == "all" else "target_embedding"
        )
        self.source_embedding = (
            self.target_embedding
            if shared == "all"
            else self._table("source_embedding")
        )
        self.softmax = (
            self._table("softmax")
            if shared == "none"
            else self.target_embedding
        )
        if shared == "none":
            self.softmax.build()  # its lookup is never called
        self.target_space = None
        if self.hparams.target_space_id is not None:
            self.target_space = layers.SharedEmbedding(
                TARGET_SPACES,
                self.hparams.hidden_size,
                scale="none",
                zero_pad=False,
                dtype=self.dtype_policy,
                name="target_space_embedding",
            )

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
            return_attention_weights: bool, as for `layers.Decoder`.
        Returns:
            Float tensor (batch, targets_length, hidden_size); with attention
            weights, a tuple of it and every decoder layer's.
        """
        inputs, targets = features["inputs"], features["targets"]
        segments = features.get("inputs_segments")
        if segments is None:
            inputs_mask = memory_mask = self.inputs_mask(inputs)[:, None]
            self_mask = None
        else:
            target_segments = features["targets_segments"]
            memory_mask = layers.segment_mask(target_segments, segments)
            # Made once for all layers, but for local attention, which is not
            # to have a mask of all pairs.
            inputs_mask, self_mask = segments, target_segments
            if self.hparams.local_attention_radius is None:
                inputs_mask, self_mask = (
                    layers.segment_mask(ids, ids)
                    for ids in (segments, target_segments)
                )
        states = self._encode(
            inputs, inputs_mask, features.get("inputs_positions"), training
        )
        x = self._words(
            self.target_embedding,
            shifted(targets, features.get("targets_segments")),
            training,
        )
        places = self._places(
            x,
            self.target_position,
            features.get("targets_positions"),
        )
        return self._run_decoder(
            (x, places, layers.padding_mask(targets)),
            states,
            self_mask=self_mask,
            memory_mask=memory_mask,
            return_attention_weights=return_attention_weights,
            training=training,
        )

    def attention(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Returns how much each target id looked at each input id.

        Args:
            inputs: int32 (batch, inputs_length), 0 = padding.
            targets: int32 (batch, targets_length), 0 = padding.
        Returns:
            Float32 (batch, targets_length, inputs_length), the mean of the
            heads of the last but one decoder layer (of the only one), which
            is what Garg et al. 2019 found closest to an alignment.
        """
        _, weights = self.states(
            {"inputs": inputs, "targets": targets},
            return_attention_weights=True,
        )
        memory = weights[max(len(weights) - 2, 0)]["memory"]
        return tf.reduce_mean(tf.cast(memory, tf.float32), axis=1)

    def sentence_vectors(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the mean encoder state of each input.

        Args:
            inputs: int32 (batch, inputs_length), 0 = padding.
        Returns:
            Float32 (batch, hidden_size).
        """
        real = self.inputs_mask(inputs)
        states = self._encode(inputs, real[:, None], None, False)
        weights = tf.cast(real, tf.float32)[..., None]
        total = tf.reduce_sum(tf.cast(states, tf.float32) * weights, axis=1)
        return total / tf.maximum(tf.reduce_sum(weights, axis=1), 1.0)

    def inputs_mask(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns where the encoder has states, bool (batch, length)."""
        return layers.padding_mask(inputs)

    def _encode(self, inputs, mask, positions, training) -> tf.Tensor:
        x = self._words(self.source_embedding, inputs, training)
        if self.target_space is not None:
            target_space_id = tf.constant([[self.hparams.target_space_id]])
            x += self.target_space(target_space_id)
        places = self._places(x, self.source_position, positions)
        real = self.inputs_mask(inputs)
        return self._run_encoder((x, places, real), mask, training)

    def _run_encoder(self, embedded, mask, training) -> tf.Tensor:
        """Returns the encoder's states.

        Args:
            embedded: (embeddings, encoding of the positions or None, bool
                (batch, length), which of them are no padding).
            mask: bool (batch, 1 or length, length).
            training: bool.
        """
        x, places, _ = embedded
        return self.encoder(
            self.dropout(_sum(x, places), training=training),
            attention_mask=mask,
            training=training,
        )

    def _run_decoder(self, embedded, states, **options) -> Any:
        """Returns the decoder's states of the targets, or as it is asked.

        Args:
            embedded: as for `_run_encoder`.
            states: the encoder's.
            options: call arguments of `layers.Decoder`.
        """
        x, places, _ = embedded
        x = self.dropout(_sum(x, places), training=options["training"])
        return self.decoder(x, states, **options)

    def _run_step(self, embedded, memory, cache, masks):
        """Returns what `layers.Decoder.step` does.

        Args:
            embedded: (embeddings, encoding of the position).
            memory, cache: see there.
            masks: (self_mask, memory_mask, index).
        """
        x, places = embedded
        return self.decoder.step(_sum(x, places), memory, cache, *masks)

    def encode(self, inputs: tf.Tensor) -> dict[str, Any]:
        """Prepares decoding: what every decoder step reads and none changes.

        Args:
            inputs: int32 (batch, inputs_length), 0 = padding.
        Returns:
            A structure for `decode_step`: the encoder states projected to
            every decoder layer's keys and values, and their mask.
        """
        mask = self.inputs_mask(inputs)[:, None]
        states = self._encode(inputs, mask, None, False)
        return {"memory": self.decoder.project_memory(states), "mask": mask}

    def init_cache(self, batch: tf.Tensor | int, beams: tf.Tensor | int):
        """Returns the empty `decoding.search.Cache` of `batch` sentences.

        Args:
            batch: int or int32 scalar.
            beams: the same; keys and values are kept, so it is not used.
        """
        del beams
        return Cache(kept=self.decoder.init_cache(batch))

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
            ancestors: bool (batch, beams, (index + 1) * beams), the cache's
                places that a hypothesis descends from, and its own.
        Returns:
            (Logits (batch, beams, vocab_size), the longer cache).
        """
        x = self.target_embedding(ids)
        places = self._places(x, self.target_position, index[None, None])
        with layers.rows_of_products(tf.size(ids)):
            x, kept = self._run_step(
                (x, places),
                context["memory"],
                cache.kept,
                (ancestors, context["mask"], index),
            )
            logits = self.softmax.logits(x)
        exact = self.softmax.exact_logits(x)
        return Logits(logits, exact), Cache(kept=kept)


def _sum(x: tf.Tensor, places: tf.Tensor | None) -> tf.Tensor:
    """Returns embeddings with their positions, which may be None."""
    return x if places is None else x + places

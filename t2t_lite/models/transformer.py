"""The Transformer encoder-decoder of Vaswani et al. 2017, and its sets."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.decoding.state import Cache, Logits
from t2t_lite.models.transformer_hparams import TransformerHParams
from t2t_lite.registry import MODELS

Features = dict[str, tf.Tensor]


@MODELS.register("transformer")
@keras.saving.register_keras_serializable(package="t2t_lite")
class Transformer(keras.Model):
    """Encoder-decoder Transformer for text to text.

    Args:
        hparams: TransformerHParams.
        vocab_size: int, rows of every embedding table (the tokenizer's true
            size, which may be below `hparams.vocab_size`).
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

    hparams_class = TransformerHParams
    default_set = "transformer_base"

    def __init__(
        self,
        hparams: TransformerHParams,
        vocab_size: int,
        dtype: Any = None,
        name: str = "transformer",
    ):
        super().__init__(dtype=dtype, name=name)
        self.hparams = hparams
        self.vocab_size = vocab_size
        self._create_tables()
        self.source_position = self._position("source_position")
        self.target_position = (
            self._position("target_position")
            if hparams.position == "learned"
            else self.source_position
        )
        self.dropout = layers.Dropout(
            hparams.layer_prepostprocess_dropout, dtype=self.dtype_policy
        )
        self._create_stacks()

    @staticmethod
    def least_parameters(hparams: TransformerHParams, vocab_size: int) -> int:
        """Returns the number of parameters, biases and norms not counted.

        It is known before anything of that size is made.
        """
        h = hparams
        default = h.hidden_size // h.num_heads
        heads = (h.key_head_size or default) + (h.value_head_size or default)
        attention = 2 * h.hidden_size * h.num_heads * heads
        kernels = 3 if h.activation == "swiglu" else 2
        feed_forward = kernels * h.hidden_size * h.filter_size
        encoder = h.num_encoder_layers or h.num_hidden_layers
        decoder = h.num_decoder_layers or h.num_hidden_layers
        tables = {"all": 1, "target_softmax": 2, "none": 3}
        rows = tables[h.shared_embedding] * vocab_size
        rows += 2 * h.max_length if h.position == "learned" else 0
        return (
            encoder * (attention + feed_forward)
            + decoder * (2 * attention + feed_forward)
            + rows * h.hidden_size
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

    def _table(self, name: str) -> layers.SharedEmbedding:
        return layers.SharedEmbedding(
            self.vocab_size,
            self.hparams.hidden_size,
            scale=self.hparams.embedding_scale,
            dtype=self.dtype_policy,
            name=name,
        )

    def _create_stacks(self) -> None:
        h, policy = self.hparams, self.dtype_policy
        config = layers.TransformerConfig(
            hidden_size=h.hidden_size,
            filter_size=h.filter_size,
            num_heads=h.num_heads,
            key_head_size=h.key_head_size,
            value_head_size=h.value_head_size,
            activation=h.activation,
            norm=h.norm,
            attention_dropout=h.attention_dropout,
            relu_dropout=h.relu_dropout,
            residual_dropout=h.layer_prepostprocess_dropout,
            attention_bias=h.attention_bias,
        )
        self.encoder = layers.Encoder(
            config,
            num_layers=h.num_encoder_layers or h.num_hidden_layers,
            recompute=h.recompute,
            dtype=policy,
            name="encoder",
        )
        self.decoder = layers.Decoder(
            config,
            num_layers=h.num_decoder_layers or h.num_hidden_layers,
            recompute=h.recompute,
            dtype=policy,
            name="decoder",
        )

    def _position(self, name: str) -> layers.PositionEncoding:
        h = self.hparams
        return layers.PositionEncoding(
            h.position,
            h.hidden_size,
            max_length=h.max_length if h.position == "learned" else None,
            dtype=self.dtype_policy,
            name=name,
        )

    def build_variables(self) -> None:
        """Creates every weight by one call on a row of padding."""
        zeros = tf.zeros((1, 2), tf.int32)
        self({"inputs": zeros, "targets": zeros})

    def get_config(self) -> dict[str, Any]:
        return {
            "hparams": dataclasses.asdict(self.hparams),
            "vocab_size": self.vocab_size,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Transformer:
        return cls(
            cls.hparams_class(**config["hparams"]),
            config["vocab_size"],
            keras.saving.deserialize_keras_object(config["dtype"]),
            config["name"],
        )

    def get_build_config(self) -> dict[str, Any]:
        # Keras builds from what is not empty.
        return {"vocab_size": self.vocab_size}

    def build_from_config(self, config: dict[str, Any]) -> None:
        del config
        self.build_variables()

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
            inputs_mask = memory_mask = layers.padding_mask(inputs)[:, None]
            self_mask = None
        else:
            target_segments = features["targets_segments"]
            inputs_mask = layers.segment_mask(segments, segments)
            memory_mask = layers.segment_mask(target_segments, segments)
            self_mask = layers.segment_mask(target_segments, target_segments)
        states = self._encode(
            inputs, inputs_mask, features.get("inputs_positions"), training
        )
        x = self._shifted_targets(targets, features.get("targets_segments"))
        x += self._positions(
            self.target_position,
            targets,
            features.get("targets_positions"),
            x.dtype,
        )
        return self.decoder(
            self.dropout(x, training=training),
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
        real = layers.padding_mask(inputs)
        states = self._encode(inputs, real[:, None], None, False)
        weights = tf.cast(real, tf.float32)[..., None]
        total = tf.reduce_sum(tf.cast(states, tf.float32) * weights, axis=1)
        return total / tf.maximum(tf.reduce_sum(weights, axis=1), 1.0)

    def _shifted_targets(
        self, targets: tf.Tensor, segments: tf.Tensor | None
    ) -> tf.Tensor:
        """Embeds targets one to the right; zeros start every segment."""
        ids = tf.pad(targets[:, :-1], [[0, 0], [1, 0]])
        if segments is not None:
            before = tf.pad(segments[:, :-1], [[0, 0], [1, 0]])
            ids = tf.where(segments == before, ids, 0)
        return self.target_embedding(ids)

    def _positions(self, layer, ids, positions, dtype) -> tf.Tensor:
        if positions is None:
            positions = tf.range(tf.shape(ids)[1])[None]
        return tf.cast(layer(positions), dtype)

    def _encode(self, inputs, mask, positions, training) -> tf.Tensor:
        x = self.source_embedding(inputs)
        x += self._positions(self.source_position, inputs, positions, x.dtype)
        return self.encoder(
            self.dropout(x, training=training),
            attention_mask=mask,
            training=training,
        )

    def encode(self, inputs: tf.Tensor) -> dict[str, Any]:
        """Prepares decoding: what every decoder step reads and none changes.

        Args:
            inputs: int32 (batch, inputs_length), 0 = padding.
        Returns:
            A structure for `decode_step`: the encoder states projected to
            every decoder layer's keys and values, and their mask.
        """
        mask = layers.padding_mask(inputs)[:, None]
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
        x += tf.cast(self.target_position(index[None, None]), x.dtype)
        with layers.rows_of_products(tf.size(ids)):
            x, kept = self.decoder.step(
                x, context["memory"], cache.kept, ancestors, context["mask"]
            )
            logits = self.softmax.logits(x)
        exact = self.softmax.exact_logits(x)
        return Logits(logits, exact), Cache(kept=kept)

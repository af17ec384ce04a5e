"""The Transformer encoder-decoder of Vaswani et al. 2017, and its sets."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.decoding.state import Cache
from t2t_lite.hparams import HParams, require, require_choice
from t2t_lite.registry import MODELS

Features = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerHParams(HParams):
    """Hyperparameters of `Transformer`; the defaults are T2T's base.

    Fields beside those of `HParams`:
        hidden_size, filter_size, num_heads: sizes of every layer.
        num_hidden_layers: layers of encoder and decoder alike, unless
            num_encoder_layers or num_decoder_layers say otherwise.
        key_head_size, value_head_size: sizes of one head's query and key, and
            value; none = hidden_size / num_heads.
        activation: "relu", "gelu" or "swiglu".
        norm: "pre" (T2T) or "post" (the paper).
        layer_prepostprocess_dropout: on embeddings and every residual branch.
        attention_dropout, relu_dropout: on weights, inside the feed-forward.
        attention_bias: biases in the attention's projections.
        position: a kind of `layers.PositionEncoding`.
        shared_embedding: "all" (source, target and softmax are one table),
            "target_softmax" or "none".
        embedding_scale: where sqrt(hidden_size) goes: "lookup", "softmax" or
            "none".
        recompute: every layer keeps only its inputs and is computed again in
            the backward pass: less memory, the same updates, one forward pass
            more.
    """

    hidden_size: int = 512
    filter_size: int = 2048
    num_heads: int = 8
    num_hidden_layers: int = 6
    num_encoder_layers: int | None = None
    num_decoder_layers: int | None = None
    key_head_size: int | None = None
    value_head_size: int | None = None
    activation: str = "relu"
    norm: str = "pre"
    layer_prepostprocess_dropout: float = 0.1
    attention_dropout: float = 0.1
    relu_dropout: float = 0.1
    attention_bias: bool = False
    position: str = "sinusoid_t2t"
    shared_embedding: str = "all"
    embedding_scale: str = "lookup"
    recompute: bool = False

    def __post_init__(self):
        super().__post_init__()
        for name in ("hidden_size", "filter_size", "num_heads"):
            value = getattr(self, name)
            require(value > 0, name, "an int above 0", value)
        require(
            self.hidden_size % 2 == 0,
            "hidden_size",
            "an even number",
            self.hidden_size,
        )
        if self.key_head_size is None or self.value_head_size is None:
            require(
                self.hidden_size % self.num_heads == 0,
                "num_heads",
                f"a divisor of hidden_size={self.hidden_size}",
                self.num_heads,
            )
        for name in (
            "layer_prepostprocess_dropout",
            "attention_dropout",
            "relu_dropout",
        ):
            value = getattr(self, name)
            require(0 <= value < 1, name, "a rate in [0, 1)", value)
        for name in (
            "num_hidden_layers",
            "num_encoder_layers",
            "num_decoder_layers",
            "key_head_size",
            "value_head_size",
        ):
            value = getattr(self, name)
            require(value is None or value > 0, name, "an int above 0", value)
        require_choice(
            "activation", self.activation, ("relu", "gelu", "swiglu")
        )
        require_choice("norm", self.norm, ("pre", "post"))
        require_choice(
            "position",
            self.position,
            ("sinusoid_t2t", "sinusoid_paper", "sinusoid_marian", "learned"),
        )
        require_choice(
            "shared_embedding",
            self.shared_embedding,
            ("all", "target_softmax", "none"),
        )
        require_choice(
            "embedding_scale",
            self.embedding_scale,
            ("lookup", "softmax", "none"),
        )


@MODELS.register("transformer")
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

    def call(self, features: Features, training: bool = False) -> tf.Tensor:
        return self.softmax.logits(self.states(features, training))

    def states(self, features: Features, training: bool = False) -> tf.Tensor:
        """Returns what the softmax sees, for losses that form logits in parts.

        Args:
            features, training: as for a call.
        Returns:
            Float tensor (batch, targets_length, hidden_size).
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
            training=training,
        )

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
    ) -> tuple[tf.Tensor, Cache]:
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
            (logits (batch, beams, vocab_size), the longer cache).
        """
        x = self.target_embedding(ids)
        x += tf.cast(self.target_position(index[None, None]), x.dtype)
        x, kept = self.decoder.step(
            x, context["memory"], cache.kept, ancestors, context["mask"]
        )
        return self.softmax.logits(x), Cache(kept=kept)

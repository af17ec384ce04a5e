"""The Transformer's decoder alone: a language model."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.decoding.state import Cache, Logits
from t2t_lite.models.model import Features
from t2t_lite.models.transformer_hparams import TransformerHParams
from t2t_lite.models.transformer_parts import (
    TransformerModel,
    attention_parameters,
    feed_forward_parameters,
    position_parameters,
    shifted,
)
from t2t_lite.registry import HPARAMS, MODELS
from t2t_lite.task import Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerLMHParams(TransformerHParams):
    """Hyperparameters of `TransformerLM`: those of a Transformer.

    Its layers are num_decoder_layers, else num_hidden_layers; with
    shared_embedding "none" its softmax has a table of its own.
    """


@MODELS.register("transformer_lm")
@keras.saving.register_keras_serializable(package="t2t_lite")
class TransformerLM(TransformerModel):
    """Transformer language model: each token from those before it.

    Args:
        hparams: TransformerLMHParams.
        task: Task, none to text.
        dtype: Keras dtype policy.
    Call arguments:
        features: `targets` int32 (batch, length), 0 = padding; for packed rows
            `targets_segments` and `targets_positions` of the same shape.
            What else there is, is not looked at.
        training: bool, dropout on.
    Returns:
        Logits (batch, length, vocab_size) in the compute dtype; those at t
        predict targets[t] from targets[:t].
    Reference: Radford et al. 2018, section 3.1; Liu et al. 2018.
    """

    hparams_class = TransformerLMHParams
    default_set = "transformer_lm_small"
    kinds = (("none", "text"),)
    packs = True

    def __init__(
        self,
        hparams: TransformerLMHParams,
        task: Task,
        dtype: Any = None,
        name: str = "transformer_lm",
    ):
        super().__init__(hparams, task, dtype, name)
        self.embedding = self._table("embedding")
        self.softmax = self.embedding
        if hparams.shared_embedding == "none":
            self.softmax = self._head()
        self.position = self._position("position")
        self.decoder = self._decoder(memory=False)

    @staticmethod
    def least_parameters(hparams: TransformerHParams, task: Task) -> int:
        h = hparams
        rows = task.vocab_size * (2 if h.shared_embedding == "none" else 1)
        rows += h.max_length if h.position == "learned" else 0
        layer = attention_parameters(h) + feed_forward_parameters(h)
        count = h.num_decoder_layers or h.num_hidden_layers
        return (
            count * layer + rows * h.hidden_size + position_parameters(h, count)
        )

    @classmethod
    def gives(cls, task: Task) -> str:
        return "continuation"

    def call(self, features: Features, training: bool = False) -> tf.Tensor:
        return self.softmax.logits(self.states(features, training))

    def states(self, features: Features, training: bool = False) -> tf.Tensor:
        """Returns what the softmax sees, (batch, length, hidden_size)."""
        targets = features["targets"]
        segments = features.get("targets_segments")
        ids = shifted(targets, segments)
        mask = None
        if segments is not None:
            # Local attention is not to have a mask of all pairs.
            local = self.hparams.local_attention_radius is not None
            mask = segments if local else layers.segment_mask(*[segments] * 2)
        positions = features.get("targets_positions")
        x = self._words(self.embedding, ids, training)
        x = self._placed(x, self.position, positions)
        return self.decoder(
            self.dropout(x, training=training),
            self_mask=mask,
            training=training,
        )

    def sentence_vectors(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the mean state of each text, float32 (batch, hidden_size).

        Args:
            inputs: int32 (batch, length), 0 = padding.
        """
        states = tf.cast(self.states({"targets": inputs}), tf.float32)
        weights = tf.cast(layers.padding_mask(inputs), tf.float32)[..., None]
        total = tf.reduce_sum(states * weights, axis=1)
        return total / tf.maximum(tf.reduce_sum(weights, axis=1), 1.0)

    def encode(self, inputs: tf.Tensor) -> dict[str, Any]:
        """Returns what every step reads: nothing; see `Transformer.encode`."""
        del inputs
        return {}

    def init_cache(self, batch: tf.Tensor | int, beams: tf.Tensor | int):
        """Returns the empty cache; see `Transformer.init_cache`."""
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
        """Decodes one position; see `Transformer.decode_step`."""
        del context
        x = self.embedding(ids)
        x = self._placed(x, self.position, index[None, None])
        with layers.rows_of_products(tf.size(ids)):
            x, kept = self.decoder.step(
                x, None, cache.kept, ancestors, index=index
            )
            logits = self.softmax.logits(x)
        exact = self.softmax.exact_logits(x)
        return Logits(logits, exact), Cache(kept=kept)


@HPARAMS.register("transformer_lm_small")
def transformer_lm_small() -> TransformerLMHParams:
    """A small language model: 4 layers of 128, 4 heads."""
    return TransformerLMHParams(
        hidden_size=128,
        filter_size=512,
        num_heads=4,
        num_hidden_layers=4,
        activation="gelu",
        attention_dropout=0.0,
        relu_dropout=0.0,
        adam_beta2=0.99,
        label_smoothing=0.0,
        learning_rate_schedule="constant*linear_warmup*single_cycle_cos_decay",
        learning_rate_constant=0.002,
        learning_rate_warmup_steps=200,
    )


@HPARAMS.register("transformer_lm_tiny")
def transformer_lm_tiny() -> TransformerLMHParams:
    """For tests: 1 layer of 16."""
    return dataclasses.replace(
        transformer_lm_small(),
        hidden_size=16,
        filter_size=32,
        num_heads=2,
        num_hidden_layers=1,
        batch_size=256,
    )


@HPARAMS.register("transformer_lm_gpt")
def transformer_lm_gpt() -> TransformerLMHParams:
    """Radford et al. 2018: 12 layers of 768, learned positions, post-norm."""
    return TransformerLMHParams(
        hidden_size=768,
        filter_size=3072,
        num_heads=12,
        num_hidden_layers=12,
        activation="gelu",
        norm="post",
        attention_bias=True,
        position="learned",
        vocab_kind="bpe",
        vocab_size=40_000,
        max_length=512,
        batch_size=512 * 64,
        optimizer="adamw",
        weight_decay=0.01,
        adam_beta2=0.999,
        adam_epsilon=1e-8,
        label_smoothing=0.0,
        learning_rate_schedule="constant*linear_warmup*single_cycle_cos_decay",
        learning_rate_constant=2.5e-4,
        learning_rate_warmup_steps=2000,
    )

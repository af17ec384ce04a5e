"""The Transformer's encoder alone: labels, tags, and masked language models."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.hparams import require
from t2t_lite.models import masking
from t2t_lite.models.model import Features
from t2t_lite.models.transformer_hparams import TransformerHParams
from t2t_lite.models.transformer_parts import (
    TransformerModel,
    attention_parameters,
    feed_forward_parameters,
)
from t2t_lite.registry import HPARAMS, MODELS
from t2t_lite.task import Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerEncoderHParams(TransformerHParams):
    """Hyperparameters of `TransformerEncoder`.

    Fields beside those of `TransformerHParams`, of which the encoder's count:
        masked_share: share of a text's tokens that a masked language model is
            asked for.
        classifier_dropout: on the pooled states, before the labels.
    """

    masked_share: float = 0.15
    classifier_dropout: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        share, rate = self.masked_share, self.classifier_dropout
        require(0 < share < 1, "masked_share", "a share in (0, 1)", share)
        require(0 <= rate < 1, "classifier_dropout", "a rate in [0, 1)", rate)


@MODELS.register("transformer_encoder")
@keras.saving.register_keras_serializable(package="t2t_lite")
class TransformerEncoder(TransformerModel):
    """Transformer encoder with the head that its task asks for.

    text to label: the mean of the states, a tanh layer, the labels.
    text to tags: the tags of each state.
    none to text: a masked language model; its softmax is the embedding. Of
    each text's tokens a share is asked for: of these eight in ten are masked,
    one is another token and one is left as it is.

    A run on one task starts from one on another with --warm_start_from: all
    but the head has the same names.

    Args:
        hparams: TransformerEncoderHParams.
        task: Task.
        dtype: Keras dtype policy.
    Call arguments:
        features: as `prepared` returns them: `inputs` int32 (batch, length), 0
            = padding, and of a masked language model `asked` int32 (batch,
            count), the places whose tokens are `targets`.
        training: bool, dropout on.
    Returns:
        Logits (batch, 1, ids of labels), (batch, length, ids of tags) or
        (batch, count, vocab_size).
    Reference: Devlin et al. 2019.
    """

    hparams_class = TransformerEncoderHParams
    default_set = "transformer_encoder_small"
    kinds = (("text", "label"), ("text", "tags"), ("none", "text"))

    def __init__(
        self,
        hparams: TransformerEncoderHParams,
        task: Task,
        dtype: Any = None,
        name: str = "transformer_encoder",
    ):
        super().__init__(hparams, task, dtype, name)
        require(
            task.targets != "text" or hparams.vocab_kind != "subwords",
            "vocab_kind",
            "bpe, unigram or byte for a masked language model: subwords has "
            "no id that no text has",
            hparams.vocab_kind,
        )
        self.embedding = self._table("embedding")
        self.position = self._position("position")
        self.encoder = self._encoder()
        masked = task.targets == "text"
        self.softmax = self.embedding if masked else self._head("labels")
        # Between states and head; of labels also on the mean of the states.
        self.transform = keras.layers.Dense(
            hparams.hidden_size,
            activation="tanh" if task.targets == "label" else "gelu",
            dtype=self.dtype_policy,
            name="pooler" if task.targets == "label" else "transform",
        )
        self.head_dropout = layers.Dropout(
            hparams.classifier_dropout, dtype=self.dtype_policy
        )

    @staticmethod
    def least_parameters(hparams: TransformerHParams, task: Task) -> int:
        h = hparams
        layer = attention_parameters(h) + feed_forward_parameters(h)
        count = h.num_encoder_layers or h.num_hidden_layers
        rows = task.vocab_size + (
            h.max_length if h.position == "learned" else 0
        )
        return count * layer + (rows + h.hidden_size) * h.hidden_size

    @classmethod
    def gives(cls, task: Task) -> str:
        return "blanks" if task.targets == "text" else task.targets

    def prepared(self, features: Features, training: bool) -> Features:
        if self.task.targets != "text":
            return features
        return masking.masked(
            features["targets"],
            self.hparams.masked_share,
            self.task.vocab_size,
            training,
        )

    def call(self, features: Features, training: bool = False) -> tf.Tensor:
        return self.softmax.logits(self.states(features, training))

    def states(self, features: Features, training: bool = False) -> tf.Tensor:
        """Returns what the softmax sees; see `Model`."""
        inputs = features["inputs"]
        states = self._encode(inputs, training)
        if self.task.targets == "text":
            states = tf.gather(states, features["asked"], batch_dims=1)
        elif self.task.targets == "label":
            states = self._mean(inputs, states)[:, None]
            states = tf.cast(states, self.compute_dtype)
        return self.head_dropout(self.transform(states), training=training)

    def sentence_vectors(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the mean state of each text, float32 (batch, hidden_size).

        Args:
            inputs: int32 (batch, length), 0 = padding.
        """
        return self._mean(inputs, self._encode(inputs, False))

    def _encode(self, inputs: tf.Tensor, training: bool) -> tf.Tensor:
        x = self._words(self.embedding, inputs, training)
        x = self._placed(x, self.position)
        return self.encoder(
            self.dropout(x, training=training),
            attention_mask=layers.padding_mask(inputs)[:, None],
            training=training,
        )

    @staticmethod
    def _mean(inputs: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
        weights = tf.cast(layers.padding_mask(inputs), tf.float32)[..., None]
        total = tf.reduce_sum(tf.cast(states, tf.float32) * weights, axis=1)
        return total / tf.maximum(tf.reduce_sum(weights, axis=1), 1.0)


@HPARAMS.register("transformer_encoder_small")
def transformer_encoder_small() -> TransformerEncoderHParams:
    """A small encoder: 4 layers of 128, 4 heads."""
    return TransformerEncoderHParams(
        hidden_size=128,
        filter_size=512,
        num_heads=4,
        num_hidden_layers=4,
        activation="gelu",
        label_smoothing=0.0,
        adam_beta2=0.98,
        learning_rate_schedule="constant*linear_warmup*single_cycle_cos_decay",
        learning_rate_constant=1e-3,
        learning_rate_warmup_steps=200,
    )


@HPARAMS.register("transformer_encoder_tiny")
def transformer_encoder_tiny() -> TransformerEncoderHParams:
    """For tests: 1 layer of 16."""
    return dataclasses.replace(
        transformer_encoder_small(),
        hidden_size=16,
        filter_size=32,
        num_heads=2,
        num_hidden_layers=1,
        batch_size=256,
    )


@HPARAMS.register("transformer_encoder_bert_base")
def transformer_encoder_bert_base() -> TransformerEncoderHParams:
    """Devlin et al. 2019's base: 12 layers of 768, 12 heads, post-norm."""
    return TransformerEncoderHParams(
        hidden_size=768,
        filter_size=3072,
        num_heads=12,
        num_hidden_layers=12,
        activation="gelu",
        norm="post",
        attention_bias=True,
        position="learned",
        vocab_size=30_000,
        max_length=512,
        batch_size=512 * 256,
        optimizer="adamw",
        weight_decay=0.01,
        adam_beta2=0.999,
        adam_epsilon=1e-6,
        label_smoothing=0.0,
        learning_rate_schedule="constant*linear_warmup*linear_decay",
        learning_rate_constant=1e-4,
        learning_rate_warmup_steps=10_000,
    )

"""What the models that are made of Transformer layers have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from t2t_lite import layers
from t2t_lite.models.model import Model
from t2t_lite.models.transformer_hparams import TransformerHParams
from t2t_lite.task import Task


class TransformerModel(Model):
    """A model whose hyperparameters are those of a Transformer.

    Args: see `Model`.
    Attributes:
        dropout: layers.Dropout, that of embeddings.
    """

    hparams_class = TransformerHParams

    def __init__(
        self,
        hparams: TransformerHParams,
        task: Task | int,
        dtype: Any = None,
        name: str | None = None,
    ):
        super().__init__(hparams, task, dtype, name)
        self.dropout = layers.Dropout(
            hparams.layer_prepostprocess_dropout, dtype=self.dtype_policy
        )

    @property
    def tables(self) -> dict[str, str]:
        labelled = self.task.targets != "text"
        return {
            layer.embeddings.path: (
                "labels" if labelled and layer is self.softmax else "vocabulary"
            )
            for layer in self.layers
            if isinstance(layer, layers.SharedEmbedding)
        }

    def _table(self, name: str):
        """Returns an embedding table of the vocabulary."""
        return layers.SharedEmbedding(
            self.task.vocab_size,
            self.hparams.hidden_size,
            scale=self.hparams.embedding_scale,
            dtype=self.dtype_policy,
            name=name,
        )

    def _head(self, name: str = "softmax"):
        """Returns a built table whose logits are those of the targets."""
        head = layers.SharedEmbedding(
            self.task.num_targets,
            self.hparams.hidden_size,
            scale="none",
            dtype=self.dtype_policy,
            name=name,
        )
        head.build()  # its lookup is never called
        return head

    def _position(self, name: str) -> layers.PositionEncoding:
        h = self.hparams
        return layers.PositionEncoding(
            h.position,
            h.hidden_size,
            max_length=h.max_length if h.position == "learned" else None,
            dtype=self.dtype_policy,
            name=name,
        )

    def _positions(self, layer, ids, positions, dtype) -> tf.Tensor:
        """Returns the encoding of 0, 1, ... or of the given positions."""
        if positions is None:
            positions = tf.range(tf.shape(ids)[1])[None]
        return tf.cast(layer(positions), dtype)

    def _config(self) -> layers.TransformerConfig:
        h = self.hparams
        return layers.TransformerConfig(
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

    def _encoder(self, name: str = "encoder") -> layers.Encoder:
        h = self.hparams
        return layers.Encoder(
            self._config(),
            num_layers=h.num_encoder_layers or h.num_hidden_layers,
            recompute=h.recompute,
            dtype=self.dtype_policy,
            name=name,
        )

    def _decoder(self, memory: bool = True) -> layers.Decoder:
        h = self.hparams
        return layers.Decoder(
            self._config(),
            num_layers=h.num_decoder_layers or h.num_hidden_layers,
            memory=memory,
            recompute=h.recompute,
            dtype=self.dtype_policy,
            name="decoder",
        )

    def _exactly(self, states: tf.Tensor) -> Callable | None:
        """Returns the function of ids to their exact logits; see `Logits`."""
        if self.compute_dtype == "float32":
            return None
        rows = tf.reshape(states, [-1, self.hparams.hidden_size])

        def exact(ids):
            count = tf.shape(ids)[2]
            found = self.softmax.logits_of(rows, tf.reshape(ids, [-1, count]))
            return tf.reshape(found, tf.shape(ids))

        return exact


def attention_parameters(hparams: TransformerHParams) -> int:
    """Returns the parameters of one attention, without biases."""
    h = hparams
    default = h.hidden_size // h.num_heads
    heads = (h.key_head_size or default) + (h.value_head_size or default)
    return 2 * h.hidden_size * h.num_heads * heads


def feed_forward_parameters(hparams: TransformerHParams) -> int:
    """Returns the parameters of one feed-forward network, without biases."""
    kernels = 3 if hparams.activation == "swiglu" else 2
    return kernels * hparams.hidden_size * hparams.filter_size

"""What the models that are made of Transformer layers have in common."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from t2t_lite import layers
from t2t_lite.layers.position import KINDS
from t2t_lite.models.model import Model
from t2t_lite.models.transformer_hparams import TransformerHParams
from t2t_lite.task import Task


class TransformerModel(Model):
    """A model whose hyperparameters are those of a Transformer.

    Args: see `Model`.
    Attributes:
        dropout: layers.Dropout, that of embeddings.
        word_dropout: layers.Dropout, that of whole embeddings.
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
        self.word_dropout = layers.Dropout(
            hparams.word_dropout,
            noise_shape=(None, None, 1),
            dtype=self.dtype_policy,
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

    def _words(self, table, ids: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns embeddings, in training some of them all zeros.

        Args:
            table: from `_table`.
            ids: int32 (batch, length).
            training: bool.
        """
        return self.word_dropout(table(ids), training=training)

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

    def _position(self, name: str) -> layers.PositionEncoding | None:
        """Returns what is added to embeddings; None where nothing is."""
        h = self.hparams
        if h.position not in KINDS:
            return None
        return layers.PositionEncoding(
            h.position,
            h.hidden_size,
            max_length=h.max_length if h.position == "learned" else None,
            dtype=self.dtype_policy,
            name=name,
        )

    def _placed(self, x, layer, positions=None) -> tf.Tensor:
        """Returns embeddings `(batch, length, hidden_size)` with positions."""
        places = self._places(x, layer, positions)
        return x if places is None else x + places

    def _places(self, x, layer, positions=None) -> tf.Tensor | None:
        """Returns what `layer` adds to embeddings; None without a layer.

        Args:
            x: float (batch, length, hidden_size).
            layer: from `_position`.
            positions: int (1 or batch, length); None = 0, 1, ...
        """
        if layer is None:
            return None
        if positions is None:
            positions = tf.range(tf.shape(x)[1])[None]
        return tf.cast(layer(positions), x.dtype)

    def _variant(self) -> layers.AttentionVariant:
        h = self.hparams
        names = (
            "max_relative_position",
            "relative_attention_num_buckets",
            "relative_attention_max_distance",
            "rotary_base",
            "local_attention_radius",
            "num_key_value_heads",
        )
        return layers.AttentionVariant(
            position="none" if h.position in KINDS else h.position,
            **{name: getattr(h, name) for name in names},
        )

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
            variant=self._variant(),
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


def shifted(targets: tf.Tensor, segments: tf.Tensor | None) -> tf.Tensor:
    """Returns targets one to the right; zeros start every segment.

    Args:
        targets: int32 (batch, length).
        segments: int32 (batch, length), which example a place belongs to;
            None = a row is one example.
    """
    ids = tf.pad(targets, [[0, 0], [1, 0]])[:, :-1]  # length 0 stays 0
    if segments is None:
        return ids
    before = tf.pad(segments, [[0, 0], [1, 0]])[:, :-1]
    return tf.where(segments == before, ids, 0)


def attention_parameters(hparams: TransformerHParams) -> int:
    """Returns the parameters of one attention, without biases."""
    h = hparams
    shared = h.num_key_value_heads or h.num_heads
    return h.hidden_size * (h.num_heads + shared) * _head_sizes(h)


def feed_forward_parameters(hparams: TransformerHParams) -> int:
    """Returns the parameters of one feed-forward network, without biases."""
    kernels = 3 if hparams.activation == "swiglu" else 2
    return kernels * hparams.hidden_size * hparams.filter_size


def position_parameters(
    hparams: TransformerHParams, num_layers: int, num_stacks: int = 1
) -> int:
    """Returns the parameters with which self-attention knows positions.

    Args:
        hparams: of the model.
        num_layers: int, layers with self-attention, those of all stacks.
        num_stacks: int, encoders and decoders: of "t5_bias" the layers of a
            stack share their numbers.
    """
    h = hparams
    found = {
        "relative": (2 * h.max_relative_position + 1)
        * _head_sizes(h)
        * num_layers,
        "t5_bias": h.relative_attention_num_buckets * h.num_heads * num_stacks,
    }
    return found.get(h.position, 0)


def _head_sizes(hparams: TransformerHParams) -> int:
    h = hparams
    default = h.hidden_size // h.num_heads
    return (h.key_head_size or default) + (h.value_head_size or default)

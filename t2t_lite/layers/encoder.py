"""The Transformer's encoder."""

from __future__ import annotations

import functools

import keras

from t2t_lite.layers._math import PACKAGE, check_positive
from t2t_lite.layers.encoder_layer import EncoderLayer
from t2t_lite.layers.norm import LayerNorm
from t2t_lite.layers.recompute import recomputed
from t2t_lite.layers.transformer_config import (
    TransformerConfig,
    share_positions,
)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Encoder(keras.layers.Layer):
    """A stack of encoder layers; with pre-norm, a layer norm at its end.

    Embeddings, their positions and their dropout are the caller's.

    Args:
        config: `TransformerConfig`, or a dict of its fields.
        num_layers: int, at least 1.
        recompute: bool, whether each layer keeps only its inputs while it
            trains, and is computed again in the backward pass; not where the
            attention weights are asked for.

    Call arguments:
        inputs: float tensor `(batch, length, hidden_size)`.
        attention_mask: optional bool tensor `(batch, 1 or length, length)`;
            True = may attend. Or an int tensor `(batch, length)`: the segments
            of packed rows; 0 is padding.
        return_attention_weights: bool.
        training: bool, whether to drop.

    Returns:
        Float tensor `(batch, length, hidden_size)`; with
        `return_attention_weights` also a list of every layer's weights
        `(batch, num_heads, length, length)`.

    Raises:
        ValueError: num_layers is below 1.

    Reference: Vaswani et al. 2017, section 3.1. num_layers = N.
    """

    def __init__(
        self,
        config: TransformerConfig | dict,
        num_layers: int,
        recompute: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_layers=num_layers)
        self.config = TransformerConfig.of(config)
        self.num_layers = num_layers
        self.recompute = recompute
        policy = {"dtype": self.dtype_policy}
        self.blocks = [
            EncoderLayer(self.config, name=f"layer_{index}", **policy)
            for index in range(num_layers)
        ]
        # Keras tracks the list; tf.train.Checkpoint sees only attributes.
        for block in self.blocks:
            setattr(self, block.name, block)
        self.positions = share_positions(self.blocks)
        self.final_norm = None
        if self.config.norm == "pre":
            self.final_norm = LayerNorm(
                self.config.epsilon, name="final_norm", **policy
            )

    def build(self, input_shape):
        if self.positions is not None:
            self.positions.build()
        for block in self.blocks:
            block.build(input_shape)
        if self.final_norm is not None:
            self.final_norm.build(input_shape)

    def call(
        self,
        inputs,
        attention_mask=None,
        return_attention_weights=False,
        training=None,
    ):
        options = {"attention_mask": attention_mask, "training": training}
        states, weights = inputs, []
        for block in self.blocks:
            if return_attention_weights:
                states, block_weights = block(
                    states, return_attention_weights=True, **options
                )
                weights.append(block_weights)
            elif self.recompute and training:
                call = functools.partial(block, **options)
                states = recomputed(block, call, states)
            else:
                states = block(states, **options)
        if self.final_norm is not None:
            states = self.final_norm(states)
        return (states, weights) if return_attention_weights else states

    def get_config(self):
        return {
            **super().get_config(),
            "config": self.config.to_dict(),
            "num_layers": self.num_layers,
            "recompute": self.recompute,
        }

"""The Universal Transformer's encoder."""

from __future__ import annotations

import functools
from typing import Any

import keras

from t2t_lite.layers._math import PACKAGE
from t2t_lite.layers.depth_recurrence import DepthRecurrence
from t2t_lite.layers.encoder_layer import EncoderLayer
from t2t_lite.layers.norm import LayerNorm
from t2t_lite.layers.recompute import recomputed
from t2t_lite.layers.transformer_config import TransformerConfig


@keras.saving.register_keras_serializable(package=PACKAGE)
class UniversalEncoder(keras.layers.Layer):
    """One encoder layer at every step; with pre-norm, a layer norm at the end.

    Args:
        config: `TransformerConfig`, or a dict of its fields.
        recurrence: dict of the arguments of `DepthRecurrence` but hidden_size.
        recompute: bool, whether each step keeps only its inputs while it
            trains, and is computed again in the backward pass.

    Call arguments:
        inputs: float tensor `(batch, length, hidden_size)`, embeddings.
        places: float tensor `(1 or batch, length, hidden_size)`, the encoding
            of the positions, which every step is told.
        attention_mask: optional bool tensor `(batch, 1 or length, length)`;
            True = may attend.
        training: bool, whether to drop.

    Returns:
        Float tensor `(batch, length, hidden_size)`, and how long each position
        took, float32 `(batch, length)`; see `DepthRecurrence`.

    Reference: Dehghani et al. 2019, section 2.1.
    """

    def __init__(
        self,
        config: TransformerConfig | dict,
        recurrence: dict[str, Any],
        recompute: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.config = TransformerConfig.of(config)
        self.recurrence_arguments = dict(recurrence)
        self.recompute = recompute
        policy = {"dtype": self.dtype_policy}
        self.block = EncoderLayer(self.config, name="layer", **policy)
        self.recurrence = DepthRecurrence(
            self.config.hidden_size, name="recurrence", **recurrence, **policy
        )
        self.final_norm = None
        if self.config.norm == "pre":
            self.final_norm = LayerNorm(
                self.config.epsilon, name="final_norm", **policy
            )

    def build(self, input_shape):
        self.block.build(input_shape)
        self.recurrence.build()
        if self.final_norm is not None:
            self.final_norm.build(input_shape)

    def call(self, inputs, places, attention_mask=None, training=None):
        block = functools.partial(
            self.block, attention_mask=attention_mask, training=training
        )

        def step(states, number):
            del number
            if self.recompute and training:
                return recomputed(self.block, block, states)
            return block(states)

        states, took = self.recurrence(inputs, places, function=step)
        if self.final_norm is not None:
            states = self.final_norm(states)
        return states, took

    def get_config(self):
        return {
            **super().get_config(),
            "config": self.config.to_dict(),
            "recurrence": self.recurrence_arguments,
            "recompute": self.recompute,
        }

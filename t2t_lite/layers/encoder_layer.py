"""One layer of the Transformer's encoder."""

from __future__ import annotations

import keras

from t2t_lite.layers._math import PACKAGE
from t2t_lite.layers.transformer_config import (
    TransformerConfig,
    make_attention,
    make_feed_forward,
    make_residual,
)


@keras.saving.register_keras_serializable(package=PACKAGE)
class EncoderLayer(keras.layers.Layer):
    """Self-attention, then the feed-forward network, each in a residual.

    Args:
        config: `TransformerConfig`, or a dict of its fields.

    Call arguments:
        inputs: float tensor `(batch, length, hidden_size)`.
        attention_mask: optional bool tensor `(batch, 1 or length, length)`;
            True = may attend. Or an int tensor `(batch, length)`: the segments
            of packed rows; 0 is padding.
        return_attention_weights: bool.
        training: bool, whether to drop.

    Returns:
        Float tensor `(batch, length, hidden_size)`; with
        `return_attention_weights` also the weights `(batch, num_heads, length,
        length)`.

    Reference: Vaswani et al. 2017, section 3.1.
    """

    def __init__(self, config: TransformerConfig | dict, **kwargs) -> None:
        super().__init__(**kwargs)
        self.config = TransformerConfig.of(config)
        policy = {"dtype": self.dtype_policy}
        self.self_attention = make_attention(
            self.config, "self", name="self_attention", **policy
        )
        self.feed_forward = make_feed_forward(
            self.config, name="feed_forward", **policy
        )
        self.attention_residual = make_residual(
            self.config, name="self_attention_residual", **policy
        )
        self.feed_forward_residual = make_residual(
            self.config, name="feed_forward_residual", **policy
        )

    def build(self, input_shape):
        self.self_attention.build(input_shape)
        self.attention_residual.build(input_shape)
        self.feed_forward.build(input_shape)
        self.feed_forward_residual.build(input_shape)

    def call(
        self,
        inputs,
        attention_mask=None,
        return_attention_weights=False,
        training=None,
    ):
        def attend(query):
            return self.self_attention(
                query,
                attention_mask=attention_mask,
                return_attention_weights=return_attention_weights,
                training=training,
            )

        def transform(states):
            return self.feed_forward(states, training=training)

        result = self.attention_residual(
            inputs, function=attend, training=training
        )
        states, weights = result if return_attention_weights else (result, None)
        states = self.feed_forward_residual(
            states, function=transform, training=training
        )
        return (states, weights) if return_attention_weights else states

    def get_config(self):
        return {**super().get_config(), "config": self.config.to_dict()}

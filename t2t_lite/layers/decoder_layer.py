"""One layer of the Transformer's decoder."""

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
class DecoderLayer(keras.layers.Layer):
    """Self-attention, attention to the encoder, feed-forward network.

    Each of the three has a residual around it.

    Args:
        config: `TransformerConfig`, or a dict of its fields.
        memory: bool, whether there is attention to an encoder.

    Call arguments:
        inputs: float tensor `(batch, length, hidden_size)`.
        memory_states: float tensor `(batch, memory_length, hidden_size)`;
            None without memory.
        self_mask: optional bool tensor `(1 or batch, length, length)`; True =
            may attend. The layer adds no causal mask; `Decoder` does.
        memory_mask: optional bool tensor `(batch, 1 or length, memory_length)`.
        training: bool, whether to drop.

    Returns:
        Float tensor `(batch, length, hidden_size)`, and a dict of attention
        weights: "self" `(batch, num_heads, length, length)` and, with memory,
        "memory" `(batch, num_heads, length, memory_length)`.

    Reference: Vaswani et al. 2017, section 3.1.
    """

    def __init__(
        self, config: TransformerConfig | dict, memory: bool = True, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.config = TransformerConfig.of(config)
        self.memory = memory
        policy = {"dtype": self.dtype_policy}
        self.self_attention = make_attention(
            self.config, "self", name="self_attention", **policy
        )
        if memory:
            self.memory_attention = make_attention(
                self.config, "memory", name="memory_attention", **policy
            )
        self.feed_forward = make_feed_forward(
            self.config, name="feed_forward", **policy
        )
        self.self_residual = make_residual(
            self.config, name="self_attention_residual", **policy
        )
        if memory:
            self.memory_residual = make_residual(
                self.config, name="memory_attention_residual", **policy
            )
        self.feed_forward_residual = make_residual(
            self.config, name="feed_forward_residual", **policy
        )

    def build(self, input_shape):
        self.self_attention.build(input_shape)
        self.self_residual.build(input_shape)
        if self.memory:
            self.memory_attention.build(input_shape)
            self.memory_residual.build(input_shape)
        self.feed_forward.build(input_shape)
        self.feed_forward_residual.build(input_shape)

    def call(
        self,
        inputs,
        memory_states=None,
        self_mask=None,
        memory_mask=None,
        training=None,
    ):
        common = {"return_attention_weights": True, "training": training}
        states, self_weights = self.self_residual(
            inputs,
            function=lambda query: self.self_attention(
                query, attention_mask=self_mask, **common
            ),
            training=training,
        )
        weights = {"self": self_weights}
        if self.memory:
            states, weights["memory"] = self.memory_residual(
                states,
                function=lambda query: self.memory_attention(
                    query, memory_states, attention_mask=memory_mask, **common
                ),
                training=training,
            )
        return self._transform(states, training), weights

    def step(self, rows, sizes, memory, cache, self_bias, memory_bias):
        """Decodes one position; see `Decoder.step`.

        Args:
            rows: float tensor `(batch * beams, hidden_size)`.
            sizes: (batch, beams), int scalars.
            memory: dict from `Decoder.project_memory`; None without memory.
            cache: dict from `Decoder.init_cache` or the step before.
            self_bias, memory_bias: as for `MultiHeadAttention.step`.

        Returns:
            The states `(batch * beams, hidden_size)` and the new cache.
        """
        states, cache = self.self_residual(
            rows,
            function=lambda query: self.self_attention.step(
                query, sizes, cache=cache, bias=self_bias
            ),
            training=False,
        )
        if self.memory:
            states, _ = self.memory_residual(
                states,
                function=lambda query: self.memory_attention.step(
                    query, sizes, memory=memory, bias=memory_bias
                ),
                training=False,
            )
        return self._transform(states, training=False), cache

    def _transform(self, states, training):
        return self.feed_forward_residual(
            states,
            function=lambda hidden: self.feed_forward(
                hidden, training=training
            ),
            training=training,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "config": self.config.to_dict(),
            "memory": self.memory,
        }

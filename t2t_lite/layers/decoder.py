"""The Transformer's decoder."""

from __future__ import annotations

import functools

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, check_positive, shape_of
from t2t_lite.layers.decoder_layer import DecoderLayer
from t2t_lite.layers.masks import look_ahead_mask, segment_mask
from t2t_lite.layers.norm import LayerNorm
from t2t_lite.layers.one_position import attention_bias
from t2t_lite.layers.one_thread import on_one_thread
from t2t_lite.layers.recompute import recomputed
from t2t_lite.layers.transformer_config import (
    TransformerConfig,
    share_positions,
)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Decoder(keras.layers.Layer):
    """A stack of decoder layers; with pre-norm, a layer norm at its end.

    `call` is the whole sequence at once, for training and scoring; `step` is
    one position at a time with a cache, for search, and gives the same
    numbers. Embeddings, their positions and their dropout are the caller's.

    Args:
        config: `TransformerConfig`, or a dict of its fields.
        num_layers: int, at least 1.
        memory: bool, whether its layers attend to an encoder; without, it is
            a language model's.
        recompute: bool, whether each layer keeps only its inputs while it
            trains, and is computed again in the backward pass; not where the
            attention weights are asked for.

    Call arguments:
        inputs: float tensor `(batch, length, hidden_size)`, already shifted
            right.
        memory_states: float tensor `(batch, memory_length, hidden_size)`;
            None without memory.
        self_mask: optional bool tensor `(batch, 1 or length, length)`;
            True = may attend. The causal mask is always applied; padding at
            the end needs no other, packed rows need their segments, which may
            also be given as they are, int `(batch, length)`.
        memory_mask: optional bool tensor `(batch, 1 or length, memory_length)`.
        return_attention_weights: bool.
        training: bool, whether to drop.

    Returns:
        Float tensor `(batch, length, hidden_size)`; with
        `return_attention_weights` also a list with a dict per layer: "self"
        `(batch, num_heads, length, length)` and, with memory, "memory"
        `(batch, num_heads, length, memory_length)`.

    Raises:
        ValueError: num_layers is below 1.

    Reference: Vaswani et al. 2017, section 3.1. num_layers = N.
    """

    def __init__(
        self,
        config: TransformerConfig | dict,
        num_layers: int,
        memory: bool = True,
        recompute: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_layers=num_layers)
        self.config = TransformerConfig.of(config)
        self.num_layers = num_layers
        self.memory = memory
        self.recompute = recompute
        policy = {"dtype": self.dtype_policy}
        self.blocks = [
            DecoderLayer(self.config, memory, name=f"layer_{index}", **policy)
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
        memory_states=None,
        self_mask=None,
        memory_mask=None,
        return_attention_weights=False,
        training=None,
    ):
        options = {
            "self_mask": self._causal(inputs, self_mask),
            "memory_mask": memory_mask,
            "return_attention_weights": return_attention_weights,
            "training": training,
        }
        states, weights = inputs, []
        for block in self.blocks:
            if return_attention_weights:
                states, block_weights = block(states, memory_states, **options)
                weights.append(block_weights)
            elif self.recompute and training:
                call = functools.partial(block, **options)
                read = [states] + [memory_states] * self.memory
                states = recomputed(block, call, *read)
            else:
                states = block(states, memory_states, **options)
        states = self._finish(states)
        return (states, weights) if return_attention_weights else states

    def _causal(self, inputs, self_mask):
        """Returns the mask of all layers, causal unless they see to it."""
        if self.blocks[0].self_attention.variant.causal:
            return self_mask
        if self_mask is not None and self_mask.dtype != tf.bool:
            self_mask = segment_mask(self_mask, self_mask)
        return look_ahead_mask(inputs, self_mask)

    def project_memory(self, states) -> list[dict[str, tf.Tensor]]:
        """Returns every layer's keys and values of the encoder's states.

        Args:
            states: float tensor `(batch, memory_length, hidden_size)`.

        Returns:
            List of `MultiHeadAttention.project_memory` results, in float32.
        """
        return [
            {part: tf.cast(heads, tf.float32) for part, heads in memory.items()}
            for memory in (
                block.memory_attention.project_memory(states)
                for block in self.blocks
            )
        ]

    def init_cache(self, batch: int | tf.Tensor) -> list[dict[str, tf.Tensor]]:
        """Returns every layer's empty cache for `batch` sentences, float32."""
        return [
            block.self_attention.init_cache(batch, "float32")
            for block in self.blocks
        ]

    def step(
        self,
        inputs,
        memory,
        cache,
        self_mask=None,
        memory_mask=None,
        index=None,
    ):
        """Decodes one position of several hypotheses a sentence.

        The cache has a place for each hypothesis of each step, in the order
        of the steps, and nothing in it ever moves: which places a hypothesis
        descends from is what `self_mask` says. Of local attention it has only
        the last steps that the next one can see.

        Args:
            inputs: float tensor `(batch, beams, hidden_size)`.
            memory: list from `project_memory`; None without memory.
            cache: list from `init_cache(batch)` or from the step before.
            self_mask: optional bool tensor `(batch, beams, places)`, places =
                those of all steps so far, then one for each of `inputs`; None
                = all, as it is with one beam.
            memory_mask: optional bool tensor `(batch, 1, memory_length)`.
            index: int or int32 scalar tensor, the position; by default as
                many steps as the cache has. Rotary positions with local
                attention need it.

        Returns:
            The states `(batch, beams, hidden_size)`, in float32 in a scope of
            held or frozen weights, and the cache, longer by as many places as
            there are beams.
        """
        masks = (self_mask, memory_mask)
        return on_one_thread(self._step, inputs, memory, cache, masks, index)

    def _step(self, inputs, memory, cache, masks, index):
        self_mask, memory_mask = masks
        sizes = shape_of(inputs)[:2]
        # Rows from here on: shapes are worked out once and not per product.
        states = tf.reshape(inputs, [-1, inputs.shape[2]])
        attention = self.blocks[0].self_attention
        biases = [
            attention.step_bias(self_mask, cache[0], sizes[1]),
            None if memory_mask is None else attention_bias(memory_mask),
        ]
        memory = memory or [None] * self.num_layers
        new_cache = []
        for block, block_memory, block_cache in zip(
            self.blocks, memory, cache, strict=True
        ):
            states, block_cache = block.step(
                states, sizes, block_memory, block_cache, *biases, index
            )
            new_cache.append(block_cache)
        states = tf.reshape(self._finish(states), [*sizes, inputs.shape[2]])
        return states, new_cache

    def _finish(self, states):
        if self.final_norm is None:
            return states
        return self.final_norm.normalize(states)

    def get_config(self):
        return {
            **super().get_config(),
            "config": self.config.to_dict(),
            "num_layers": self.num_layers,
            "memory": self.memory,
            "recompute": self.recompute,
        }

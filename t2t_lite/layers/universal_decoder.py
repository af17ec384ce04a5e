"""The Universal Transformer's decoder."""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, shape_of
from t2t_lite.layers.decoder_layer import DecoderLayer
from t2t_lite.layers.depth_recurrence import DepthRecurrence
from t2t_lite.layers.masks import look_ahead_mask
from t2t_lite.layers.norm import LayerNorm
from t2t_lite.layers.one_position import attention_bias
from t2t_lite.layers.recompute import recomputed
from t2t_lite.layers.transformer_config import TransformerConfig


@keras.saving.register_keras_serializable(package=PACKAGE)
class UniversalDecoder(keras.layers.Layer):
    """One decoder layer at every step; with pre-norm, a layer norm at the end.

    `call` is the whole sequence at once, `step` one position at a time with a
    cache, and gives the same numbers, with halting too: every step of every
    position has a place in the cache, and at the steps after a position has
    stopped it holds the keys and values of its copied state, which are those
    that `call` attends to.

    Args:
        config: `TransformerConfig`, or a dict of its fields.
        recurrence: dict of the arguments of `DepthRecurrence` but hidden_size.
        recompute: bool, as for `Decoder`.

    Call arguments:
        inputs: float tensor `(batch, length, hidden_size)`, embeddings,
            already shifted right.
        memory_states: float tensor `(batch, memory_length, hidden_size)`.
        places: float tensor `(1 or batch, length, hidden_size)`, the encoding
            of the positions, which every step is told.
        self_mask, memory_mask: as for `Decoder`.
        return_attention_weights: bool.
        training: bool, whether to drop.

    Returns:
        Float tensor `(batch, length, hidden_size)`, and how long each position
        took, float32 `(batch, length)`; with `return_attention_weights` also a
        list with a dict per step, as `Decoder` has per layer.

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
        self.block = DecoderLayer(self.config, name="layer", **policy)
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

    def call(
        self,
        inputs,
        memory_states,
        places,
        self_mask=None,
        memory_mask=None,
        return_attention_weights=False,
        training=None,
    ):
        block = functools.partial(
            self.block,
            self_mask=look_ahead_mask(inputs, self_mask),
            memory_mask=memory_mask,
            training=training,
        )
        weights = []

        def step(states, number):
            del number
            if self.recompute and training and not return_attention_weights:
                return recomputed(
                    self.block,
                    lambda *read: block(*read)[0],
                    states,
                    memory_states,
                )
            states, mine = block(states, memory_states)
            weights.append(mine)
            return states

        states, took = self.recurrence(inputs, places, function=step)
        states = self._finish(states)
        found = (states, took)
        return (*found, weights) if return_attention_weights else found

    def project_memory(self, states) -> dict[str, tf.Tensor]:
        """Returns the keys and values of the encoder's states, of all steps.

        Args:
            states: float tensor `(batch, memory_length, hidden_size)`.
        """
        memory = self.block.memory_attention.project_memory(states)
        return {k: tf.cast(heads, tf.float32) for k, heads in memory.items()}

    def init_cache(self, batch: int | tf.Tensor) -> list[dict[str, tf.Tensor]]:
        """Returns every step's empty cache for `batch` sentences, float32."""
        return [
            self.block.self_attention.init_cache(batch, "float32")
            for _ in range(self.recurrence.num_steps)
        ]

    def step(
        self, inputs, places, memory, cache, self_mask=None, memory_mask=None
    ):
        """Decodes one position of several hypotheses; see `Decoder.step`.

        Args:
            inputs: float tensor `(batch, beams, hidden_size)`.
            places: float tensor `(1, 1, hidden_size)`, the encoding of the
                position.
            memory: dict from `project_memory`.
            cache: list from `init_cache(batch)` or from the position before.
            self_mask, memory_mask: as for `Decoder.step`.

        Returns:
            The states `(batch, beams, hidden_size)` and the longer cache.
        """
        sizes = shape_of(inputs)[:2]
        biases = [
            None if mask is None else attention_bias(mask)
            for mask in (self_mask, memory_mask)
        ]
        new_cache = []

        def step(states, number):
            states, longer = self.block.step(
                states, sizes, memory, cache[number], *biases
            )
            new_cache.append(longer)
            return states

        rows = tf.reshape(inputs, [-1, inputs.shape[2]])
        states, _ = self.recurrence(rows, places[0], function=step)
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
            "recurrence": self.recurrence_arguments,
            "recompute": self.recompute,
        }

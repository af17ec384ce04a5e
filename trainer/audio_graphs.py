"""From waveforms to text inside a graph."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from t2t_lite.trainer.text_graphs import TextGraphs

_FULL_SCALE = 32768.0  # of 16-bit samples


class AudioGraphs(TextGraphs):
    """The functions of a model that was trained to write down what it hears.

    Inputs are waveforms, float32 (batch, samples) from -1 to 1, followed by
    zeros, at the sample rate of the training data.

    Args: see `TextGraphs`; `max_input_length` in hundredths of a second.
    """

    switches = ("return_attention",)

    def inputs_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec([None, None], tf.float32, "inputs")

    def _ids(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        longest = self.max_input_length * self._model.task.unit("inputs")
        truncated = tf.reduce_any(inputs[:, longest:] != 0, axis=1)
        samples = tf.round(inputs[:, :longest] * _FULL_SCALE)
        samples = tf.clip_by_value(samples, -_FULL_SCALE, _FULL_SCALE - 1)
        return tf.cast(samples, tf.int32), truncated

    def _sizes(self, ids: tf.Tensor) -> tf.Tensor:
        rows, samples = tf.unstack(tf.shape(ids))
        return tf.fill([rows], samples // self._model.task.unit("inputs"))

    def _lengths(self, ids: tf.Tensor) -> tf.Tensor:
        states = self._model.inputs_mask(ids)
        return tf.math.count_nonzero(states, axis=1, dtype=tf.int32)

    def _outputs(self, source, result, wishes) -> tf.Tensor:
        del source, wishes
        return self._pieces_of(result)

    def _tokens(self, ids, best, wishes) -> dict[str, Any]:
        return {
            "output_tokens": self._tokenizer.tokens(best),
            "attention": self._attention(ids, best, wishes),
        }

    def _visible(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(inputs != 0, axis=1)

"""The Speech-Transformer: from a waveform to text."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.hparams import require
from t2t_lite.layers.log_mel import LogMel
from t2t_lite.models.transformer import Transformer
from t2t_lite.models.transformer_hparams import TransformerHParams
from t2t_lite.registry import HPARAMS, MODELS
from t2t_lite.task import Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeechTransformerHParams(TransformerHParams):
    """Hyperparameters of `SpeechTransformer`.

    Fields beside those of `TransformerHParams`:
        num_mel_bins: mel filters of the front end.
        conv_channels: channels of the two convolutions, each of which halves
            time and frequency.
        time_masks, time_mask_share: SpecAugment in training: how many spans of
            frames are silenced, each of up to that share of a clip.
        frequency_masks, frequency_mask_bins: likewise spans of mel bins.
    """

    num_mel_bins: int = 80
    conv_channels: int = 64
    time_masks: int = 0
    time_mask_share: float = 0.1
    frequency_masks: int = 0
    frequency_mask_bins: int = 8

    def __post_init__(self):
        super().__post_init__()
        for name in ("num_mel_bins", "conv_channels", "frequency_mask_bins"):
            value = getattr(self, name)
            require(value > 0, name, "an int above 0", value)
        for name in ("time_masks", "frequency_masks"):
            value = getattr(self, name)
            require(value >= 0, name, "an int of 0 or more", value)
        share = self.time_mask_share
        require(0 < share <= 1, "time_mask_share", "a share in (0, 1]", share)


@MODELS.register("speech_transformer")
@keras.saving.register_keras_serializable(package="t2t_lite")
class SpeechTransformer(Transformer):
    """Transformer whose encoder hears: log-mel, two convolutions, positions.

    The decoder is the Transformer's, and so is all of decoding.

    Args:
        hparams: SpeechTransformerHParams.
        task: Task, audio to text.
        dtype: Keras dtype policy.
    Call arguments:
        features: `inputs` int32 (batch, samples), 16-bit samples, then zeros;
            `targets` int32 (batch, targets_length), 0 = padding.
        training: bool, dropout and masks on.
    Returns:
        Logits (batch, targets_length, vocab_size).
    Reference: Dong et al. 2018; Park et al. 2019 for the masks.
    """

    hparams_class = SpeechTransformerHParams
    default_set = "speech_transformer_small"
    kinds = (("audio", "text"),)
    packs = False

    def __init__(
        self,
        hparams: SpeechTransformerHParams,
        task: Task,
        dtype: Any = None,
        name: str = "speech_transformer",
    ):
        super().__init__(hparams, task, dtype, name)
        self.front_end = LogMel(
            task.sample_rate, hparams.num_mel_bins, name="log_mel"
        )
        self.convolutions = [
            keras.layers.Conv2D(
                hparams.conv_channels,
                3,
                strides=2,
                padding="same",
                activation="relu",
                dtype=self.dtype_policy,
                name=f"convolution_{i}",
            )
            for i in range(2)
        ]
        self.projection = keras.layers.Dense(
            hparams.hidden_size, dtype=self.dtype_policy, name="projection"
        )

    def _create_tables(self) -> None:
        """Creates the tables of the targets; audio has none."""
        self.target_embedding = self._table("target_embedding")
        self.softmax = self.target_embedding
        if self.hparams.shared_embedding == "none":
            self.softmax = self._table("softmax")
            self.softmax.build()

    def inputs_mask(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns where the encoder has states, bool (batch, length)."""
        frames = self.front_end.num_frames(_num_samples(inputs))
        lengths = -(-frames // 4)
        length = -(-self.front_end.num_frames(tf.shape(inputs)[1]) // 4)
        return tf.range(length)[None] < lengths[:, None]

    def _encode(self, inputs, mask, positions, training) -> tf.Tensor:
        del positions  # nothing is packed
        x = self.front_end(tf.cast(inputs, tf.float32) / 32768.0)
        frames = self.front_end.num_frames(_num_samples(inputs))
        x = _normalized(x, _real(frames, x)[..., 0])
        if training:
            x = self._masked(x, frames)
        x = tf.cast(x, self.compute_dtype)[..., None]
        # What "same" pads before the first frame depends on whether their
        # number is even, here and after the first convolution.
        x = tf.pad(x, [[0, 0], [0, -tf.shape(x)[1] % 4], [0, 0], [0, 0]])
        for convolution in self.convolutions:
            frames = -(-frames // 2)
            x = convolution(x)
            x *= _real(frames, x)  # the next one sees nothing after the end
        size = x.shape[2] * x.shape[3]
        x = self.projection(tf.reshape(x, [tf.shape(x)[0], -1, size]))
        x = self._placed(x, self.source_position)
        return self.encoder(
            self.dropout(x, training=training),
            attention_mask=mask,
            training=training,
        )

    def _masked(self, x: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
        """Silences random spans of time and of frequency (SpecAugment)."""
        h = self.hparams
        for _ in range(h.time_masks):
            most = tf.cast(frames, tf.float32) * h.time_mask_share
            x *= _span_mask(tf.cast(frames, tf.float32), most, tf.shape(x)[1])[
                ..., None
            ]
        bins = tf.fill(tf.shape(frames), float(h.num_mel_bins))
        for _ in range(h.frequency_masks):
            most = tf.fill(tf.shape(frames), float(h.frequency_mask_bins))
            x *= _span_mask(bins, most, h.num_mel_bins)[:, None]
        return x


def _num_samples(inputs: tf.Tensor) -> tf.Tensor:
    """Returns the samples of each clip up to its last that is not 0."""
    places = tf.range(1, tf.shape(inputs)[1] + 1)[None]
    return tf.reduce_max(tf.where(inputs != 0, places, 0), axis=1)


def _real(frames: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Returns 1 where x has frames of its clip, else 0; (batch, time, 1, 1)."""
    real = tf.sequence_mask(frames, tf.shape(x)[1], x.dtype)
    return real[..., None, None]


def _normalized(x: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """Returns x with mean 0 and deviation 1 over each clip's real frames.

    Args:
        x: float32 (batch, time, bins).
        real: float32 (batch, time, 1), 0 after a clip's end.
    """
    count = tf.maximum(tf.reduce_sum(real, axis=[1, 2], keepdims=True), 1.0)
    count *= tf.cast(tf.shape(x)[2], x.dtype)
    mean = tf.reduce_sum(x * real, axis=[1, 2], keepdims=True) / count
    centred = (x - mean) * real
    variance = tf.reduce_sum(centred**2, axis=[1, 2], keepdims=True) / count
    return centred * tf.math.rsqrt(variance + 1e-5)


def _span_mask(sizes, most, length) -> tf.Tensor:
    """Returns 0 in a random span of each row, else 1; float32 (batch, length).

    Args:
        sizes: float32 (batch,), the span lies within.
        most: float32 (batch,), its length is below.
        length: int32 scalar.
    """
    width, start = layers.uniform_draws(tf.shape(sizes), 2)
    width = tf.floor(width * most)
    start = tf.floor(start * tf.maximum(sizes - width, 1.0))
    places = tf.cast(tf.range(length), tf.float32)[None]
    inside = (places >= start[:, None]) & (places < (start + width)[:, None])
    return tf.where(inside, 0.0, 1.0)


@HPARAMS.register("speech_transformer_small")
def speech_transformer_small() -> SpeechTransformerHParams:
    """For short words: 3 + 2 layers of 128, 4 heads."""
    return SpeechTransformerHParams(
        hidden_size=128,
        filter_size=512,
        num_heads=4,
        num_encoder_layers=3,
        num_decoder_layers=2,
        num_mel_bins=40,
        conv_channels=16,
        attention_dropout=0.0,
        relu_dropout=0.0,
        time_masks=2,
        frequency_masks=2,
        adam_beta2=0.98,
        learning_rate_schedule="constant*linear_warmup*single_cycle_cos_decay",
        learning_rate_constant=1e-3,
        learning_rate_warmup_steps=200,
    )


@HPARAMS.register("speech_transformer_tiny")
def speech_transformer_tiny() -> SpeechTransformerHParams:
    """For tests: 1 + 1 layers of 16."""
    return dataclasses.replace(
        speech_transformer_small(),
        hidden_size=16,
        filter_size=32,
        num_heads=2,
        num_encoder_layers=1,
        num_decoder_layers=1,
        num_mel_bins=16,
        conv_channels=4,
        batch_size=512,
    )


@HPARAMS.register("speech_transformer_big")
def speech_transformer_big() -> SpeechTransformerHParams:
    """Dong et al. 2018's big: 12 + 6 layers of 512, 8 heads, filter 2048."""
    return SpeechTransformerHParams(
        hidden_size=512,
        filter_size=2048,
        num_heads=8,
        num_encoder_layers=12,
        num_decoder_layers=6,
        adam_beta2=0.98,
        norm="post",
        batch_size=20_000,
        max_length=3_500,
        learning_rate_constant=10.0,
        learning_rate_warmup_steps=25_000,
    )

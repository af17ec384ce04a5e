"""Log-mel spectrograms as a layer."""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite.layers._math import PACKAGE, check_positive

_FLOOR = 1e-6


@keras.saving.register_keras_serializable(package=PACKAGE)
class LogMel(keras.layers.Layer):
    """`log(mel |STFT(x)|^2 + 1e-6)`: what is heard at which pitch, and when.

    Frames of 25 ms, one each 10 ms, under a Hann window; the last one is
    filled up with zeros. Triangular filters of equal distance on the mel
    scale 1127 ln(1 + f / 700), from 20 Hz to half the sample rate. In float32
    whatever the policy; nothing is learned.

    Args:
        sample_rate: int, samples per second.
        num_mel_bins: int.

    Call arguments:
        inputs: float tensor `(batch, samples)`, from -1 to 1.

    Returns:
        Float32 tensor `(batch, num_frames(samples), num_mel_bins)`.

    Raises:
        ValueError: a size is not positive, or the sample rate is below 100.
    """

    def __init__(self, sample_rate: int, num_mel_bins: int = 80, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        check_positive(sample_rate=sample_rate, num_mel_bins=num_mel_bins)
        if sample_rate < 100:
            raise ValueError(
                f"sample_rate must be at least 100, got {sample_rate!r}."
            )
        self.sample_rate = sample_rate
        self.num_mel_bins = num_mel_bins
        self.frame_length = sample_rate // 40
        self.frame_step = sample_rate // 100

    def num_frames(self, samples):
        """Returns the frames of clips of so many samples; int or tensor."""
        return -(-samples // self.frame_step)

    def call(self, inputs):
        spectrum = tf.signal.stft(
            tf.cast(inputs, tf.float32),
            self.frame_length,
            self.frame_step,
            pad_end=True,
        )
        power = tf.math.real(spectrum * tf.math.conj(spectrum))
        filters = tf.signal.linear_to_mel_weight_matrix(
            self.num_mel_bins,
            power.shape[-1],
            self.sample_rate,
            lower_edge_hertz=20.0,
            upper_edge_hertz=self.sample_rate / 2,
        )
        return tf.math.log(tf.matmul(power, filters) + _FLOOR)

    def get_config(self):
        return {
            **super().get_config(),
            "sample_rate": self.sample_rate,
            "num_mel_bins": self.num_mel_bins,
        }

"""The Vision Transformer: an encoder over the patches of an image."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.hparams import require
from t2t_lite.models.model import Features
from t2t_lite.models.transformer_hparams import TransformerHParams
from t2t_lite.models.transformer_parts import (
    TransformerModel,
    attention_parameters,
    feed_forward_parameters,
)
from t2t_lite.registry import HPARAMS, MODELS
from t2t_lite.task import Task

# Of random erasing: shares of an image, and how many times as high as wide.
_LEAST_ERASED, _MOST_ERASED, _LONGEST_ERASED = 0.02, 0.33, 10 / 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class VitHParams(TransformerHParams):
    """Hyperparameters of `VisionTransformer`.

    Fields beside those of `TransformerHParams`, of which the encoder's count
    and word_dropout is 0:
        patch_size: pixels of a patch's side; images are padded with zeros to
            a multiple of it.
        crop_padding: training images are moved by up to so many pixels in
            each direction, at random.
        flip: training images are mirrored, half of them.
        random_erasing: share of training images of which a rectangle, of a
            random place, size and form, becomes noise (Zhong et al. 2020).
    """

    patch_size: int = 16
    crop_padding: int = 0
    flip: bool = False
    random_erasing: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        size, padding = self.patch_size, self.crop_padding
        require(size > 0, "patch_size", "an int above 0", size)
        require(padding >= 0, "crop_padding", "an int of 0 or more", padding)
        words = self.word_dropout
        require(words == 0, "word_dropout", "0 of images: no words", words)
        share = self.random_erasing
        require(0 <= share <= 1, "random_erasing", "a share in [0, 1]", share)


@MODELS.register("vit")
@keras.saving.register_keras_serializable(package="t2t_lite")
class VisionTransformer(TransformerModel):
    """Vision Transformer: the patches of an image and a class token.

    Pixels from 0 to 255 become -1 to 1; patches are projected, learned
    positions added; the class token's state gives the label.

    Args:
        hparams: VitHParams.
        task: Task, image to label.
        dtype: Keras dtype policy.
    Call arguments:
        features: `inputs` int32 (batch, height * width * channels).
        training: bool, dropout on.
    Returns:
        Logits (batch, 1, ids of labels).
    Reference: Dosovitskiy et al. 2021, section 3.1.
    """

    hparams_class = VitHParams
    default_set = "vit_tiny"
    kinds = (("image", "label"),)

    def __init__(
        self,
        hparams: VitHParams,
        task: Task,
        dtype: Any = None,
        name: str = "vit",
    ):
        super().__init__(hparams, task, dtype, name)
        self.num_patches = _num_patches(hparams, task)
        self.projection = keras.layers.Dense(
            hparams.hidden_size, dtype=self.dtype_policy, name="patches"
        )
        self.encoder = self._encoder()
        self.softmax = self._head("labels")

    @staticmethod
    def least_parameters(hparams: VitHParams, task: Task) -> int:
        h = hparams
        layer = attention_parameters(h) + feed_forward_parameters(h)
        count = h.num_encoder_layers or h.num_hidden_layers
        rows = _num_patches(h, task) + h.patch_size**2 * task.image_shape[2]
        return count * layer + rows * h.hidden_size

    def build(self, input_shape=None):
        size = self.hparams.hidden_size
        normal = keras.initializers.TruncatedNormal(stddev=0.02)
        self.class_token = self.add_weight(
            name="class_token", shape=(size,), initializer=normal
        )
        self.positions = self.add_weight(
            name="positions",
            shape=(self.num_patches + 1, size),
            initializer=normal,
        )

    def prepared(self, features: Features, training: bool) -> Features:
        h = self.hparams
        if not training or not (h.crop_padding or h.flip or h.random_erasing):
            return features
        images = tf.reshape(features["inputs"], [-1, *self.task.image_shape])
        if h.crop_padding:
            images = _moved(images, h.crop_padding)
        if h.flip:
            images = _mirrored(images)
        if h.random_erasing:
            images = _erased(images, h.random_erasing)
        shape = tf.shape(features["inputs"])
        return {**features, "inputs": tf.reshape(images, shape)}

    def call(self, features: Features, training: bool = False) -> tf.Tensor:
        return self.softmax.logits(self.states(features, training))

    def states(self, features: Features, training: bool = False) -> tf.Tensor:
        """Returns the class token's state, (batch, 1, hidden_size)."""
        x = self.projection(self._patches(features["inputs"]))
        token = tf.cast(tf.convert_to_tensor(self.class_token), x.dtype)
        token = tf.broadcast_to(token, [tf.shape(x)[0], 1, token.shape[0]])
        x = tf.concat([token, x], axis=1)
        x += tf.cast(tf.convert_to_tensor(self.positions), x.dtype)
        x = self.encoder(self.dropout(x, training=training), training=training)
        return x[:, :1]

    def _patches(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns (batch, patches, values of a patch), from -1 to 1."""
        height, width, channels = self.task.image_shape
        size = self.hparams.patch_size
        x = tf.cast(inputs, tf.float32) / 127.5 - 1.0
        x = tf.reshape(x, [-1, height, width, channels])
        down, across = -height % size, -width % size
        x = tf.pad(x, [[0, 0], [0, down], [0, across], [0, 0]])
        rows, columns = (height + down) // size, (width + across) // size
        x = tf.reshape(x, [-1, rows, size, columns, size, channels])
        x = tf.transpose(x, [0, 1, 3, 2, 4, 5])
        x = tf.reshape(x, [-1, rows * columns, size * size * channels])
        return tf.cast(x, self.compute_dtype)


def _num_patches(hparams: VitHParams, task: Task) -> int:
    height, width, _ = task.image_shape
    size = hparams.patch_size
    return -(-height // size) * -(-width // size)


def _moved(images: tf.Tensor, most: int) -> tf.Tensor:
    """Moves each image by up to `most` pixels; what comes in is black."""
    count, height, width = tf.unstack(tf.shape(images)[:3])
    span = float(2 * most + 1)
    down, across = (
        tf.cast(drawn * span, tf.int32)[:, None]
        for drawn in layers.uniform_draws([count], 2)
    )
    padding = [[0, 0], [most, most], [most, most], [0, 0]]
    images = tf.pad(images, padding)
    rows = down + tf.range(height)[None]
    columns = across + tf.range(width)[None]
    images = tf.gather(images, rows, batch_dims=1)
    images = tf.transpose(images, [0, 2, 1, 3])
    images = tf.gather(images, columns, batch_dims=1)
    return tf.transpose(images, [0, 2, 1, 3])


def _mirrored(images: tf.Tensor) -> tf.Tensor:
    (drawn,) = layers.uniform_draws([tf.shape(images)[0]], 1)
    chosen = (drawn < 0.5)[:, None, None, None]
    return tf.where(chosen, tf.reverse(images, [2]), images)


def _erased(images: tf.Tensor, share: float) -> tf.Tensor:
    """Fills a rectangle with noise; sizes and forms are the paper's."""
    count, height, width = tf.unstack(tf.shape(images)[:3])
    chosen, area, form, top, left = layers.uniform_draws([count], 5)
    area = _LEAST_ERASED + (_MOST_ERASED - _LEAST_ERASED) * area
    form = tf.exp((2 * form - 1) * math.log(_LONGEST_ERASED))
    inside = chosen[:, None] < share

    def span(part, begin, size):
        """Returns which of `size` places are in, bool (count, size)."""
        size_in_pixels = tf.cast(size, tf.float32)
        long = tf.minimum(part, 1.0) * size_in_pixels
        first = (begin * (size_in_pixels - long))[:, None]
        places = tf.range(size_in_pixels)[None]
        return (places >= first) & (places < first + long[:, None])

    rows = span(tf.sqrt(area * form), top, height) & inside
    columns = span(tf.sqrt(area / form), left, width)
    erased = (rows[:, :, None] & columns[:, None])[..., None]
    (noise,) = layers.uniform_draws(tf.shape(images), 1)
    return tf.where(erased, tf.cast(noise * 256.0, images.dtype), images)


@HPARAMS.register("vit_tiny")
def vit_tiny() -> VitHParams:
    """Touvron et al. 2021's tiny: 12 layers of 192, 3 heads; patches of 4."""
    return VitHParams(
        hidden_size=192,
        filter_size=768,
        num_heads=3,
        num_hidden_layers=12,
        activation="gelu",
        attention_bias=True,
        patch_size=4,
        layer_prepostprocess_dropout=0.0,
        attention_dropout=0.0,
        relu_dropout=0.0,
        batch_size=128,
        optimizer="adamw",
        weight_decay=0.05,
        adam_beta2=0.999,
        adam_epsilon=1e-8,
        learning_rate_schedule="constant*linear_warmup*single_cycle_cos_decay",
        learning_rate_constant=1e-3,
        learning_rate_warmup_steps=200,
    )


@HPARAMS.register("vit_test")
def vit_test() -> VitHParams:
    """For tests: 1 layer of 16, patches of 7."""
    return dataclasses.replace(
        vit_tiny(),
        hidden_size=16,
        filter_size=32,
        num_heads=2,
        num_hidden_layers=1,
        patch_size=7,
        batch_size=16,
    )


@HPARAMS.register("vit_small")
def vit_small() -> VitHParams:
    """Touvron et al. 2021's small: 12 layers of 384, 6 heads; patches of 16."""
    return dataclasses.replace(
        vit_tiny(),
        hidden_size=384,
        filter_size=1536,
        num_heads=6,
        patch_size=16,
        batch_size=1024,
    )

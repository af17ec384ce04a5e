"""One matrix for the embeddings and the softmax."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from t2t_lite.layers._math import (
    PACKAGE,
    check_choice,
    check_positive,
    lookup,
    product,
)


@keras.saving.register_keras_serializable(package=PACKAGE)
class SharedEmbedding(keras.layers.Layer):
    """Embedding lookup and tied softmax logits over one matrix E.

        lookup:   E[ids] sqrt(hidden_size)     logits: h E^T
        softmax:  E[ids]                       logits: h E^T / sqrt(hidden_size)
        none:     E[ids]                       logits: h E^T

    E is drawn from a normal distribution of standard deviation
    hidden_size**-0.5, or 1 with scale "softmax", so that both ways of scaling
    start as the same function.

    Args:
        vocab_size: int, number of rows.
        hidden_size: int, number of columns.
        scale: "lookup" (the paper and Tensor2Tensor), "softmax" or "none".
        zero_pad: bool, whether id 0 (padding, and the decoder's first input)
            is looked up as zeros.

    Call arguments:
        ids: int tensor `(batch, length)`, each in [0, vocab_size).

    Returns:
        Float tensor `(batch, length, hidden_size)`. `logits(hidden)` takes
        `(..., hidden_size)` and returns `(..., vocab_size)`, both of the
        compute dtype.

    Raises:
        ValueError: a size is not positive or the scale is unknown.

    Reference: Vaswani et al. 2017, section 3.4; Press and Wolf 2017.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        scale: str = "lookup",
        zero_pad: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(vocab_size=vocab_size, hidden_size=hidden_size)
        check_choice("scale", scale, ("lookup", "softmax", "none"))
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.scale = scale
        self.zero_pad = zero_pad

    def build(self, input_shape=None):
        stddev = 1.0 if self.scale == "softmax" else self.hidden_size**-0.5
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.vocab_size, self.hidden_size),
            initializer=keras.initializers.RandomNormal(stddev=stddev),
            autocast=False,
        )

    def call(self, ids):
        vectors = lookup(self.embeddings, ids, self.compute_dtype)
        # One small factor per token does the scaling and the padding.
        factor = self.hidden_size**0.5 if self.scale == "lookup" else 1.0
        if self.zero_pad:
            real = tf.cast(tf.not_equal(ids, 0), vectors.dtype)
            return vectors * (real * tf.cast(factor, vectors.dtype))[..., None]
        return vectors * tf.cast(factor, vectors.dtype)

    def logits(self, hidden):
        """Returns the tied softmax's logits `(..., vocab_size)`.

        Args:
            hidden: float tensor `(..., hidden_size)`.
        """
        hidden = tf.cast(hidden, self.compute_dtype)
        if self.scale == "softmax":
            hidden *= tf.cast(self.hidden_size**-0.5, hidden.dtype)
        return product(hidden, self.embeddings, transpose_b=True)

    def logits_of(self, hidden, ids):
        """Returns single logits, computed in float32 whatever the policy.

        Args:
            hidden: float tensor `(rows, hidden_size)`.
            ids: int32 tensor `(rows, count)`.
        Returns:
            Float32 `(rows, count)`.
        """
        vectors = tf.gather(self.embeddings.value, ids)
        hidden = tf.cast(hidden, tf.float32)
        if self.scale == "softmax":
            hidden *= self.hidden_size**-0.5
        found = tf.raw_ops.BatchMatMulV3(
            x=hidden[:, None],
            y=tf.cast(vectors, tf.float32),
            adj_y=True,
            Tout=tf.float32,
        )
        return tf.squeeze(found, 1)

    def exact_logits(self, hidden) -> Callable | None:
        """Returns the function from ids to their exact logits, for a search.

        Args:
            hidden: float tensor `(batch, beams, hidden_size)`.
        Returns:
            Function from int32 `(batch, beams, count)` to float32 of that
            shape; None where `logits` are exact.
        """
        if self.compute_dtype == "float32":
            return None
        rows = tf.reshape(hidden, [-1, self.hidden_size])

        def exact(ids):
            count = tf.shape(ids)[2]
            found = self.logits_of(rows, tf.reshape(ids, [-1, count]))
            return tf.reshape(found, tf.shape(ids))

        return exact

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.hidden_size)

    def get_config(self):
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "scale": self.scale,
            "zero_pad": self.zero_pad,
        }

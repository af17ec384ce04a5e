"""Ids drawn from a model's distribution, cut and sharpened as asked."""

from __future__ import annotations

import tensorflow as tf

from t2t_lite.decoding.request import Request

_NEVER = float("-inf")


def sample(
    logits: tf.Tensor,
    request: Request,
    index: tf.Tensor,
) -> tf.Tensor:
    """Draws one id for each row.

    From `softmax(logits / temperature)`, of which only the `top_k` most
    probable ids are kept, and of those the fewest whose probabilities make
    `top_p` together. The draw is a function of seed, beam and step, whatever
    else is in the batch.

    Args:
        logits: float32 (n, K, vocab_size), -inf = never.
        request: `temperature`, `top_k`, `top_p` and `seed`.
        index: int32 scalar, the step.
    Returns:
        int32 (n, K).

    Reference: Fan et al. 2018 (top-k), Holtzman et al. 2020 (top-p).
    """
    temperature = tf.where(request.temperature > 0, request.temperature, 1.0)
    scaled = logits / temperature[:, None, None]
    cut = (request.top_k > 0) | (request.top_p < 1.0)
    scaled = tf.cond(
        tf.reduce_any(cut), lambda: _cut(scaled, request), lambda: scaled
    )
    noise = tf.map_fn(
        lambda row: tf.random.stateless_uniform(
            tf.shape(logits)[1:], row, minval=1e-20, maxval=1.0
        ),
        tf.stack(
            [
                request.seed,
                tf.broadcast_to(index, tf.shape(request.seed)),
            ],
            axis=1,
        ),
        fn_output_signature=tf.float32,
    )
    gumbel = -tf.math.log(-tf.math.log(noise))
    return tf.argmax(scaled + gumbel, axis=-1, output_type=tf.int32)


def _cut(logits: tf.Tensor, request: Request) -> tf.Tensor:
    """Returns the logits, those of ids that are not sampled from -inf."""
    size = tf.shape(logits)[-1]
    ordered, places = tf.math.top_k(logits, size)
    most = tf.where(request.top_k > 0, request.top_k, size)[:, None, None]
    kept = tf.range(size) < most
    probabilities = tf.nn.softmax(tf.where(kept, ordered, _NEVER))
    before = tf.cumsum(probabilities, axis=-1, exclusive=True)
    kept &= before < request.top_p[:, None, None]
    ranks = tf.argsort(places, axis=-1)
    kept = tf.gather(kept, ranks, batch_dims=2)
    return tf.where(kept, logits, _NEVER)

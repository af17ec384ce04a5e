"""Sums over target tokens, and the means that people read."""

from __future__ import annotations

import math

import tensorflow as tf

SUMS = ("loss", "nll", "tokens", "correct")
_LOWER_IS_BETTER = (
    "loss",
    "nll",
    "perplexity",
    "nats_per_blank",
    "nats_per_character",
    "word_perplexity",
    "wer",
    "cer",
)


def sign_of(metric: str) -> int:
    """Returns 1 where a higher value of a measure is better, else -1.

    Args:
        metric: str; of a part of a mix its name, a dot and the measure.
    """
    return -1 if metric.rpartition(".")[2] in _LOWER_IS_BETTER else 1


def num_correct(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Returns the float32 number of unpadded targets predicted right."""
    best = tf.argmax(logits, axis=-1, output_type=targets.dtype)
    hits = (best == targets) & (targets != 0)
    return tf.reduce_sum(tf.cast(hits, tf.float32))


def mean_measures(sums: dict[str, float]) -> dict[str, float]:
    """Turns sums over tokens into means per token.

    Args:
        sums: `loss`, `nll`, `tokens` and `correct`.
    Returns:
        `loss`, `nll`, `perplexity` and `accuracy`.
    """
    tokens = max(float(sums["tokens"]), 1.0)
    nll = float(sums["nll"]) / tokens
    return {
        "loss": float(sums["loss"]) / tokens,
        "nll": nll,
        "perplexity": math.exp(min(nll, 700.0)),
        "accuracy": float(sums["correct"]) / tokens,
    }

"""A model small enough to be enumerated: a random logit table per history.

Logits depend on the sentence and on the whole history, which lives in the
cache, so that a wrongly reordered cache gives wrong probabilities.
"""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from t2t_lite.decoding.search import Cache

EOS = 1


def _ancestors(places, ancestors):
    """Returns each hypothesis' own places (n, K, i + 1) in their order."""
    n, beams, count = tf.unstack(tf.shape(ancestors))
    places = tf.broadcast_to(places[:, None], [n, beams, count])
    return tf.reshape(places[ancestors], [n, beams, -1])


class ToyModel:
    """Random logits for every history of up to `depth` ids.

    Args:
        vocab_size: int, ids including padding 0 and end mark 1.
        depth: int, longest output.
        batch: int, sentences, each with tables of its own.
        seed: int.
        scale: float, spread of the logits.
    """

    def __init__(self, vocab_size, depth, batch, seed, scale=2.0):
        random = np.random.default_rng(seed)
        self.vocab_size = vocab_size
        self.tables = [
            random.normal(
                scale=scale, size=(batch, vocab_size**i, vocab_size)
            ).astype(np.float32)
            for i in range(depth)
        ]

    def step_fn(self, dtype=tf.float32, kept=False):
        """Returns beam_search's step function.

        Args:
            dtype: of the logits.
            kept: bool, whether it finds a hypothesis' history through its
                ancestors, or in what is reordered as hypotheses are.
        """
        flat = tf.concat([t.reshape(len(t), -1) for t in self.tables], axis=1)
        sizes = np.cumsum([0] + [t[0].size for t in self.tables])
        offsets = tf.constant(sizes[:-1], tf.int32)

        def step(ids, index, cache, context, ancestors):
            places = tf.concat([cache.kept, ids], axis=1)
            moved = tf.concat([cache.moved, ids[..., None]], axis=2)
            history = _ancestors(places, ancestors) if kept else moved
            powers = self.vocab_size ** tf.range(index, -1, -1)
            state = tf.reduce_sum(history * powers, axis=2)
            columns = tf.range(self.vocab_size)
            columns += (offsets[index] + state * self.vocab_size)[..., None]
            rows = tf.gather(flat, context)
            logits = tf.gather(rows, columns, batch_dims=1)
            logits = tf.ensure_shape(logits, [None, None, self.vocab_size])
            return tf.cast(logits, dtype), Cache(kept=places, moved=moved)

        return step

    @staticmethod
    def cache(batch, beams):
        """Returns the empty cache; its length axes grow."""
        return Cache(
            kept=tf.zeros([batch, 0], tf.int32),
            moved=tf.zeros([batch, beams, 0], tf.int32),
        )

    def next_log_probs(self, sentence, prefix):
        """Log-probabilities (vocab_size,) after `prefix`, in float64."""
        state = 0
        for token in prefix:
            state = state * self.vocab_size + token
        logits = self.tables[len(prefix)][sentence, state].astype(np.float64)
        return logits - np.log(np.sum(np.exp(logits)))

    def log_prob(self, sentence, ids):
        """Log-probability of `ids`, float."""
        return sum(
            self.next_log_probs(sentence, ids[:i])[token]
            for i, token in enumerate(ids)
        )

    def all_outputs(self, max_length):
        """Every sequence that ends, then every one cut at `max_length`."""
        words = range(2, self.vocab_size)
        ended = [
            (*words_before, EOS)
            for n in range(max_length)
            for words_before in itertools.product(words, repeat=n)
        ]
        return ended, list(itertools.product(words, repeat=max_length))

    def brute_force(self, sentence, max_length, alpha, offset=5.0):
        """All outputs [(score, ids)]: ended ones best first, then cut."""
        ranked = []
        for group in self.all_outputs(max_length):
            scored = [
                (
                    self.log_prob(sentence, ids)
                    / ((offset + len(ids)) / (offset + 1)) ** alpha,
                    ids,
                )
                for ids in group
            ]
            ranked += sorted(scored, reverse=True)
        return ranked

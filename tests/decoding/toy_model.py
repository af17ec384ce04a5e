"""A model small enough to be enumerated: a random logit table per history.

Logits depend on the sentence and on the whole history, which lives in the
cache, so that a wrongly reordered cache gives wrong probabilities.
"""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

EOS = 1


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

    def step_fn(self, beams, dtype=tf.float32, rows=None):
        """Returns beam_search's step function for the sentences `rows`."""
        tables = [t if rows is None else t[rows] for t in self.tables]
        flat = tf.concat([t.reshape(len(t), -1) for t in tables], axis=1)
        sizes = np.cumsum([0] + [t[0].size for t in tables])
        offsets = tf.constant(sizes[:-1], tf.int32)

        def step(ids, index, cache):
            history = tf.concat([cache["history"], ids[:, None]], axis=1)
            places = self.vocab_size ** tf.range(index, -1, -1)
            state = tf.reduce_sum(history * places[None], axis=1)
            count = tf.shape(ids)[0]
            columns = tf.range(self.vocab_size)[None]
            columns += (offsets[index] + state * self.vocab_size)[:, None]
            sentences = tf.range(count) // beams
            logits = tf.gather(
                tf.gather(flat, sentences), columns, batch_dims=1
            )
            logits = tf.reshape(logits, [-1, self.vocab_size])
            return tf.cast(logits, dtype), {"history": history}

        return step

    def cache(self, rows):
        """Returns the empty cache; its length axis grows."""
        return {"history": tf.zeros([rows, 0], tf.int32)}

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

    def brute_force(self, sentence, max_length, alpha):
        """All outputs [(score, ids)]: ended ones best first, then cut."""
        ranked = []
        for group in self.all_outputs(max_length):
            scored = [
                (
                    self.log_prob(sentence, ids)
                    / ((5 + len(ids)) / 6) ** alpha,
                    ids,
                )
                for ids in group
            ]
            ranked += sorted(scored, reverse=True)
        return ranked

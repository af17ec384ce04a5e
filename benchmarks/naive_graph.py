"""A Transformer and a beam search in TensorFlow as a textbook has them.

The baseline of `decode_speed.py`: float32 variables, a projection each for
queries, keys and values, the encoder's side repeated for every hypothesis and
projected anew in each step, every cache gathered anew, and a whole log-softmax.
The weights are random: what it says is of no use, only how long it takes.
"""

from __future__ import annotations

import tensorflow as tf
from contenders import Shape

_END = 1
_PROJECTIONS = ("query", "key", "value", "output")
Weights = dict[str, tf.Variable]


class NaiveGraph(tf.Module):
    """Encoder, decoder and search.

    Args:
        shape: sizes of the model.
    """

    def __init__(self, shape: Shape):
        super().__init__()
        size = shape.hidden_size
        self._heads = shape.num_heads
        self._table = _variable(shape.vocab_size, size)
        sides = {"encoder": ["self"], "decoder": ["self", "cross"]}
        self._layers = {
            side: [_layer(shape, kinds) for _ in range(shape.num_layers)]
            for side, kinds in sides.items()
        }

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.int32),
        ],
        autograph=False,
    )
    def search(self, ids, beams, length):
        """Returns ids (batch, length) of the best of so many hypotheses.

        Args:
            ids: int32 (batch, length), 0 = padding.
            beams, length: int32; every output has exactly so many ids.
        """
        batch = tf.shape(ids)[0]
        memory = tf.repeat(self._encode(ids), beams, axis=0)
        mask = tf.repeat(ids != 0, beams, axis=0)[:, None, None]
        caches = [self._empty(batch * beams) for _ in self._layers["decoder"]]
        first = tf.one_hot(0, beams, 0.0, -1e9)
        state = (
            tf.constant(0),
            tf.zeros([batch * beams, 1], tf.int32),
            tf.tile(first[None], [batch, 1]),
            caches,
        )

        def body(index, said, scores, caches):
            logits, caches = self._step(said[:, -1:], caches, (memory, mask))
            logits -= 1e9 * tf.one_hot(_END, tf.shape(logits)[-1])
            logs = tf.nn.log_softmax(logits)
            logs = tf.reshape(logs, [batch, beams, -1]) + scores[:, :, None]
            vocab_size = tf.shape(logs)[-1]
            scores, places = tf.math.top_k(tf.reshape(logs, [batch, -1]), beams)
            rows = places // vocab_size + tf.range(batch)[:, None] * beams
            rows = tf.reshape(rows, [-1])
            chosen = tf.reshape(places % vocab_size, [-1, 1])
            said = tf.concat([tf.gather(said, rows), chosen], axis=1)
            caches = tf.nest.map_structure(
                lambda cache: tf.gather(cache, rows), caches
            )
            return index + 1, said, scores, caches

        growing = tf.TensorShape([None, self._heads, None, None])
        _, said, _, _ = tf.while_loop(
            lambda index, *_: index < length,
            body,
            state,
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([None, None]),
                tf.TensorShape([None, None]),
                tf.nest.map_structure(lambda _: growing, caches),
            ),
        )
        return tf.reshape(said, [batch, beams, -1])[:, 0, 1:]

    def _empty(self, rows):
        depth = self._table.shape[1] // self._heads
        return (tf.zeros([rows, self._heads, 0, depth]),) * 2

    def _encode(self, ids):
        x, mask = self._embedded(ids), (ids != 0)[:, None, None]
        for weights in self._layers["encoder"]:
            y = _norm(x)
            x += self._attention(
                weights, "self", y, self._keys(weights, y), mask
            )
            x += _feed_forward(weights, _norm(x))
        return _norm(x)

    def _step(self, ids, caches, context):
        memory, mask = context
        x, longer = self._embedded(ids), []
        for weights, cache in zip(self._layers["decoder"], caches, strict=True):
            y = _norm(x)
            new = self._keys(weights, y)
            cache = tuple(
                tf.concat(pair, axis=2) for pair in zip(cache, new, strict=True)
            )
            longer.append(cache)
            x += self._attention(weights, "self", y, cache)
            keys = self._keys(weights, memory, "cross")
            x += self._attention(weights, "cross", _norm(x), keys, mask)
            x += _feed_forward(weights, _norm(x))
        logits = tf.matmul(_norm(x)[:, 0], self._table, transpose_b=True)
        return logits, longer

    def _embedded(self, ids):
        return tf.gather(self._table, ids) * self._table.shape[1] ** 0.5

    def _keys(self, weights: Weights, x, kind="self"):
        return tuple(
            self._by_head(x @ weights[f"{kind}/{name}"])
            for name in ("key", "value")
        )

    def _by_head(self, x):
        shape = tf.shape(x)
        parts = [shape[0], shape[1], self._heads, x.shape[2] // self._heads]
        return tf.transpose(tf.reshape(x, parts), [0, 2, 1, 3])

    def _attention(self, weights: Weights, kind, x, keys, mask=None):
        queries = self._by_head(x @ weights[f"{kind}/query"])
        scores = tf.matmul(queries, keys[0], transpose_b=True)
        scores *= queries.shape[-1] ** -0.5
        if mask is not None:
            scores = tf.where(mask, scores, -1e9)
        found = tf.matmul(tf.nn.softmax(scores), keys[1])
        found = tf.reshape(tf.transpose(found, [0, 2, 1, 3]), tf.shape(x))
        return found @ weights[f"{kind}/output"]


def _variable(*shape: int) -> tf.Variable:
    return tf.Variable(tf.random.normal(shape, stddev=shape[-1] ** -0.5))


def _layer(shape: Shape, kinds) -> Weights:
    size = shape.hidden_size
    weights = {
        f"{kind}/{name}": _variable(size, size)
        for kind in kinds
        for name in _PROJECTIONS
    }
    weights["in"] = _variable(size, shape.filter_size)
    weights["out"] = _variable(shape.filter_size, size)
    return weights


def _norm(x):
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-6)


def _feed_forward(weights: Weights, x):
    return tf.nn.relu(x @ weights["in"]) @ weights["out"]

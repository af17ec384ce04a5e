"""A batch searched in parts side by side, one for each core of a CPU.

TensorFlow spreads an operation over the cores and waits for it to end; a step
of a search has hundreds of small ones. Searches of parts of the batch wait for
each other once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from t2t_lite.decoding.request import Request
from t2t_lite.decoding.state import NEVER, SearchResult

Search = Callable[[tf.Tensor, Request], SearchResult]


def side_by_side(search: Search, parts: int) -> Search:
    """Returns a search that deals the sentences out to `parts` searches.

    Each gets every so many-th sentence of those sorted by length. Results do
    not depend on the parts, but for rounding.

    Args:
        search: takes ids, int32 (batch, length), 0 = padding, and a Request;
            a tf.function of open sizes, so that all parts are one graph.
        parts: int, above 1.
    """

    def searched(ids: tf.Tensor, request: Request) -> SearchResult:
        lengths = tf.math.count_nonzero(ids, axis=1, dtype=tf.int32)
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        found, rows = [], []
        for part in range(parts):
            mine = order[part::parts]
            longest = tf.reduce_max(tf.gather(lengths, mine))
            mine_ids = tf.gather(ids, mine)[:, : tf.maximum(longest, 1)]
            wishes = tf.nest.map_structure(
                lambda values, mine=mine: tf.gather(values, mine), request
            )
            found.append(search(mine_ids, wishes))
            rows.append(mine)
        return _joined(found, tf.concat(rows, axis=0))

    return searched


def _joined(found: Sequence[SearchResult], rows: tf.Tensor) -> SearchResult:
    """Puts the results of all parts back into the order of the batch."""
    back = tf.argsort(rows)

    def joined(name, fill):
        values = [getattr(result, name) for result in found]
        return tf.gather(concatenated(values, fill), back)

    return SearchResult(
        ids=joined("ids", 0),
        scores=joined("scores", NEVER),
        lengths=joined("lengths", 0),
        finished=joined("finished", False),
    )


def concatenated(values: Sequence[tf.Tensor], fill: Any) -> tf.Tensor:
    """Returns the rows of all tensors, filled up to the largest shape.

    Args:
        values: (rows, ...) each, of one dtype and rank; sizes may differ.
        fill: what they are filled up with, a value of their dtype.
    Returns:
        (all rows, ...), those of the first tensor first.
    """
    shapes = [tf.shape(value)[1:] for value in values]
    most = tf.reduce_max(tf.stack(shapes), axis=0)
    filled = []
    for value, shape in zip(values, shapes, strict=True):
        after = tf.concat([[0], most - shape], axis=0)
        paddings = tf.stack([tf.zeros_like(after), after], axis=1)
        filled.append(tf.pad(value, paddings, constant_values=fill))
    return tf.concat(filled, axis=0)

"""Requests of any number of rows within bounded memory: some rows in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from t2t_lite.decoding.parts import concatenated
from t2t_lite.decoding.state import NEVER

Tensors = Mapping[str, tf.Tensor]
_EMPTY = {tf.string: "", tf.bool: False}


def in_turns(
    function: Callable[..., dict[str, tf.Tensor]],
    specs: Mapping[str, tf.TensorSpec],
    sizes: Callable[[Tensors], tf.Tensor],
    budget: int,
) -> Callable[..., dict[str, tf.Tensor]]:
    """Returns a function that takes few rows at once, of however many.

    Rows that fit together go together, as if there were no turns. Else they
    are sorted by size, so that each turn has rows that are alike.

    Args:
        function: from named tensors to named tensors, the rows of which depend
            on the same row of the inputs alone.
        specs: of its arguments. `inputs` has the rows; others have as many, or
            one that is every row's.
        sizes: from the arguments to the size of each row, int32 (rows,).
        budget: int, most rows of a turn times the size of their largest, but
            for a single row.
    """

    def named(arguments: Tensors) -> dict[str, tf.Tensor]:
        return function(**arguments)

    at_once = tf.function(
        named, input_signature=[dict(specs)], autograph=False
    ).get_concrete_function()

    def call(**arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.cast(tf.maximum(sizes(arguments), 1), tf.int64)
        whole = tf.size(rows, tf.int64) * tf.reduce_max(rows)
        return tf.cond(
            whole <= budget,
            lambda: at_once(arguments),
            lambda: _looped(at_once, arguments, rows, budget),
        )

    return call


def _looped(
    function: Any, arguments: Tensors, sizes: tf.Tensor, budget: int
) -> dict[str, tf.Tensor]:
    """Returns what the function returns of all rows, called for some in turn.

    Args:
        function: a concrete function of a dict.
        arguments, budget: as for `in_turns`.
        sizes: int64 (rows,), each above 0.
    """
    order = tf.argsort(sizes, direction="DESCENDING", stable=True)
    specs = function.structured_outputs

    def turn(start: tf.Tensor, before: Tensors):
        left = tf.size(order) - start
        most = tf.maximum(budget // sizes[order[start]], 1)
        most = tf.cast(tf.minimum(most, tf.cast(left, most.dtype)), tf.int32)
        turns = -(-left // most)
        mine = order[start : start - (-left // turns)]  # no small last turn
        found = function({n: _rows(v, mine) for n, v in arguments.items()})
        after = {
            name: tf.ensure_shape(
                concatenated(
                    [before[name], found[name]], _fill(name, spec.dtype)
                ),
                spec.shape,
            )
            for name, spec in specs.items()
        }
        return start + tf.size(mine), after

    nothing = {
        name: tf.zeros([0, *(d or 0 for d in spec.shape[1:])], spec.dtype)
        for name, spec in specs.items()
    }
    _, found = tf.while_loop(
        lambda start, _: start < tf.size(order),
        turn,
        (tf.constant(0), nothing),
        shape_invariants=(
            tf.TensorShape([]),
            {name: spec.shape for name, spec in specs.items()},
        ),
        parallel_iterations=1,
    )
    back = tf.argsort(order)
    return {name: tf.gather(value, back) for name, value in found.items()}


def _fill(name: str, dtype: tf.DType) -> Any:
    """Returns what a row has up to the longest row of another turn."""
    # What was not asked for has no score, in a search as well.
    return NEVER if name == "scores" else _EMPTY.get(dtype, 0)


def _rows(value: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns some rows of a value, or its only one as many times."""
    only = tf.shape(value)[0] == 1
    return tf.gather(value, tf.where(only, tf.zeros_like(rows), rows))

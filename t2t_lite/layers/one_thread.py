"""Parts of a graph that one thread runs from end to end.

TensorFlow's executor looks after each operation of a graph that several threads
run: what it waits for, and who takes it. In a step of a search, whose
operations are many and small, that costs as much as they do.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

_BRANCHES = ("If", "Case", "While")

_wanted: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "t2t_lite_one_thread", default=False
)
_in_turn: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "t2t_lite_in_turn", default=False
)


@contextlib.contextmanager
def one_thread_each(wanted: bool = True) -> Iterator[None]:
    """Has the steps of decoders that are traced inside run on one thread each.

    For CPUs whose cores have a search of their own to do, or part of one, with
    matrices in 8 bits: with others, packed by TensorFlow, base was 2 to 5 times
    slower so. The numbers are the same.

    Args:
        wanted: bool, whether to.
    """
    token = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(token)


def on_one_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Returns `function(*args)`, run as the scope says.

    A function with branches or loops is called as it is: they wait for other
    threads. So are those with large float32 products, which have a branch for
    each number of rows.

    Args:
        function: makes nested tensors in a graph.
        args: its arguments, nested; what is no tensor is handed on as it is.
    """
    if not _is_wanted():
        return function(*args)
    flat = tf.nest.flatten(args)
    places = [n for n, value in enumerate(flat) if tf.is_tensor(value)]
    given = [flat[place] for place in places]

    def call(*tensors):
        mine = list(flat)
        for place, tensor in zip(places, tensors, strict=True):
            mine[place] = tensor
        return function(*tf.nest.pack_sequence_as(args, mine))

    traced = tf.function(
        call,
        input_signature=[tf.TensorSpec(t.shape, t.dtype) for t in given],
        autograph=False,
        # Its executor is part of the call, which inlining would do away with.
        experimental_attributes={"_noinline": True},
    ).get_concrete_function()
    if any(op.type.endswith(_BRANCHES) for op in traced.graph.get_operations()):
        return function(*args)
    outputs = tf.nest.flatten(traced.structured_outputs)
    # The op under every call of a tf.function.
    results = tf.raw_ops.PartitionedCall(
        args=[*given, *traced.captured_inputs],
        Tout=[output.dtype for output in outputs],
        f=traced,
        executor_type="SINGLE_THREADED_EXECUTOR",
    )
    for result, output in zip(results, outputs, strict=True):
        result.set_shape(output.shape)
    return tf.nest.pack_sequence_as(traced.structured_outputs, results)


@contextlib.contextmanager
def in_turn() -> Iterator[None]:
    """Says that what is traced inside is a turn for `loop_of_turns`."""
    token = _in_turn.set(_is_wanted())
    try:
        yield
    finally:
        _in_turn.reset(token)


def turn_is_a_call() -> bool:
    """Returns whether what is traced is a turn that will run as a call."""
    return _in_turn.get()


def loop_of_turns(results: Any) -> None:
    """Has the turns of a loop run as calls, where steps run on one thread.

    As it is by default, each of them hands on every weight that the loop reads,
    by three operations, and can hand on no numbers of a quantised type.

    Args:
        results: of the loop, in a graph, whose body was traced `in_turn`.
    """
    if not _is_wanted():
        return
    operation = tf.nest.flatten(results)[0].op
    while operation.type not in ("While", "StatelessWhile"):
        operation = operation.inputs[0].op
    as_calls = tf.compat.v1.AttrValue(b=False)
    operation._set_attr("_lower_using_switch_merge", as_calls)


def _is_wanted() -> bool:
    return _wanted.get() and not tf.executing_eagerly()

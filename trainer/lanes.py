"""Parts of a batch computed side by side, each on one core of a CPU.

TensorFlow spreads every operation over all cores and waits for it to end: on
small models, handing work around costs more than it gains. With lanes, each
core computes the gradients of its own part of the batch from end to end.
benchmarks/train_modes.py measures both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

_LOOPS = ("While", "StatelessWhile")


def set_threads(lanes: int, cores: int) -> bool:
    """Shares the cores out to `lanes` operations that run at once.

    Args:
        lanes: int; with 1, TensorFlow's own choice is left: every operation
            on all cores.
        cores: int.
    Returns:
        bool, False where TensorFlow has computed something before: its
        threads stay as they are, and lanes compute the same, more slowly.
    """
    if lanes == 1:
        return True
    threads = tf.config.threading
    try:
        threads.set_intra_op_parallelism_threads(max(1, cores // lanes))
        threads.set_inter_op_parallelism_threads(lanes)
    except RuntimeError:
        return False
    return True


def share_out(
    splits: int, replicas: int, lanes: int, parts: int | None
) -> tuple[int, int]:
    """Returns (turns, lanes) in which a replica computes its share of a batch.

    The number of parts, which dropout depends on, is kept where it can be: by
    a run that goes on elsewhere, and by as many workers as there are turns.

    Args:
        splits: int, parts that a replica must cut its share into.
        replicas: int, devices.
        lanes: int, most parts that one device computes at once.
        parts: int, all parts of a batch when the run began; None = it begins.
    """
    if parts and parts % replicas == 0 and parts // replicas >= splits:
        mine = parts // replicas
    else:
        mine = splits if splits > 1 else lanes
    lanes = max(n for n in range(1, lanes + 1) if mine % n == 0)
    return mine // lanes, lanes


def attributes_of(calls: int) -> dict[str, bool]:
    """Returns the attributes of a function that is called so many times.

    It must not be inlined: one thread runs calls alone.
    """
    return {"_noinline": True} if calls > 1 else {}


def call_side_by_side(function: Any, calls: Sequence[tuple]) -> list[Any]:
    """Calls a function several times at once, each time on one thread.

    To be called while a graph is built. One call alone is an ordinary one.

    Args:
        function: concrete function, free of state, with `attributes_of` as
            many calls.
        calls: the arguments of each call, nested as the function takes them.
    Returns:
        The results in the order of the calls, nested as the function's.
    """
    if len(calls) == 1:
        return [function(*calls[0])]
    structure = function.structured_outputs
    types = [output.dtype for output in tf.nest.flatten(structure)]
    # The turns of a loop need other threads than the one that waits for them.
    loops = any(op.type in _LOOPS for op in function.graph.get_operations())
    results = []
    for arguments in calls:
        # The op under every call of a tf.function. This executor hands
        # nothing to other threads.
        flat = tf.raw_ops.PartitionedCall(
            args=[*tf.nest.flatten(arguments), *function.captured_inputs],
            Tout=types,
            f=function,
            executor_type="" if loops else "SINGLE_THREADED_EXECUTOR",
        )
        results.append(tf.nest.pack_sequence_as(structure, flat))
    return results

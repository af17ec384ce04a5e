"""What TensorFlow makes of a function's graph before it runs it."""

import tensorflow as tf
from tensorflow.python.eager import context


def nodes_that_run(function: tf.types.experimental.GenericFunction, *args):
    """Returns the nodes of the graphs that a function's first call runs."""
    context.enable_run_metadata()
    try:
        context.export_run_metadata()  # of what ran before
        function(*args)
        metadata = context.export_run_metadata()
    finally:
        context.disable_run_metadata()
    return [
        node
        for graphs in metadata.function_graphs
        for graph in graphs.partition_graphs
        for node in graph.node
    ]


def calls_of_one_thread(function, *args) -> int:
    """Returns how many calls a function runs on one thread each, at first."""
    return sum(
        node.attr["executor_type"].s == b"SINGLE_THREADED_EXECUTOR"
        for node in nodes_that_run(function, *args)
    )

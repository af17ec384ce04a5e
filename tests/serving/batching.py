"""Merges concurrent requests, as TensorFlow Serving's --enable_batching does.

What its BatchingSession promises and asks for is kept, message by message: all
inputs of a request have as many rows; requests of one signature are
concatenated along axis 0, never beyond `max_batch_size`; other axes have to be
equal, or, with `pad_variable_length_inputs`, are filled up with the first
element of each request's tensor; a batch is filled up to the next of
`allowed_batch_sizes` with the last request's first row.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import itertools
import os
import threading
import time
from collections.abc import Callable

import numpy as np
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from tests.serving.session_model import RequestError

Arrays = dict[str, np.ndarray]
_INT64 = f".{wrappers_pb2.Int64Value.DESCRIPTOR.full_name}"
_STRING = f".{wrappers_pb2.StringValue.DESCRIPTOR.full_name}"
_FIELD = descriptor_pb2.FieldDescriptorProto
# BatchingParameters of session_bundle_config.proto, which
# tensorflow-serving-api does not ship: name, number, type or message.
_FIELDS = (
    ("max_batch_size", 1, _INT64),
    ("batch_timeout_micros", 2, _INT64),
    ("max_enqueued_batches", 3, _INT64),
    ("num_batch_threads", 4, _INT64),
    ("thread_pool_name", 5, _STRING),
    ("allowed_batch_sizes", 6, _FIELD.TYPE_INT64),
    ("pad_variable_length_inputs", 7, _FIELD.TYPE_BOOL),
)


class FullError(RuntimeError):
    """The queue is full: gRPC's UNAVAILABLE, HTTP's 503."""


class ShapesError(RuntimeError):
    """Requests do not fit together: gRPC's FAILED_PRECONDITION, HTTP's 400."""


@dataclasses.dataclass(frozen=True)
class Parameters:
    """BatchingParameters with the server's defaults.

    Raises:
        ValueError: `allowed_batch_sizes` do not rise to `max_batch_size`.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False

    def __post_init__(self):
        sizes = self.allowed_batch_sizes
        rising = all(a < b for a, b in itertools.pairwise(sizes))
        if sizes and (not rising or sizes[-1] != self.max_batch_size):
            raise ValueError(
                f"allowed_batch_sizes {sizes}: expected to rise to "
                f"max_batch_size {self.max_batch_size}"
            )


def _message_class():
    """Returns a class of BatchingParameters, put together field by field."""
    file = descriptor_pb2.FileDescriptorProto(
        name="batching_for_tests.proto",
        package="batching_for_tests",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
        syntax="proto3",
    )
    message = file.message_type.add(name="BatchingParameters")
    for name, number, kind in _FIELDS:
        label = (
            _FIELD.LABEL_REPEATED
            if name == "allowed_batch_sizes"
            else _FIELD.LABEL_OPTIONAL
        )
        field = message.field.add(name=name, number=number, label=label)
        if isinstance(kind, str):
            field.type, field.type_name = _FIELD.TYPE_MESSAGE, kind
        else:
            field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("batching_for_tests.BatchingParameters")
    )


def read_parameters(text: str) -> Parameters:
    """Parses a batching_parameters_file.

    Raises:
        text_format.ParseError: it is no BatchingParameters.
    """
    message = text_format.Parse(text, _message_class()())
    found = {}
    for field, value in message.ListFields():
        if field.name == "allowed_batch_sizes":
            found[field.name] = tuple(value)
        elif field.name != "thread_pool_name":
            found[field.name] = getattr(value, "value", value)
    return Parameters(**found)


@dataclasses.dataclass
class _Task:
    inputs: Arrays
    rows: int
    begin: float
    answer: concurrent.futures.Future = dataclasses.field(
        default_factory=concurrent.futures.Future
    )


class _Batch(list):
    """Tasks of one signature; closed when the next one does not fit."""

    def __init__(self, signature: str):
        super().__init__()
        self.signature = signature
        self.closed = False

    def rows(self) -> int:
        return sum(task.rows for task in self)


class Batcher:
    """Answers requests in batches, on threads of its own.

    Args:
        run: from inputs and a signature to outputs.
        parameters: Parameters.
    """

    def __init__(
        self, run: Callable[[Arrays, str], Arrays], parameters: Parameters
    ):
        self.sizes: list[int] = []  # tasks of each batch that was run
        self._run = run
        self._parameters = parameters
        self._queues: dict[str, collections.deque[_Batch]] = {}
        self._changed = threading.Condition()
        self._ended = False
        self._threads = [
            threading.Thread(target=self._work, daemon=True)
            for _ in range(parameters.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def predict(self, inputs: Arrays, signature: str) -> Arrays:
        """Returns the outputs of one request, from whatever batch it was in.

        Raises:
            RequestError: its inputs are no batch, or a too large one.
            FullError: the queue is full.
            ShapesError: it does not fit those that it was merged with.
        """
        rows = {len(x) if np.ndim(x) else None for x in inputs.values()}
        if None in rows:
            raise RequestError(
                "Batching Run() input tensors must have at least one dimension"
            )
        if len(rows) > 1:
            raise RequestError(
                "Batching Run() input tensors must have equal 0th-dimension "
                "size"
            )
        task = _Task(inputs, rows.pop(), time.monotonic())
        most = self._parameters.max_batch_size
        if task.rows > most:
            raise RequestError(
                f"Task size {task.rows} is larger than maximum input batch "
                f"size {most}"
            )
        with self._changed:
            self._enqueue(task, signature)
            self._changed.notify()
        return task.answer.result()

    def enqueued(self, signature: str) -> int:
        """Returns how many batches wait for a thread."""
        with self._changed:
            return len(self._queues.get(signature, ()))

    def _enqueue(self, task: _Task, signature: str) -> None:
        queue = self._queues.setdefault(signature, collections.deque())
        most = self._parameters.max_batch_size
        if not queue or queue[-1].rows() + task.rows > most:
            if len(queue) == self._parameters.max_enqueued_batches:
                raise FullError(
                    "The batch scheduling queue to which this task was "
                    "submitted is full"
                )
            if queue:
                queue[-1].closed = True
            queue.append(_Batch(signature))
        queue[-1].append(task)

    def _work(self) -> None:
        while batch := self._next():
            self.sizes.append(len(batch))
            try:
                for task, outputs in zip(
                    batch, self._outputs(batch), strict=True
                ):
                    task.answer.set_result(outputs)
            except Exception as error:
                for task in batch:
                    task.answer.set_exception(error)

    def _next(self) -> _Batch | None:
        """Waits for a batch that is full or waited long enough."""
        timeout = self._parameters.batch_timeout_micros / 1e6
        with self._changed:
            while not self._ended:
                first = [queue[0] for queue in self._queues.values() if queue]
                now = time.monotonic()
                for batch in sorted(first, key=lambda b: b[0].begin):
                    full = batch.rows() == self._parameters.max_batch_size
                    if batch.closed or full or now - batch[0].begin >= timeout:
                        return self._queues[batch.signature].popleft()
                ends = [batch[0].begin + timeout - now for batch in first]
                self._changed.wait(max(1e-4, min(ends)) if ends else None)
        return None

    def _outputs(self, batch: _Batch) -> list[Arrays]:
        """Runs a batch; returns the outputs of each task."""
        total = batch.rows()
        sizes = self._parameters.allowed_batch_sizes
        rows = next((size for size in sizes if size >= total), total)
        merged = {
            name: self._merged(name, batch, rows) for name in batch[0].inputs
        }
        outputs = self._run(merged, batch.signature)
        for name, value in outputs.items():
            if np.ndim(value) == 0 or len(value) != rows:
                raise ShapesError(
                    f"Batched output tensor {name}: its 0th dimension does "
                    "not equal the sum of the 0th dimension sizes of the "
                    "input tensors"
                )
        ends = np.cumsum([task.rows for task in batch])
        return [
            {
                name: value[end - task.rows : end]
                for name, value in outputs.items()
            }
            for task, end in zip(batch, ends, strict=True)
        ]

    def _merged(self, name: str, batch: _Batch, rows: int) -> np.ndarray:
        parts = [task.inputs[name] for task in batch]
        shapes = [part.shape[1:] for part in parts]
        if len(set(shapes)) > 1:
            if not self._parameters.pad_variable_length_inputs:
                raise ShapesError(
                    f"Tensors with name '{name}' from different tasks have "
                    "different shapes and padding is turned off. Set "
                    "pad_variable_length_inputs to true, or ensure that all "
                    "tensors with the same name have equal dimensions "
                    "starting with the first dim."
                )
            widest = np.max(shapes, axis=0)
            parts = [_padded(part, widest) for part in parts]
        missing = rows - sum(len(part) for part in parts)
        return np.concatenate([*parts, *[parts[-1][:1]] * missing])

    def close(self) -> None:
        """Ends the threads."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()


def _padded(tensor: np.ndarray, widest: np.ndarray) -> np.ndarray:
    """Returns a tensor whose axes but the first are as `widest`."""
    if not tensor.size:
        raise RequestError("Got empty tensor in batch of non-empty tensors.")
    more = [(0, 0)]
    more += [
        (0, w - have) for w, have in zip(widest, tensor.shape[1:], strict=True)
    ]
    return np.pad(tensor, more, constant_values=tensor.flat[0])

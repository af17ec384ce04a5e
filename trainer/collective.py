"""What workers tell each other beside gradients, and how a lost one shows."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from t2t_lite.trainer.roll_call import PeerError, worker_name

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
)
# Without one of these the same classes mean something else, e.g. a file.
_SIGNS = (
    "Collective ops is aborted by",
    "CoordinationService",
    "coordination service",
    "WorkerService",
    "stopped sending heartbeats",
)
# The lost task; or a call to the service, which runs in the first worker.
_CAUSE = re.compile(
    r"/job:\w+(?:/replica:\d+)?/task:(\d+)|RPC: /tensorflow\.Coordination"
)


def num_workers(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of processes that the strategy spans."""
    replicas = strategy.num_replicas_in_sync
    # The default strategy does not say where its one replica is.
    return 1 if replicas == 1 else replicas // _local_replicas(strategy)


def _local_replicas(strategy: tf.distribute.Strategy) -> int:
    return len(strategy.extended.worker_devices)


def addresses(strategy: tf.distribute.Strategy) -> list[str]:
    """Returns "host:port" of each worker; [] where there is one process."""
    if num_workers(strategy) == 1:
        return []
    return strategy.cluster_resolver.cluster_spec().as_dict()["worker"]


def gather_objects(strategy: tf.distribute.Strategy, value: Any) -> list[Any]:
    """Returns every worker's `value`, in worker order, on every worker.

    All workers must call it, in the same order as their other collectives; it
    returns on none before it was called on all. Called outside strategy.run.

    Args:
        strategy: any; one that spans a single process gathers nothing.
        value: what JSON can hold, of any size; another one on each worker.
    Returns:
        A list with one object for each worker process, as JSON gives it back.
    Raises:
        TypeError: JSON cannot hold `value`.
        tf.errors.OpError: a worker is lost; see `peer_failure`.
    """
    text = json.dumps(value)
    if num_workers(strategy) == 1:
        return [json.loads(text)]
    local = _local_replicas(strategy)

    def message(replica) -> tf.Tensor:
        # The worker's first replica speaks; the others have nothing to add.
        first = replica.replica_id_in_sync_group % local == 0
        return tf.constant(_encode(text if first else ""))

    values = strategy.experimental_distribute_values_from_function(message)
    return [
        json.loads(text)
        for text in _decode(strategy.gather(values, axis=0).numpy())
        if text
    ]


def _encode(text: str) -> np.ndarray:
    """Returns int32: the number of bytes, then UTF-8, four bytes in each."""
    data = text.encode("utf-8")
    padded = data + b"\0" * (-len(data) % 4)
    return np.concatenate(
        [np.array([len(data)], "<i4"), np.frombuffer(padded, "<i4")]
    ).astype(np.int32)


def _decode(words: np.ndarray) -> list[str]:
    """Returns the texts of messages that stand one behind the other."""
    texts, start = [], 0
    while start < len(words):
        size = int(words[start])
        end = start + 1 + (size + 3) // 4
        data = words[start + 1 : end].astype("<i4").tobytes()[:size]
        texts.append(data.decode("utf-8"))
        start = end
    return texts


def peer_failure(
    error: BaseException, workers: Sequence[str] = ()
) -> str | None:
    """Returns one line about the worker whose loss `error` reports, or None.

    Args:
        error: what a collective, or a train step with one, raised.
        workers: "host:port" of each worker, to name the lost one by.
    Returns:
        E.g. "worker 1 (host1:2222) was lost: it ended; ...", or None where
        `error` is about something else.
    """
    if not isinstance(error, _LOST):
        return None
    text = error.message or str(error)
    if not any(sign in text for sign in _SIGNS):
        return None
    # Each worker that passes the news on adds itself behind it.
    found = _CAUSE.search(text, max(0, text.find("aborted by")))
    if found is None:
        who = "another worker"
    else:
        index = int(found[1] or 0)
        known = index < len(workers)
        who = worker_name(workers, index) if known else f"worker {index}"
    silent = "heartbeats" in text or "Deadline Exceeded" in text
    why = "no sign of life came from it" if silent else "it ended"
    return (
        f"{who} was lost: {why}; see its own last lines, then start all "
        "workers again"
    )


@contextlib.contextmanager
def naming_lost_workers(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Lets a lost worker show as one line.

    Raises:
        PeerError: its block raised an error that `peer_failure` knows.
    """
    try:
        yield
    except tf.errors.OpError as error:
        line = peer_failure(error, addresses(strategy))
        if line is None:
            raise
        raise PeerError(line) from error

"""What workers tell each other: alone, and as two processes on 127.0.0.1."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.trainer import collective
from tests.trainer.test_roll_call import free_addresses

WORKER = """
import os, signal
import tensorflow as tf
from t2t_lite.trainer import collective, strategies
from t2t_lite.trainer.roll_call import PeerError

strategy, choice = strategies.create_strategy("multi_worker", 60)
print(choice)
me = strategy.cluster_resolver.task_id
values = [{"ü": [1.5, None]}, "x" * 1_000_003] if me else [[], "y"]
for value in values:
    found = collective.gather_objects(strategy, value)
    print(found[0], type(found[1]).__name__, len(found[1]))

with strategy.scope():
    one = tf.Variable(1.0)

def add(x):
    context = tf.distribute.get_replica_context()
    # Enough to be awaited from the other side, which is what breaks at once.
    return context.all_reduce("SUM", [x * one, tf.zeros([100_000])])[0]

@tf.function
def step(x):
    return strategy.run(add, args=(x,))

try:
    with collective.naming_lost_workers(strategy):
        print(float(step(tf.constant(me + 1.0))))
        collective.gather_objects(strategy, ["the other has printed too"])
        if me:
            os.kill(os.getpid(), signal.SIGKILL)
        step(tf.constant(1.0))
except PeerError as error:
    print(error)
    raise SystemExit(1)
"""


def start(workers, index):
    task = {"type": "worker", "index": index}
    config = {"cluster": {"worker": workers}, "task": task}
    return subprocess.Popen(
        [sys.executable, "-c", WORKER],
        env=os.environ | {"TF_CONFIG": json.dumps(config)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes():
    workers = free_addresses(2)
    processes = [start(workers, index) for index in range(2)]
    try:
        printed = [p.communicate(timeout=120) for p in processes]
    finally:
        for process in processes:
            process.kill()
    for index, (out, err) in enumerate(printed):
        lines = out.splitlines()
        assert lines[:4] == [
            f"multi_worker (as asked, worker {index} of 2, cluster from "
            "TF_CONFIG)",
            "[] dict 1",
            "y str 1000003",
            "3.0",
        ], err
    (said,) = printed[0][0].splitlines()[4:]
    assert said.startswith(f"worker 1 ({workers[1]}) was lost: ")
    assert said.endswith("its own last lines, then start all workers again")
    assert [p.returncode for p in processes] == [1, -signal.SIGKILL]


def mirrored():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.mark.parametrize("create", [tf.distribute.get_strategy, mirrored])
def test_one_process_gathers_nothing(create):
    strategy = create()
    assert collective.num_workers(strategy) == 1
    assert collective.addresses(strategy) == []
    assert collective.gather_objects(strategy, {"a": [1]}) == [{"a": [1]}]


@pytest.mark.parametrize(
    "texts", [["[]", '"ü"'], ["x" * size for size in range(1, 10)], ["", "ab"]]
)
def test_messages_one_behind_the_other(texts):
    words = np.concatenate([collective._encode(text) for text in texts])
    assert words.dtype == np.int32
    assert collective._decode(words) == texts


# What TensorFlow 2.21 raised in experiments, shortened.
_KILLED = (
    "Graph execution error:\n\nCollective ops is aborted by: recvmsg:"
    "Connection reset by peer\nAdditional GRPC error information from remote "
    "target /job:worker/replica:0/task:1 while calling /tensorflow."
    "WorkerService/RecvBuf:\n:UNKNOWN:Error received from peer"
)
_PASSED_ON = (
    "Collective ops is aborted by: Collective ops is aborted by: Socket "
    "closed\nAdditional GRPC error information from remote target /job:worker/"
    "replica:0/task:1 while calling /tensorflow.WorkerService/RecvBuf:\n"
    "Additional GRPC error information from remote target /job:worker/"
    "replica:0/task:2 while calling /tensorflow.WorkerService/RecvBuf:"
)
_FROZEN = (
    "Collective ops is aborted by: Error reported from /job:worker/task:2: "
    "The following tasks are unhealthy (stopped sending heartbeats):\n"
    "/job:worker/replica:0/task:2\nThe tasks have crashed."
)
_FROZEN_CHIEF = (
    "Collective ops is aborted by: Collective ops is aborted by: Deadline "
    "Exceeded\n\nRPC: /tensorflow.CoordinationService/Heartbeat\nAdditional "
    "GRPC error information from remote target /job:worker/replica:0/task:1 "
    "while calling /tensorflow.WorkerService/RecvBuf:"
)
_LOST_CHIEF = (
    "Collective ops is aborted by: Failed to send RPC to coordination service."
    "\nAdditional GRPC error information from remote target /job:worker/task:0"
    " while calling /tensorflow.CoordinationService/Heartbeat:"
)


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (tf.errors.UnavailableError, _KILLED, "worker 1 (b:2) was lost: it e"),
        (tf.errors.UnavailableError, _PASSED_ON, "worker 1 (b:2) was lost: "),
        (tf.errors.UnavailableError, _FROZEN, "worker 2 was lost: no sign of"),
        (
            tf.errors.DeadlineExceededError,
            _FROZEN_CHIEF,
            "worker 0 (a:1) was lost: no sign of life came from it; see its",
        ),
        (tf.errors.UnavailableError, _LOST_CHIEF, "worker 0 (a:1) was lost: "),
        (
            tf.errors.AbortedError,
            "Collective ops is aborted by: abc",
            "another worker was lost: it ended",
        ),
    ],
)
def test_lost_workers_are_named(kind, text, said):
    line = collective.peer_failure(kind(None, None, text), ("a:1", "b:2"))
    assert line.startswith(said)
    assert "\n" not in line


@pytest.mark.parametrize(
    "error",
    [
        ValueError(_KILLED),
        tf.errors.InvalidArgumentError(None, None, _KILLED),
        tf.errors.UnavailableError(None, None, "file system is not there"),
        tf.errors.InternalError(None, None, "CUDA error"),
    ],
)
def test_other_failures_stay_what_they_are(error):
    assert collective.peer_failure(error) is None
    with (
        pytest.raises(type(error)) as caught,
        collective.naming_lost_workers(tf.distribute.get_strategy()),
    ):
        raise error
    assert caught.value is error

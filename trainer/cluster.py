"""The cluster of --strategy=multi_worker: found, gathered and started.

    cluster = find_cluster()       # TF_CONFIG, else Slurm, else Kubernetes
    strategy = start(cluster)      # once every worker is there

What a failing peer does, measured with two and three processes on one machine
(TensorFlow 2.21): the others' collectives raise, with an error that
t2t_lite.trainer.collective.peer_failure words. Where the peer ended or was
killed and data was awaited from it, within two seconds; where it is frozen, or
was only to fetch data, after `heartbeat_seconds`. No process hangs as it ends.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.eager import context

from t2t_lite.errors import UserError, closest
from t2t_lite.trainer import roll_call, schedulers
from t2t_lite.trainer.roll_call import WAIT_SECONDS, PeerError

# Shorter than t2t_lite_launch waits for the others once a worker has failed.
HEARTBEAT_SECONDS = 20.0
# After the roll call all workers register within seconds, GPUs included.
_REGISTER_SECONDS = 120
_START_SECONDS = 180
_TASKS = ("chief", "worker")
_EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a run, and which of them this process is.

    Fields:
        workers: "host:port" of each, in worker order; the first one leads.
        index: int, this process.
        source: str, where that was found.
    """

    workers: tuple[str, ...]
    index: int
    source: str

    def __str__(self) -> str:
        """E.g. "worker 0 of 2, cluster from TF_CONFIG"."""
        return (
            f"worker {self.index} of {len(self.workers)}, cluster from "
            f"{self.source}"
        )

    def resolver(self) -> tf.distribute.cluster_resolver.ClusterResolver:
        """Returns the resolver for a strategy; a chief is worker 0 in it."""
        # Without the number, the strategy would leave the GPUs alone.
        gpus = len(tf.config.get_visible_devices("GPU"))
        return tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec({"worker": list(self.workers)}),
            task_type="worker",
            task_id=self.index,
            rpc_layer="grpc",
            num_accelerators={"GPU": gpus} if gpus else {},
        )


def find_cluster(
    environment: Mapping[str, str] | None = None,
    client_factory: Callable[[], Any] = schedulers.kubernetes_client,
    wait_seconds: float = WAIT_SECONDS,
) -> Cluster:
    """Finds the workers: TF_CONFIG, else Slurm, else Kubernetes.

    Args:
        environment: variables; the process's own by default.
        client_factory: returns the Kubernetes API classes.
        wait_seconds: float, the longest wait for Kubernetes' pods.
    Raises:
        UserError: there is no cluster, or what describes it is wrong.
        PeerError: a pod has no address in time.
    """
    environment = os.environ if environment is None else environment
    if environment.get("TF_CONFIG", "").strip():
        return _from_tf_config(environment["TF_CONFIG"])
    finders = {
        "Slurm": schedulers.slurm,
        "Kubernetes": functools.partial(
            schedulers.kubernetes,
            client_factory=client_factory,
            seconds=wait_seconds,
        ),
    }
    for source, find in finders.items():
        place = find(environment)
        if place is not None:
            return Cluster(tuple(place[0]), place[1], source)
    raise UserError(
        "--strategy=multi_worker: no cluster: TF_CONFIG is not set, and this "
        "is neither a Slurm step nor an Indexed Job of Kubernetes; start with "
        "t2t_lite_launch on one machine, or with srun, or set TF_CONFIG"
    )


def _wrong(what: str) -> UserError:
    return UserError(f"TF_CONFIG: {what}; expected e.g. {_EXAMPLE}")


def _from_tf_config(text: str) -> Cluster:
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _wrong(f"no JSON ({error})") from error
    if not isinstance(config, dict):
        raise _wrong("no JSON object")
    jobs = config.get("cluster")
    if not isinstance(jobs, dict) or not any(jobs.values()):
        raise _wrong("no cluster")
    _check_jobs(jobs)
    task = config.get("task")
    if not isinstance(task, dict):
        raise _wrong("no task")
    kind, index = task.get("type"), task.get("index", 0)
    if kind not in jobs:
        near = closest(str(kind), jobs)
        raise _wrong(
            f"task type {kind!r} is not in the cluster of {', '.join(jobs)}"
            f"{near}"
        )
    count = len(jobs[kind])
    # Some launchers write the number as text.
    if isinstance(index, str) and index.isdecimal():
        index = int(index)
    if type(index) is not int or not 0 <= index < count:
        raise _wrong(
            f"task index {index!r}: expected 0 to {count - 1}, for the cluster "
            f"has {count} of type {kind!r}"
        )
    first = len(jobs.get("chief", [])) if kind == "worker" else 0
    workers = [address for name in _TASKS for address in jobs.get(name, [])]
    return Cluster(tuple(workers), first + index, "TF_CONFIG")


def _check_jobs(jobs: Mapping[str, Any]) -> None:
    for name, addresses in jobs.items():
        if name not in _TASKS:
            raise _wrong(
                f"task type {name!r} of the cluster: there are only chief and "
                f"worker{closest(name, _TASKS)}"
            )
        if not isinstance(addresses, list):
            raise _wrong(f"{name}: no list of host:port")
        for address in addresses:
            try:
                roll_call.split_address(str(address))
            except ValueError as error:
                raise _wrong(f"{name}: {error}") from error
    everyone = [address for found in jobs.values() for address in found]
    if len(set(everyone)) < len(everyone):
        raise _wrong("two tasks have the same host:port")
    if len(jobs.get("chief", [])) > 1:
        raise _wrong("more than one chief")


def start(
    cluster: Cluster,
    wait_seconds: float = WAIT_SECONDS,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    say: Callable[[str], None] = lambda line: None,
) -> tf.distribute.MultiWorkerMirroredStrategy:
    """Waits for all workers and returns the strategy that spans them.

    Must come before any TensorFlow operation of this process.

    Args:
        cluster: Cluster, the same on every worker but for its index.
        wait_seconds: float, the longest wait for the other workers.
        heartbeat_seconds: float, how long a worker may give no sign of life
            before the others stop. Its C++ threads give them, so that slow
            Python does not count.
        say: called with a line when there is somebody to wait for.
    Raises:
        PeerError: a worker did not come, or was lost while starting.
    """
    roll_call.call(cluster.workers, cluster.index, wait_seconds, say)
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/task:0",
        coordinated_jobs=[
            coordination_config_pb2.CoordinatedJob(
                name="worker", num_tasks=len(cluster.workers)
            )
        ],
        cluster_register_timeout_in_ms=_REGISTER_SECONDS * 1000,
        heartbeat_timeout_in_ms=round(heartbeat_seconds * 1000),
    )
    try:
        with roll_call.end_if_it_hangs(_START_SECONDS):
            return tf.distribute.MultiWorkerMirroredStrategy(cluster.resolver())
    except tf.errors.OpError as error:
        reason = " ".join(str(error).split())
        raise PeerError(
            f"the workers met, but TensorFlow's service of "
            f"{roll_call.worker_name(cluster.workers, 0)} could not be "
            f"joined ({reason}); start all workers again"
        ) from error

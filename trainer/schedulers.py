"""What Slurm and Kubernetes tell a process about its fellow workers.

Each function reads the environment and returns ("host:port" of each worker in
worker order, this process's index), or None where the scheduler is not there.

TensorFlow's resolvers for both are not used: SlurmClusterResolver fails on
nodes without GPUs and sorts n10 before n2, against Slurm's own order;
KubernetesClusterResolver gives the nodes' addresses in place of the pods',
and cannot tell a pod which of them it is.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from t2t_lite.errors import UserError
from t2t_lite.trainer.roll_call import PeerError

Place = tuple[list[str], int]
PORT_VARIABLE = "T2T_LITE_PORT"
_KUBERNETES_PORT = 2222
_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
_POLL_SECONDS = 2.0


def _port(environment: Mapping[str, str], default: int) -> int:
    text = environment.get(PORT_VARIABLE, str(default))
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise UserError(f"{PORT_VARIABLE}={text}: expected a port, 1 to 65535")
    return int(text)


def slurm(environment: Mapping[str, str]) -> Place | None:
    """Returns the place of this task in its Slurm step.

    Every task is a worker; tasks of one node have consecutive ports, from
    T2T_LITE_PORT or else from a number that is the job's own.

    Args:
        environment: SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_STEP_NODELIST,
            SLURM_STEP_TASKS_PER_NODE and SLURM_JOB_ID of `srun`; PATH, to find
            scontrol.
    Raises:
        UserError: inside a Slurm job, but not started by srun, or with its
            tasks in another order than node after node.
    """
    if "SLURM_JOB_ID" not in environment:
        return None
    try:
        index = int(environment["SLURM_PROCID"])
        count = int(environment["SLURM_STEP_NUM_TASKS"])
        nodes = environment["SLURM_STEP_NODELIST"]
        tasks = environment["SLURM_STEP_TASKS_PER_NODE"]
    except (KeyError, ValueError) as error:
        raise UserError(
            f"--strategy=multi_worker: inside Slurm job "
            f"{environment['SLURM_JOB_ID']}, but not in a step of it ({error} "
            "is missing): start the workers with srun, as in srun --ntasks=2 "
            "t2t_lite_trainer ..."
        ) from error
    job = re.sub(r"\D", "", environment["SLURM_JOB_ID"]) or "0"
    # Jobs that share a node differ in their last digits; below 32768, where
    # the ports that Linux hands out begin.
    base = _port(environment, 15000 + int(job) % 1000 * 16)
    hosts: list[str] = []
    places: list[str] = []
    for host, size in zip(
        _hosts(nodes, environment), _tasks_per_node(tasks), strict=False
    ):
        hosts += [host] * size
        places += [f"{host}:{base + offset}" for offset in range(size)]
    if len(places) != count or not 0 <= index < count:
        raise UserError(
            f"--strategy=multi_worker: Slurm names {len(places)} places "
            f"({nodes} with {tasks} tasks) for task {index} of {count}; set "
            "TF_CONFIG instead"
        )
    mine = environment.get("SLURMD_NODENAME", hosts[index])
    if mine != hosts[index]:
        raise UserError(
            f"--strategy=multi_worker: Slurm task {index} runs on {mine}, not "
            f"on {hosts[index]}: start with srun --distribution=block"
        )
    return places, index


def _hosts(nodes: str, environment: Mapping[str, str]) -> list[str]:
    """Expands "n[1-2],m5"; scontrol knows every form of it."""
    scontrol = shutil.which("scontrol", path=environment.get("PATH", ""))
    if scontrol is not None:
        done = subprocess.run(
            [scontrol, "show", "hostnames", nodes],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout.split()
    from tensorflow.python.distribute.cluster_resolver import (
        slurm_cluster_resolver,
    )

    try:
        return slurm_cluster_resolver.expand_hostlist(nodes)
    except ValueError as error:
        raise UserError(
            f"SLURM_STEP_NODELIST={nodes}: cannot be read; put scontrol on "
            "PATH or set TF_CONFIG"
        ) from error


def _tasks_per_node(text: str) -> list[int]:
    """Expands "3(x2),1" to [3, 3, 1]."""
    sizes: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if found is None:
            raise UserError(
                f"SLURM_STEP_TASKS_PER_NODE={text}: expected e.g. 3(x2),1"
            )
        sizes += [int(found[1])] * int(found[2] or 1)
    return sizes


def kubernetes_client() -> Any:
    """Returns the module kubernetes.client, set up from inside a pod.

    Raises:
        UserError: it is not installed, or this pod has no service account.
    """
    try:
        from kubernetes import client, config
    except ModuleNotFoundError as error:
        raise UserError(
            "--strategy=multi_worker in a Kubernetes Job needs the module "
            "kubernetes: pip install kubernetes, or set TF_CONFIG"
        ) from error
    try:
        config.load_incluster_config()
    except config.ConfigException as error:
        raise UserError(
            "--strategy=multi_worker: this pod cannot ask Kubernetes for its "
            f"Job ({error}); mount a service account or set TF_CONFIG"
        ) from error
    return client


def kubernetes(
    environment: Mapping[str, str],
    client_factory: Callable[[], Any] = kubernetes_client,
    seconds: float = 180.0,
) -> Place | None:
    """Returns the place of this pod in its Indexed Job.

    `completionMode: Indexed` gives every pod JOB_COMPLETION_INDEX and the host
    name JOB-INDEX. The Job's `completions` is the number of workers, and
    `parallelism` must be as large; the pods' own addresses are asked for until
    all are known. The service account needs `get jobs` and `list pods`.

    Args:
        environment: JOB_COMPLETION_INDEX and HOSTNAME; optionally
            POD_NAMESPACE and T2T_LITE_PORT (2222).
        client_factory: returns an object with the API classes CoreV1Api and
            BatchV1Api.
        seconds: float, the longest wait for the pods' addresses.
    Raises:
        UserError: the Job is not as above, or may not be read.
        PeerError: a pod has no address after `seconds`.
    """
    text = environment.get("JOB_COMPLETION_INDEX")
    if text is None:
        return None
    job, _, index = environment.get("HOSTNAME", "").rpartition("-")
    if not job or index != text:
        raise UserError(
            f"--strategy=multi_worker: JOB_COMPLETION_INDEX={text}, but the "
            f"host name {environment.get('HOSTNAME', '')!r} is not "
            f"JOB-{text}; leave the pod's hostname to the Job or set TF_CONFIG"
        )
    namespace = environment.get("POD_NAMESPACE") or _namespace()
    pods = _Pods(client_factory(), job, namespace)
    count = pods.count()
    if int(text) >= count:
        raise UserError(
            f"--strategy=multi_worker: JOB_COMPLETION_INDEX={text}, but the "
            f"Job {job} has {count} completions"
        )
    port = _port(environment, _KUBERNETES_PORT)
    addresses = pods.addresses(count, seconds)
    shown = [f"[{a}]" if ":" in a else a for a in addresses]
    return [f"{address}:{port}" for address in shown], int(text)


def _namespace() -> str:
    try:
        with open(_NAMESPACE) as file:
            return file.read().strip()
    except FileNotFoundError as error:
        raise UserError(
            "--strategy=multi_worker: the pod's namespace is not known; set "
            "POD_NAMESPACE from metadata.namespace, or TF_CONFIG"
        ) from error


class _Pods:
    """The pods of one Job, as the API server lists them."""

    def __init__(self, client: Any, job: str, namespace: str):
        self._client = client
        self._job = job
        self._namespace = namespace

    def count(self) -> int:
        """Returns the Job's completions, all of which must run at once."""
        job = self._ask(
            self._client.BatchV1Api().read_namespaced_job,
            self._job,
            self._namespace,
        )
        count, together = job.spec.completions, job.spec.parallelism
        if not count or (together or 1) < count:
            raise UserError(
                f"--strategy=multi_worker: Job {self._job} has completions "
                f"{count} and parallelism {together}; give both the number of "
                "workers"
            )
        return count

    def addresses(self, count: int, seconds: float) -> list[str]:
        """Returns the pods' addresses by index, once all have one."""
        api = self._client.CoreV1Api()
        deadline = time.monotonic() + seconds
        while True:
            listed = self._ask(
                api.list_namespaced_pod,
                self._namespace,
                label_selector=f"job-name={self._job}",
            )
            found = self._newest(listed.items)
            missing = [i for i in range(count) if not found.get(i)]
            if not missing:
                return [found[index] for index in range(count)]
            if time.monotonic() + _POLL_SECONDS > deadline:
                raise PeerError(
                    f"pod {self._job}-{missing[0]} (worker {missing[0]}) has "
                    f"no address after {seconds:g} seconds; see kubectl "
                    f"describe job {self._job} --namespace={self._namespace}"
                )
            time.sleep(_POLL_SECONDS)

    def _newest(self, pods: list[Any]) -> dict[int, str | None]:
        """Maps index to address; a pod that ended has been replaced."""
        name = "batch.kubernetes.io/job-completion-index"
        living = [p for p in pods if p.status.phase in ("Pending", "Running")]
        living.sort(key=lambda pod: pod.metadata.creation_timestamp)
        return {
            int(pod.metadata.annotations[name]): pod.status.pod_ip
            for pod in living
            if name in (pod.metadata.annotations or {})
        }

    def _ask(self, method: Callable, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            # ApiException of a module that need not be installed.
            if getattr(error, "status", None) not in (401, 403, 404):
                raise
            raise UserError(
                f"--strategy=multi_worker: Kubernetes refuses to show Job "
                f"{self._job} in namespace {self._namespace} (status "
                f"{error.status}); let the pod's service account get jobs and "
                "list pods, or set TF_CONFIG"
            ) from error

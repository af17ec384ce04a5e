"""Devices and numeric choices: strategy, precision and XLA, with reasons."""

from __future__ import annotations

import dataclasses
import os
import sys

import tensorflow as tf

from t2t_lite.errors import UserError
from t2t_lite.trainer import cluster

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
XLA_CHOICES = ("auto", "on", "off")
# Said in a run's first lines, where it is so.
_UNTESTED = "not tested on such devices: compare a short run with one device"


@dataclasses.dataclass(frozen=True)
class Choice:
    """A setting and why it was chosen."""

    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.value} ({self.reason})"


def create_strategy(
    name: str, wait_seconds: float = cluster.WAIT_SECONDS
) -> tuple[tf.distribute.Strategy, Choice]:
    """Returns the strategy that `name` means on this machine, and why.

    Args:
        name: one of STRATEGIES. "auto" takes mirrored over several GPUs and
            one device otherwise; "multi_worker" finds its cluster as
            t2t_lite.trainer.cluster does, and must come before any
            TensorFlow operation of the process.
        wait_seconds: float, "multi_worker"'s longest wait for the others.
    Raises:
        UserError: the strategy's devices or cluster are missing.
        PeerError: another worker did not come in time.
    """
    # First, for to list the devices is already too much.
    if name == "multi_worker":
        return _multi_worker(wait_seconds)
    gpus = tf.config.list_logical_devices("GPU")
    reason = "as asked"
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "one_device"
        reason = f"{len(gpus)} GPUs found"
    if name == "one_device":
        return tf.distribute.get_strategy(), Choice(name, reason)
    if name == "mirrored":
        cpus = tf.config.list_logical_devices("CPU")
        devices = [d.name for d in (gpus or cpus)]
        reason += f", over {len(devices)} devices"
        if len(gpus) > 1:
            reason += f"; {_UNTESTED}"
        return tf.distribute.MirroredStrategy(devices), Choice(name, reason)
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(
            "--strategy=tpu: no TPU answers on this machine "
            f"({str(error).splitlines()[0]}); use --strategy=auto"
        ) from error
    return (
        tf.distribute.TPUStrategy(resolver),
        Choice(name, f"{reason}; {_UNTESTED}"),
    )


def _multi_worker(
    wait_seconds: float,
) -> tuple[tf.distribute.Strategy, Choice]:
    found = cluster.find_cluster(wait_seconds=wait_seconds)

    def say(line: str) -> None:
        print(f"{found}: {line}", file=sys.stderr, flush=True)

    strategy = cluster.start(found, wait_seconds, say=say)
    return strategy, Choice("multi_worker", f"as asked, {found}")


def device_name() -> str:
    """Returns what the model runs on, e.g. "CPU (2 cores)"."""
    for kind in ("TPU", "GPU"):
        devices = tf.config.list_physical_devices(kind)
        if devices:
            details = tf.config.experimental.get_device_details(devices[0])
            model = details.get("device_name", kind)
            return f"{len(devices)} x {model}"
    return f"CPU ({os.cpu_count()} cores)"


def has_amx() -> bool:
    """Returns whether this CPU multiplies bfloat16 matrices natively."""
    try:
        with open("/proc/cpuinfo") as file:
            return " amx_bf16" in file.read()
    except FileNotFoundError:
        return False


def choose_precision(name: str) -> Choice:
    """Returns "float32", "bfloat16" or "float16" and the reason.

    "auto" takes bfloat16 where the device multiplies it natively (TPUs, GPUs
    from compute capability 8.0, CPUs with AMX), and float32 elsewhere.
    """
    if name != "auto":
        return Choice(name, "as asked")
    gpus = tf.config.list_physical_devices("GPU")
    if tf.config.list_physical_devices("TPU"):
        return Choice("bfloat16", "TPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        capability = details.get("compute_capability", (0, 0))
        version = ".".join(map(str, capability))
        if capability >= (8, 0):
            return Choice("bfloat16", f"GPU of compute capability {version}")
        if capability >= (7, 0):
            return Choice("float16", f"GPU of compute capability {version}")
        return Choice("float32", f"GPU of compute capability {version}")
    if has_amx():
        return Choice("bfloat16", "CPU with AMX")
    return Choice("float32", "CPU without AMX")


def choose_xla(name: str) -> Choice:
    """Returns "on" or "off" and the reason.

    "auto" compiles for GPUs and TPUs. On a CPU it does not: there the graph's
    oneDNN kernels use all cores and, for bfloat16, the AMX units, which XLA's
    code does not reach (benchmarks/train_modes.py measures both).
    """
    if name != "auto":
        return Choice(name, "as asked")
    for kind in ("TPU", "GPU"):
        if tf.config.list_physical_devices(kind):
            return Choice("on", f"{kind}: compiled once for each batch shape")
    return Choice("off", "CPU: the graph's own kernels are faster")


def policy_name(precision: str) -> str:
    """Returns the Keras dtype policy of a precision."""
    return precision if precision == "float32" else f"mixed_{precision}"

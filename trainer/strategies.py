"""Devices and numeric choices: strategy, precision and XLA, with reasons."""

from __future__ import annotations

import dataclasses
import functools
import os
import statistics
import sys
import time

import tensorflow as tf

from t2t_lite.errors import UserError
from t2t_lite.trainer import cluster

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
XLA_CHOICES = ("auto", "on", "off")
_MOST_LANES, _ASKED_LANES = 8, 256
# Least that a product in bfloat16 must be faster: the rest of a step is not.
_BFLOAT16_PAYS = 1.2
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
        devices = tuple(d.name for d in (gpus or cpus))
        reason += f", over {len(devices)} devices"
        if len(gpus) > 1:
            reason += f"; {_UNTESTED}"
        return _mirrored(devices), Choice(name, reason)
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


# One for the process: TensorFlow numbers the collectives of each from the same
# start, and those of a second strategy can meet some of the first.
@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.MirroredStrategy:
    return tf.distribute.MirroredStrategy(devices)


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


def num_cores() -> int:
    """Returns the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def bfloat16_unit() -> str | None:
    """Returns what multiplies bfloat16 matrices in this CPU, or None."""
    try:
        with open("/proc/cpuinfo") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    for flag, unit in (("amx_bf16", "AMX"), ("avx512_bf16", "AVX512_BF16")):
        if f" {flag}" in text:
            return unit
    return None


@functools.cache
def bfloat16_speed() -> float:
    """Returns the time of a matrix product in float32 over that in bfloat16.

    Of 256 rows with a matrix of (512, 2048): the median of 31 pairs, float32
    and bfloat16 in turn, after a tenth of a second's; some tenths in all. It
    begins TensorFlow's threads, and is measured once in a process.
    """
    rows, matrix = tf.ones((256, 512)), tf.ones((512, 2048))
    operands = [
        (tf.cast(rows, dtype), tf.cast(matrix, dtype))
        for dtype in (tf.float32, tf.bfloat16)
    ]

    def seconds(left, right):
        begin = time.perf_counter()
        tf.matmul(left, right).numpy()
        return time.perf_counter() - begin

    end = time.perf_counter() + 0.1
    while time.perf_counter() < end:
        for pair in operands:
            seconds(*pair)
    ratios = []
    for _ in range(31):
        single, half = (seconds(*pair) for pair in operands)
        ratios.append(single / half)
    return statistics.median(ratios)


def choose_lanes(name: str, strategy: str, xla: str) -> Choice:
    """Returns the parts of a batch that a device computes at once, and why.

    "auto" takes a lane for each core (at most 8) of a CPU that trains alone,
    and 1 elsewhere. Lists no logical device: threads can still be set.

    Args:
        name: "auto" or a number.
        strategy, xla: the same run's choices, as asked for.
    Raises:
        UserError: not a number above 0, or lanes on a GPU or under XLA.
    """
    on_cpu = not any(map(tf.config.list_physical_devices, ("GPU", "TPU")))
    cores = num_cores()
    if name == "auto":
        if not on_cpu:
            return Choice("1", "not on a CPU")
        if strategy not in ("auto", "one_device") or xla == "on":
            return Choice("1", "XLA" if xla == "on" else strategy)
        return Choice(str(min(cores, _MOST_LANES)), f"CPU with {cores} cores")
    if not name.isdecimal() or not 1 <= int(name) <= _ASKED_LANES:
        raise UserError(
            f"--lanes={name:.80}: expected auto, or a number from 1 to "
            f"{_ASKED_LANES}, best the number of cores ({cores} here)"
        )
    if int(name) > 1 and (xla == "on" or not on_cpu):
        raise UserError(
            f"--lanes={name}: lanes are cores of a CPU without XLA; leave "
            "--lanes out"
        )
    return Choice(name, "as asked")


def choose_precision(name: str, before: str | None = None) -> Choice:
    """Returns "float32", "bfloat16" or "float16" and the reason.

    "auto" takes bfloat16 where the device multiplies it natively: TPUs, GPUs
    from compute capability 8.0, and CPUs with AMX or AVX512_BF16 that prove
    faster with it here and now, which not all of them do. Elsewhere it takes
    float32 (float16 on GPUs from 7.0). It may begin TensorFlow's threads.

    Args:
        name: one of PRECISIONS.
        before: what a run that goes on computed in: no trial changes it.
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
    unit = bfloat16_unit()
    if unit:
        if before in ("float32", "bfloat16"):
            return Choice(before, "as the run began")
        speed = bfloat16_speed()
        return Choice(
            "bfloat16" if speed >= _BFLOAT16_PAYS else "float32",
            f"{unit}: products in bfloat16 {speed:.1f} times as fast",
        )
    return Choice("float32", "CPU that does not multiply bfloat16")


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

"""Where a result comes from: what must be known to get it again."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys

import keras
import tensorflow as tf

import t2t_lite


def provenance() -> dict[str, str | None]:
    """Returns command, versions, commit and machine of this process.

    `commit` is the checkout's, with "+changes" where files differ from it;
    None where the package does not run from a checkout.
    """
    return {
        "command": shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]]),
        "commit": _commit(),
        "t2t_lite": t2t_lite.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "python": platform.python_version(),
        "machine": _machine(),
    }


def _commit() -> str | None:
    root = os.path.dirname(os.path.dirname(os.path.abspath(t2t_lite.__file__)))
    if not os.path.exists(os.path.join(root, ".git")):
        return None

    def git(*arguments):
        return subprocess.run(
            ["git", "-C", root, *arguments],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        changes = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+changes" if changes else "")
    except (OSError, subprocess.CalledProcessError):
        return None  # git is missing, or does not trust this folder


def _machine() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    found = [f"{os.cpu_count()} cores, {_processor()}"]
    for gpu in gpus:
        details = tf.config.experimental.get_device_details(gpu)
        found.append(details.get("device_name", "GPU"))
    return ", ".join(found)


def _processor() -> str:
    """Returns the processor's name, e.g. "AMD EPYC"."""
    if os.path.exists("/proc/cpuinfo"):  # Linux
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()

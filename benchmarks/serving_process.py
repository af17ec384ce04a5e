"""A server as a process of its own, and the memory that it takes."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence

_ROOT = pathlib.Path(__file__).parents[1]
_MIB = 1 << 20


class ServerError(Exception):
    """The server did not start; the message is one line."""


class TestServer:
    """The tests' stand-in for TensorFlow Serving, from an export.

    Args:
        model_dir: str, an export's folder, or that of one of its versions.
        arguments: further ones of `python -m tests.serving`.
    Raises:
        ServerError: it does not start.
    """

    __test__ = False  # pytest takes the name for a test's

    def __init__(self, model_dir: str, *arguments: str):
        # A file, for nobody reads while the server runs.
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.serving",
                f"--model_dir={os.path.abspath(model_dir)}",
                *arguments,
            ],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            said = self._errors.read().strip().splitlines() or ["no word"]
            raise ServerError(f"the server did not start: {said[-1]}")
        self.pid = self._process.pid
        self.places = json.loads(line)

    def end(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()
        self._errors.close()


def resident_mib(pid: int) -> float:
    """Returns the resident memory of a process, in MiB.

    Raises:
        OSError: there is no such process, or no /proc.
    """
    with open(f"/proc/{pid}/statm") as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB


class Memory:
    """Samples of a server's memory, until it ends.

    Args:
        pid: int, its process; None = it is not known, and nothing sampled.
        interval: float, seconds between samples.
    """

    def __init__(self, pid: int | None, interval: float = 1.0):
        self._interval = interval
        self.samples: list[tuple[float, float]] = []
        self._pid = pid
        self._ended = threading.Event()
        self._begin = time.perf_counter()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        if pid is not None:
            self._add()
            self._thread.start()

    def _sample(self) -> None:
        while not self._ended.wait(self._interval):
            try:
                self._add()
            except OSError:  # it died, which the requests say
                return

    def _add(self) -> None:
        seconds = time.perf_counter() - self._begin
        self.samples.append((seconds, resident_mib(self._pid)))

    def end(self) -> dict[str, float | None]:
        """Stops; returns MiB at the `begin`, in the `mid` and at the `end`."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        values = [mib for _, mib in self.samples]
        if not values:
            return dict.fromkeys(("begin", "mid", "end"))
        middle = values[len(values) // 2]
        return {"begin": values[0], "mid": middle, "end": values[-1]}


def growth(
    samples: Sequence[tuple[float, float]], warm_up: float = 0.1
) -> float | None:
    """Returns by how many MiB memory grew after the warm-up.

    The medians of the tenth of the time after it and of the last tenth are
    compared. None = too few samples to say.

    Args:
        samples: (seconds, MiB) each, in order.
        warm_up: float, share of the time.
    """
    if len(samples) < 10:
        return None
    end = samples[-1][0]

    def median(low: float, high: float) -> float | None:
        part = sorted(m for s, m in samples if low * end <= s <= high * end)
        return part[len(part) // 2] if part else None

    before, after = median(warm_up, warm_up + 0.1), median(0.9, 1.0)
    return None if None in (before, after) else after - before

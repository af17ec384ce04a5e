"""What the measurements share: windows in turn, their spread, and reports."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import t2t_lite  # noqa: F401 turns oneDNN on, for every TensorFlow here alike

RESULTS = pathlib.Path(__file__).parents[1] / "docs/results/speed"


class Contender:
    """A process that works when it is asked to.

    `script --serve=name` prints a line of JSON once it is ready, its facts,
    and then the seconds of each request, a line of JSON on its input.

    Args:
        name: str, what the script calls it.
        script: str, its path.
        arguments: further arguments.
        preload: str, a shared library that its process is started with; "" =
            none.
    """

    def __init__(
        self, name: str, script: str, *arguments: str, preload: str = ""
    ):
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, script, f"--serve={name}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "LD_PRELOAD": preload} if preload else None,
        )
        self.pid = self._process.pid
        line = self._process.stdout.readline()
        self.facts = json.loads(line) if line else None
        if line:
            self._process.stderr.close()

    def why_not(self) -> str:
        """Returns why it could not be built."""
        said = self._process.communicate()[1].strip().splitlines()
        if self._process.returncode < 0:
            return f"ended by {signal.Signals(-self._process.returncode).name}"
        return said[-1]

    def ask(self, request: Any) -> float:
        """Returns the seconds that a request took; ends if it has died."""
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(
                f"{self.name} ended with status {self._process.wait()}: if it "
                "was killed for memory, compare fewer at a time by --only"
            )
        return float(line)

    def end(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()


def windows_in_turn(
    runs: Mapping[Any, Callable[[], float]], windows: int
) -> dict[Any, list[float]]:
    """Returns the seconds of each window of every run, A B C A B C ...

    What else the machine does meets all runs alike. One window of each warms
    up and does not count.

    Args:
        runs: name to a function that works once and returns its seconds.
        windows: int, of each.
    """
    found: dict[Any, list[float]] = {name: [] for name in runs}
    for window in range(windows + 1):
        for name, run in runs.items():
            seconds = run()
            if window:
                found[name].append(seconds)
    return found


def spread(amount: float, seconds: Sequence[float]) -> dict[str, float]:
    """Returns median, least and most of `amount` a second over windows."""
    rates = sorted(amount / s for s in seconds)
    return {
        "median": statistics.median(rates),
        "least": rates[0],
        "most": rates[-1],
    }


def text_of(rates: Mapping[str, float]) -> str:
    """Returns "median (least to most)" of what `spread` gives."""
    median, least, most = (
        f"{rates[name]:,.0f}" for name in ("median", "least", "most")
    )
    return f"{median} ({least} to {most})"


def write_report(path: str | pathlib.Path, content: dict[str, Any]) -> None:
    """Writes figures as JSON, with command, commit, machine and time."""
    from t2t_lite.trainer.provenance import provenance

    now = datetime.datetime.now(datetime.UTC)
    made_by = {**provenance(), "date": now.isoformat(timespec="seconds")}
    made_by["command"] = _without_folders(made_by["command"])
    text = json.dumps({**content, "made_by": made_by}, indent=1)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    print(f"written {path}")


def _without_folders(command: str) -> str:
    """Returns a command line whose absolute paths are names alone."""
    return re.sub(r"(^|[\s=\x27\"])/(?:[^\s/]+/)+", r"\1", command)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows of texts in columns, the first to the left."""
    widths = [
        max(len(row[i]) for row in (head, *rows)) for i in range(len(head))
    ]
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [
            cell.rjust(width)
            for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        print("  ".join(cells))

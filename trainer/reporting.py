"""What a run prints and records: lines, progress, metrics, summaries."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf
import tqdm

from t2t_lite.data import storage, untrusted
from t2t_lite.trainer.run_folder import RunFolder


class Reporter:
    """Prints lines (above a progress bar in a terminal) and keeps records.

    Args:
        run: the run's folder; train.log, metrics.jsonl and tensorboard/ are
            written there when `chief` is true.
        chief: bool, False for workers that must not write or print.
    """

    def __init__(self, run: RunFolder, chief: bool = True):
        self._run = run
        self._chief = chief
        self._log: str | None = None
        self._bar: tqdm.tqdm | None = None
        self._summaries = None
        self._early: list[str] = []

    def open(self, step: int, evaluated: int) -> None:
        """Opens the records, dropping what will be measured again.

        TensorBoard's files are written anew from the measurements kept: those
        of a killed process tell of steps that are made once more.

        Args:
            step: int, updates made.
            evaluated: int, step of the last evaluation.
        """
        if not self._chief:
            return
        self._keep(
            lambda row: (
                row["step"] < step
                # A test is forgotten when it is made again, not before.
                or (row["step"] == step and row["kind"] != "validation")
                or (row["step"] == evaluated and row["kind"] == "validation")
            )
        )
        self._log = self._run.file("train.log")
        self._append("".join(f"{line}\n" for line in self._early))
        self._open_summaries()

    def _open_summaries(self) -> None:
        folder = self._run.file("tensorboard")
        if os.path.isdir(folder):
            shutil.rmtree(folder)
        self._summaries = tf.summary.create_file_writer(folder)
        for row in self._rows():
            self._summarize(row)

    def forget_after(self, step: int) -> None:
        """Drops the measurements of the steps after `step`."""
        if self._chief:
            self._keep(lambda row: row["step"] <= step)
            self._open_summaries()
        if self._bar is not None:
            self._bar.n = step
            self._bar.refresh()

    def forget(self, step: int, kind: str) -> None:
        """Drops the measurements of `kind` at `step`, to take them again."""
        if self._chief:
            self._keep(lambda row: (row["step"], row["kind"]) != (step, kind))

    def _keep(self, wanted: Callable[[dict], bool]) -> None:
        """Drops all rows of metrics.jsonl that are not wanted."""
        kept = [json.dumps(row) + "\n" for row in self._rows() if wanted(row)]
        storage.write_text(self._run.file("metrics.jsonl"), "".join(kept))

    def _rows(self) -> list[dict]:
        """Returns the rows of metrics.jsonl that are whole."""
        path = self._run.file("metrics.jsonl")
        if not os.path.exists(path):
            return []
        with open(path, "rb") as file:
            lines = file.readlines()
        rows = []
        for number, line in enumerate(lines, 1):
            row = _row_of(line)
            if row is not None:
                rows.append(row)
            elif number < len(lines):  # a kill cuts the last one alone
                self.line(f"{path}, line {number} is damaged: left out")
        return rows

    def line(self, text: str = "") -> None:
        """Prints a line to standard output and train.log."""
        if not self._chief:
            return
        if self._bar is None:
            print(text, flush=True)
        else:
            self._bar.write(text, file=sys.stdout)
            sys.stdout.flush()
        if self._log is None:
            self._early.append(text)
        else:
            self._append(text + "\n")

    def _append(self, text: str) -> None:
        with open(self._log, "a", encoding="utf-8") as file:
            file.write(text)

    def table(self, rows: Iterable[Sequence[str]], indent: int = 2) -> None:
        """Prints rows with aligned columns, the first row as a heading."""
        for line in aligned(rows, indent):
            self.line(line)

    def record(self, step: int, kind: str, values: dict) -> None:
        """Appends one measurement to metrics.jsonl and TensorBoard.

        Args:
            step: int, updates made.
            kind: "train", "validation" or "test".
            values: numbers by name; texts are kept in the JSON line alone.
        """
        if not self._chief:
            return
        row = {"step": step, "kind": kind, **values}
        with open(
            self._run.file("metrics.jsonl"), "a", encoding="utf-8"
        ) as file:
            file.write(json.dumps(row) + "\n")
        self._summarize(row)

    def _summarize(self, row: dict) -> None:
        with self._summaries.as_default(step=row["step"]):
            for name, value in row.items():
                if name != "step" and isinstance(value, (int, float)):
                    tf.summary.scalar(f"{row['kind']}/{name}", value)

    def start_bar(self, first: int, total: int) -> None:
        """Shows a bar on a terminal's standard error; nothing in a file."""
        self._bar = tqdm.tqdm(
            total=total,
            initial=first,
            unit="step",
            disable=None if self._chief else True,
            dynamic_ncols=True,
            leave=False,
        )

    def advance(self) -> None:
        """Counts one step on the bar."""
        if self._bar is not None:
            self._bar.update()

    def finish_bar(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def close(self) -> None:
        """Closes the bar and the records."""
        self.finish_bar()
        if self._summaries is not None:
            self._summaries.close()
        self._log = None


def aligned(rows: Iterable[Sequence[str]], indent: int = 2) -> list[str]:
    """Returns a line for each row, its cells in columns."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        " " * indent
        + "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _row_of(line: bytes) -> dict | None:
    """Returns a line of metrics.jsonl, or None if it is damaged."""
    try:
        row = untrusted.parse_json(line, finite=False)
    except ValueError:
        return None
    whole = (
        isinstance(row, dict)
        and type(row.get("step")) is int
        and isinstance(row.get("kind"), str)
    )
    return row if whole else None


def duration(seconds: float) -> str:
    """Returns "1:02:03", "2:03" or "0:05"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{seconds:02d}"
    return f"{minutes}:{seconds:02d}"


class Pace:
    """Speed and time left, without the time spent on evaluation.

    Args:
        total: int, updates of the whole run.
    """

    def __init__(self, total: int):
        self._total = total
        self._spent = 0.0
        self._steps = 0
        self._begin = time.perf_counter()

    def start(self) -> None:
        """Begins to count training time."""
        self._begin = time.perf_counter()

    def lap(self, steps: int) -> float:
        """Counts `steps` made since the last call or start; their seconds."""
        now = time.perf_counter()
        seconds, self._begin = now - self._begin, now
        self._spent += seconds
        self._steps += steps
        return seconds

    def left(self, step: int) -> float:
        """Returns the estimated seconds of training after `step`."""
        return self._spent / max(self._steps, 1) * (self._total - step)

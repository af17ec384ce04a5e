"""What serving.py shows: progress, a table, a picture."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import measuring

_HEAD = (
    "load",
    "offered/s",
    "sent",
    "answered/s",
    "p50 ms",
    "p90",
    "p95",
    "p99",
    "max",
    "unsent ms",
    "errors",
    "MiB",
    "mid",
    "end",
)
_LATENCIES = ("p50", "p90", "p95", "p99", "max")
_SHOWN = 5.0  # seconds between lines of progress
_WAITED_MS = 50.0


class Progress:
    """Lines on standard error: how far it is, and how long it will take.

    Args:
        planned: float, seconds of all loads together.
    """

    def __init__(self, planned: float):
        self._left = planned
        self._name = ""
        self._shown = 0.0
        self._begun = 0.0

    def begin(self, name: str) -> None:
        """Names the load that begins."""
        self._name = name
        self._begun = self._shown = time.perf_counter()

    def watch(self, seconds: float, outcomes: Sequence) -> None:
        """Shows a load's state, every few seconds."""
        now = time.perf_counter()
        if now - self._shown < _SHOWN:
            return
        self._shown = now
        done = list(outcomes)
        errors = sum(bool(outcome.error) for outcome in done)
        left = max(0.0, self._left - seconds)
        print(
            f"  {self._name}: {seconds:.0f} s, {len(done):,} done, {errors:,} "
            f"errors; {left / 60:.1f} minutes left",
            file=sys.stderr,
            flush=True,
        )

    def end(self) -> None:
        """Takes the load's time off what is left."""
        self._left -= time.perf_counter() - self._begun


def print_stages(stages: Sequence) -> None:
    """Prints a row for each load.

    "unsent" is the 99th percentile of the time that requests waited for a
    connection, which the latencies hold too.
    """
    rows = [_row(stage) for stage in stages]
    measuring.print_table(_HEAD, rows)
    waited = [
        stage.name
        for stage in stages
        if stage.rate is not None and stage.found["waited_ms"] > _WAITED_MS
    ]
    if waited:
        print(
            f"requests waited for a connection at {', '.join(waited)}: it is "
            "more than the server can take, or --connections are too few"
        )


def _row(stage) -> tuple[str, ...]:
    found = stage.found
    errors = [f"{count} {name}" for name, count in found["errors"].items()]
    return (
        stage.name,
        "" if stage.rate is None else f"{stage.rate:.2f}",
        f"{found['sent']:,}",
        f"{found['per_second']:.2f}",
        *(_text(found["ms"][name]) for name in _LATENCIES),
        _text(found["waited_ms"]),
        ", ".join(errors) or "none",
        *(_text(found["mib"][name]) for name in ("begin", "mid", "end")),
    )


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def plot(stages: Sequence, path: str) -> None:
    """Draws latency percentiles against the offered load.

    Args:
        stages: open loops, in the order of their rates.
        path: str, of a PNG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    known = [s for s in stages if s.found["ms"]["p50"] is not None]
    known.sort(key=lambda stage: stage.rate)
    rates = [stage.rate for stage in known]
    for name in _LATENCIES:
        axes.plot(
            rates,
            [stage.found["ms"][name] for stage in known],
            marker="o",
            label=name,
        )
    axes.set(
        xlabel="offered load (requests / s)",
        ylabel="latency (ms)",
        yscale="log",
    )
    axes.grid(alpha=0.3, which="both")
    if known:
        axes.legend()
    figure.savefig(path, format="png", dpi=110)
    print(f"written {path}")

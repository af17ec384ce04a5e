"""What the pages of results have in common."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Sequence
from typing import Any

Result = dict[str, Any]
NONE = "-"


def command(flags: Sequence[str]) -> str:
    """Returns the trainer's command with these flags, as a block."""
    words = " \\\n  ".join(shlex.quote(flag) for flag in flags)
    return f"```\nt2t_lite_trainer {words}\n```\n"


def machine(found: dict[str, Any]) -> str:
    """Returns what `quality_training.machine` found, in words."""
    flags = ", ".join(found["flags"]) or "no AVX2"
    return f"{found['cores']} cores of {found['cpu']} ({flags})"


def commits(result: Result) -> str:
    """Returns the commits of a run's starts, in order, each once."""
    shown = [
        f"{(start['commit'] or 'unknown')[:9]}"
        + ("+changes" if start["dirty"] else "")
        for start in result["starts"]
    ]
    return ", ".join(dict.fromkeys(shown))


def mean(values: Sequence[float | None]) -> str:
    """Returns "mean ± standard deviation"; of one value, that value."""
    if None in values:
        return NONE
    middle = statistics.mean(values)
    if len(values) == 1:
        return f"{middle:.2f}"
    return f"{middle:.2f} ± {statistics.stdev(values):.2f}"


def core_time(*results: Result) -> str:
    """Returns the trainer's time of all cores over their number, in the mean.

    It is the least wall time on a machine without other work.
    """
    found = []
    for result in results:
        times = [row.get("cpu_seconds") for row in result["starts"]]
        if None in times:
            return NONE
        cores = max(row["machine"]["cores"] for row in result["starts"])
        found.append(sum(times) / cores)
    return duration(statistics.mean(found))


def duration(seconds: float) -> str:
    """Returns "1 h 05 min" or "7 min"."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def table(rows: list[list[str]]) -> str:
    """Returns a Markdown table, of which the first row is the head."""
    rows = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)

"""What a model is, for whoever finds its folder."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from t2t_lite.data import untrusted
from t2t_lite.task import Task
from t2t_lite.trainer.run_folder import RunFolder

_MOST_LABELS = 100


def model_card(
    run: RunFolder,
    results: Mapping[str, Any],
    facts: Mapping[str, Any] | None = None,
) -> str:
    """Returns a page of Markdown about a run's exported model.

    Args:
        run: the run's folder.
        results: as in `results.json`; {} if it is not over.
        facts: further lines, by name, such as the export's dtype.
    """
    description = run.describe()
    lines = [f"# {description.problem}, {description.model}", ""]
    rows = {
        "problem": description.problem,
        "problem options": json.dumps(description.problem_options),
        "data hash": description.data_hash or None,
        "task": description.task.describe(),
        "vocabulary": _vocabulary(description.task),
        "labels": _labels(description.task),
        "image (height, width, channels)": description.task.image_shape,
        "samples per second": description.task.sample_rate,
        "seed": description.settings.get("seed"),
        "updates": results.get("step"),
        "parameters": results.get("parameters"),
        "weights": results.get("weights"),
        **(facts or {}),
    }
    lines += [f"- {k}: {v}" for k, v in rows.items() if v is not None]
    for split in ("validation", "test"):
        scores = score_lines(split, results.get(split, {}))
        if scores:
            lines += ["", f"## Scores on {split}", ""]
            lines += [f"- {line}" for line in scores]
    lines += ["", "## Hyperparameters", ""]
    fields = dataclasses.asdict(description.hparams)
    lines += [f"- {name}: {value}" for name, value in fields.items()]
    return "\n".join(lines) + "\n"


def _labels(task: Task) -> str | None:
    if not task.labels:
        return None
    more = len(task.labels) - _MOST_LABELS
    shown = ", ".join(task.labels[:_MOST_LABELS])
    return f"{shown}, and {more:,} more" if more > 0 else shown


def _vocabulary(task: Task) -> str | None:
    return f"{task.vocab_size:,} entries" if task.has_text else None


def run_results(run: RunFolder) -> dict[str, Any]:
    """Returns a run's `results.json`, {} if it is not over."""
    path = run.file("results.json")
    if not os.path.exists(path):
        return {}
    return untrusted.read_json(path, finite=False)


def score_lines(split: str, scores: dict[str, Any]) -> list[str]:
    """Returns a line for each metric: value, interval and signature."""
    lines = []
    for name, value in scores.items():
        if not isinstance(value, float):
            continue
        line = f"{split} {name} {value:.2f}"
        if f"{name}_ci" in scores:
            low, high = scores[f"{name}_ci"]
            line += f"  95 % interval {low:.2f} to {high:.2f}"
        if signature := scores.get(f"{name}_signature"):
            line += f"  {signature}"
        lines.append(line)
    return lines

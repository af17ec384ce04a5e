"""A picture of a run: its losses and its main metric over the steps."""

from __future__ import annotations

import json

from t2t_lite.data import storage
from t2t_lite.trainer.run_folder import RunFolder


def read_metrics(path: str) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Returns {kind: {name: [(step, value), ...]}} of a metrics.jsonl."""
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            kind = curves.setdefault(row["kind"], {})
            for name, value in row.items():
                if isinstance(value, float):
                    kind.setdefault(name, []).append((row["step"], value))
    return curves


def plot_curves(run: RunFolder, main_metric: str) -> str:
    """Draws `curves.png` in the run's folder and returns its path.

    Args:
        run: the run's folder, with metrics.jsonl.
        main_metric: str, the validation metric of the right panel.
    """
    from matplotlib.figure import Figure

    curves = read_metrics(run.file("metrics.jsonl"))
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for kind, style in (("train", "-"), ("validation", "o-")):
        points = curves.get(kind, {}).get("loss", [])
        if points:
            left.plot(*zip(*points, strict=True), style, ms=4, label=kind)
    left.set(title="loss per target token (nats)", xlabel="updates")
    left.legend()
    points = curves.get("validation", {}).get(main_metric, [])
    if points:
        right.plot(*zip(*points, strict=True), "o-", ms=4)
    right.set(title=f"validation {main_metric}", xlabel="updates")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    path = run.file("curves.png")
    with storage.replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    return path

"""A picture of a run: its losses and its main metric over the steps."""

from __future__ import annotations

from t2t_lite.data import storage, untrusted
from t2t_lite.errors import UserError
from t2t_lite.trainer.run_folder import RunFolder


def read_metrics(path: str) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Returns {kind: {name: [(step, value), ...]}} of a metrics.jsonl."""
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(untrusted.MAX_JSON_BYTES):
            number += 1
            for kind, name, point in _points(path, number, line):
                curves.setdefault(kind, {}).setdefault(name, []).append(point)
    return curves


def _points(path: str, number: int, line: bytes):
    """Yields (kind, name, (step, value)) of one measurement.

    Raises:
        UserError: the line is no measurement; names file and line.
    """
    try:
        row = untrusted.parse_json(line, finite=False)
        kind, step = row["kind"], row["step"]
        if not isinstance(kind, str) or type(step) is not int:
            raise ValueError("kind and step are no text and number")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}, line {number}: no measurement ({error}); delete that line"
        ) from error
    for name, value in row.items():
        if isinstance(value, float):
            yield kind, name, (step, value)


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

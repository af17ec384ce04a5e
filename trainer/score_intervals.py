"""Bootstrap intervals of the scores that a problem gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from t2t_lite import significance

# Of more, a thousand samples take more than a gigabyte.
MAX_LINES = 10_000
# What a score may differ from the one its signature gives.
TOLERANCE = 0.01


def intervals(
    scores: Mapping[str, Any],
    outputs: Sequence[str],
    references: Sequence[str],
) -> dict[str, Any]:
    """Returns the 95 % intervals of a test's scores.

    Args:
        scores: as `Problem.score` returns them.
        outputs, references: the texts that were scored.
    Returns:
        `<metric>_ci`, `[low, high]`, for each metric that sacreBLEU makes
        again from its signature with the same score; a problem may prepare
        its texts before it scores them. Nothing for more than `MAX_LINES`.
    """
    if len(outputs) > MAX_LINES:
        return {}
    found = {}
    for name, value in scores.items():
        metric = metric_of(scores, name)
        if metric is None:
            continue
        again = significance.score(metric, outputs, references)
        if abs(again - value) <= TOLERANCE:
            found[f"{name}_ci"] = list(
                significance.interval(metric, outputs, references)
            )
    return found


def metric_of(scores: Mapping[str, Any], name: str) -> Any:
    """Returns the metric behind a score, or None if there is none such."""
    signature = scores.get(f"{name}_signature")
    if not isinstance(scores[name], float) or not isinstance(signature, str):
        return None
    return significance.metric_of(signature)

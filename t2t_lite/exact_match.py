"""Exact match as a metric of sacreBLEU, so that its tests take it too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sacrebleu.metrics.base import Metric, Score


class ExactMatch(Metric):
    """The share of outputs equal to their references, in percent.

    Statistics of a line are `[right, 1]`: their sums give the score.
    """

    def wins(
        self,
        first: Sequence[str],
        second: Sequence[str],
        references: Sequence[str],
    ) -> tuple[int, int]:
        """Returns on how many lines the second alone, the first alone hits."""
        hits = [
            (a == reference, b == reference)
            for a, b, reference in zip(first, second, references, strict=True)
        ]
        return hits.count((False, True)), hits.count((True, False))

    def _preprocess_segment(self, sent: str) -> str:
        return sent

    def _extract_reference_info(self, refs: Sequence[str]) -> dict[str, Any]:
        return {"references": list(refs)}

    def _compute_segment_statistics(
        self, hypothesis: str, ref_kwargs: dict[str, Any]
    ) -> list[int]:
        return [int(hypothesis in ref_kwargs["references"]), 1]

    def _aggregate_and_compute(self, stats: Sequence[Sequence[int]]) -> Score:
        return self._compute_score_from_stats(
            [sum(column) for column in zip(*stats, strict=True)]
        )

    def _compute_score_from_stats(self, stats: Sequence[float]) -> Score:
        return Score("exact_match", float(100.0 * stats[0] / stats[1]))

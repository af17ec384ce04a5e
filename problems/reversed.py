"""Any problem the other way round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from t2t_lite.problems.problem import Example, Problem, SourceFacts

SUFFIX = "_rev"


class ReversedProblem(Problem):
    """A problem with inputs and targets exchanged: any name + `_rev`.

    Source, options, defaults and metrics are those of the problem itself.

    Args:
        base: Problem, what is reversed.
    """

    def __init__(self, base: Problem):
        self.base = base
        self.settings = base.settings
        self.option_schema = base.option_schema
        self.name = base.name + SUFFIX
        self.description = f"{base.description} (reversed)"
        self.data_dir = base.data_dir
        self.origin = base.origin
        self.largest_shard = base.largest_shard
        self.defaults = base.defaults
        self.splits = base.splits
        self.main_metric = base.main_metric
        self.sample_pairs = tuple(
            (target, source) for source, target in base.sample_pairs
        )

    @property
    def options(self) -> dict[str, str | int]:
        return self.base.options

    @property
    def data_key(self) -> str:
        return self.base.data_key + SUFFIX

    def describe_source(self, split: str) -> str:
        return f"{self.base.describe_source(split)}, reversed"

    def source_is_local(self) -> bool:
        return self.base.source_is_local()

    def source(self, split: str) -> SourceFacts:
        facts = self.base.source(split)
        return SourceFacts(
            f"{facts.description}, reversed", facts.sha256, facts.count
        )

    def examples(self, split: str) -> Iterator[Example]:
        for example in self.base.examples(split):
            yield _exchange(example)

    def vocabulary_texts(self, example: Example) -> list[str]:
        return self.base.vocabulary_texts(_exchange(example))

    def encode_batch(
        self, examples: Sequence[Example], encoder: Any
    ) -> dict[str, list]:
        return _exchange(
            self.base.encode_batch([_exchange(e) for e in examples], encoder)
        )

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        sources: Sequence[str] | None = None,
    ) -> dict[str, float | str]:
        return self.base.score(predictions, references, sources)

    def reversed(self) -> Problem:
        return self.base


def _exchange(features: dict) -> dict:
    """Returns {"inputs": b, "targets": a} for {"inputs": a, "targets": b}."""
    return {"inputs": features["targets"], "targets": features["inputs"]}

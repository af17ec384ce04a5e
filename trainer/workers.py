"""The processes of one run, and how they share work that is not training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from t2t_lite.trainer import collective
from t2t_lite.trainer.interruption import Interrupted


@dataclasses.dataclass(frozen=True)
class Workers:
    """One process's place among all of a run.

    Fields:
        strategy: the run's strategy.
        index, count: int, this process's number and how many there are.
    """

    strategy: tf.distribute.Strategy
    index: int = 0
    count: int = 1

    @classmethod
    def of(cls, strategy: tf.distribute.Strategy) -> Workers:
        """Returns the place that the strategy's cluster gives this process."""
        count = collective.num_workers(strategy)
        index = strategy.cluster_resolver.task_id if count > 1 else 0
        return cls(strategy, index, count)

    @property
    def chief(self) -> bool:
        """Whether this process writes the run's files and prints."""
        return self.index == 0

    def gather(self, value: Any) -> list[Any]:
        """Returns every worker's JSON value, in the workers' order."""
        return collective.gather_objects(self.strategy, value)

    def wait(self) -> None:
        """Waits until every worker has come here."""
        self.gather(None)

    def mine(self, items: Sequence[Any]) -> Sequence[Any]:
        """Returns this worker's share of `items`: every count-th."""
        return items[self.index :: self.count]

    def share(self, work: Callable[[], Any]) -> list[Any]:
        """Runs this worker's part of some work; returns all parts.

        Raises:
            Interrupted: at every worker, if one of them was interrupted.
        """
        try:
            answer = {"value": work()}
        except Interrupted as stop:
            answer = {"signal": stop.signal}
        answers = self.gather(answer)
        for answer in answers:
            if "signal" in answer:
                raise Interrupted(answer["signal"])
        return [answer["value"] for answer in answers]


def interleaved(parts: Sequence[Sequence[Any]]) -> list[Any]:
    """Puts the parts that `Workers.mine` gave back in order."""
    total = sum(map(len, parts))
    result: list[Any] = [None] * total
    for index, part in enumerate(parts):
        result[index :: len(parts)] = part
    return result

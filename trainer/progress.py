"""How far a run has come: what a checkpoint holds beside its tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from t2t_lite.errors import UserError
from t2t_lite.trainer.measures import SUMS, mean_measures, sign_of


@dataclasses.dataclass
class Window:
    """What the next progress line tells of the updates since the last one.

    It is part of a checkpoint, so that a run that stops between two lines
    records the same measurements as one that does not.

    Fields:
        since: step of the last line.
        sums: totals over target tokens; updates left out are not in it.
        left_out: updates left out for their loss or gradients.
        gradient_norm: of the last update.
        seconds: training time.
    """

    since: int = 0
    sums: dict[str, float] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(SUMS, 0.0)
    )
    left_out: int = 0
    gradient_norm: float = 0.0
    seconds: float = 0.0

    def add(self, values: Mapping[str, float]) -> None:
        """Counts one update's sums."""
        for name in SUMS:
            self.sums[name] += values[name]
        self.gradient_norm = values["gradient_norm"]

    def measures(self) -> dict[str, float]:
        """Returns loss, nll, perplexity and accuracy per target token."""
        return mean_measures(self.sums)

    @property
    def tokens_per_second(self) -> float:
        """Target tokens per second of training."""
        return self.sums["tokens"] / max(self.seconds, 1e-9)


@dataclasses.dataclass(frozen=True)
class StoppingRule:
    """When a run stops early.

    Fields:
        metric: a validation measure; None = never.
        patience: evaluations without improvement.
        min_delta: what counts as an improvement.
    """

    metric: str | None
    patience: int
    min_delta: float


@dataclasses.dataclass
class Progress:
    """What was reached, as a checkpoint's state holds it.

    Fields:
        step: updates made.
        evaluated: step of the last evaluation.
        best: [score, step] of the best checkpoints, best first.
        stopping_best, stopping_bad: best value of the early-stopping metric
            and evaluations since then.
        stopped: why the run ended before its last step, or "".
        jumped: updates whose batches were passed over by rolling back.
        window: since the last progress line.
    """

    step: int = 0
    evaluated: int = 0
    best: list[list[float]] = dataclasses.field(default_factory=list)
    stopping_best: float | None = None
    stopping_bad: int = 0
    stopped: str = ""
    jumped: int = 0
    window: Window = dataclasses.field(default_factory=Window)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Progress:
        """Returns the progress in a checkpoint's state.

        Raises:
            UserError: the state is that of no training.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        values = {k: v for k, v in state.items() if k in names}
        kinds = {k: type(v) for k, v in dataclasses.asdict(cls()).items()}
        kinds["stopping_best"] = (float, int, type(None))
        for name in names:
            if not isinstance(values.get(name, kinds), kinds[name]):
                raise UserError(
                    f"the state of a checkpoint has no valid {name!r}, so that "
                    "training cannot go on from it; delete it"
                )
        window = values["window"]
        sums = window.get("sums")
        if (
            window.keys() != dataclasses.asdict(Window()).keys()
            or not isinstance(sums, dict)
            or sums.keys() != set(SUMS)
        ):
            raise UserError(
                "the state of a checkpoint has no valid 'window', so that "
                "training cannot go on from it; delete it"
            )
        return cls(**values | {"window": Window(**window)})

    def to_state(self) -> dict[str, Any]:
        """Returns a JSON object for a checkpoint's state."""
        return dataclasses.asdict(self)

    def rank(self, score: float, keep: int) -> bool:
        """Ranks this step's score; returns whether it is among the best.

        Args:
            score: float, higher is better; of two equal ones the earlier.
            keep: int, how many are kept.
        """
        mine = [score, self.step]
        ranked = sorted(
            [*self.best, mine], key=lambda item: (-item[0], item[1])
        )
        self.best = ranked[:keep]
        return mine in self.best

    def judge(self, rule: StoppingRule, numbers: Mapping[str, float]) -> bool:
        """Counts an evaluation; returns whether the run stops here."""
        name = rule.metric
        if name is None:
            return False
        if name not in numbers:
            raise UserError(
                f"--early_stopping_metric={name}: not measured at step "
                f"{self.step}; raise --eval_decode_examples or --eval_steps"
            )
        value, best = numbers[name], self.stopping_best
        sign = sign_of(name)
        if best is None or sign * (value - best) > rule.min_delta:
            self.stopping_best, self.stopping_bad = value, 0
            return False
        self.stopping_bad += 1
        if self.stopping_bad < rule.patience:
            return False
        self.stopped = (
            f"early stop at step {self.step}: {name} did not improve "
            f"on {best:.4f} in {self.stopping_bad} evaluations"
        )
        return True

    def reconsider(self, rule: StoppingRule) -> None:
        """Forgets an early stop that the present rule would not make."""
        if rule.metric is None or self.stopping_bad < rule.patience:
            self.stopped = ""

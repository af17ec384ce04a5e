"""What a run does when an update's loss or gradients are out of bounds.

The step leaves such an update out whatever the policy (see
`TrainStep.pure_update`); the weights are those before it. The policy decides
how to go on.
"""

from __future__ import annotations

import math

from t2t_lite.errors import UserError

POLICIES = ("stop", "skip", "rollback")
MAX_LEFT_OUT_IN_A_ROW = 20
MAX_ROLLBACKS = 3
_SHOWN = 5


class DivergenceError(UserError):
    """An update's loss or gradients were out of bounds, and the run stopped."""


def describe(step: int, values: dict[str, float], mean: float) -> str:
    """Says in what way the update `step` was out of bounds.

    Args:
        step: int.
        values: the sums of the update.
        mean: float, running loss per target token before it.
    """
    loss = values["loss"] / max(values["tokens"], 1.0)
    if not math.isfinite(loss):
        return f"the loss is not finite at step {step}"
    if not math.isfinite(values["gradient_norm"]):
        return f"the gradients are not finite at step {step} (loss {loss:.4f})"
    return (
        f"the loss jumped to {loss:.4f} at step {step}, from a running mean "
        f"of {mean:.4f}"
    )


def describe_examples(
    losses: list[tuple[float, list[int]]],
) -> str:
    """Names the examples of a batch whose loss is worst.

    Args:
        losses: (nats per target token, example ids) of each row.
    """
    ranked = sorted(
        losses, key=lambda row: row[0] if math.isfinite(row[0]) else math.inf
    )[::-1]
    shown = ", ".join(
        f"{'+'.join(map(str, ids))} ({loss:.2f})"
        for loss, ids in ranked[:_SHOWN]
    )
    return (
        f"training examples of that update: {len(ranked)} rows, the worst by "
        f"loss per token: {shown}"
    )

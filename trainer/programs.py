"""What a run traces and compiles, known before it begins.

Batches come in few shapes, so there is a bound: the model is traced once for
training and once for validation, and XLA compiles each program once for each
shape that reaches it on a device. Under --xla=on those are the gradients and
the update; the loss (t2t_lite.losses) is compiled in any case, on its own where
the program around it is not. tests/trainer/test_programs.py counts them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from t2t_lite.data.bucketing import BucketShape


@dataclasses.dataclass(frozen=True)
class Programs:
    """Compilations on each device, by what is compiled.

    Attributes:
        batch_shapes: int, shapes of training batches.
        gradients, updates: int, of the whole step; 0 without XLA.
        losses: int, of the loss and its gradient on their own.
    """

    batch_shapes: int
    gradients: int
    updates: int
    losses: int

    @property
    def compiled(self) -> int:
        """XLA compilations in all."""
        return self.gradients + self.updates + self.losses

    def __str__(self) -> str:
        kinds = {
            "gradients": self.gradients,
            "update": self.updates,
            "loss alone": self.losses,
        }
        parts = ", ".join(f"{n} {name}" for name, n in kinds.items() if n)
        plural = "s" * (self.batch_shapes > 1)
        return (
            f"1 trace for {self.batch_shapes} batch shape{plural}, 1 for "
            f"validation; {self.compiled} XLA compilations: {parts}"
        )


def plan_programs(
    shapes: Iterable[BucketShape],
    validation_sizes: Iterable[int],
    parts: int,
    *,
    xla: bool,
    rdrop: bool,
) -> Programs:
    """Returns what a run compiles on each device, validation included.

    Args:
        shapes: of the training batches.
        validation_sizes: target positions, padding included, of each
            validation batch.
        parts: int, equal parts of rows that a batch is cut into.
        xla: bool, whether gradients and update are compiled.
        rdrop: bool, whether each row is passed twice.
    """
    rows = [(-(-s.rows // parts), s) for s in shapes]
    step = {(n, s.inputs_length, s.targets_length) for n, s in rows}
    validation = set(validation_sizes)
    if xla:
        return Programs(len(rows), len(step), 1, len(validation))
    # Each number of tokens is compiled once, whichever batch has it.
    tokens = {n * s.targets_length * (2 if rdrop else 1) for n, s in rows}
    backward = 3 if rdrop else 1
    losses = len(tokens | validation) + backward * len(tokens)
    return Programs(len(rows), 0, 0, losses)

"""What a run traces and compiles, known before it begins.

Batches come in few shapes, so there is a bound: the model is traced once for
training and once for validation, and XLA compiles each program once for each
shape that reaches it on a device. Under --xla=on those are the gradients and
the update; the loss (t2t_lite.losses) is compiled in any case, on its own where
the program around it is not. tests/trainer/test_programs.py counts them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from t2t_lite.data.bucketing import BucketShape


@dataclasses.dataclass(frozen=True)
class Programs:
    """Compilations on each device, by what is compiled.

    Attributes:
        batch_shapes: int, shapes of training batches.
        gradients, updates: int, of the whole step; 0 without XLA.
        losses: int, of the loss and its gradient on their own.
        traces: int, of the training step: two where R-Drop begins later.
    """

    batch_shapes: int
    gradients: int
    updates: int
    losses: int
    traces: int = 1

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
            f"{self.traces} trace{'s' * (self.traces > 1)} for "
            f"{self.batch_shapes} batch shape{plural}, 1 for "
            f"validation; {self.compiled} XLA compilations: {parts}"
        )


def plan_programs(
    shapes: Iterable[BucketShape],
    validation_sizes: Iterable[int],
    parts: int,
    *,
    xla: bool,
    passes: Sequence[int] = (1,),
    chunk: int | None = None,
) -> Programs:
    """Returns what a run compiles on each device, validation included.

    Args:
        shapes: of the training batches.
        validation_sizes: target positions, padding included, of each
            validation batch.
        parts: int, equal parts of rows that a batch is cut into.
        xla: bool, whether gradients and update are compiled.
        passes: how often the model sees a row, in each phase of the run: 1,
            or 2 with R-Drop.
        chunk: int, tokens whose logits are formed at once, at most.
    """
    rows = [(-(-s.rows // parts), s) for s in shapes]
    step = {(n, s.inputs_length, s.targets_length) for n, s in rows}
    validation = {_chunk_size(n, chunk) for n in validation_sizes}
    if xla:
        gradients = len(step) * len(passes)
        return Programs(len(rows), gradients, 1, len(validation), len(passes))
    # Each number of tokens is compiled once, whichever batch has it.
    tokens = {_chunk_size(n * s.targets_length, chunk) for n, s in rows}
    forward = validation.union({n * k for n in tokens for k in passes})
    backward = sum(3 if k > 1 else 1 for k in passes) * len(tokens)
    return Programs(len(rows), 0, 0, len(forward) + backward, len(passes))


def _chunk_size(tokens: int, chunk: int | None) -> int:
    """Returns the tokens of a chunk, as `t2t_lite.chunked_sums` cuts them."""
    return tokens if chunk is None else -(-tokens // -(-tokens // chunk))

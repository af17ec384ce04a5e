"""The moving average of the weights, which is what a run evaluates."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

EMA = "ema"  # the slot of a weight's moving average


@contextlib.contextmanager
def averaged_weights(step) -> Iterator[None]:
    """Gives the model the moving average of its weights for a while.

    Args:
        step: TrainStep; without averages among its slots, nothing changes.
    """
    names = [f"{path}/{EMA}" for path in step.paths]
    if not all(name in step.slots for name in names):
        yield
        return
    raw = [parameter.numpy() for parameter in step.parameters]
    for name, parameter in zip(names, step.parameters, strict=True):
        parameter.assign(step.slots[name].numpy())
    try:
        yield
    finally:
        for parameter, value in zip(step.parameters, raw, strict=True):
            parameter.assign(value)

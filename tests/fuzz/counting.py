"""How many malformed inputs each part of the suite tries, and their run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

# Inputs by part; `run` makes sure that so many were tried.
INPUTS = {
    "manifests": 150,
    "journals": 40,
    "shards": 60,
    "records": 60,
    "lengths": 40,
    "numbers of a kind": 80,
    "manifests of a kind": 100,
    "vocabularies": 150,
    "byte vocabularies": 30,
    "subword vocabularies": 80,
    "imported hparams": 100,
    "decode files": 100,
    "training files": 80,
    "hparams strings": 100,
    "decode_hparams strings": 100,
    "run folders": 80,
    "checkpoints": 150,
    "crafted indexes": 60,
    "metrics": 40,
    "image files": 120,
    "photographs": 40,
    "sound files": 150,
    "serving requests": 40,
    "served answers": 60,
}


def run(
    part: str,
    attempt: Callable[[Any], None],
    strategy: SearchStrategy,
    shrink: bool = True,
) -> None:
    """Calls `attempt` with the part's number of inputs, the same every time.

    Args:
        part: str, a key of INPUTS.
        attempt: called with each input; raises where it is answered wrongly.
        strategy: draws the inputs.
        shrink: bool, look for a smaller input after a failure.
    """
    count = 0
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]

    @settings(
        max_examples=INPUTS[part],
        derandomize=True,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def attempts(value):
        nonlocal count
        count += 1
        attempt(value)

    attempts()
    assert count >= INPUTS[part], f"only {count} inputs for {part}"


def collected(part: str, strategy: SearchStrategy) -> list:
    """Returns the part's inputs, to be tried elsewhere."""
    inputs: list = []
    run(part, inputs.append, strategy, shrink=False)
    return inputs


def check_message(error: Exception, part: str = "") -> None:
    """Checks that an error is one line of a bearable length, with `part`."""
    message = str(error)
    assert message
    assert part in message
    assert len(message.splitlines()) == 1
    assert len(message) <= 2100

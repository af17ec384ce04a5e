"""Learning rate schedules: products of named factors.

`learning_rate(step) = product of factors`, with step counted from 1 at the
first update, as in `constant*linear_warmup*rsqrt_decay*rsqrt_hidden_size`.

| factor | value at step s (w = warmup steps, d = decay steps, n = all steps) |
|---|---|
| constant | `learning_rate_constant` |
| linear_warmup | min(1, s / w) |
| linear_decay | clip((n - s) / d, 0, 1) |
| cosdecay | s / w below w, then (1 + cos(pi s / d)) / 2 |
| single_cycle_cos_decay | (1 + cos(pi (max(s, w) - w) / (n - w))) / 2 |
| multi_cycle_cos_decay | (1 + cos(pi ((max(s, w) - w) mod d) / d)) / 2 |
| rsqrt_decay | max(s, w) ** -0.5 |
| rsqrt_normalized_decay | (max(s, w) / w) ** -0.5 |
| exp_decay | decay_rate ** max(0, (s - w) / d) |
| rsqrt_hidden_size | hidden_size ** -0.5 |

Reference: Vaswani et al. 2017, section 5.3, and Tensor2Tensor's
`learning_rate_factor`, whose names and formulas these are.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from t2t_lite.hparams import HParams


def learning_rate(hparams: HParams, step: int, train_steps: int) -> float:
    """Returns the learning rate of update number `step`, counted from 1.

    Args:
        hparams: names the factors and holds their constants.
        step: int, 1 for the first update.
        train_steps: int, updates of the whole run.
    """
    rate = 1.0
    for factor in hparams.learning_rate_schedule.split("*"):
        rate *= _FACTORS[factor](hparams, float(step), float(train_steps))
    return rate


def _single_cycle(hparams: HParams, step: float, total: float) -> float:
    warmup = hparams.learning_rate_warmup_steps
    span = max(total - warmup, 1.0)
    done = min(max(step - warmup, 0.0), span)
    return 0.5 * (1 + math.cos(math.pi * done / span))


def _multi_cycle(hparams: HParams, step: float, total: float) -> float:
    del total
    cycle = hparams.learning_rate_decay_steps
    done = max(step - hparams.learning_rate_warmup_steps, 0.0)
    return 0.5 * (1 + math.cos(math.pi * (done % cycle) / cycle))


def _cosdecay(hparams: HParams, step: float, total: float) -> float:
    del total
    if step < hparams.learning_rate_warmup_steps:
        return step / hparams.learning_rate_warmup_steps
    done = step / hparams.learning_rate_decay_steps
    return 0.5 * (1 + math.cos(math.pi * done))


def _linear_decay(hparams: HParams, step: float, total: float) -> float:
    left = (total - step) / hparams.learning_rate_decay_steps
    return min(1.0, max(0.0, left))


def _exp_decay(hparams: HParams, step: float, total: float) -> float:
    del total
    done = (
        step - hparams.learning_rate_warmup_steps
    ) / hparams.learning_rate_decay_steps
    return hparams.learning_rate_decay_rate ** max(done, 0.0)


_FACTORS: dict[str, Callable[[HParams, float, float], float]] = {
    "constant": lambda h, s, n: h.learning_rate_constant,
    "linear_warmup": lambda h, s, n: min(1.0, s / h.learning_rate_warmup_steps),
    "linear_decay": _linear_decay,
    "cosdecay": _cosdecay,
    "single_cycle_cos_decay": _single_cycle,
    "multi_cycle_cos_decay": _multi_cycle,
    "rsqrt_decay": lambda h, s, n: max(s, h.learning_rate_warmup_steps) ** -0.5,
    "rsqrt_normalized_decay": lambda h, s, n: (
        (max(s, h.learning_rate_warmup_steps) / h.learning_rate_warmup_steps)
        ** -0.5
    ),
    "exp_decay": _exp_decay,
    "rsqrt_hidden_size": lambda h, s, n: h.hidden_size**-0.5,
}

"""The papers' initial weights of recurrent models."""

from __future__ import annotations

from collections.abc import Sequence

import keras

# Last words of the paths of weights.
_RECURRENT = ("state_kernel", "candidate_kernel")
_ALIGNING = ("attention/query_kernel", "attention/key_kernel")
_ZERO = ("attention/score_kernel",)


def start_as(kind: str, variables: Sequence[keras.Variable]) -> None:
    """Sets weights to an initializer's values.

    Args:
        kind: "glorot" (as the layers made them), "gaussian" or "uniform"; see
            `RnnAttentionHParams`.
        variables: a model's weights.
    Reference: Bahdanau et al. 2015, appendix B.1; Luong et al. 2015, 4.1.
    """
    for variable in variables:
        initializer = _initializer(kind, variable.path)
        if initializer is not None:
            variable.assign(initializer(tuple(variable.shape)))


def _initializer(kind: str, path: str):
    """Returns what draws a weight anew; None = it stays."""
    initializers = keras.initializers
    if kind == "uniform":
        return initializers.RandomUniform(-0.1, 0.1)
    if kind != "gaussian" or path.endswith(_RECURRENT):
        return None
    if path.endswith("_bias") or path.endswith(_ZERO):
        return initializers.Zeros()
    stddev = 0.001 if path.endswith(_ALIGNING) else 0.01
    return initializers.RandomNormal(stddev=stddev)

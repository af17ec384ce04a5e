"""Matrices that TensorFlow packs once for the products of a CPU.

It does so for weights of which it is told that they do not change: of
everything that the process multiplies with.
"""

from __future__ import annotations

import os
import sys

from t2t_lite.errors import UserError

VARIABLE = "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS"


def pack_once() -> None:
    """Tells TensorFlow so, for a process that has not imported it yet.

    For commands that multiply with no weight before it is loaded. Where
    TensorFlow is there already, others may train in the process: then nothing
    is done.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault(VARIABLE, "1")


def check_training() -> None:
    """Raises UserError where TensorFlow would not see that weights change."""
    value = os.environ.get(VARIABLE, "")
    if value.lower() not in ("", "0", "false"):
        raise UserError(
            f"{VARIABLE}={value} is in the environment: TensorFlow would go on "
            "multiplying with the first weights; unset it to train"
        )

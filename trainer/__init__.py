"""The engine: training, evaluation, checkpoints, inference and exporting.

Importing it adds `--xla_cpu_experimental_ynn_fusion_type=` to `XLA_FLAGS`,
unless that flag is in it already.
"""

from __future__ import annotations

import os

_YNN = "--xla_cpu_experimental_ynn_fusion_type"


def _leave_out_ynn(flags: str) -> str:
    """Returns XLA's flags with those reductions off that are not safe.

    TensorFlow 2.21's XLA hands some reductions of a CPU's programs to YNNPACK.
    What it makes at their first run it keeps in a list without a lock, so that
    a program first run by two threads at once, as lanes do, may end the
    process. XLA reads its flags when it first compiles.
    """
    return flags if _YNN in flags else f"{flags} {_YNN}=".strip()


os.environ["XLA_FLAGS"] = _leave_out_ynn(os.environ.get("XLA_FLAGS", ""))

"""The engine: training, evaluation, checkpoints, inference and exporting.

Importing it adds `--xla_cpu_experimental_ynn_fusion_type=` to `XLA_FLAGS`,
unless that flag is in it already. Where `XLA_FLAGS` names a file of flags it is
left as it is: put the flag into the file.
"""

from __future__ import annotations

import os

_YNN = "--xla_cpu_experimental_ynn_fusion_type"


def _leave_out_ynn(flags: str) -> str:
    """Returns XLA's flags with those reductions off that are not safe.

    TensorFlow 2.21's XLA hands some reductions of a CPU's programs to YNNPACK.
    What it makes at their first run it keeps in a list without a lock, so that
    a program first run by two threads at once, as lanes do, may end the
    process. XLA reads its flags when it first compiles, and takes what does
    not begin with two dashes for a file's name.
    """
    flags = flags.strip()
    names_a_file = flags and not flags.startswith("--")
    if names_a_file or _YNN in flags:
        return flags
    return f"{flags} {_YNN}=".strip()


os.environ["XLA_FLAGS"] = _leave_out_ynn(os.environ.get("XLA_FLAGS", ""))

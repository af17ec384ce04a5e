"""t2t_lite_average: averages the weights of a run's checkpoints."""

from __future__ import annotations

import os
import sys

from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command, common

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Averages the weights of a run's last checkpoints into one that the "
    "other commands take by --checkpoint_path."
)
EXAMPLES = ("t2t_lite_average --output_dir=runs/ende --last=5",)


def _define(values: flags.FlagValues) -> None:
    common.define_run_flags(values, decoding=False)
    flags.DEFINE_integer(
        "last",
        5,
        "How many of the newest checkpoints.",
        flag_values=values,
        lower_bound=1,
    )
    flags.DEFINE_string(
        "average_dir",
        None,
        "Folder written. Default: <output_dir>/checkpoints/averaged.",
        flag_values=values,
    )


def average(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    from t2t_lite.trainer import checkpoints
    from t2t_lite.trainer.run_folder import RunFolder

    common.import_registrations(values)
    run = RunFolder(common.required_output_dir(values))
    run.describe()
    found = checkpoints.listing(run.checkpoints)
    if not found:
        raise UserError(f"{run.checkpoints} holds no checkpoint to average")
    folders = found[-values.last :]
    target = values.average_dir or os.path.join(run.checkpoints, "averaged")
    state = {
        "step": checkpoints.step_of(folders[-1]),
        "averaged": [os.path.basename(f) for f in folders],
    }
    checkpoints.write(target, checkpoints.average(folders), state)
    for folder in folders:
        print(f"  {folder}")
    print(f"average of {len(folders)}: {target}")
    return 0


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(average, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())

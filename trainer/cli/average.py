"""t2t_lite_average: averages the weights of a run's checkpoints."""

from __future__ import annotations

import json
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
    _check_target(target)
    state = {
        "step": checkpoints.step_of(folders[-1]),
        "averaged": [os.path.basename(f) for f in folders],
    }
    checkpoints.write(target, checkpoints.average(folders), state)
    for folder in folders:
        print(f"  {folder}")
    print(f"average of {len(folders)}: {target}")
    return 0


def _check_target(folder: str) -> None:
    """Raises UserError unless `folder` is free or holds an average alone."""
    if os.path.lexists(folder) and not _is_average(folder):
        raise UserError(
            f"--average_dir={folder}: exists and holds more than an average, "
            "which would be lost; give a new folder"
        )


def _is_average(folder: str) -> bool:
    """Whether `folder` holds nothing but what this command writes."""
    try:
        names = os.listdir(folder)
        with open(os.path.join(folder, "state.json")) as file:
            averaged = "averaged" in json.load(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    return averaged and all(
        name == "state.json" or name.startswith("tensors.") for name in names
    )


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(average, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())

"""t2t_lite_import: makes a run folder of a Tensor2Tensor checkpoint."""

from __future__ import annotations

import os
import shlex
import sys

from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command, common

FLAGS = flags.FlagValues()
_PROBLEM = "translate_files"

DESCRIPTION = (
    "Makes a run folder of a checkpoint and a vocabulary of another toolkit: "
    "it decodes, exports, and training goes on in it. What became of every "
    "tensor and hyperparameter is printed, and stays in import.log."
)
EXAMPLES = (
    "t2t_lite_import --from=t2t --checkpoint_path=t2t_train/model.ckpt-250000 "
    "--vocabulary=t2t_data/vocab.translate_ende_wmt32k.32768.subwords "
    "--output_dir=runs/ende",
    "t2t_lite_import --from=t2t --checkpoint_path=t2t_train "
    "--vocabulary=vocab.subwords --target_space_id=8 --nooptimizer_state "
    "--output_dir=runs/ende --problem=translate_ende_multi30k",
)


def _define(values: flags.FlagValues) -> None:
    def string(name, text):
        flags.DEFINE_string(name, None, text, flag_values=values)

    flags.DEFINE_enum(
        "from",
        None,
        ["t2t"],
        "Where it comes from: t2t is Tensor2Tensor's model transformer.",
        flag_values=values,
    )
    string(
        "checkpoint_path",
        "FOLDER/model.ckpt-N, or a folder: its newest checkpoint.",
    )
    string(
        "vocabulary",
        "The .subwords file that the model was trained with. Without the flag "
        "the command says how many entries it must have.",
    )
    string(
        "t2t_hparams",
        "Tensor2Tensor's hparams.json. Default: the one beside the checkpoint.",
    )
    string("output_dir", "The run folder to be; new or empty.")
    flags.DEFINE_integer(
        "target_space_id",
        None,
        "The number of Tensor2Tensor's SpaceID for the model's targets. "
        "Default: the only one that was trained, if Adam's moments tell.",
        flag_values=values,
        lower_bound=0,
        upper_bound=31,
    )
    flags.DEFINE_bool(
        "optimizer_state",
        True,
        "Take Adam's moments and the step, so that training goes on; else it "
        "begins anew from the weights.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "hparams",
        "",
        'Overrides of the training\'s hyperparameters, e.g. "batch_size=2048".',
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seed",
        1,
        "Of data order and dropout where training goes on.",
        flag_values=values,
        lower_bound=0,
        upper_bound=2**32 - 1,
    )
    with command.group(values, "What training goes on with"):
        common.define_problem_flags(values)


def import_run(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    for name in ("from", "checkpoint_path", "output_dir"):
        if not values[name].value:
            raise UserError(f"--{name} is missing; --help has examples")
    from t2t_lite.trainer import import_report, importing, t2t_import

    common.import_registrations(values)
    values.problem = values.problem or _PROBLEM
    problem = common.problem_from_flags(values)
    importing.check_free(values.output_dir)
    imported = t2t_import.read(
        t2t_import.Source(
            checkpoint=values.checkpoint_path,
            vocabulary=values.vocabulary,
            t2t_hparams=values.t2t_hparams,
            hparams=values.hparams,
            target_space_id=values.target_space_id,
            optimizer_state=values.optimizer_state,
        )
    )
    lines = list(import_report.lines(imported))
    for line in lines:
        print(line)
    run = importing.write(
        imported, values.output_dir, problem, values.seed, lines
    )
    folder = shlex.quote(os.path.relpath(run.path))
    print()
    print(f"run folder: {folder}")
    print(f"translate:  t2t_lite_decoder --output_dir={folder}")
    print(f"export:     t2t_lite_exporter --output_dir={folder}")
    options = "".join(
        f" --{name}={name.upper()}"
        for name in ("train_source", "train_target")
        if problem.name == _PROBLEM and name not in problem.options
    )
    print(
        f"go on:      t2t_lite_trainer --output_dir={folder}{options} "
        f"--train_steps={imported.step + 10_000}"
    )
    return 0


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(import_run, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())

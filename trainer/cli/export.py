"""t2t_lite_exporter: writes a run as a SavedModel for TF Serving."""

from __future__ import annotations

import os
import sys

from absl import flags

from t2t_lite.trainer.cli import command, common

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Writes a trained run as a versioned SavedModel: strings in, strings "
    "and scores out, the tokenizer inside. It is loaded and compared with "
    "the run before the command ends."
)
EXAMPLES = (
    "t2t_lite_exporter --output_dir=t2t_runs/translate_ende_phrasebook/"
    "transformer_tiny",
    "t2t_lite_exporter --output_dir=runs/ende "
    '--decode_hparams="beam_size=1" --export_dir=/models/ende --version=7',
)


def _define(values: flags.FlagValues) -> None:
    common.define_run_flags(values)
    flags.DEFINE_string(
        "export_dir",
        None,
        "Folder of the versions. Default: <output_dir>/export.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "version",
        None,
        "Version number. Default: one above the highest there.",
        flag_values=values,
        lower_bound=1,
    )


def export(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    from t2t_lite.trainer import exporting

    predictor = common.load_predictor(values)
    root = values.export_dir or os.path.join(values.output_dir, "export")
    folder = exporting.export(predictor, root, values.version)
    size = sum(
        os.path.getsize(os.path.join(path, name))
        for path, _, names in os.walk(folder)
        for name in names
    )
    print(f"SavedModel: {folder}  ({size / 1e6:.1f} MB, checked)")
    print(f"look:  saved_model_cli show --dir {folder} --all")
    print(
        "serve: docker run -p 8500:8500 -p 8501:8501 "
        f"-v {os.path.abspath(root)}:/models/t2t_lite "
        "-e MODEL_NAME=t2t_lite tensorflow/serving"
    )
    return 0


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(export, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())

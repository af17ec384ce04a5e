"""t2t_lite_exporter: writes a run as a SavedModel for TF Serving."""

from __future__ import annotations

import os
import sys

from absl import flags

from t2t_lite.errors import UserError
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
    "t2t_lite_exporter --output_dir=runs/ende --target_dtype=bfloat16 "
    "--weights=constants --parts=4",
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
    flags.DEFINE_enum(
        "format",
        "saved_model",
        ["saved_model", "ctranslate2"],
        "ctranslate2: a folder that ctranslate2.Translator loads, with pieces "
        "in and out and the run's vocab.model beside it.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "target_dtype",
        "float32",
        ["float32", "bfloat16"],
        "What the exported model computes in; bfloat16 where the server's "
        "processor multiplies it (AMX, AVX512_BF16, GPUs).",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "weights",
        "variables",
        ["variables", "constants"],
        "constants: part of the graph, so that a CPU packs them once for its "
        "products.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "parts",
        1,
        "Parts of a batch that are searched side by side: the cores of a "
        "server whose requests come one by one.",
        flag_values=values,
        lower_bound=1,
        upper_bound=64,
    )


def export(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    from t2t_lite.trainer import exporting
    from t2t_lite.trainer.model_card import model_card, run_results
    from t2t_lite.trainer.run_folder import RunFolder

    reference = common.load_predictor(values, "float32")
    if values.format == "ctranslate2":
        return _ctranslate2(values, reference)
    predictor = reference
    if values.target_dtype != "float32":
        frozen = values.weights == "constants"
        policy = "mixed_bfloat16" if frozen else "bfloat16"
        predictor = common.load_predictor(values, policy)
    root = values.export_dir or os.path.join(values.output_dir, "export")
    run = RunFolder(values.output_dir)
    form = exporting.Form(values.weights, values.parts)
    facts = {
        "export": f"{values.target_dtype}, {form.weights}, {form.parts} parts"
    }
    folder = exporting.export(
        predictor,
        root,
        values.version,
        form=form,
        card=model_card(run, run_results(run), facts),
        check=lambda written: _check(run, reference, written),
    )
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


def _ctranslate2(values: flags.FlagValues, reference) -> int:
    """Writes the model in CTranslate2's format."""
    from t2t_lite.trainer import ctranslate2_model

    if values.version is not None:
        raise UserError("--version: goes with --format=saved_model alone")
    folder = values.export_dir or os.path.join(values.output_dir, "ctranslate2")
    ctranslate2_model.write(reference, folder, values.target_dtype)
    print(f"CTranslate2 model: {folder}")
    return 0


def _check(run, reference, folder: str) -> None:
    """Compares an export with the float32 model on the validation split."""
    from t2t_lite import problems
    from t2t_lite.trainer import export_check, run_texts

    if run_texts.missing(run.path, "validation"):
        print("the run is not over: compared with it on a few sentences only")
        return
    description = run.describe()
    problem = problems.create(
        description.problem, description.problem_options, run.path
    )
    texts = run_texts.RunTexts.read(run.path, "validation")
    found = export_check.compare(
        lambda lines: reference(lines),
        export_check.saved_model(folder),
        texts,
        problem.score,
    )
    print(f"validation, {len(texts.sources):,} lines:")
    for name, value in found.rows():
        print(f"  {name:<12} {value}")
    found.check(problem.main_metric)


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(export, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())

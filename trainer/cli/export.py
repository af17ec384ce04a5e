"""t2t_lite_exporter: writes a run as a SavedModel for TF Serving."""

from __future__ import annotations

import os
import sys

from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command, common

FLAGS = flags.FlagValues()
_SAVED_MODEL_FLAGS = ("version", "weights", "parts")
_PRODUCTS = ("int8_matmul", "int8_convolution")  # of a SavedModel alone
_TARGET_DTYPE_HELP = (
    "What a SavedModel computes in: float32; bfloat16 where the server's "
    "processor is faster with it (AMX, GPUs); int8, matrices in 8 "
    "bits and all else float32, on x86 processors: int8_matmul for those "
    "with VNNI or AMX, int8_convolution for others, int8 for the one that "
    "is faster here. What weights are stored in for ctranslate2 (float32, "
    "bfloat16, float16, int8) and tflite (float32, float16, int8)."
)

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
    "--parts=4",
    "t2t_lite_exporter --output_dir=runs/ende --format=tflite "
    '--target_dtype=int8 --decode_hparams="max_input_length=64"',
)


def _define(values: flags.FlagValues) -> None:
    common.define_run_flags(values)
    flags.DEFINE_string(
        "export_dir",
        None,
        "Folder of the versions. Default: <output_dir>/export.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "data_dir",
        common.DATA_DIR,
        "Folder of prepared data, whose validation examples are compared where "
        "the run's folder does not hold them: of images, speech and language "
        "models.",
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
        ["saved_model", "ctranslate2", "keras", "tflite"],
        "saved_model: text in and out, for servers. The others take ids or "
        "pieces and have the vocabulary beside them: ctranslate2 for "
        "ctranslate2.Translator, keras for keras.saving.load_model, tflite "
        "for phones and small boards.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "target_dtype",
        "float32",
        ["float32", "bfloat16", "float16", "int8", *_PRODUCTS],
        _TARGET_DTYPE_HELP,
        flag_values=values,
    )
    flags.DEFINE_enum(
        "weights",
        "variables",
        ["variables", "constants"],
        "constants: part of the graph, which a CPU packs once, at the cost of "
        "memory; variables it packs under TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1.",
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
    from t2t_lite.trainer import export_check, exporting
    from t2t_lite.trainer.model_card import model_card, run_results
    from t2t_lite.trainer.run_folder import RunFolder

    reference = common.load_predictor(values, "float32")
    run = RunFolder(values.output_dir)
    if values.format != "saved_model":
        return _other_format(values, run, reference)
    if values.target_dtype == "float16":
        raise UserError(
            "--target_dtype=float16: --format=saved_model has float32, "
            f"bfloat16, int8, {', '.join(_PRODUCTS)}"
        )
    frozen = values.weights == "constants"
    if frozen and values.target_dtype.startswith("int8"):
        raise UserError(
            "--weights=constants: matrices in 8 bits are packed once as it is; "
            f"leave it out with --target_dtype={values.target_dtype}"
        )
    predictor = reference
    if values.target_dtype != "float32":
        policy = values.target_dtype
        if frozen:  # its constants are made of float32 variables
            policy = f"mixed_{policy}"
        predictor = common.load_predictor(values, policy)
    root = values.export_dir or os.path.join(values.output_dir, "export")
    form = exporting.Form(values.weights, values.parts)
    dtype = predictor.dtype if predictor.quantized else values.target_dtype
    facts = {"export": f"{dtype}, {form.weights}, {form.parts} parts"}
    folder = exporting.export(
        predictor,
        root,
        values.version,
        form=form,
        card=model_card(run, run_results(run), facts),
        check=lambda written: _check(
            values,
            run,
            reference,
            export_check.SavedModel(written, reference.model.task),
        ),
    )
    print(f"SavedModel: {folder}  ({_megabytes(folder)})")
    print(f"form:  {facts['export']}")
    print(f"look:  saved_model_cli show --dir {folder} --all")
    print(
        "serve: docker run -p 8500:8500 -p 8501:8501 "
        f"-v {os.path.abspath(root)}:/models/t2t_lite "
        "-e MODEL_NAME=t2t_lite -e TF_ENABLE_ONEDNN_OPTS=1 "
        "-e TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1 tensorflow/serving"
    )
    return 0


def _other_format(values: flags.FlagValues, run, reference) -> int:
    """Writes the model in a format that is no SavedModel."""
    from t2t_lite.trainer import formats
    from t2t_lite.trainer.model_card import model_card, run_results

    name = values.format
    given = [flag for flag in _SAVED_MODEL_FLAGS if values[flag].present]
    if given:
        raise UserError(
            f"--{given[0]}: goes with --format=saved_model alone, not with "
            f"--format={name}"
        )
    folder = values.export_dir or os.path.join(values.output_dir, name)
    facts = {"export": f"{name}, {values.target_dtype}"}
    formats.export(
        reference,
        name,
        folder,
        values.target_dtype,
        card=model_card(run, run_results(run), facts),
        check=lambda same, translate: _check(values, run, same, translate),
    )
    print(f"{name} model: {folder}  ({_megabytes(folder)})")
    return 0


def _megabytes(folder: str) -> str:
    size = sum(
        os.path.getsize(os.path.join(path, name))
        for path, _, names in os.walk(folder)
        for name in names
    )
    return f"{size / 1e6:.1f} MB"


def _check(values: flags.FlagValues, run, reference, export) -> None:
    """Compares an export with the float32 model on the validation split.

    Args:
        values: the flags.
        run: the run's folder.
        reference: the model's predictor.
        export: from inputs to texts; of a language model a Scorer.
    Raises:
        UserError: it is worse by more than rounding.
    """
    from t2t_lite import problems
    from t2t_lite.trainer import export_check, validation_examples

    description = run.describe()
    problem = problems.create(
        description.problem, description.problem_options, run.path
    )
    try:
        examples = validation_examples.read(run, problem, values.data_dir)
    except UserError as error:
        print(f"not compared with the float32 model on validation: {error}")
        return
    model = export_check.Reference(reference)
    metric, gives = problem.main_metric, reference.model.answers
    texts = examples.references
    if gives == "continuation":
        metric = "nats_per_character"
        found = export_check.compare_continuations(model, export, texts)
    elif gives == "blanks":
        metric = "nats_per_blank"
        found = export_check.compare_blanks(model, export, texts)
    else:
        found = export_check.compare(reference, export, examples, problem.score)
    print(f"validation, {len(texts):,} lines:")
    for name, value in found.rows():
        print(f"  {name:<18} {value}")
    found.check(metric)


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(export, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())

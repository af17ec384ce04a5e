"""t2t_lite_trainer: trains a model on a problem, tests it and exports it."""

from __future__ import annotations

import sys
from typing import Any

from absl import flags

from t2t_lite.trainer.cli import command, common
from t2t_lite.trainer.roll_call import WAIT_SECONDS

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Trains a model on a problem; evaluates, keeps checkpoints, and at the "
    "end tests and exports a SavedModel. The same command again goes on "
    "where a run stopped; --output_dir alone goes on with the run of that "
    "folder."
)
EXAMPLES = (
    "t2t_lite_trainer --problem=translate_ende_phrasebook "
    "--model=transformer_tiny",
    "t2t_lite_trainer --problem=translate_ende --model=transformer_base "
    '--hparams="batch_size=2048,learning_rate_warmup_steps=16000"',
    "t2t_lite_trainer --problem=translate_files --train_source=a.en "
    "--train_target=a.de --model=transformer_small",
    "t2t_lite_trainer --output_dir=runs/ende --train_steps=40000",
    "t2t_lite_trainer --registry_help",
)


def _define(values: flags.FlagValues) -> None:
    def string(name, default, text):
        flags.DEFINE_string(name, default, text, flag_values=values)

    def integer(name, default, text):
        flags.DEFINE_integer(name, default, text, flag_values=values)

    common.define_problem_flags(values)
    string("model", None, "A model or hparams set, e.g. transformer_base.")
    string("hparams_set", None, "A set other than the one --model names.")
    string("hparams", "", 'Overrides, e.g. "num_heads=4,label_smoothing=0".')
    string(
        "output_dir",
        None,
        "Run folder. Default: t2t_runs/<problem>/<model>.",
    )
    string(
        "warm_start_from",
        None,
        "Run or checkpoint folder: a new run begins with its weights where "
        "name and shape are the same. See also --vocab_file.",
    )
    integer("train_steps", None, "Updates. Default: the problem's own.")
    integer("eval_interval", None, "Updates between evaluations.")
    integer("eval_steps", None, "Validation batches measured. Default: all.")
    integer(
        "eval_decode_examples",
        None,
        "Validation examples decoded while training. Default: the problem's "
        "own, or all.",
    )
    _define_course(values, string, integer)
    _define_reliability(values)
    _define_device(values)


def _define_course(values: flags.FlagValues, string, integer) -> None:
    """Defines what is printed, kept and exported, and when a run stops."""
    integer("log_interval", 100, "Updates between progress lines.")
    integer("show_samples", 2, "Decoded examples shown at each evaluation.")
    integer("keep_last", 5, "Newest checkpoints kept.")
    integer("keep_best", 1, "Best checkpoints kept, by the main metric.")
    integer("average_last", 5, "Checkpoints averaged at the end; 0 = none.")
    string(
        "early_stopping_metric",
        None,
        "Validation measure (bleu, chrf, loss, accuracy, ...) that stops the "
        "run when it no longer improves.",
    )
    integer("early_stopping_patience", 5, "Evaluations without improvement.")
    flags.DEFINE_float(
        "early_stopping_min_delta",
        0.0,
        "Smallest improvement that counts.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seed",
        1,
        "Of initial weights, data order and dropout.",
        flag_values=values,
        lower_bound=0,
        upper_bound=2**32 - 1,  # NumPy's
    )
    string(
        "decode_hparams",
        "",
        'Search of evaluation and export, e.g. "beam_size=4,alpha=0.6".',
    )
    flags.DEFINE_bool(
        "export",
        True,
        "Write a SavedModel at the end.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "registry_help",
        False,
        "List problems, models and hparams sets, and exit.",
        flag_values=values,
    )


def _define_reliability(values: flags.FlagValues) -> None:
    """Defines when a run saves, and what a bad update does to it."""
    flags.DEFINE_float(
        "save_checkpoints_secs",
        600.0,
        "Seconds after which a run saves between evaluations; 0 = never.",
        flag_values=values,
        lower_bound=0.0,
    )
    flags.DEFINE_bool(
        "async_checkpointing",
        False,
        "Write checkpoints on another thread while training goes on.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "on_divergence",
        "stop",
        ["stop", "skip", "rollback"],
        "When a loss or gradient is not finite, or a loss jumps: stop, leave "
        "that update out, or go back to the last evaluation's checkpoint and "
        "on with later data.",
        flag_values=values,
    )


def _define_device(values: flags.FlagValues) -> None:
    """Defines what the run computes on, and how."""
    flags.DEFINE_enum(
        "mixed_precision",
        "auto",
        ["auto", "float32", "bfloat16", "float16"],
        "Compute precision; weights stay float32.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "xla",
        "auto",
        ["auto", "on", "off"],
        "Compile the train step with XLA.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "recompute",
        False,
        "Keep only each layer's inputs, and compute the rest again in the "
        "backward pass: less memory, the same updates. See also "
        '--hparams="softmax_chunk=512".',
        flag_values=values,
    )
    flags.DEFINE_enum(
        "strategy",
        "auto",
        ["auto", "one_device", "mirrored", "multi_worker", "tpu"],
        "How to spread the work.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "lanes",
        "auto",
        "Parts of a batch that a CPU computes at once, one a core: auto or a "
        "number. 1 = every operation on all cores.",
        flag_values=values,
    )
    flags.DEFINE_float(
        "worker_wait_secs",
        WAIT_SECONDS,
        "How long a worker of --strategy=multi_worker waits for the others to "
        "come.",
        flag_values=values,
        lower_bound=1.0,
    )


def _training_options(
    values: flags.FlagValues, problem: Any, settings: dict[str, Any]
) -> Any:
    """Returns how the flags say that a run is carried out.

    Args:
        values: the flags.
        problem: has defaults.
        settings: of the run that is gone on with; {} if the flags name it.
    """
    from t2t_lite.trainer.options import TrainingOptions

    def choose(name, fallback):
        given = values[name].value
        if given is not None:
            return given
        stored = settings.get(name)
        if type(stored) is int:
            return stored
        return problem.defaults.get(name, fallback)

    steps = choose("train_steps", 100_000)
    names = (
        "eval_steps",
        "save_checkpoints_secs",
        "async_checkpointing",
        "on_divergence",
        "log_interval",
        "show_samples",
        "keep_last",
        "keep_best",
        "average_last",
        "early_stopping_metric",
        "early_stopping_patience",
        "early_stopping_min_delta",
        "seed",
        "xla",
        "strategy",
        "lanes",
        "worker_wait_secs",
        "decode_hparams",
        "warm_start_from",
        "export",
        "data_dir",
    )
    given = {name: values[name].value for name in names}
    for name in ("seed", "decode_hparams"):
        stored = settings.get(name)
        if not values[name].present and type(stored) is type(given[name]):
            given[name] = stored
    return TrainingOptions(
        output_dir=values.output_dir
        or common.default_output_dir(problem, values.model),
        train_steps=steps,
        eval_interval=choose("eval_interval", max(1, min(2000, steps))),
        eval_decode_examples=choose("eval_decode_examples", None),
        precision=values.mixed_precision,
        **given,
    )


def train(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    from t2t_lite.trainer.collective import naming_lost_workers
    from t2t_lite.trainer.finishing import (
        finish,
        finished_results,
        show_finished,
    )
    from t2t_lite.trainer.interruption import Interrupted
    from t2t_lite.trainer.memory import keep_freed_memory
    from t2t_lite.trainer.setup import Setup
    from t2t_lite.trainer.training import Training

    common.import_registrations(values)
    if values.registry_help:
        print(common.registry_help())
        return 0
    keep_freed_memory()
    problem, name, hparams, settings = common.what_to_train(values)
    options = _training_options(values, problem, settings)
    setup = Setup(problem, name, hparams, options)
    try:
        with naming_lost_workers(setup.strategy):
            progress = Training(setup).run()
            results = finished_results(setup, progress.step)
            if results is None:
                finish(setup, progress.step)
            else:
                show_finished(setup, results)
    except Interrupted as stop:
        setup.report.line(str(stop))
        return 128 + stop.signal
    finally:
        setup.close()
    return 0


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(train, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())

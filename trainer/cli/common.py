"""Flags that several commands share, and how they are read."""

from __future__ import annotations

import os
from typing import Any

from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command

DATA_DIR = "t2t_data"
RUNS_DIR = "t2t_runs"

_VOCABULARY = {"vocab_kind", "vocab_size"}


def define_problem_flags(values: flags.FlagValues) -> None:
    """Defines --problem, its options, --data_dir and --t2t_usr_dir."""
    from t2t_lite import problems

    flags.DEFINE_string(
        "problem",
        None,
        "What to learn; --registry_help lists the names. Any name + _rev is "
        "the problem the other way round.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "data_dir", DATA_DIR, "Folder of prepared data.", flag_values=values
    )
    flags.DEFINE_string(
        "t2t_usr_dir",
        None,
        "Folder of your own Python modules that register problems, models "
        "and hparams sets.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "vocab_file",
        None,
        "A vocabulary to use in place of one learned from the training texts: "
        "its file, or a run folder or prepared data that hold one.",
        flag_values=values,
    )
    for side, text in (
        (
            "source",
            "Further training inputs, a text a line, plain or .gz: files"
            " with commas between them. What other models made counts too.",
        ),
        ("target", "Their targets, line by line, in as many files."),
    ):
        flags.DEFINE_string(f"more_{side}", None, text, flag_values=values)
    flags.DEFINE_string(
        "problem_options",
        "",
        "Options of a problem of your own: name=value,name=value.",
        flag_values=values,
    )
    with command.group(values, "Options of single problems"):
        for option in problems.all_options():
            flags.DEFINE_string(
                option.name, None, option.help, flag_values=values
            )


def problem_from_flags(values: flags.FlagValues) -> Any:
    """Returns the problem that the flags describe.

    Raises:
        UserError: --problem is missing or unknown, or an option is wrong.
    """
    from t2t_lite import problems

    if not values.problem:
        raise UserError(
            "--problem is missing, e.g. --problem=translate_ende_phrasebook; "
            "--registry_help lists the names"
        )
    options = _problem_options(values)
    problem = problems.create(values.problem, options, values.data_dir)
    if values.vocab_file:
        path = os.path.expanduser(values.vocab_file)
        problem.vocab_file = os.path.abspath(path)
    return _with_more_pairs(values, problem, {})


def _with_more_pairs(
    values: flags.FlagValues, problem: Any, settings: dict[str, Any]
) -> Any:
    """Returns the problem with the pairs of the flags, or else of a run."""
    from t2t_lite.problems import more_pairs

    given = {name: values[name].value for name in more_pairs.FLAGS}
    if not any(given.values()):
        stored = {name: settings.get(name) for name in more_pairs.FLAGS}
        given = {k: v if type(v) is str else None for k, v in stored.items()}
    return more_pairs.add(problem, **given)


def _problem_options(values: flags.FlagValues) -> dict[str, Any]:
    """Returns the problem's options that the flags give."""
    from t2t_lite import problems
    from t2t_lite.hparams import split_overrides

    options: dict[str, Any] = dict(split_overrides(values.problem_options))
    for option in problems.all_options():
        if option.name in values:
            given = values[option.name].value
            if given is not None:
                options[option.name] = given
    return options


def what_to_train(values: flags.FlagValues) -> tuple[Any, str, Any, dict]:
    """Returns (problem, model name, hyperparameters, settings of a run).

    Without --problem, --model and --hparams_set they are those of the run in
    --output_dir, with the options and overrides that the flags give; else the
    settings are empty.
    """
    from t2t_lite import problems
    from t2t_lite.trainer.run_folder import RunFolder

    named = values.problem or values.model or values.hparams_set
    if named or not (
        values.output_dir and RunFolder(values.output_dir).is_under_way
    ):
        problem = problem_from_flags(values)
        return (problem, *resolve_hparams(values, problem), {})
    run = RunFolder(values.output_dir).describe()
    problem = problems.create(
        run.problem,
        {**run.problem_options, **_problem_options(values)},
        values.data_dir,
    )
    problem = _with_more_pairs(values, problem, run.settings)
    hparams = _overridden(values, run.model, run.hparams)
    return problem, run.model, hparams, run.settings


def import_registrations(values: flags.FlagValues) -> None:
    """Imports the models and, if asked, the user's folder."""
    from t2t_lite import models, registry

    del models
    if values.t2t_usr_dir:
        registry.import_user_dir(values.t2t_usr_dir)


def registry_help() -> str:
    """Returns the registered problems, models and hparams sets as text."""
    from t2t_lite import registry

    return "\n".join(
        f"{title}\n{kind.table()}\n"
        for title, kind in (
            ("Problems (any name + _rev is the reverse)", registry.PROBLEMS),
            ("Models", registry.MODELS),
            ("Hparams sets (each also a --model)", registry.HPARAMS),
        )
    )


def default_output_dir(problem: Any, model: str) -> str:
    """Returns the run folder used where --output_dir is not given."""
    return os.path.join(RUNS_DIR, problem.data_key, model)


def resolve_hparams(values: flags.FlagValues, problem: Any) -> tuple[str, Any]:
    """Returns (model name, hyperparameters): set, problem, user, in order.

    A vocabulary that the set has chosen stays before the problem's; one that
    is given by --vocab_file before both.
    """
    from t2t_lite import hparams as hp
    from t2t_lite.models.resolve import resolve

    if not values.model:
        raise UserError(
            "--model is missing, e.g. --model=transformer_tiny; "
            "--registry_help lists the names"
        )
    hparams_set = values.hparams_set if "hparams_set" in values else None
    name, hparams = resolve(values.model, hparams_set)
    kept = hp.changed_fields(hparams) & _VOCABULARY
    defaults = {k: v for k, v in problem.defaults.items() if k not in kept}
    hparams = _overridden(values, name, hp.replace_known(hparams, defaults))
    if problem.vocab_file is not None:
        hparams = _with_vocabulary(problem, hparams, values.hparams)
    return name, hparams


def _overridden(values: flags.FlagValues, name: str, hparams: Any) -> Any:
    """Returns the hyperparameters of a model with the flags' overrides."""
    from t2t_lite import hparams as hp

    try:
        hparams = hp.override(hparams, values.hparams)
    except UserError as error:
        raise UserError(f"--hparams={values.hparams!r}: {error}") from error
    if "recompute" in values and values.recompute:
        try:
            hparams = hp.override(hparams, "recompute=true")
        except UserError as error:
            raise UserError(f"--recompute with {name}: {error}") from error
    return hparams


def _with_vocabulary(problem: Any, hparams: Any, overrides: str) -> Any:
    """Returns the hyperparameters with kind and size of --vocab_file.

    Raises:
        UserError: it cannot be read, the problem has no text, or --hparams
            say otherwise.
    """
    from t2t_lite import hparams as hp
    from t2t_lite.data.text_encoder import load_encoder

    if not problem.task(hparams.vocab_size).has_text:
        raise UserError(
            f"--vocab_file: problem {problem.name} has no text; leave it out"
        )
    encoder = load_encoder(problem.vocab_file)
    found = {"vocab_kind": encoder.kind, "vocab_size": encoder.vocab_size}
    asked = hp.split_overrides(overrides)
    for name, value in found.items():
        if name in asked and getattr(hparams, name) != value:
            raise UserError(
                f"--hparams: {name}={asked[name]}, but --vocab_file="
                f"{problem.vocab_file} has {name}={value}; leave one out"
            )
    return hp.replace_known(hparams, found)


def define_run_flags(values: flags.FlagValues, decoding: bool = True) -> None:
    """Defines --output_dir, --checkpoint_path and how to decode."""
    flags.DEFINE_string(
        "output_dir", None, "Run folder of the trainer.", flag_values=values
    )
    flags.DEFINE_string(
        "t2t_usr_dir",
        None,
        "Folder of your own Python modules, if the run used one.",
        flag_values=values,
    )
    if not decoding:
        return
    flags.DEFINE_string(
        "checkpoint_path",
        None,
        "Checkpoint folder. Default: the one that the end of training chose, "
        "else the best, else the newest.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "decode_hparams",
        None,
        'Search, e.g. "beam_size=4,alpha=0.6,extra_length=50,'
        "return_beams=2\". Default: the run's own.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "mixed_precision",
        "float32",
        ["float32", "bfloat16", "float16", "int8"],
        "Compute precision. int8: large matrices in 8 bits, all else float32; "
        "on x86 processors.",
        flag_values=values,
    )


def required_output_dir(values: flags.FlagValues) -> str:
    """Returns --output_dir; raises UserError without it."""
    if not values.output_dir:
        raise UserError(
            "--output_dir is missing: give the run folder that the trainer "
            "printed, e.g. --output_dir=t2t_runs/translate_ende_phrasebook/"
            "transformer_tiny"
        )
    return values.output_dir


def check_against_run(values: flags.FlagValues) -> None:
    """Compares --problem, --model and --hparams, if given, with the run.

    Raises:
        UserError: the run folder is of another problem, model or hparams.
    """
    import dataclasses

    from t2t_lite.hparams import override
    from t2t_lite.models.resolve import resolve
    from t2t_lite.trainer.run_folder import RunFolder

    output_dir = required_output_dir(values)
    import_registrations(values)
    run = RunFolder(output_dir).describe()
    if values.problem and values.problem != run.problem:
        raise UserError(
            f"--problem={values.problem}: {output_dir} is a run of "
            f"{run.problem}; leave the flag out or give its own folder"
        )
    if values.model and resolve(values.model)[0] != run.model:
        raise UserError(
            f"--model={values.model}: {output_dir} is a run of {run.model}"
        )
    if values.hparams_set:
        resolve(run.model, values.hparams_set)  # refuses an unknown name
    changed = override(run.hparams, values.hparams or "")
    for name, value in dataclasses.asdict(changed).items():
        if value != getattr(run.hparams, name):
            raise UserError(
                f"--hparams={values.hparams}: {output_dir} was trained with "
                f"{name}={getattr(run.hparams, name)}"
            )


def load_predictor(values: flags.FlagValues, policy: str | None = None) -> Any:
    """Returns the Predictor of the run that the flags name.

    Args:
        values: the flags.
        policy: str, a Keras dtype policy; by default what the flags say.
    """
    import sys

    from t2t_lite.trainer.inference import load
    from t2t_lite.trainer.memory import keep_freed_memory

    output_dir = required_output_dir(values)
    keep_freed_memory()
    import_registrations(values)
    return load(
        output_dir,
        checkpoint_path=values.checkpoint_path,
        decode_hparams=values.decode_hparams,
        dtype=policy or _policy(values.mixed_precision),
        log=lambda line: print(line, file=sys.stderr),
    )


def _policy(precision: str) -> str:
    """Returns what `inference.load` calls a --mixed_precision."""
    from t2t_lite.trainer.strategies import policy_name

    return precision if precision == "int8" else policy_name(precision)

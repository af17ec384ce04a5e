"""From the names a user types to a model class and its hyperparameters."""

from __future__ import annotations

from typing import Any

from t2t_lite.errors import UserError, closest
from t2t_lite.hparams import HParams
from t2t_lite.registry import HPARAMS, MODELS
from t2t_lite.task import Task


def resolve(model: str, hparams_set: str | None = None) -> tuple[str, HParams]:
    """Returns (name of a registered model, hyperparameters).

    Args:
        model: a model ("transformer", with its default set) or a set
            ("transformer_base", with the model that takes it).
        hparams_set: a set to use in place of the model's own.
    Raises:
        UserError: an unknown name, with the closest ones; or a set that is
            not of the model's kind.
    """
    if model in MODELS:
        factory = MODELS.get(model)
        hparams = HPARAMS.get(hparams_set or factory.default_set)()
    elif model in HPARAMS:
        hparams = HPARAMS.get(hparams_set or model)()
        model = model_of(HPARAMS.get(model)())
        factory = MODELS.get(model)
    else:
        known = [*MODELS.names(), *HPARAMS.names()]
        raise UserError(
            f"unknown model {model!r}{closest(model, known)}; "
            "--registry_help lists them all"
        )
    if type(hparams) is not factory.hparams_class:
        raise UserError(
            f"hparams set {hparams_set!r} is not for model {model!r}"
        )
    return model, hparams


def model_of(hparams: HParams) -> str:
    """Returns the registered model that takes hyperparameters of this type."""
    for name in MODELS.names():
        if MODELS.get(name).hparams_class is type(hparams):
            return name
    raise UserError(
        f"no registered model takes {type(hparams).__name__}; register one "
        "whose hparams_class it is"
    )


def check_fits(model: str, task: Task, problem: str) -> None:
    """Raises UserError unless a registered model takes a problem's task.

    Args:
        model: str, its name.
        task: of the problem.
        problem: str, its name, for the message.
    """
    if takes(model, task):
        return
    others = [name for name in MODELS.names() if takes(name, task)]
    raise UserError(
        f"--model={model}: problem {problem} is {task.describe()}, which that "
        f"model does not take; those that do: {', '.join(others) or 'none'}"
    )


def takes(model: str, task: Task) -> bool:
    """Returns whether a registered model takes a task."""
    return MODELS.get(model).fits(task)


def build(model: str, hparams: HParams, task: Task | int, dtype: Any) -> Any:
    """Returns the model with its variables created.

    Args:
        model: a registered model's name.
        hparams: of the model's `hparams_class`.
        task: Task; or int, text to text with a vocabulary of that size.
        dtype: a Keras dtype policy or its name.
    """
    built = MODELS.get(model)(hparams, task, dtype=dtype)
    built.build_variables()
    return built

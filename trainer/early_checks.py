"""What cannot work is refused before data are prepared for it."""

from __future__ import annotations

from t2t_lite.errors import UserError, closest
from t2t_lite.hparams import HParams
from t2t_lite.models.resolve import check_fits
from t2t_lite.registry import MODELS
from t2t_lite.trainer import packed_weights
from t2t_lite.trainer.objective import check_chunks
from t2t_lite.trainer.options import TrainingOptions


def check(
    problem, model_name: str, hparams: HParams, options: TrainingOptions
) -> None:
    """Raises UserError where problem, model, options or environment do not fit.

    Args:
        problem: Problem.
        model_name: a registered model.
        hparams: its hyperparameters.
        options: of the run.
    """
    packed_weights.check_training()
    model = MODELS.get(model_name)
    task = problem.task(hparams.vocab_size)
    check_fits(model_name, task, problem.name)
    check_chunks(model_name, model, hparams)
    if hparams.pack and not model.packs:
        raise UserError(
            f"hparam pack: model {model_name} cannot keep several examples of "
            "a row apart; leave it out"
        )
    metric = options.early_stopping_metric
    if metric is None:
        return
    names = ["loss", "nll", "perplexity", "accuracy"]
    names += _scores(problem, model.gives(task), options)
    if metric not in names:
        raise UserError(
            f"--early_stopping_metric={metric}: not measured"
            f"{closest(metric, names)}; there are {', '.join(names)}"
        )


def _scores(problem, gives: str, options: TrainingOptions) -> list[str]:
    """Returns the names of a problem's own measures on validation."""
    whole = gives == "continuation" and options.eval_steps is None
    if problem.scored_by_loss and not whole:
        return []  # those are of whole texts, all of them
    return problem.measures()

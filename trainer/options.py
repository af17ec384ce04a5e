"""How a run is carried out."""

from __future__ import annotations

import dataclasses

from t2t_lite.errors import UserError
from t2t_lite.trainer import divergence
from t2t_lite.trainer.progress import StoppingRule
from t2t_lite.trainer.roll_call import WAIT_SECONDS


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a run is carried out; what is learned is in the hyperparameters.

    Fields:
        output_dir, data_dir: folders of the run and of prepared data.
        train_steps: updates in all.
        eval_interval: updates between evaluations; each also saves.
        save_checkpoints_secs: seconds after which a run saves between
            evaluations; 0 = never.
        async_checkpointing: write checkpoints while training goes on.
        on_divergence: what follows an update whose loss or gradients are out
            of bounds: one of divergence.POLICIES.
        log_interval: updates between progress lines.
        eval_steps: validation batches whose loss is measured; None = all.
        eval_decode_examples: validation examples decoded at each evaluation;
            None = all.
        show_samples: decoded examples shown at each evaluation.
        keep_last, keep_best: checkpoints kept.
        average_last: checkpoints averaged at the end; 0 = none.
        early_stopping_metric: a validation measure; None = train to the end.
        early_stopping_patience: evaluations without improvement.
        early_stopping_min_delta: what counts as an improvement.
        seed: of initial weights, data order and dropout.
        precision, xla, strategy, lanes: see t2t_lite.trainer.strategies.
        worker_wait_secs: seconds that "multi_worker" waits at its start for
            the other workers.
        decode_hparams: search options of evaluation and export.
        warm_start_from: a run's or a checkpoint's folder, with whose weights
            a run begins; None = with random ones.
        export: write a SavedModel at the end.
    """

    output_dir: str
    data_dir: str = "t2t_data"
    train_steps: int
    eval_interval: int
    save_checkpoints_secs: float = 600.0
    async_checkpointing: bool = False
    on_divergence: str = "stop"
    log_interval: int = 100
    eval_steps: int | None = None
    eval_decode_examples: int | None = None
    show_samples: int = 2
    keep_last: int = 5
    keep_best: int = 1
    average_last: int = 5
    early_stopping_metric: str | None = None
    early_stopping_patience: int = 5
    early_stopping_min_delta: float = 0.0
    seed: int = 1
    precision: str = "auto"
    xla: str = "auto"
    strategy: str = "auto"
    lanes: str = "auto"
    worker_wait_secs: float = WAIT_SECONDS
    decode_hparams: str = ""
    warm_start_from: str | None = None
    export: bool = True

    def __post_init__(self):
        for name in (
            "train_steps",
            "eval_interval",
            "log_interval",
            "keep_last",
            "early_stopping_patience",
        ):
            if getattr(self, name) < 1:
                raise UserError(
                    f"--{name}={getattr(self, name)}: expected at least 1"
                )
        for name in (
            "keep_best",
            "average_last",
            "show_samples",
            "save_checkpoints_secs",
        ):
            if getattr(self, name) < 0:
                raise UserError(
                    f"--{name}={getattr(self, name)}: expected at least 0"
                )
        if not 0 <= self.seed < 2**32:
            raise UserError(
                f"--seed={self.seed}: expected a number from 0 to {2**32 - 1}"
            )
        for name in ("eval_steps", "eval_decode_examples"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise UserError(f"--{name}={limit}: expected at least 1")
        if self.on_divergence not in divergence.POLICIES:
            raise UserError(
                f"--on_divergence={self.on_divergence}: expected one of "
                f"{', '.join(divergence.POLICIES)}"
            )

    @property
    def stopping_rule(self) -> StoppingRule:
        """When the run stops early."""
        return StoppingRule(
            self.early_stopping_metric,
            self.early_stopping_patience,
            self.early_stopping_min_delta,
        )

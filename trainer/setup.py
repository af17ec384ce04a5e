"""Everything a run is made of, built from names and options."""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from t2t_lite.data.batching import TrainBatches, eval_batches
from t2t_lite.data.bucketing import plan_buckets, plan_packing
from t2t_lite.data.preparing import prepare
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.hparams import HParams
from t2t_lite.models.resolve import build
from t2t_lite.trainer import evaluation, strategies
from t2t_lite.trainer.inference import Predictor, assign_weights
from t2t_lite.trainer.reporting import Reporter
from t2t_lite.trainer.run_folder import RunDescription, RunFolder
from t2t_lite.trainer.step import TrainStep


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a run is carried out; what is learned is in the hyperparameters.

    Fields:
        output_dir, data_dir: folders of the run and of prepared data.
        train_steps: updates in all.
        eval_interval: updates between evaluations; each also saves.
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
        precision, xla, strategy: see t2t_lite.trainer.strategies.
        decode_hparams: search options of evaluation and export.
        export: write a SavedModel at the end.
    """

    output_dir: str
    data_dir: str = "t2t_data"
    train_steps: int
    eval_interval: int
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
    decode_hparams: str = ""
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
        for name in ("keep_best", "average_last", "show_samples"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"--{name}={getattr(self, name)}: expected at least 0"
                )
        for name in ("eval_steps", "eval_decode_examples"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise UserError(f"--{name}={limit}: expected at least 1")


class Setup:
    """The parts of a run: data, model, step, evaluation and records.

    Args:
        problem: Problem.
        model_name: a registered model.
        hparams: its hyperparameters.
        options: TrainingOptions.
    Raises:
        UserError: the folders, data or devices do not allow the run.
    """

    def __init__(
        self,
        problem,
        model_name: str,
        hparams: HParams,
        options: TrainingOptions,
    ):
        self.problem = problem
        self.model_name = model_name
        self.hparams = hparams
        self.options = options
        self.run = RunFolder(options.output_dir)
        self._search = SearchOptions.parse(options.decode_hparams)
        keras.utils.set_random_seed(options.seed)
        self.strategy, self._strategy_choice = strategies.create_strategy(
            options.strategy
        )
        self.chief = _is_chief(self.strategy)
        self.report = Reporter(self.run, self.chief)
        self.precision = strategies.choose_precision(options.precision)
        self.xla = strategies.choose_xla(options.xla)
        self._print_choices()
        self.data = prepare(
            problem,
            hparams.vocab_kind,
            hparams.vocab_size,
            options.data_dir,
            log=self.report.line,
        )
        self.encoder = self.data.encoder
        self._plan_batches()
        self._begin_folder()
        self._build()

    def _print_choices(self) -> None:
        import t2t_lite

        rows = [
            ("problem", f"{self.problem.name}: {self.problem.description}"),
            ("model", f"{self.model_name} {_shape(self.hparams)}"),
            ("device", strategies.device_name()),
            ("strategy", str(self._strategy_choice)),
            ("precision", str(self.precision)),
            ("XLA", str(self.xla)),
            ("seed", str(self.options.seed)),
            ("data folder", os.path.abspath(self.options.data_dir)),
            ("run folder", self.run.path),
        ]
        self.report.line(
            f"t2t_lite {t2t_lite.__version__}, TensorFlow {tf.__version__}, "
            f"Keras {keras.__version__}"
        )
        self.report.table(rows)

    def _begin_folder(self) -> None:
        encoder, options = self.encoder, self.options
        vocabulary = os.path.join(
            self.data.folder, self.data.manifest["tokenizer"]["file"]
        )
        description = RunDescription(
            problem=self.problem.name,
            problem_options=self.problem.options,
            model=self.model_name,
            hparams=self.hparams,
            vocab_size=encoder.vocab_size,
            vocabulary=os.path.basename(vocabulary),
            data_hash=self.data.manifest["data_hash"],
            settings={
                "train_steps": options.train_steps,
                "seed": options.seed,
                "precision": self.precision.value,
                "xla": self.xla.value,
                "decode_hparams": options.decode_hparams,
            },
        )
        if self.chief:
            self.run.begin(description, vocabulary)

    def _plan_batches(self) -> None:
        hparams, replicas = self.hparams, self.strategy.num_replicas_in_sync
        split = self.data.split("train")
        tokens = hparams.batch_size * replicas
        if hparams.pack:
            plan = plan_packing(
                split.lengths, tokens, hparams.max_length, replicas
            )
        else:
            plan = plan_buckets(
                split.lengths,
                tokens,
                hparams.max_length,
                hparams.max_shapes,
                replicas,
            )
        self.plan = plan
        self.batches = TrainBatches(
            split, plan, self.options.seed, pack=hparams.pack
        )
        validation = self.data.split("validation")
        self.validation_batches = eval_batches(validation, plan)[
            : self.options.eval_steps
        ]
        shapes = ", ".join(
            f"{s.rows} x {s.inputs_length}/{s.targets_length}"
            for s in plan.shapes
        )
        per_epoch = self.batches.batches_per_epoch(0)
        self.report.table(
            [
                (
                    "data",
                    f"{split.num_examples:,} training and "
                    f"{validation.num_examples:,} validation examples, "
                    f"vocabulary of {self.encoder.vocab_size:,} "
                    f"({hparams.vocab_kind})",
                ),
                (
                    "batches",
                    f"{per_epoch:,} an epoch; rows x source/target length "
                    f"{shapes}; {plan.padding_share:.1%} padding, "
                    f"{plan.dropped:,} examples over max_length dropped",
                ),
            ]
        )

    def _build(self) -> None:
        policy = strategies.policy_name(self.precision.value)
        with self.strategy.scope():
            self.model = build(
                self.model_name,
                self.hparams,
                self.encoder.vocab_size,
                keras.DTypePolicy(policy),
            )
        self.step = TrainStep(
            self.model,
            self.hparams,
            self.strategy,
            xla=self.xla.value == "on",
            seed=self.options.seed,
            loss_scaling=self.precision.value == "float16",
        )
        count = sum(int(np.prod(p.shape)) for p in self.step.parameters)
        steps = self.options.train_steps
        epochs = (
            steps
            * self.hparams.accumulate_steps
            / self.batches.batches_per_epoch(0)
        )
        self.report.table(
            [
                ("parameters", f"{count:,}"),
                (
                    "steps",
                    f"{steps:,} updates, about {epochs:.1f} epochs; "
                    f"evaluation and checkpoint every "
                    f"{self.options.eval_interval:,}",
                ),
            ]
        )

    @functools.cached_property
    def predictor(self) -> Predictor:
        """Decodes with the model's present weights."""
        return Predictor(self.model, self.encoder, self.hparams, self._search)

    @functools.cached_property
    def _loss(self) -> evaluation.LossEvaluator:
        return evaluation.LossEvaluator(
            self.model, self.hparams.label_smoothing
        )

    def evaluate_loss(self) -> dict[str, float]:
        """Returns loss, nll, perplexity and accuracy on validation."""
        return self._loss(self.validation_batches)

    def decode_validation(self) -> evaluation.DecodedSplit:
        """Decodes and scores the validation split, or its first part."""
        return evaluation.decode_split(
            self.predictor,
            self.problem,
            self.data.split("validation"),
            self.options.eval_decode_examples,
        )

    def model_tensors(self) -> dict[str, np.ndarray]:
        """Returns the weights as a checkpoint names them."""
        return {f"model/{v.path}": v.numpy() for v in self.model.weights}

    def optimizer_tensors(self) -> dict[str, np.ndarray]:
        """Returns the optimizer's slots as a checkpoint names them."""
        return {
            f"optimizer/{name}": slot.numpy()
            for name, slot in self.step.slots.items()
        }

    def restore(self, tensors: dict[str, Any], source: str) -> None:
        """Sets weights and slots from a checkpoint's tensors."""
        assign_weights(self.model, tensors, source)
        for name, slot in self.step.slots.items():
            value = tensors.get(f"optimizer/{name}")
            if value is None:
                raise UserError(
                    f"{source}: no optimizer tensor {name}; it was saved for "
                    "decoding alone and cannot be trained further"
                )
            slot.assign(value)


def _is_chief(strategy) -> bool:
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None or not resolver.task_type:
        return True
    return resolver.task_type == "chief" or (
        resolver.task_type == "worker" and resolver.task_id == 0
    )


def _shape(hparams: HParams) -> str:
    """Returns the sizes of a model in a few words."""
    names = ("num_hidden_layers", "hidden_size", "filter_size", "num_heads")
    found = [f"{n}={getattr(hparams, n)}" for n in names if hasattr(hparams, n)]
    return "(" + ", ".join(found) + ")"

"""Everything a run is made of, built from names and options."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from t2t_lite.data.batching import Batch, TrainBatches, eval_batches
from t2t_lite.data.bucketing import plan_buckets
from t2t_lite.data.records import Split
from t2t_lite.data.row_planning import plan_packing
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.hparams import HParams
from t2t_lite.models.resolve import build
from t2t_lite.problems import more_pairs
from t2t_lite.trainer import (
    describing,
    early_checks,
    evaluation,
    predictors,
    strategies,
)
from t2t_lite.trainer.batch_predictor import BatchPredictor
from t2t_lite.trainer.inference import assign_weights
from t2t_lite.trainer.judging import Judge
from t2t_lite.trainer.lanes import set_threads, share_out
from t2t_lite.trainer.measures import mean_measures
from t2t_lite.trainer.objective import passes
from t2t_lite.trainer.options import TrainingOptions
from t2t_lite.trainer.programs import plan_programs
from t2t_lite.trainer.reporting import Reporter
from t2t_lite.trainer.run_data import run_data
from t2t_lite.trainer.run_folder import RunDescription, RunFolder
from t2t_lite.trainer.step import TrainStep
from t2t_lite.trainer.warm_start import WarmStart
from t2t_lite.trainer.workers import Workers


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
        self.lanes = strategies.choose_lanes(
            options.lanes, options.strategy, options.xla
        )
        cores = strategies.num_cores()
        set_threads(int(self.lanes.value), cores)
        self.strategy, self._strategy_choice = strategies.create_strategy(
            options.strategy, options.worker_wait_secs
        )
        keras.utils.set_random_seed(options.seed)
        self.workers = Workers.of(self.strategy)
        self.chief = self.workers.chief
        self.report = Reporter(self.run, self.chief)
        self.precision = strategies.choose_precision(
            options.precision, self._stored("precision")
        )
        self.xla = strategies.choose_xla(options.xla)
        self._print_choices()
        self._check_early()
        self.data, self._given_vocabulary = run_data(
            self.run, problem, hparams, options.data_dir, self.report.line
        )
        self.encoder = self.data.encoder
        self._plan_batches()
        self._build_model()
        self._begin_folder()
        self._build_step()

    def _check_early(self) -> None:
        """Refuses what cannot work before data are prepared for it."""
        early_checks.check(
            self.problem, self.model_name, self.hparams, self.options
        )
        if self.chief:
            self.run.check(
                problem=self.problem.name,
                model=self.model_name,
                hparams=self.hparams,
                seed=self.options.seed,
            )
        self._warm_start = WarmStart(self.options.warm_start_from, self.run)

    def _print_choices(self) -> None:
        import t2t_lite

        rows = [
            ("problem", f"{self.problem.name}: {self.problem.description}"),
            ("model", f"{self.model_name} {describing.sizes(self.hparams)}"),
            ("device", strategies.device_name()),
            ("strategy", str(self._strategy_choice)),
            ("precision", str(self.precision)),
            ("XLA", str(self.xla)),
            ("lanes", str(self.lanes)),
            *describing.savings(self.hparams),
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
        options = self.options
        vocabulary = os.path.join(
            self.data.folder, self.data.manifest["tokenizer"]["file"]
        )
        description = RunDescription(
            problem=self.problem.name,
            problem_options=self.problem.options,
            model=self.model_name,
            hparams=self.hparams,
            task=self.data.task,
            vocabulary=os.path.basename(vocabulary),
            data_hash=self.data.manifest["data_hash"],
            settings={
                "train_steps": options.train_steps,
                "seed": options.seed,
                "precision": self.precision.value,
                "tokens_per_update": self.tokens_per_update,
                "parts": self.num_parts,
                "xla": self.xla.value,
                "decode_hparams": options.decode_hparams,
                "given_vocabulary": self._given_vocabulary,
                "warm_start_from": self._warm_start.checkpoint,
                **more_pairs.flag_values(self.problem),
            },
        )
        if self.chief:
            self._warn_of_changes(description)
            self.run.begin(description, vocabulary)

    def _warn_of_changes(self, description: RunDescription) -> None:
        """Says what of the course is not as it was when the run began."""
        if not self.run.is_under_way:
            return
        before = self.run.describe().settings
        for name in ("precision", "xla"):
            value = description.settings[name]
            if before.get(name, value) != value:
                self.report.line(
                    f"  note: {name} was {before[name]} and is {value} now: "
                    "from here on the run is not the same to the bit"
                )

    def _choose_tokens_per_update(self) -> int:
        """Returns the tokens of an update, the same on any devices.

        A run that goes on keeps what it began with.
        """
        hparams, replicas = self.hparams, self.strategy.num_replicas_in_sync
        if hparams.tokens_per_update is not None:
            return hparams.tokens_per_update
        stored = self._stored_count("tokens_per_update")
        return stored or (
            hparams.batch_size * replicas * hparams.accumulate_steps
        )

    def _stored(self, name: str) -> Any:
        """Returns a setting of a run under way; None without."""
        if not self.run.is_under_way:
            return None
        return self.run.describe().settings.get(name)

    def _stored_count(self, name: str) -> int | None:
        """Returns a number above 0 that a run under way began with."""
        stored = self._stored(name)
        return stored if type(stored) is int and stored > 0 else None

    def _plan_batches(self) -> None:
        hparams, replicas = self.hparams, self.strategy.num_replicas_in_sync
        split = self.data.split("train")
        self.tokens_per_update = self._choose_tokens_per_update()
        tokens = max(1, self.tokens_per_update // hparams.accumulate_steps)
        self.turns, self.num_lanes = share_out(
            splits=-(-tokens // (hparams.batch_size * replicas)),
            replicas=replicas,
            lanes=int(self.lanes.value),
            parts=self._stored_count("parts"),
        )
        self.num_parts = replicas * self.turns * self.num_lanes
        planner = plan_packing if hparams.pack else plan_buckets
        self.plan = planner(
            split.lengths, tokens, hparams.max_length, hparams.max_shapes
        )
        self.batches = TrainBatches(split, self.plan, self.options.seed)
        whole = self.batches_of("validation")
        self.validation_batches = whole[: self.options.eval_steps]
        self.programs = plan_programs(
            self.batches.shapes,
            [b["targets"].size for b in self.validation_batches],
            self.num_parts,
            xla=self.xla.value == "on",
            passes=passes(hparams, self.options.train_steps),
            chunk=hparams.softmax_chunk,
        )
        self.report.table(
            [
                ("data", describing.data(self.data, hparams)),
                ("batches", describing.batches(self.batches)),
                ("update", self._describe_update()),
                ("programs", str(self.programs)),
            ]
        )

    def batches_of(self, split: str) -> list[Batch]:
        """Returns a split's batches, one example in a row."""
        hparams, plan = self.hparams, self.plan
        if plan.packed:  # its rows are too long for one example
            plan = plan_buckets(
                self.data.split("train").lengths,
                plan.batch_tokens,
                plan.max_length,
                hparams.max_shapes,
            )
        return eval_batches(self.data.split(split), plan)

    def _describe_update(self) -> str:
        return describing.update(
            self.tokens_per_update,
            self.hparams.accumulate_steps,
            devices=self.strategy.num_replicas_in_sync,
            turns=self.turns,
            lanes=self.num_lanes,
        )

    def _build_model(self) -> None:
        policy = strategies.policy_name(self.precision.value)
        with self.strategy.scope():
            self.model = build(
                self.model_name,
                self.hparams,
                self.data.task,
                keras.DTypePolicy(policy),
            )
        self._warm_start.begin(self.model, self.encoder, self.report)

    def _build_step(self) -> None:
        self.step = TrainStep(
            self.model,
            self.hparams,
            self.strategy,
            xla=self.xla.value == "on",
            seed=self.options.seed,
            loss_scaling=self.precision.value == "float16",
            splits=self.turns,
            lanes=self.num_lanes,
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
    def predictor(self) -> BatchPredictor:
        """Answers with the model's present weights."""
        return predictors.create(
            self.model,
            self.encoder,
            self.hparams,
            self._search,
            lanes=int(self.lanes.value),
        )

    @functools.cached_property
    def judge(self) -> Judge:
        """Judges the model's present weights."""
        return Judge(self.problem, self.predictor, self.workers)

    def evaluate_loss(
        self, before_batch: Callable[[], None]
    ) -> dict[str, float]:
        """Returns loss, nll, perplexity and accuracy on validation."""
        split = self.data.split("validation")
        sums = self.judge.loss.sums(
            self.validation_batches, self.workers, before_batch
        )
        whole = self.options.eval_steps is None
        found = self.judge.of_texts(sums, split) if whole else {}
        return mean_measures(sums) | found

    def row_losses(self, batch: Batch) -> list[tuple[float, list[int]]]:
        """Returns (nats per token, example ids) of a training batch's rows."""
        return self.judge.loss.row_losses(batch)

    def decode_validation(
        self, before_batch: Callable[[], None]
    ) -> evaluation.DecodedSplit:
        """Decodes and scores the validation split, or its first part.

        Where the loss alone is judged, a few examples are decoded to be seen.
        """
        split = self.data.split("validation")
        if self.problem.scored_by_loss:
            return self._shown_samples(split)
        return self.judge(
            split,
            self.validation_batches,
            before_batch,
            self.options.eval_decode_examples,
        )

    def _shown_samples(self, split: Split) -> evaluation.DecodedSplit:
        texts = self.samples(self.options.show_samples)
        outputs = self.predictor(texts) if self.chief else []
        return evaluation.DecodedSplit(texts, outputs, [], {})

    def samples(self, count: int) -> list[Any]:
        """Returns inputs to show: the problem's, else of validation."""
        samples = list(self.problem.sample_inputs)
        return (samples or self.data.split("validation").sources(count))[:count]

    def model_tensors(self) -> dict[str, np.ndarray]:
        """Returns the weights as a checkpoint names them."""
        return {f"model/{v.path}": v.numpy() for v in self.model.weights}

    def optimizer_tensors(self) -> dict[str, np.ndarray]:
        """Returns the optimizer's slots as a checkpoint names them."""
        return {
            f"optimizer/{name}": slot.numpy()
            for name, slot in self.step.slots.items()
        }

    def close(self) -> None:
        """Closes the records and gives the run's folder free."""
        self.report.close()
        self.run.unlock()

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

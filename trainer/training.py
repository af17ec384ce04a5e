"""The training loop: updates, evaluation, and how a run stops and goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from t2t_lite.errors import UserError
from t2t_lite.trainer import checkpoints, divergence
from t2t_lite.trainer.averaging import averaged_weights
from t2t_lite.trainer.feeding import Feed
from t2t_lite.trainer.interruption import Interrupted, SignalCatcher
from t2t_lite.trainer.measures import sign_of
from t2t_lite.trainer.progress import Progress, Window
from t2t_lite.trainer.reporting import Pace, duration
from t2t_lite.trainer.saving import Saver
from t2t_lite.trainer.schedules import learning_rate
from t2t_lite.trainer.setup import Setup

# Results are read one step late, so that a GPU never waits for the reader.
# Every so often all are read: only then may a worker act on its own clock.
_LAG = 1
_SYNCHRONIZE = 10


class Training:
    """Runs the updates of one run from its newest checkpoint to its end.

    Args:
        setup: everything that was built for the run.
    """

    def __init__(self, setup: Setup):
        options = setup.options
        self._setup = setup
        self._options = options
        self._report = setup.report
        self._progress = Progress()
        self._unread: list[tuple[int, dict[str, Any]]] = []
        self._signal: int | None = None
        self._stop: int | None = None
        self._left_out_in_a_row = 0
        self._rollbacks = 0
        self._roll_back_at: int | None = None
        self._feed = Feed(setup.batches, setup.hparams.accumulate_steps)
        self._saver = Saver(
            setup.run.checkpoints,
            (options.eval_interval, options.train_steps),
            options.keep_last,
            options.save_checkpoints_secs,
            options.async_checkpointing,
        )

    def run(self) -> Progress:
        """Trains to the end, to an early stop or to a signal.

        Raises:
            DivergenceError: loss or gradients are out of bounds, and the
                policy says stop, or going on did not help.
            Interrupted: a signal stopped the run after saving it.
        """
        self._resume()
        progress, last = self._progress, self._options.train_steps
        with SignalCatcher(self._note_signal):
            try:
                self._pace = Pace(last)
                self._lapped = progress.step
                if self._evaluation_is_due():
                    self._evaluate()
                if self._is_over():
                    why = progress.stopped or f"all {last} steps are done"
                    self._report.line(f"nothing left to train: {why}")
                self._report.start_bar(progress.step, last)
                while not self._is_over():
                    self._train_on()
                self._saver.wait()
                with self._naming_interruption("at"):
                    self._setup.workers.share(self._stop_if_asked)
            finally:
                self._report.finish_bar()
                self._saver.close()
        return self._progress

    def _is_over(self) -> bool:
        progress = self._progress
        return bool(progress.stopped) or (
            progress.step >= self._options.train_steps
        )

    def _evaluation_is_due(self) -> bool:
        step = self._progress.step
        return (
            step > self._progress.evaluated
            and self._saver.is_regular(step)
            and not self._progress.stopped
        )

    def _train_on(self) -> None:
        """Makes updates up to the end, or to where the run must turn back."""
        first = self._progress.step + 1
        self._pace.start()
        for step, batches in self._feed.ahead(first, self._options.train_steps):
            self._update(step, batches)
            if self._roll_back_at is not None:
                self._roll_back(self._roll_back_at)
                return
            if self._stop is not None:
                self._stop_for_signal()
            if self._evaluation_is_due():
                self._save()
                self._evaluate()
                self._pace.start()
            if self._is_over():
                return

    def _update(self, step: int, batches: list[dict[str, np.ndarray]]) -> None:
        setup, options = self._setup, self._options
        self._rate = learning_rate(setup.hparams, step, options.train_steps)
        sums = setup.step.update(
            batches,
            step,
            self._rate,
            self._feed.first_batch(step),
            stop=self._signal is not None,
        )
        self._progress.step = step
        self._unread.append((step, sums))
        self._report.advance()
        if setup.workers.count == 1:
            self._stop = self._signal  # no other worker to stop with
        regular = self._saver.is_regular(step)
        logs = step % options.log_interval == 0 or regular
        synchronize = logs or step % _SYNCHRONIZE == 0
        self._read(0 if synchronize else _LAG)
        if self._roll_back_at is not None:
            return
        if logs:
            self._log_progress()
        if synchronize and self._saver.due and not regular:
            self._save()

    def _read(self, lag: int) -> None:
        """Reads the results of all but the last `lag` updates."""
        while len(self._unread) > lag and self._roll_back_at is None:
            step, sums = self._unread.pop(0)
            values = {name: float(value) for name, value in sums.items()}
            if values["stop"]:
                self._stop = self._signal or 15
            if values["diverged"]:
                self._progress.window.left_out += 1
                self._left_out_in_a_row += 1
                self._handle_divergence(step, values)
            else:
                self._progress.window.add(values)
                self._left_out_in_a_row = 0

    def _handle_divergence(self, step: int, values: dict[str, float]) -> None:
        """Does what --on_divergence says, or raises DivergenceError."""
        policy = self._options.on_divergence
        mean = float(self._setup.step.slots["divergence/mean"].numpy())
        what = divergence.describe(step, values, mean)
        batches = self._feed.of(step)
        examples = divergence.describe_examples(
            [row for batch in batches for row in self._setup.row_losses(batch)]
        )
        if policy == "skip":
            if self._left_out_in_a_row < divergence.MAX_LEFT_OUT_IN_A_ROW:
                self._report.line(f"left out: {what}; {examples}")
                return
            what += f", {self._left_out_in_a_row} updates in a row left out"
        if policy == "rollback" and self._rollbacks < divergence.MAX_ROLLBACKS:
            self._report.line(f"{what}; {examples}")
            self._roll_back_at = step
            return
        if policy == "rollback":
            what += f", after {self._rollbacks} rollbacks"
        good = self._saver.newest or "none was saved yet"
        raise divergence.DivergenceError(
            f"{what}; last good checkpoint: {good}; {examples}; lower "
            "learning_rate_constant or set clip_grad_norm by --hparams, or "
            "go on with --on_divergence=skip or rollback"
        )

    def _roll_back(self, step: int) -> None:
        """Goes back to the last regular checkpoint, and past the data since.

        Only regular ones count: when the others are written is a matter of
        the clock, and a run that was killed must come out the same.
        """
        self._saver.wait()
        self._setup.workers.wait()
        root = self._setup.run.checkpoints
        regular = [
            folder
            for folder in checkpoints.listing(root)
            if checkpoints.step_of(folder) < step
            and self._saver.is_regular(checkpoints.step_of(folder))
        ]
        if not regular:
            raise divergence.DivergenceError(
                f"--on_divergence=rollback at step {step}: no evaluation has "
                "saved a checkpoint yet; lower --eval_interval, or use skip"
            )
        jumped = self._progress.jumped
        tensors, state = checkpoints.read(regular[-1])
        self._restore(regular[-1], tensors, state)
        self._progress.jumped = jumped + step - self._progress.step
        self._feed.jumped = self._progress.jumped
        self._unread.clear()
        self._roll_back_at = None
        self._rollbacks += 1
        self._report.forget_after(self._progress.step)
        self._report.line(
            f"rolled back to {regular[-1]}; going on with the data after "
            f"those of step {step}"
        )

    def _log_progress(self) -> None:
        self._lap()
        step, window = self._progress.step, self._progress.window
        measures, total = window.measures(), self._options.train_steps
        left_out = f"  {window.left_out} left out" if window.left_out else ""
        self._report.line(
            f"step {step:>{len(str(total))}}/{total}"
            f"  loss {measures['loss']:.4f}"
            f"  accuracy {measures['accuracy']:.3f}"
            f"  lr {self._rate:.2e}"
            f"  {window.tokens_per_second:,.0f} target tokens/s"
            f"  {duration(self._pace.left(step))} left{left_out}"
        )
        self._report.record(
            step,
            "train",
            {
                **measures,
                "learning_rate": self._rate,
                "gradient_norm": window.gradient_norm,
                "left_out": window.left_out,
                "tokens": window.sums["tokens"],
                "tokens_per_second": window.tokens_per_second,
            },
        )
        self._progress.window = Window(since=step)

    def _lap(self) -> None:
        """Counts the time of the updates since the last call."""
        step = self._progress.step
        self._progress.window.seconds += self._pace.lap(step - self._lapped)
        self._lapped = step

    def _evaluate(self) -> None:
        """Judges the weights that would be exported, and keeps the best."""
        setup, step = self._setup, self._progress.step
        with (
            self._naming_interruption("in the evaluation of"),
            averaged_weights(setup.step),
        ):
            values: dict[str, Any] = setup.evaluate_loss(self._stop_if_asked)
            decoded = setup.decode_validation(self._stop_if_asked)
            values |= decoded.scores
            metric = setup.problem.main_metric
            self._keep_best(sign_of(metric) * values[metric])
        numbers = {k: v for k, v in values.items() if isinstance(v, float)}
        text = "  ".join(
            f"{k} {v:.4f}" if abs(v) < 10 else f"{k} {v:.2f}"
            for k, v in numbers.items()
        )
        self._report.line(f"validation at step {step}: {text}")
        shown = zip(decoded.sources, decoded.predictions, strict=False)
        for source, output in list(shown)[: self._options.show_samples]:
            self._report.line(f"    {source[:100]}")
            self._report.line(f"      -> {output[:100]}")
        self._report.record(step, "validation", values)
        if self._progress.judge(self._options.stopping_rule, numbers):
            self._report.line(self._progress.stopped)
        self._progress.evaluated = step
        self._rollbacks = 0
        if setup.chief:
            self._saver.note(self._progress)

    def _keep_best(self, score: float) -> None:
        progress, keep = self._progress, self._options.keep_best
        if not progress.rank(score, keep) or not self._setup.chief:
            return
        root = self._setup.run.checkpoints
        folder = checkpoints.path(root, progress.step, "best")
        state = {"step": progress.step, "score": score}
        checkpoints.write(folder, self._setup.model_tensors(), state)
        kept = {int(step) for _, step in progress.best}
        checkpoints.keep_only(root, kept, "best")

    def _save(self) -> None:
        self._lap()
        setup = self._setup
        if setup.chief:
            tensors = setup.model_tensors() | setup.optimizer_tensors()
            self._saver.save(tensors, self._progress)
        self._pace.start()

    def _resume(self) -> None:
        setup = self._setup
        root = setup.run.checkpoints
        if setup.chief:
            self._saver.clean()
        setup.workers.wait()
        found = checkpoints.read_newest(root, self._report.line)
        if found is not None:
            self._restore(*found)
        steps = setup.workers.gather(self._progress.step)
        if len(set(steps)) > 1:
            raise UserError(
                f"--output_dir={setup.run.path}: the workers found checkpoints "
                f"of steps {', '.join(map(str, steps))}; it must be a folder "
                "that all of them share"
            )
        if setup.chief:
            self._saver.prune()
        self._report.open(self._progress.step, self._progress.evaluated)
        if found is not None:
            self._report.line(
                f"resumed from {found[0]}: step {self._progress.step}"
            )

    def _restore(self, folder: str, tensors, state) -> None:
        self._setup.restore(tensors, folder)
        self._progress = Progress.from_state(state)
        self._lapped = self._progress.step
        self._saver.newest = folder
        self._progress.reconsider(self._options.stopping_rule)
        self._feed.jumped = self._progress.jumped

    def _note_signal(self, number: int) -> None:
        self._signal = number

    def _stop_if_asked(self) -> None:
        if self._signal is not None:
            raise Interrupted(self._signal)

    def _stop_for_signal(self) -> None:
        self._read(0)
        if self._roll_back_at is None:  # else it is met again from the last one
            self._save()
        self._saver.wait()
        raise self._interrupted(self._stop, "at")

    @contextlib.contextmanager
    def _naming_interruption(self, when: str) -> Iterator[None]:
        """Lets an Interrupted say what was saved."""
        try:
            yield
        except Interrupted as stop:
            self._saver.wait()
            raise self._interrupted(stop.signal, when) from None

    def _interrupted(self, number: int, when: str) -> Interrupted:
        name = Interrupted(number)
        return Interrupted(
            number,
            f"{name} {when} step {self._progress.step}: saved "
            f"{self._saver.newest}; the same command goes on from there",
        )

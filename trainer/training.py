"""The training loop: updates, evaluation, checkpoints, and how a run stops."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import math
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from t2t_lite.errors import UserError, closest
from t2t_lite.trainer import checkpoints, evaluation
from t2t_lite.trainer.reporting import Pace, duration
from t2t_lite.trainer.schedules import learning_rate
from t2t_lite.trainer.setup import Setup

_LOWER_IS_BETTER = ("loss", "nll", "perplexity")
_PREFETCH = 4


class NonFiniteLossError(UserError):
    """The loss became NaN or infinite."""


class Interrupted(Exception):  # noqa: N818 (an event, not an error)
    """SIGINT or SIGTERM came; the run was saved.

    Attributes:
        signal: int, the signal's number.
    """

    def __init__(self, number: int, message: str):
        super().__init__(message)
        self.signal = number


@dataclasses.dataclass
class Progress:
    """What a checkpoint's state.json holds beside the tensors.

    Fields:
        step: updates made.
        best: [score, step] of the best checkpoints, best first.
        stopping_best, stopping_bad: best value of the early-stopping metric
            and evaluations since then.
        stopped: why the run ended before its last step, or "".
    """

    step: int = 0
    best: list[list[float]] = dataclasses.field(default_factory=list)
    stopping_best: float | None = None
    stopping_bad: int = 0
    stopped: str = ""


class Training:
    """Runs the updates of one run from its newest checkpoint to its end.

    Args:
        setup: everything that was built for the run.
    """

    def __init__(self, setup: Setup):
        self._setup = setup
        self._options = setup.options
        self._report = setup.report
        self._progress = Progress()
        self._pending: list[tuple[int, dict[str, Any]]] = []
        self._signal: int | None = None
        self._last_saved: str | None = None

    def run(self) -> Progress:
        """Trains to the end, to an early stop or to a signal.

        Raises:
            NonFiniteLossError: the loss is NaN or infinite.
            Interrupted: a signal stopped the run after saving it.
        """
        self._resume()
        options, progress = self._options, self._progress
        self._report.open(progress.step)
        first, last = progress.step + 1, options.train_steps
        if first > last or progress.stopped:
            why = progress.stopped or f"all {last} steps are done"
            self._report.line(f"nothing left to train: {why}")
            return progress
        self._pace = Pace(last)
        self._pace.start()
        self._window = progress.step
        self._report.start_bar(progress.step, last)
        with self._catch_signals():
            try:
                for step, batches in self._batches(first, last):
                    self._update(step, batches)
                    if progress.stopped:
                        break
            finally:
                self._report.finish_bar()
        return progress

    def _update(self, step: int, batches: list[dict[str, np.ndarray]]) -> None:
        options = self._options
        rate = learning_rate(self._setup.hparams, step, options.train_steps)
        sums = self._setup.step.update(batches, step, rate)
        self._progress.step = step
        self._pending.append((step, sums))
        self._report.advance()
        evaluate = step % options.eval_interval == 0
        last = step == options.train_steps
        if step % options.log_interval == 0 or evaluate or last:
            self._log_progress(rate)
        if self._signal is not None:
            self._stop_for_signal()
        if evaluate or last:
            self._evaluate()
            self._save()
            self._pace.start()

    def _batches(
        self, first: int, last: int
    ) -> Iterator[tuple[int, list[dict[str, np.ndarray]]]]:
        """Yields (step, its batches), made ahead on another thread."""
        count = self._setup.hparams.accumulate_steps

        def make(step):
            start = (step - 1) * count
            return [self._setup.batches.batch(start + i) for i in range(count)]

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = [
                pool.submit(make, step)
                for step in range(first, min(first + _PREFETCH, last + 1))
            ]
            for step in range(first, last + 1):
                batches = waiting.pop(0).result()
                if step + _PREFETCH <= last:
                    waiting.append(pool.submit(make, step + _PREFETCH))
                yield step, batches

    def _log_progress(self, rate: float) -> None:
        totals = dict.fromkeys(("loss", "nll", "tokens", "correct"), 0.0)
        for step, sums in self._pending:
            values = {k: float(v) for k, v in sums.items()}
            if not math.isfinite(values["loss"]):
                raise NonFiniteLossError(self._non_finite(step))
            for name in totals:
                totals[name] += values[name]
        step = self._progress.step
        steps = step - self._window
        seconds = self._pace.stop(steps)
        measures = evaluation.mean_measures(totals)
        speed = totals["tokens"] / max(seconds, 1e-9)
        total = self._options.train_steps
        self._report.line(
            f"step {step:>{len(str(total))}}/{total}"
            f"  loss {measures['loss']:.4f}"
            f"  accuracy {measures['accuracy']:.3f}"
            f"  lr {rate:.2e}"
            f"  {speed:,.0f} target tokens/s"
            f"  {duration(self._pace.left(step))} left"
        )
        self._report.record(
            step,
            "train",
            {
                **measures,
                "learning_rate": rate,
                "gradient_norm": values["gradient_norm"],
                "tokens_per_second": speed,
            },
        )
        self._pending.clear()
        self._window = step
        self._pace.start()

    def _non_finite(self, step: int) -> str:
        count = self._setup.hparams.accumulate_steps
        ids: list[int] = []
        for micro in range((step - 1) * count, step * count):
            found = self._setup.batches.batch(micro)["example_ids"]
            ids += [int(i) for i in found.ravel() if i >= 0]
        shown = ", ".join(map(str, ids[:20])) + (", ..." if ids[20:] else "")
        good = self._last_saved or "none was saved yet"
        return (
            f"the loss is not finite at step {step}; last good checkpoint: "
            f"{good}; training example ids of that batch: {shown}; lower "
            "learning_rate_constant or set clip_grad_norm by --hparams"
        )

    def _evaluate(self) -> None:
        setup, step = self._setup, self._progress.step
        values: dict[str, Any] = setup.evaluate_loss()
        decoded = setup.decode_validation()
        values |= decoded.scores
        numbers = {k: v for k, v in values.items() if isinstance(v, float)}
        text = "  ".join(
            f"{k} {v:.4f}" if abs(v) < 10 else f"{k} {v:.2f}"
            for k, v in numbers.items()
        )
        self._report.line(f"validation at step {step}: {text}")
        for source, output in list(
            zip(decoded.sources, decoded.predictions, strict=True)
        )[: self._options.show_samples]:
            self._report.line(f"    {source[:100]}")
            self._report.line(f"      -> {output[:100]}")
        self._report.record(step, "validation", values)
        self._keep_best(numbers)
        self._check_stopping(numbers)

    def _keep_best(self, numbers: dict[str, float]) -> None:
        score = numbers[self._setup.problem.main_metric]
        progress, keep = self._progress, self._options.keep_best
        ranked = sorted(
            [*progress.best, [score, progress.step]],
            key=lambda item: (-item[0], item[1]),
        )
        progress.best = ranked[:keep]
        if [score, progress.step] not in progress.best or not keep:
            return
        root = self._setup.run.checkpoints
        tensors = self._setup.model_tensors()
        state = {"step": progress.step, "score": score}
        if self._setup.chief:
            folder = checkpoints.path(root, progress.step, "best")
            checkpoints.write(folder, tensors, state)
            kept = {int(step) for _, step in progress.best}
            checkpoints.keep_only(root, kept, "best")

    def _check_stopping(self, numbers: dict[str, float]) -> None:
        name, progress = self._options.early_stopping_metric, self._progress
        if name is None:
            return
        if name not in numbers:
            raise UserError(
                f"--early_stopping_metric={name}: not measured"
                f"{closest(name, numbers)}; there are {', '.join(numbers)}"
            )
        value = numbers[name]
        best = progress.stopping_best
        sign = -1 if name in _LOWER_IS_BETTER else 1
        margin = self._options.early_stopping_min_delta
        if best is None or sign * (value - best) > margin:
            progress.stopping_best, progress.stopping_bad = value, 0
            return
        progress.stopping_bad += 1
        if progress.stopping_bad >= self._options.early_stopping_patience:
            progress.stopped = (
                f"early stop at step {progress.step}: {name} did not improve "
                f"on {best:.4f} in {progress.stopping_bad} evaluations"
            )
            self._report.line(progress.stopped)

    def _save(self) -> None:
        setup, progress = self._setup, self._progress
        tensors = setup.model_tensors() | setup.optimizer_tensors()
        if not setup.chief:
            return
        root = setup.run.checkpoints
        folder = checkpoints.path(root, progress.step)
        checkpoints.write(folder, tensors, dataclasses.asdict(progress))
        checkpoints.keep_last(root, self._options.keep_last)
        self._last_saved = folder

    def _resume(self) -> None:
        setup = self._setup
        root = setup.run.checkpoints
        if setup.chief:
            checkpoints.remove_leftovers(root)
            checkpoints.keep_last(root, self._options.keep_last)
        found = checkpoints.read_newest(root, self._report.line)
        if found is None:
            return
        folder, tensors, state = found
        setup.restore(tensors, folder)
        del state["tensors"]
        self._progress = Progress(**state)
        patience = self._options.early_stopping_patience
        if (
            self._options.early_stopping_metric is None
            or self._progress.stopping_bad < patience
        ):
            self._progress.stopped = ""  # the rule that stopped it is gone
        self._last_saved = folder
        self._report.line(f"resumed from {folder}: step {self._progress.step}")

    def _catch_signals(self):
        return _SignalCatcher(self._note_signal)

    def _note_signal(self, number: int) -> None:
        self._signal = number

    def _stop_for_signal(self) -> None:
        self._log_progress_if_pending()
        self._save()
        name = signal.Signals(self._signal).name
        raise Interrupted(
            self._signal,
            f"{name} at step {self._progress.step}: saved "
            f"{self._last_saved}; the same command goes on from there",
        )

    def _log_progress_if_pending(self) -> None:
        if self._pending:
            rate = learning_rate(
                self._setup.hparams,
                self._progress.step,
                self._options.train_steps,
            )
            self._log_progress(rate)


class _SignalCatcher:
    """Turns SIGINT and SIGTERM into a note; a second one acts at once."""

    _NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, note):
        self._note = note
        self._old: dict[int, Any] = {}

    def __enter__(self) -> _SignalCatcher:
        if threading.current_thread() is threading.main_thread():
            for number in self._NUMBERS:
                self._old[number] = signal.signal(number, self._handle)
        return self

    def _handle(self, number, frame) -> None:
        del frame
        self._restore()
        os.write(2, b"\nstopping after this step, then saving ...\n")
        self._note(number)

    def _restore(self) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        self._old.clear()

    def __exit__(self, *exception) -> None:
        self._restore()

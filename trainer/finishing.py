"""The end of a run: choose the weights, test them, show them, export them."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from t2t_lite.data import storage, untrusted
from t2t_lite.trainer import checkpoints, evaluation, exporting, inference
from t2t_lite.trainer.batch_predictor import BatchPredictor
from t2t_lite.trainer.judging import Judge
from t2t_lite.trainer.measures import sign_of
from t2t_lite.trainer.model_card import model_card, score_lines
from t2t_lite.trainer.plotting import plot_curves
from t2t_lite.trainer.provenance import provenance
from t2t_lite.trainer.run_texts import RunTexts, missing
from t2t_lite.trainer.score_intervals import intervals
from t2t_lite.trainer.setup import Setup

_MOVING_AVERAGE = "moving average"


def finish(setup: Setup, step: int) -> dict[str, Any]:
    """Ends a run after its last update.

    The last weights, the best checkpoint and the average of the last ones are
    scored on validation; the best of them becomes `checkpoints/final`, is
    tested, shown and exported.

    Args:
        setup: the run.
        step: int, updates made.
    Returns:
        The results, as in `results.json`.
    """
    run = setup.run
    candidates = _candidates(setup, step)
    judge = _judge(setup, candidates[0][1])
    name, tensors, scores = _choose(setup, judge, candidates)
    inference.assign_weights(judge.predictor.model, tensors, name)
    if setup.chief:
        checkpoints.write(
            os.path.join(run.checkpoints, "final"),
            {k: v for k, v in tensors.items() if k.startswith("model/")},
            {"step": step, "chosen": name},
        )
    results: dict[str, Any] = {
        "problem": setup.problem.name,
        "model": setup.model_name,
        "data_hash": setup.data.data_hash,
        "seed": setup.options.seed,
        "step": step,
        "parameters": sum(int(np.prod(p.shape)) for p in setup.step.parameters),
        "weights": name,
        "validation": scores,
    }
    if "test" in setup.problem.splits:
        results["test"] = _test(setup, judge, step)
    return _publish(setup, judge.predictor, results) if setup.chief else results


def _judge(setup: Setup, folder: str) -> Judge:
    """Returns what judges weights in float32, as they will be used.

    That of the training if it computes in float32, for its graphs are traced
    already; else one of a model of its own.
    """
    if setup.precision.value == "float32":
        return setup.judge
    return Judge(setup.problem, _load(setup, folder), setup.workers)


def _load(setup: Setup, folder: str) -> BatchPredictor:
    return inference.load(
        setup.run.path,
        checkpoint_path=folder,
        decode_hparams=setup.options.decode_hparams,
        lanes=int(setup.lanes.value),
    )


def _publish(
    setup: Setup, predictor: BatchPredictor, results: dict[str, Any]
) -> dict[str, Any]:
    """Writes what the end of a run leaves for people and servers."""
    run = setup.run
    _show_samples(setup, predictor)
    if setup.options.export:
        folder = _export(setup, predictor, results)
        results["export"] = os.path.relpath(folder, run.path)
    results["made_by"] = provenance()
    plot_curves(run, setup.problem.main_metric)
    # Last: a run that has it is over.
    storage.write_text(
        run.file("results.json"),
        json.dumps(results, indent=2, ensure_ascii=False),
    )
    _say_how_to_go_on(setup, results)
    return results


def finished_results(setup: Setup, step: int) -> dict[str, Any] | None:
    """Returns `results.json` if the run was ended at `step`, else None."""
    path = setup.run.file("results.json")
    if not os.path.exists(path):
        return None
    try:
        results = untrusted.read_json(path, finite=False)
        if results["step"] != step:
            return None
        if "test" in results and (names := missing(setup.run.path)):
            setup.report.line(f"{', '.join(names)}: missing, made again")
            return None
        checkpoints.read(os.path.join(setup.run.checkpoints, "final"))
        return results
    except checkpoints.DamagedCheckpointError as error:
        setup.report.line(f"{error}: made again")
        return None
    except (ValueError, TypeError, LookupError) as error:
        setup.report.line(f"{path} is damaged ({error}): made again")
        return None


def show_finished(setup: Setup, results: dict[str, Any]) -> None:
    """Prints the results of a run that is over."""
    for split in ("validation", "test"):
        for line in score_lines(split, results.get(split, {})):
            setup.report.line(line)
    _say_how_to_go_on(setup, results)


def _candidates(setup: Setup, step: int) -> list[tuple[str, str]]:
    """Returns (name, checkpoint folder) of the weights to choose from."""
    root = setup.run.checkpoints
    setup.workers.wait()  # for the chief's last checkpoint
    found = [("last", checkpoints.path(root, step))]
    if setup.hparams.ema_decay:
        found.append((_MOVING_AVERAGE, checkpoints.path(root, step)))
    best = checkpoints.listing(root, "best")
    found += [
        (f"best, of step {checkpoints.step_of(folder)}", folder)
        for folder in best
        if checkpoints.step_of(folder) != step
    ]
    last = checkpoints.listing(root)[-setup.options.average_last :]
    if setup.options.average_last > 1 and len(last) > 1:
        folder = os.path.join(root, "averaged")
        state = {"step": step, "averaged": [os.path.basename(f) for f in last]}
        if setup.chief:
            checkpoints.write(folder, checkpoints.average(last), state)
        found.append((f"average of the last {len(last)}", folder))
    setup.workers.wait()  # for the average
    return found


def _choose(
    setup: Setup, judge: Judge, candidates: list[tuple[str, str]]
) -> tuple[str, dict[str, np.ndarray], dict[str, Any]]:
    metric = setup.problem.main_metric
    split = setup.data.split("validation")
    rows, tried = [("weights", f"validation {metric}")], []
    for name, folder in candidates:
        tensors = checkpoints.read(folder)[0]
        if name == _MOVING_AVERAGE:
            tensors = checkpoints.evaluated_weights(tensors)
        inference.assign_weights(judge.predictor.model, tensors, folder)
        decoded = judge(split, setup.batches_of("validation"))
        tried.append((name, tensors, decoded))
        rows.append((name, f"{decoded.scores[metric]:.2f}"))
    sign = sign_of(metric)
    best = max(tried, key=lambda item: sign * item[2].scores[metric])
    if setup.chief:
        _texts(best[2]).write(setup.run.path, "validation")
    setup.report.line()
    setup.report.line(f"training is over; taking the weights: {best[0]}")
    setup.report.table(rows)
    return *best[:2], best[2].scores


def _texts(decoded: evaluation.DecodedSplit) -> RunTexts:
    return RunTexts(decoded.predictions, decoded.references, decoded.sources)


def _test(setup: Setup, judge: Judge, step: int) -> dict[str, Any]:
    decoded = judge(setup.data.split("test"), setup.batches_of("test"))
    scores = decoded.scores
    if setup.chief and decoded.predictions:
        scores = scores | intervals(
            scores, decoded.predictions, decoded.references
        )
    setup.report.line()
    for line in score_lines("test", scores):
        setup.report.line(line)
    setup.report.forget(step, "test")  # by a run killed after this line
    setup.report.record(step, "test", scores)
    if setup.chief:
        _texts(decoded).write(setup.run.path)
    return scores


def _show_samples(setup: Setup, predictor) -> None:
    samples = setup.samples(4)
    setup.report.line()
    outputs = predictor(samples)
    for i, (sample, output) in enumerate(zip(samples, outputs, strict=True)):
        kind = setup.data.task.inputs
        shown = sample if isinstance(sample, str) else f"{kind} {i}"
        setup.report.line(f"  {shown}")
        setup.report.line(f"    -> {output}")


def _export(
    setup: Setup, judged: BatchPredictor, results: dict[str, Any]
) -> str:
    """Exports the chosen weights; those of a training are read back first."""
    mine = judged
    if judged is setup.predictor:
        mine = _load(setup, os.path.join(setup.run.checkpoints, "final"))
    return exporting.export(
        mine,
        setup.run.file("export"),
        samples=setup.samples(2),
        card=model_card(setup.run, results),
        reference=judged,
    )


def _say_how_to_go_on(setup: Setup, results: dict[str, Any]) -> None:
    path = os.path.relpath(setup.run.path)
    lines = []
    if "export" in results:
        lines.append(f"SavedModel: {os.path.join(path, results['export'])}")
    lines += [
        f"curves:     {os.path.join(path, 'curves.png')}",
        "try it:     t2t_lite_decoder --decode_interactive "
        f"--output_dir={path}",
        f'Python:     t2t_lite.load("{path}")({_example(setup)})',
    ]
    setup.report.line()
    for line in lines:
        setup.report.line(line)


def _example(setup: Setup) -> str:
    """Returns Python's text of what the run's predictor may be called with."""
    if setup.data.task.inputs in ("text", "none"):
        return '["A sentence."]'
    return f"[{setup.data.task.inputs}]"

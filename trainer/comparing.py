"""Whether two systems differ on a test by more than chance.

A system is a finished run, or a text file of outputs that any other program
has made.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from t2t_lite import significance
from t2t_lite.data import untrusted
from t2t_lite.errors import UserError, closest
from t2t_lite.problems.text_files import read_lines
from t2t_lite.trainer import run_fields, run_texts
from t2t_lite.trainer.score_intervals import TOLERANCE, metric_of

RESULTS = "results.json"
ALPHA = 0.05
_AGAIN = "run its t2t_lite_trainer command again"
_LABELS = {"bleu": "BLEU", "chrf": "chrF", "exact_match": "exact match"}


@dataclasses.dataclass(frozen=True)
class System:
    """What one of the two has made of the test.

    Fields:
        path: str, a run's folder or a text file.
        outputs: its texts.
        references, sources: the run's own; None for a text file.
        scores: the run's scores of its test, as in results.json; empty for a
            text file.
        facts: the run's problem, model, seed and step.
    """

    path: str
    outputs: list[str]
    references: list[str] | None = None
    sources: list[str] | None = None
    scores: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def is_run(self) -> bool:
        """Whether it brings its references and settings."""
        return self.references is not None


@dataclasses.dataclass(frozen=True)
class TextSettings:
    """What two text files need and a run knows by itself.

    Fields:
        references: str, path of a text file; None = not given.
        tokenize: str, one of significance.TOKENIZERS; None = not given.
        lowercase: bool, whether case is ignored; None = not given.
    """

    references: str | None = None
    tokenize: str | None = None
    lowercase: bool | None = None


def read_system(path: str) -> System:
    """Reads a finished run's test, or a text file of outputs.

    Raises:
        UserError: neither is at `path`, the run is not finished, has no test
            or is damaged, or the file cannot be read.
    """
    if not os.path.isdir(path):
        if not os.path.exists(path):
            raise UserError(
                f"{path}: no run folder and no text file is here; give the "
                "--output_dir of a finished run, or a file of outputs"
            )
        return System(path, list(read_lines(path)))
    results = _read_results(path)
    if missing := run_texts.missing(path):
        raise UserError(
            f"{path} lacks {' and '.join(missing)}; {_AGAIN}, which tests anew"
        )
    texts = run_texts.RunTexts.read(path)
    names = ("problem", "model", "seed", "step", "weights", "data_hash")
    return System(
        path,
        texts.outputs,
        texts.references,
        texts.sources,
        results["test"],
        {name: results[name] for name in names if name in results},
    )


def _read_results(path: str) -> dict[str, Any]:
    file = os.path.join(path, RESULTS)
    if not os.path.exists(os.path.join(path, run_fields.FILE)):
        raise UserError(
            f"{path}: no run is here ({run_fields.FILE} is missing); give the "
            "trainer's --output_dir, or a text file"
        )
    try:
        results = untrusted.read_json(file, finite=False)
    except FileNotFoundError:
        raise UserError(
            f"{path}: the run is not finished ({RESULTS} is missing); "
            f"{_AGAIN}, to its end"
        ) from None
    except ValueError as error:
        raise UserError(f"{file} is damaged ({error}); {_AGAIN}") from error
    if not isinstance(results, dict):
        raise UserError(f"{file} is damaged (no JSON object); {_AGAIN}")
    if not isinstance(results.get("test"), dict):
        raise UserError(
            f"{path}: its problem has no test, so that there is nothing to "
            "compare; decode a file with t2t_lite_decoder and compare that"
        )
    return results


def references_of(
    systems: tuple[System, System], settings: TextSettings
) -> list[str]:
    """Returns the references of the test that both systems have made.

    Raises:
        UserError: no references, or the systems are of different tests.
    """
    runs = [system for system in systems if system.is_run]
    if not runs and settings.references is None:
        raise UserError(
            "--references is missing: two text files of outputs need the file "
            "of the texts that they should have been"
        )
    if runs:
        _refuse_settings(runs[0], settings)
        name, references = runs[0].path, runs[0].references
    else:
        name = settings.references
        references = list(read_lines(name))
    for system in systems:
        if len(system.outputs) != len(references):
            raise UserError(
                f"{system.path} has {len(system.outputs):,} lines but the "
                f"references of {name} have {len(references):,}; both systems "
                "must have made the same test"
            )
    if not references:
        raise UserError(f"{name}: empty, so that there is nothing to compare")
    if len(runs) == 2:
        _check_same(runs, "references")
        _check_same(runs, "sources")
    return references


def _refuse_settings(run: System, settings: TextSettings) -> None:
    for name, value in dataclasses.asdict(settings).items():
        if value is not None:
            raise UserError(
                f"--{name}={value}: belongs to two text files; {run.path} is "
                "a run, which has its own: leave the flag out"
            )


def _check_same(runs: Sequence[System], what: str) -> None:
    texts = [getattr(run, what) for run in runs]
    for number, (one, other) in enumerate(zip(*texts, strict=True), 1):
        if one != other:
            raise UserError(
                f"{runs[0].path} and {runs[1].path} are of different tests: "
                f"line {number} of their {what} is {one[:60]!r} and "
                f"{other[:60]!r}; compare runs of one problem and one text"
            )


def signatures_of(
    systems: tuple[System, System],
    settings: TextSettings,
    wanted: Sequence[str] = (),
) -> dict[str, str]:
    """Returns the signature of each metric to compare by, the main one first.

    Runs give their problem's own metrics. Two text files are compared by BLEU
    and chrF.

    Args:
        wanted: names of metrics; empty = all there are.
    Raises:
        UserError: a wanted metric is not there, the runs were scored in
            different ways, or not as their signatures say.
    """
    runs = [system for system in systems if system.is_run]
    found = _own_signatures(runs) if runs else _text_signatures(settings)
    for name in wanted:
        if name not in found:
            raise UserError(
                f"--metric={name}: not measured{closest(name, found)}; there "
                f"are {', '.join(found)}"
            )
    return {name: found[name] for name in wanted or found}


def _own_signatures(runs: Sequence[System]) -> dict[str, str]:
    found = {}
    for name in runs[0].scores:
        if metric_of(runs[0].scores, name) is None:
            continue
        signatures = [str(run.scores.get(f"{name}_signature")) for run in runs]
        if len({_without_version(text) for text in signatures}) > 1:
            raise UserError(
                f"{runs[0].path} and {runs[1].path} have {name} of different "
                f"kinds ({signatures[0]} and {signatures[1]}); compare their "
                "outputs as text files, with --references"
            )
        found[name] = signatures[0]
    if not found:
        raise UserError(
            f"{runs[0].path}: no metric of its test is one of sacreBLEU's; "
            "compare the outputs as text files, with --references"
        )
    return found


def _without_version(signature: str) -> str:
    return signature.partition("|version:")[0]


def _text_signatures(settings: TextSettings) -> dict[str, str]:
    from t2t_lite import metrics

    lowercase = bool(settings.lowercase)
    tokenize = settings.tokenize or "13a"
    return {
        "bleu": metrics.bleu(["a"], ["a"], tokenize, lowercase)[1],
        "chrf": metrics.chrf(["a"], ["a"], lowercase=lowercase)[1],
    }


def compare(
    systems: tuple[System, System],
    references: Sequence[str],
    signature: str,
    samples: dict[str, int],
    seed: int,
) -> significance.Comparison:
    """Tests two systems by one metric; see `significance.compare`."""
    return significance.compare(
        significance.metric_of(signature),
        (systems[0].outputs, systems[1].outputs),
        references,
        samples,
        seed,
    )


def check_scores(
    systems: tuple[System, System],
    name: str,
    comparison: significance.Comparison,
) -> None:
    """Checks that a run's texts have the score that its results tell.

    Raises:
        UserError: they have another one.
    """
    for system, score in zip(systems, comparison.scores, strict=True):
        told = system.scores.get(name)
        if system.is_run and not (
            isinstance(told, float) and abs(told - score) <= TOLERANCE
        ):
            raise UserError(
                f"{system.path}: its test outputs have {name} {score:.2f}, but "
                f"{RESULTS} says {told}; if a file was changed, {_AGAIN}, else "
                "the problem prepares texts before it scores them: compare "
                "prepared text files, with --references"
            )


def label(metric: str) -> str:
    """Returns a metric's name as papers write it."""
    return _LABELS.get(metric, metric)


def meaning(metric: str, comparison: significance.Comparison) -> str:
    """Returns one sentence that says what a comparison shows.

    The larger of the p-values decides.
    """
    size = f"{abs(comparison.difference):.2f} {label(metric)}"
    p = max(comparison.p_values.values())
    if comparison.difference == 0:
        return f"A and B have the same {label(metric)}."
    often = f"equal systems come out this far apart {_how_often(p)}"
    if p < ALPHA:
        better = "B" if comparison.difference > 0 else "A"
        return f"{better} is better by {size}: {often}, so chance is unlikely."
    return (
        f"The difference of {size} is not significant: {often}, so this test "
        "does not show which is better."
    )


def _how_often(p: float) -> str:
    if p < 0.001:
        return "in fewer than 1 of 1,000 tests"
    return f"in about {1000 * p:.0f} of 1,000 tests"

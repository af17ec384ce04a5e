"""Scores of a finished run's test, as its problem and as papers score it."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from t2t_lite import metrics, problems
from t2t_lite.data import untrusted
from t2t_lite.errors import UserError
from t2t_lite.trainer import run_fields
from t2t_lite.trainer.run_texts import RunTexts
from t2t_lite.trainer.score_intervals import intervals

_TEXT = "multi30k_text"
_RAW, _TOKENISED = "raw", "lc.norm.tok"


def needs_detokenizer(flags: Sequence[str]) -> bool:
    """Returns whether a recipe's outputs are tokenised text."""
    return f"--{_TEXT}={_TOKENISED}" in flags


def detokenizer(language: str):
    """Returns a function that joins the words of Moses' tokenizer again.

    Raises:
        UserError: sacremoses is not installed.
    """
    try:
        from sacremoses import MosesDetokenizer
    except ImportError as error:
        raise UserError(
            "scoring tokenised text needs sacremoses; install it with "
            'python -m pip install ".[quality]"'
        ) from error
    moses = MosesDetokenizer(lang=language)
    return lambda text: moses.detokenize(text.split())


def score(
    run: pathlib.Path, source: pathlib.Path | None, data: pathlib.Path
) -> dict[str, dict[str, Any]]:
    """Returns the scores of a finished run by the way they are made.

    Args:
        run: the run's folder.
        source: folder of the problem's files; None = downloaded below `data`.
        data: folder of prepared data.
    Returns:
        "problem": as in results.json. For translations also "cased" and
        "lowercase": BLEU with tokenizer 13a and chrF of detokenised outputs
        against the references as upstream has them. Where the outputs had to
        be detokenised, `ceiling_bleu` of these two is what the references
        themselves score after the same treatment.
    Raises:
        UserError: files are missing, or do not belong to the run.
    """
    test = untrusted.read_json(str(run / "results.json"), finite=False)["test"]
    views = {"problem": test}
    if "bleu" not in test:
        return views
    texts = RunTexts.read(str(run))
    outputs, references, perfect = _as_upstream(run, texts, source, data)
    for name, lowercase in (("cased", False), ("lowercase", True)):
        views[name] = _view(outputs, references, lowercase)
        if perfect is not None:
            views[name]["ceiling_bleu"] = metrics.bleu(
                perfect, references, lowercase=lowercase
            )[0]
    return views


def _view(outputs, references, lowercase: bool) -> dict[str, Any]:
    bleu = metrics.bleu(outputs, references, lowercase=lowercase)
    chrf = metrics.chrf(outputs, references, lowercase=lowercase)
    found = {}
    for name, (value, signature) in (("bleu", bleu), ("chrf", chrf)):
        found |= {name: value, f"{name}_signature": signature}
    return found | intervals(found, outputs, references)


def _as_upstream(
    run: pathlib.Path,
    texts: RunTexts,
    source: pathlib.Path | None,
    data: pathlib.Path,
) -> tuple[list[str], list[str], list[str] | None]:
    """Returns outputs, references and the run's references, detokenised.

    The last is None where the run's texts are upstream's own.
    """
    path = run / run_fields.FILE
    fields = untrusted.read_json(str(path))
    options = fields["problem_options"]
    if options.get(_TEXT) != _TOKENISED:
        return texts.outputs, texts.references, None
    options = options | {_TEXT: _RAW, "source_dir": source and str(source)}
    problem = problems.create(fields["problem"], options, str(data))
    references = [example["targets"] for example in problem.examples("test")]
    if len(references) != len(texts.outputs):
        raise UserError(
            f"{run}: {len(texts.outputs):,} outputs but upstream's raw test "
            f"has {len(references):,} lines; give upstream's own --source_dir"
        )
    join = detokenizer(_target_language(problem))
    outputs, perfect = (
        [join(text) for text in side]
        for side in (texts.outputs, texts.references)
    )
    return outputs, references, perfect


def _target_language(problem) -> str:
    base = getattr(problem, "base", None)  # of a reversed problem
    return base.source_language if base else problem.target_language

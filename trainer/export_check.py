"""What an export answers, beside the float32 model that it was made of.

compare(predictor, SavedModel(folder, task), examples, problem.score)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 (registers the tokenizer's operations)

from t2t_lite.errors import UserError
from t2t_lite.task import Task
from t2t_lite.trainer import sources
from t2t_lite.trainer.label_graphs import BLANK
from t2t_lite.trainer.measures import sign_of

_BATCH = 64
# What rounding may cost, in percent: more is a mistake, or a dtype that does
# not do. Of what is no share already, it is a share of the float32 model's.
MOST_LOST = 0.5
_NATS = ("nats_per_character", "nats_per_blank")
_BLANKED = 7  # each how many-th word of a text is asked for
_CONTINUED = 50  # texts, for each takes a search

Answer = Callable[[Sequence[Any]], list[str]]


@dataclasses.dataclass(frozen=True)
class Examples:
    """What is asked of both, and what should come out.

    Fields:
        inputs: as a predictor takes them.
        references: texts, as many.
    """

    inputs: list[Any]
    references: list[str]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """An export's outputs beside the reference's.

    Fields:
        reference, export: scores of both, as `Problem.score` gives them.
        same: int, lines that are the same.
        lines: int, all.
    """

    reference: dict[str, Any]
    export: dict[str, Any]
    same: int
    lines: int

    def rows(self) -> list[tuple[str, str]]:
        """Returns what to print: each metric of both, and the agreement."""
        found = [
            (
                name,
                f"{_number(name, value)} of the float32 model, "
                f"{_number(name, self.export[name])} of the export",
            )
            for name, value in self.reference.items()
            if isinstance(value, float)
        ]
        share = self.same / max(self.lines, 1)
        same = f"{self.same:,} of {self.lines:,} lines ({share:.1%})"
        return [*found, ("the same", same)]

    def check(self, metric: str) -> None:
        """Raises UserError if the export is worse by more than rounding."""
        lost = self.reference[metric] - self.export[metric]
        lost *= sign_of(metric)
        if metric in _NATS:
            lost *= 100 / max(self.reference[metric], 1e-9)
        if lost > MOST_LOST:
            what = f"% {metric}" if metric in _NATS else f" {metric}"
            raise UserError(
                f"the export loses {lost:.2f}{what} on validation, more "
                f"than {MOST_LOST}; nothing was published: export with "
                "--target_dtype=float32"
            )


def _number(name: str, value: float) -> str:
    return f"{value:.4f}" if name in _NATS else f"{value:.2f}"


def compare(
    reference: Answer, export: Answer, examples: Examples, score
) -> Comparison:
    """Answers the examples with both, and scores them.

    Args:
        reference, export: from inputs to texts.
        examples: what is asked.
        score: the problem's.
    """
    outputs = [function(examples.inputs) for function in (reference, export)]
    texts = [text if isinstance(text, str) else "" for text in examples.inputs]
    return Comparison(
        *(score(found, examples.references, texts) for found in outputs),
        same=_same(*outputs),
        lines=len(examples.inputs),
    )


class Scorer(Protocol):
    """Answers with the log-probability of each, as predictors do."""

    def scored(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Returns (output, score) of each."""

    def score(self, texts: Sequence[str]) -> list[float]:
        """Returns the log-probability of each text itself."""


def compare_continuations(
    reference: Scorer, export: Scorer, texts: Sequence[str]
) -> Comparison:
    """Compares language models: how likely texts are, and how they go on.

    Args:
        reference, export: what is compared.
        texts: str each; `nats_per_character` is of all, continued are the
            first words of some.
    """
    halves = [text[: len(text) // 2] for text in texts[:_CONTINUED]]
    characters = max(sum(len(text) for text in texts), 1)
    outputs, scores = [], []
    for model in (reference, export):
        outputs.append([output for output, _ in model.scored(halves)])
        nats = -sum(model.score(texts)) / characters
        scores.append({"nats_per_character": float(nats)})
    return Comparison(*scores, same=_same(*outputs), lines=len(halves))


def compare_blanks(
    reference: Scorer, export: Scorer, texts: Sequence[str]
) -> Comparison:
    """Compares masked language models: what they fill in, and how surely.

    Args:
        reference, export: what is compared.
        texts: str each; each seventh word of one becomes a blank.
    """
    asked = [blanked(text) for text in texts]
    blanks = max(sum(text.count(BLANK) for text in asked), 1)
    outputs, scores = [], []
    for model in (reference, export):
        found = model.scored(asked)
        outputs.append([output for output, _ in found])
        nats = -sum(score for _, score in found) / blanks
        scores.append({"nats_per_blank": float(nats)})
    return Comparison(*scores, same=_same(*outputs), lines=len(asked))


def blanked(text: str) -> str:
    """Returns a text with a blank in place of its 1st, 8th, 15th, ... word."""
    words = text.split()
    words[::_BLANKED] = [BLANK] * len(words[::_BLANKED])
    return " ".join(words)


def _same(first: Sequence[str], second: Sequence[str]) -> int:
    return sum(a == b for a, b in zip(first, second, strict=True))


class Reference:
    """A predictor as a Scorer.

    Args:
        predictor: of a language model.
    """

    def __init__(self, predictor: Any):
        self._predictor = predictor

    def scored(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        found = self._predictor.predict(texts)
        return [(p.outputs[0], p.scores[0]) for p in found]

    def score(self, texts: Sequence[str]) -> list[float]:
        return _in_parts(self._predictor.score, texts)


class SavedModel:
    """An exported version as a function from inputs to texts, and a Scorer.

    Args:
        folder: str, the version's.
        task: the model's.
    """

    def __init__(self, folder: str, task: Task):
        # The functions live as long as what they were loaded with.
        self._loaded = tf.saved_model.load(folder)
        self._task = task

    def __call__(self, inputs: Sequence[Any]) -> list[str]:
        return [output for output, _ in self.scored(inputs)]

    def scored(self, inputs: Sequence[Any]) -> list[tuple[str, float]]:
        def answer(part):
            found = self._ask("serving_default", part)
            texts = [o.decode("utf-8", "replace") for o in found["outputs"]]
            return zip(texts, found["scores"].tolist(), strict=True)

        return _in_parts(answer, inputs)

    def score(self, texts: Sequence[str]) -> list[float]:
        def answer(part):
            return self._ask("score", part)["log_probs"].tolist()

        return _in_parts(answer, texts)

    def _ask(self, signature: str, inputs: Sequence[Any]) -> dict[str, Any]:
        function = self._loaded.signatures[signature]
        found = function(inputs=sources.batch(inputs, self._task))
        return {name: value.numpy() for name, value in found.items()}


def _in_parts(function: Callable, inputs: Sequence[Any]) -> list[Any]:
    """Returns function's results of inputs, in batches of similar length."""
    order = np.argsort([-len(each) for each in inputs], kind="stable")
    found: list[Any] = [None] * len(inputs)
    for start in range(0, len(order), _BATCH):
        part = order[start : start + _BATCH]
        results = function([inputs[i] for i in part])
        for i, result in zip(part, results, strict=True):
            found[i] = result
    return found

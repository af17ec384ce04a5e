"""What an export answers, beside the float32 model that it was made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from t2t_lite.errors import UserError
from t2t_lite.trainer.run_texts import RunTexts

_BATCH = 64
# What rounding may cost: more is a mistake, or a dtype that does not do.
MOST_LOST = 0.5

Translate = Callable[[list[str]], list[str]]


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
                f"{value:.2f} of the float32 model, "
                f"{self.export[name]:.2f} of the export",
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
        if lost > MOST_LOST:
            raise UserError(
                f"the export loses {lost:.2f} {metric} on validation, more "
                f"than {MOST_LOST}; nothing was published: export with "
                "--target_dtype=float32"
            )


def compare(
    reference: Translate, export: Translate, texts: RunTexts, score
) -> Comparison:
    """Translates a run's validation split with both, and scores them.

    Args:
        reference, export: from sentences to sentences.
        texts: the split.
        score: the problem's.
    """
    outputs = [function(texts.sources) for function in (reference, export)]
    same = sum(a == b for a, b in zip(*outputs, strict=True))
    return Comparison(
        *(score(found, texts.references, texts.sources) for found in outputs),
        same=same,
        lines=len(texts.sources),
    )


def saved_model(folder: str) -> Translate:
    """Loads a SavedModel as a function from sentences to sentences."""
    loaded = tf.saved_model.load(folder)
    signature = loaded.signatures["serving_default"]

    def translate(texts: Sequence[str]) -> list[str]:
        order = np.argsort([-len(text) for text in texts], kind="stable")
        found = [""] * len(texts)
        for start in range(0, len(texts), _BATCH):
            part = order[start : start + _BATCH]
            inputs = tf.constant([texts[i] for i in part], tf.string)
            outputs = signature(inputs=inputs)["outputs"].numpy()
            for i, text in zip(part, outputs, strict=True):
                found[i] = text.decode("utf-8", "replace")
        return found

    # The functions live as long as what they were loaded with.
    translate.loaded = loaded
    return translate

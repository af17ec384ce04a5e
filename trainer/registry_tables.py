"""Tables of what is registered, as Markdown, made from the registries.

A document holds a table between two lines, which `refreshed` looks for:

    <!-- table of problems -->
    <!-- end of table of problems -->
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from t2t_lite.errors import UserError
from t2t_lite.models.resolve import model_of, takes
from t2t_lite.problems import creating
from t2t_lite.registry import HPARAMS, MODELS, PROBLEMS
from t2t_lite.task import Task


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of texts under columns of names."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Returns the table; what would end a cell is escaped."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "".join(f"| {' | '.join(map(_cell, ln))} |\n" for ln in lines)


def problems() -> str:
    """Returns every problem, and the sets of the models that take them."""
    rows = []
    for name in PROBLEMS.names():
        problem = creating.create(name)
        models = models_for(problem)
        rows.append(
            (
                code(name),
                f"{problem.inputs_kind} to {problem.targets_kind}",
                problem.origin,
                code(problem.main_metric),
                f"all of {', '.join(map(code, models))}" if models else "none",
            )
        )
    columns = (
        "problem",
        "inputs to targets",
        "source",
        "main metric",
        "model sets that fit",
    )
    return f"{Table(columns, rows).markdown()}\n{sets().markdown()}"


def sets() -> Table:
    """Returns every model with its hparams sets."""
    found: dict[str, list[str]] = {name: [] for name in MODELS.names()}
    for name in HPARAMS.names():
        found[model_of(HPARAMS.get(name)())].append(code(name))
    rows = [(code(name), ", ".join(names)) for name, names in found.items()]
    return Table(("model", "its sets"), rows)


# What `--kind` of `python -m t2t_lite.trainer.cli.tables` may be.
TABLES: dict[str, Callable[[], str]] = {"problems": problems}


def models_for(problem) -> list[str]:
    """Returns the names of the models that take a problem's kinds."""
    task = Task(
        inputs=problem.inputs_kind,
        targets=problem.targets_kind,
        vocab_size=259,
        labels=_some_labels(problem),
        image_shape=problem.image_shape,
        sample_rate=problem.sample_rate,
    )
    return [name for name in MODELS.names() if takes(name, task)]


def refreshed(text: str, kind: str, path: str) -> str:
    """Returns a document whose table of a kind is as it should be now.

    Args:
        text: str, the document.
        kind: str, a key of `TABLES`.
        path: str, the document's, for the message.
    Raises:
        UserError: the document has no place for it.
    """
    begin, end = (
        f"<!-- {words} of {kind} -->" for words in ("table", "end of table")
    )
    before, found, rest = text.partition(f"{begin}\n")
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise UserError(f"{path}: no lines {begin} and {end}; add them")
    return f"{before}{begin}\n\n{TABLES[kind]()}\n{end}{after}"


def code(text: str) -> str:
    """Returns a name as Markdown shows code."""
    return f"`{text}`"


def _some_labels(problem) -> tuple[str, ...]:
    """Returns labels; a problem may know its own only from a file."""
    return ("a", "b") if problem.targets_kind in ("label", "tags") else ()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

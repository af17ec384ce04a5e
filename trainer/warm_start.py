"""A new run that begins with the weights of another one."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from t2t_lite.data import storage
from t2t_lite.data.text_encoder import TextEncoder
from t2t_lite.errors import UserError
from t2t_lite.task import Task
from t2t_lite.trainer import checkpoints
from t2t_lite.trainer.inference import choose_checkpoint
from t2t_lite.trainer.reporting import Reporter
from t2t_lite.trainer.run_folder import RunFolder

_STATE = "state.json"


class WarmStart:
    """What a run begins with: another run's weights, or its own random ones.

    Args:
        asked: str, a run's folder or a checkpoint's; None = nothing.
        run: the run to be; one that is under way begins with nothing.
    Raises:
        UserError: there is no such folder.
    """

    def __init__(self, asked: str | None, run: RunFolder):
        self._asked = asked
        self._run = run
        self._source = None
        if asked and not run.is_under_way:
            self._source = Source.find(asked)

    @property
    def checkpoint(self) -> str | None:
        """The checkpoint that the run began with, by its own account."""
        if self._run.is_under_way:
            return self._run.describe().settings.get("warm_start_from")
        return self._source and self._source.folder

    def begin(self, model: Any, encoder: TextEncoder, report: Reporter) -> None:
        """Gives a model of the run its first weights, and says so.

        Args:
            model, encoder: as for `Source.give`.
            report: the run's.
        Raises:
            UserError: see `Source.give`.
        """
        if self._source is not None:
            rows = self._source.give(model, encoder)
            report.line(f"weights from {self._source.folder}:")
            report.table(rows)
        elif self._asked:
            report.line(
                f"--warm_start_from={self._asked}: not looked at, for the run "
                "goes on with its own weights"
            )


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the weights come from.

    Fields:
        asked: str, what the user gave: a run's folder or a checkpoint's.
        folder: str, the checkpoint.
        model: str, the registered model, "" if the run is not known.
        task: Task of the run, or None.
        vocabulary: str, hash of its vocabulary, or None.
    """

    asked: str
    folder: str
    model: str
    task: Task | None
    vocabulary: str | None

    @classmethod
    def find(cls, path: str) -> Source:
        """Finds a run's chosen checkpoint, or a single one.

        Args:
            path: str, a run's folder, of which the best weights are taken as
                the other commands take them; or a checkpoint's, whose run is
                two folders up, or is not known.
        Raises:
            UserError: neither is there.
        """
        place = os.path.abspath(os.path.expanduser(path))
        run = RunFolder(place)
        folder = place
        if run.exists():
            folder = choose_checkpoint(run, None)
        elif os.path.isfile(os.path.join(place, _STATE)):
            run = RunFolder(os.path.dirname(os.path.dirname(place)))
        else:
            raise UserError(
                f"--warm_start_from={path}: neither a run's folder nor a "
                "checkpoint's is there; checkpoints are in a run's checkpoints/"
            )
        if not run.exists():
            return cls(path, folder, "", None, None)
        found = run.describe()
        vocabulary = found.settings.get("vocabulary_sha256")
        return cls(path, folder, found.model, found.task, vocabulary)

    def give(self, model: Any, encoder: TextEncoder) -> list[tuple[str, str]]:
        """Sets the weights of a model that have the same name and shape.

        What has a row for each id of a vocabulary, or of labels, is left as it
        is where these are not the same; see `Model.tables`.

        Args:
            model: built model of the run to be.
            encoder: its vocabulary.
        Returns:
            Rows (name, what became of it) to print: weights that were taken,
            part by part, those that were not, and what was not used.
        Raises:
            UserError: no weight is taken, or the checkpoint is damaged.
        """
        tensors = checkpoints.evaluated_weights(
            checkpoints.read(self.folder)[0]
        )
        there = {name.removeprefix("model/"): v for name, v in tensors.items()}
        tables = getattr(model, "tables", {})
        content = storage.sha256_of_bytes(encoder.to_bytes())
        taken, rest = [], []
        for variable in model.weights:
            value = there.pop(variable.path, None)
            why = self._why_not(variable, value, tables, model.task, content)
            if why:
                rest.append((variable.path, f"new: {why}"))
            else:
                variable.assign(value)
                taken.append((variable.path, value))
        if not taken:
            raise UserError(
                f"--warm_start_from={self.asked}: nothing of it fits: "
                + "; ".join(f"{name} is {why}" for name, why in rest[:2])
            )
        unused = (
            (part, f"{what}, not used") for part, what in _parts(there.items())
        )
        return [*_parts(taken), *rest, *unused]

    def _why_not(self, variable, value, tables, task, vocabulary) -> str:
        """Returns why a weight is not taken; "" = it is."""
        if value is None:
            return "it has none"
        kind = tables.get(variable.path)
        if kind == "vocabulary" and self.vocabulary != vocabulary:
            other = "another" if self.vocabulary else "not known"
            return f"its vocabulary is {other} (--vocab_file takes a run's)"
        if kind == "labels" and (
            self.task is None or self.task.labels != task.labels
        ):
            return f"its labels are {'others' if self.task else 'not known'}"
        if value.shape != tuple(variable.shape):
            return f"of shape {tuple(variable.shape)}, there {value.shape}"
        return ""


def _parts(
    weights: Iterable[tuple[str, np.ndarray]],
) -> Iterator[tuple[str, str]]:
    """Yields (part of the model, how much of it) of weights by path."""
    found: dict[str, list[int]] = {}
    for path, value in weights:
        part = "/".join(path.split("/")[:2])
        found.setdefault(part, []).append(value.size)
    for part, sizes in found.items():
        plural = "s" if len(sizes) > 1 else ""
        yield part, f"{len(sizes)} weight{plural}, {sum(sizes):,} numbers"

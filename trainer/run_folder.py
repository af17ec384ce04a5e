"""What a run is on disk.

<output_dir>/
  hparams.json    problem, model, every hyperparameter, data hash
  import.log      of an imported run: what the importer printed
  vocab.*         the vocabulary, a copy
  checkpoints/    see t2t_lite.trainer.checkpoints
  metrics.jsonl   one JSON object per measurement, by step
  tensorboard/    the same for TensorBoard
  export/<n>/     SavedModels by version
  train.log       what the trainer printed
  results.json    at the end: scores, and how they were made
  test.*.txt      at the end: see t2t_lite.trainer.run_texts
  lock            while a trainer runs: which one
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Mapping
from typing import Any, BinaryIO

from t2t_lite.data import storage
from t2t_lite.data.text_encoder import VOCABULARY_FILES
from t2t_lite.errors import UserError
from t2t_lite.hparams import MEMORY_ONLY, HParams, from_dict
from t2t_lite.task import Task
from t2t_lite.trainer import checkpoints, run_fields

FORMAT = 2
_FILE = run_fields.FILE
_LOCK = "lock"
_COMPARED = ("problem", "model", "hparams", "seed", "data_hash")


@dataclasses.dataclass(frozen=True)
class RunDescription:
    """What `hparams.json` holds: all that rebuilds the model and its data.

    Fields:
        problem: str, the problem's registered name.
        problem_options: dict, its options.
        model: str, the model's registered name.
        hparams: the model's hyperparameters.
        task: Task, what the model maps to what.
        vocabulary: str, the vocabulary's file name in the folder.
        data_hash: str, of the prepared data's manifest; "" = an imported
            run has had no data yet, and takes the first it is given.
        settings: dict, of the training: steps, seed, precision, tokens of
            an update, hash of the vocabulary.
    """

    problem: str
    problem_options: dict[str, Any]
    model: str
    hparams: HParams
    task: Task
    vocabulary: str
    data_hash: str
    settings: dict[str, Any]


# The system frees a lock when its holder dies. A process that asks twice for
# the lock of a folder that it holds already has it.
_held: dict[str, BinaryIO] = {}


class RunFolder:
    """Paths and description of one run.

    Args:
        path: str, the run's folder, what `--output_dir` names.
    """

    def __init__(self, path: str):
        self.path = os.path.abspath(os.path.expanduser(path))

    def file(self, *names: str) -> str:
        """Returns a path inside the folder."""
        return os.path.join(self.path, *names)

    @property
    def checkpoints(self) -> str:
        """The folder of the checkpoints."""
        return self.file("checkpoints")

    def exists(self) -> bool:
        """Returns whether a run was begun here."""
        return os.path.isfile(self.file(_FILE))

    def describe(self) -> RunDescription:
        """Reads `hparams.json`.

        Raises:
            UserError: no run is here, or the file is damaged.
        """
        from t2t_lite import models

        del models  # imported for its registrations
        from t2t_lite.registry import MODELS

        path = self.file(_FILE)
        try:
            values = run_fields.read(path, FORMAT)
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(
                f"--output_dir={self.path}: no run is here ({_FILE} is "
                "missing); train one there first, or give another folder"
            ) from None
        except ValueError as error:
            raise UserError(
                f"{path} is damaged ({error}); restore it or train in "
                "another folder"
            ) from error
        if values["format"] != FORMAT:
            raise UserError(
                f"{path}: format {values['format']}, but this version "
                f"reads format {FORMAT}"
            )
        try:
            hparams_class = MODELS.get(values["model"]).hparams_class
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        hparams = from_dict(hparams_class, values["hparams"], path)
        names = {f.name for f in dataclasses.fields(RunDescription)}
        fields = {k: values[k] for k in names} | {"hparams": hparams}
        fields["task"] = Task.from_json(values["task"])  # checked when read
        return RunDescription(**fields)

    def lock(self) -> None:
        """Makes this process the one trainer of the folder, until it ends.

        Raises:
            UserError: another trainer is at work in it.
        """
        if self.path in _held:
            return
        os.makedirs(self.path, exist_ok=True)
        file = storage.try_lock(self.file(_LOCK))
        if file is None:
            with open(self.file(_LOCK), "rb") as held:
                holder = held.read().decode("utf-8", "replace").strip()
            raise UserError(
                f"--output_dir={self.path}: another trainer is at work there "
                f"({holder}); wait for it, stop it, or give another folder"
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}".encode())
        file.flush()
        _held[self.path] = file

    def unlock(self) -> None:
        """Gives the folder free; nothing if this process does not hold it."""
        file = _held.pop(self.path, None)
        if file is not None:
            os.remove(self.file(_LOCK))
            file.close()

    @property
    def is_under_way(self) -> bool:
        """Whether a run was begun here and has saved a checkpoint."""
        return self.exists() and bool(checkpoints.listing(self.checkpoints))

    def check(self, **asked: Any) -> None:
        """Checks that a run can begin or go on here; writes nothing.

        A run that has saved no checkpoint has nothing to lose: another may
        take its place.

        Args:
            asked: fields and settings of the run to be, by name.
        Raises:
            UserError: the folder holds another run (what differs is named) or
                what no run has written, or is no folder.
        """
        if os.path.exists(self.path) and not os.path.isdir(self.path):
            raise UserError(
                f"--output_dir={self.path}: a file is in the way; give another "
                "folder"
            )
        if not self.exists():
            self._refuse_foreign()
        elif self.is_under_way:
            self._refuse_another(asked)

    def begin(self, description: RunDescription, vocabulary: str) -> None:
        """Creates the folder, or goes on in it.

        The folder is this process's until `unlock`.

        Args:
            description: the run to be.
            vocabulary: str, path of the vocabulary file, copied here.
        Raises:
            UserError: see `check`; or another trainer is at work in it.
        """
        asked = {name: _value(description, name) for name in _COMPARED}
        self.check(**asked, problem_options=description.problem_options)
        self.lock()
        storage.remove_temporary_files(self.path)
        with open(vocabulary, "rb") as file:
            content = file.read()
        fields = dataclasses.asdict(description)
        fields["task"] = description.task.to_json()
        fields["settings"]["vocabulary_sha256"] = storage.sha256_of_bytes(
            content
        )
        # First, so that a run killed right here is known as one.
        storage.write_text(
            self.file(_FILE),
            json.dumps({"format": FORMAT, **fields}, indent=2),
        )
        os.makedirs(self.checkpoints, exist_ok=True)
        storage.write_bytes(self.file(description.vocabulary), content)
        for other in {*VOCABULARY_FILES} - {description.vocabulary}:
            if os.path.exists(self.file(other)):  # of a run that was replaced
                os.remove(self.file(other))

    def _refuse_foreign(self) -> None:
        """Raises UserError if the folder holds what no run has written."""
        if not os.path.isdir(self.path):
            return
        for name in sorted(os.listdir(self.path)):
            begun = name in ("train.log", _LOCK) or (
                name.startswith(f".{_FILE}.")
                and name.endswith(storage.TEMPORARY_SUFFIX)
            )
            if not begun:
                raise UserError(
                    f"--output_dir={self.path}: not empty ({name!r}) and "
                    "no run of t2t_lite; give a new folder"
                )

    def _refuse_another(self, asked: Mapping[str, Any]) -> None:
        old = self.describe()
        for name in _COMPARED:
            there = _value(old, name)
            if name not in asked or there == asked[name]:
                continue
            if name == "data_hash" and not there:
                continue
            value = asked[name]
            if name == "hparams":
                difference = _first_difference(*map(_deciding, (there, value)))
                if difference is None:
                    continue
                name, there, value = difference
            if name == "data_hash":
                name, there, value = _first_difference(
                    old.problem_options, asked["problem_options"]
                ) or (name, there, value)
            raise UserError(
                f"--output_dir={self.path} holds a run with {name}={there!r}, "
                f"asked is {value!r}; give another folder, or the same value "
                "to go on with that run"
            )


def _deciding(hparams: HParams) -> dict[str, Any]:
    """Returns the hyperparameters that decide what a run computes."""
    fields = dataclasses.asdict(hparams)
    return {k: v for k, v in fields.items() if k not in MEMORY_ONLY}


def _first_difference(
    there: Mapping[str, Any], asked: Mapping[str, Any]
) -> tuple[str, Any, Any] | None:
    """Returns (name, value there, value asked) of what differs first."""
    for name in [*asked, *there]:
        if there.get(name) != asked.get(name):
            return name, there.get(name), asked.get(name)
    return None


def _value(description: RunDescription, name: str) -> Any:
    if name == "seed":
        return description.settings.get(name)
    return getattr(description, name)

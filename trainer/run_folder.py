"""What a run is on disk.

<output_dir>/
  hparams.json    problem, model, every hyperparameter, data hash
  vocab.*         the vocabulary, a copy
  checkpoints/    see t2t_lite.trainer.checkpoints
  metrics.jsonl   one JSON object per measurement, by step
  tensorboard/    the same for TensorBoard
  export/<n>/     SavedModels by version
  train.log       what the trainer printed
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from typing import Any

from t2t_lite.errors import UserError
from t2t_lite.hparams import HParams, from_dict
from t2t_lite.trainer import run_fields

FORMAT = 1
_FILE = "hparams.json"


@dataclasses.dataclass(frozen=True)
class RunDescription:
    """What `hparams.json` holds: all that rebuilds the model and its data.

    Fields:
        problem: str, the problem's registered name.
        problem_options: dict, its options.
        model: str, the model's registered name.
        hparams: the model's hyperparameters.
        vocab_size: int, the vocabulary's true size.
        vocabulary: str, the vocabulary's file name in the folder.
        data_hash: str, of the prepared data's manifest.
        settings: dict, of the training: steps, seed, precision.
    """

    problem: str
    problem_options: dict[str, Any]
    model: str
    hparams: HParams
    vocab_size: int
    vocabulary: str
    data_hash: str
    settings: dict[str, Any]


def write_atomically(path: str, text: str) -> None:
    """Writes `text` to a temporary file and renames it to `path`."""
    temporary = f"{path}.tmp-{os.getpid()}"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise


def _remove_leftovers(folder: str) -> None:
    """Removes the files that killed processes were writing in `folder`."""
    for name in os.listdir(folder):
        if ".tmp-" in name:
            os.remove(os.path.join(folder, name))


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
        return RunDescription(**fields)

    def begin(self, description: RunDescription, vocabulary: str) -> None:
        """Creates the folder, or checks that it belongs to the same run.

        Args:
            description: the run to be.
            vocabulary: str, path of the vocabulary file, copied here.
        Raises:
            UserError: the folder holds another run; what differs is named.
        """
        if self.exists():
            self._refuse_another(description)
        else:
            self._refuse_foreign()
        os.makedirs(self.path, exist_ok=True)
        _remove_leftovers(self.path)
        # First, so that a run killed right here is known as one.
        write_atomically(
            self.file(_FILE),
            json.dumps(
                {"format": FORMAT, **dataclasses.asdict(description)}, indent=2
            ),
        )
        os.makedirs(self.checkpoints, exist_ok=True)
        copy = self.file(description.vocabulary)
        if not os.path.exists(copy):
            temporary = f"{copy}.tmp-{os.getpid()}"
            shutil.copyfile(vocabulary, temporary)
            os.replace(temporary, copy)

    def _refuse_foreign(self) -> None:
        """Raises UserError if the folder holds what no run has written."""
        if not os.path.isdir(self.path):
            return
        for name in sorted(os.listdir(self.path)):
            if name != "train.log" and not name.startswith(f"{_FILE}.tmp-"):
                raise UserError(
                    f"--output_dir={self.path}: not empty ({name!r}) and "
                    "no run of t2t_lite; give a new folder"
                )

    def _refuse_another(self, new: RunDescription) -> None:
        old = self.describe()
        for name in ("problem", "model", "hparams", "data_hash"):
            there, asked = getattr(old, name), getattr(new, name)
            if there == asked:
                continue
            if name == "hparams":
                there, asked = (dataclasses.asdict(x) for x in (there, asked))
                name = next(k for k in asked if there.get(k) != asked[k])
                there, asked = there.get(name), asked[name]
            raise UserError(
                f"--output_dir={self.path} holds a run with {name}={there!r}, "
                f"asked is {asked!r}; give another folder, or the same value "
                "to go on with that run"
            )

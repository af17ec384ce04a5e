"""Checkpoints: a folder each, written whole or not at all.

    checkpoints/
      step-00001000/      state.json, tensors.index, tensors.data-*
      best-00001500/      the best by the run's metric
      averaged/           the mean of the last ones' weights

Tensors are stored in TensorFlow's bundle format, which carries a checksum for
each; state.json carries its own. Names are "model/<path>" and
"optimizer/<path>/<slot>". Nothing is pickled.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from t2t_lite.data import storage, untrusted
from t2t_lite.errors import UserError
from t2t_lite.trainer import bundle

_STATE = "state.json"
_STEP = re.compile(r"(step|best)-(\d{8})")


class DamagedCheckpointError(UserError):
    """A checkpoint whose files are missing, truncated or altered."""


def write(
    folder: str, tensors: Mapping[str, np.ndarray], state: Mapping[str, Any]
) -> None:
    """Writes a checkpoint under a temporary name and renames it to `folder`.

    Args:
        folder: str, final path; an existing one is replaced.
        tensors: arrays by name.
        state: JSON object, e.g. {"step": 1000}.
    """
    temporary = f"{folder}.tmp-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(temporary)
    try:
        names = sorted(tensors)
        tf.raw_ops.SaveV2(
            prefix=os.path.join(temporary, "tensors"),
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[tf.convert_to_tensor(tensors[name]) for name in names],
        )
        _write_state(temporary, {**state, "tensors": len(names)})
        for name in os.listdir(temporary):
            storage.flush_to_disk(os.path.join(temporary, name))
        if os.path.exists(folder):
            remove(folder)
        os.rename(temporary, folder)
        storage.flush_to_disk(os.path.dirname(folder))
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_state(folder: str, state: Mapping[str, Any]) -> None:
    """Replaces the state of a checkpoint, in one rename.

    Args:
        folder: str, a checkpoint.
        state: JSON object.
    """
    _write_state(folder, {**state, "tensors": _read_state(folder)["tensors"]})


def _write_state(folder: str, state: dict[str, Any]) -> None:
    state = {**state, "checksum": storage.sha256_of_json(state)}
    storage.write_json(os.path.join(folder, _STATE), state)


def _read_state(folder: str) -> dict[str, Any]:
    """Returns the state; raises ValueError or OSError if it is damaged."""
    # A measure of a run that diverged may be no finite number.
    state = untrusted.read_json(os.path.join(folder, _STATE), finite=False)
    checksum = state.pop("checksum", None)
    if checksum != storage.sha256_of_json(state):
        raise ValueError(f"{_STATE} does not match its checksum")
    return state


def read(folder: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Returns (arrays by name, state) of a checkpoint folder.

    Raises:
        DamagedCheckpointError: a file is missing, or a checksum fails.
    """
    if not os.path.exists(os.path.join(folder, _STATE)) and not listing(
        os.path.dirname(os.path.abspath(folder))
    ):
        raise DamagedCheckpointError(
            f"{folder} is no checkpoint: it holds no {_STATE}; checkpoints are "
            "the folders in a run's checkpoints/"
        )
    try:
        state = _read_state(folder)
        if type(state["step"]) is not int or state["step"] < 0:
            raise ValueError("its step is no number of updates")
        tensors = bundle.read(os.path.join(folder, "tensors"))
        if len(tensors) != state["tensors"]:
            raise ValueError("a tensor is missing")
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        tf.errors.OpError,
        RuntimeError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DamagedCheckpointError(
            f"checkpoint {folder} is damaged ({reason[:200]}); use another "
            "one, or delete it"
        ) from error
    return tensors, state


def listing(root: str, kind: str = "step") -> list[str]:
    """Returns the checkpoint folders of `kind` under `root`, oldest first."""
    if not os.path.isdir(root):
        return []
    return [
        os.path.join(root, name)
        for name in sorted(os.listdir(root))
        if (match := _STEP.fullmatch(name)) and match[1] == kind
    ]


def step_of(folder: str) -> int:
    """Returns the step that a checkpoint folder's name carries."""
    match = _STEP.fullmatch(os.path.basename(folder.rstrip("/")))
    if not match:
        raise UserError(f"{folder} is no checkpoint folder (step-NNNNNNNN)")
    return int(match[2])


def path(root: str, step: int, kind: str = "step") -> str:
    """Returns the folder of the checkpoint of `step`."""
    return os.path.join(root, f"{kind}-{step:08d}")


def read_newest(
    root: str, log: Callable[[str], None]
) -> tuple[str, dict[str, np.ndarray], dict[str, Any]] | None:
    """Returns the newest checkpoint that reads whole, or None without any.

    A damaged one is named by `log` and skipped.

    Raises:
        UserError: there are checkpoints and every one is damaged.
    """
    folders = listing(root)
    for folder in reversed(folders):
        try:
            return folder, *read(folder)
        except DamagedCheckpointError as error:
            log(f"{error}; trying the one before it")
    if folders:
        raise UserError(
            f"every checkpoint in {root} is damaged; move the folder away to "
            "start again from nothing"
        )
    return None


def keep_only(root: str, steps: set[int], kind: str) -> None:
    """Removes the checkpoints of `kind` whose step is not in `steps`."""
    for folder in listing(root, kind):
        if step_of(folder) not in steps:
            remove(folder)


def remove_leftovers(root: str) -> None:
    """Removes what an interrupted write or removal left in `root`."""
    if not os.path.isdir(root):
        return
    for name in os.listdir(root):
        path = os.path.join(root, name)
        if ".tmp-" in name:
            shutil.rmtree(path)
        elif os.path.isdir(path):
            storage.remove_temporary_files(path)


def remove(folder: str) -> None:
    """Removes a checkpoint; a kill never leaves half of one by its name."""
    temporary = f"{folder}.old.tmp-{os.getpid()}"
    os.rename(folder, temporary)
    shutil.rmtree(temporary)


def evaluated_weights(
    tensors: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Returns the "model/" tensors, as moving averages where there are any.

    Args:
        tensors: of a checkpoint; "optimizer/<path>/ema" averages
            "model/<path>".
    """
    return {
        name: tensors.get(f"optimizer/{name.removeprefix('model/')}/ema", value)
        for name, value in tensors.items()
        if name.startswith("model/")
    }


def average(folders: list[str]) -> dict[str, np.ndarray]:
    """Returns the mean of the "model/" tensors of several checkpoints.

    Raises:
        UserError: no folder is given, or two hold different models.
    """
    if not folders:
        raise UserError("no checkpoint to average")
    total: dict[str, np.ndarray] = {}
    for folder in folders:
        tensors = read(folder)[0]
        weights = {k: v for k, v in tensors.items() if k.startswith("model/")}
        if total and weights.keys() != total.keys():
            raise UserError(f"{folder} holds another model; average one run's")
        for name, value in weights.items():
            value = value.astype(np.float64)
            total[name] = total[name] + value if name in total else value
    return {
        name: (value / len(folders)).astype(np.float32)
        for name, value in total.items()
    }

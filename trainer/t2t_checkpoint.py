"""Tensor2Tensor's checkpoints: found, and read without executing anything."""

from __future__ import annotations

import os
import re

import numpy as np
import tensorflow as tf

from t2t_lite.data import untrusted
from t2t_lite.errors import UserError
from t2t_lite.trainer import bundle

_STATE_FILE = "checkpoint"  # TensorFlow's: which checkpoint is the newest
_NEWEST = re.compile(r'^model_checkpoint_path: "(.*)"$', re.MULTILINE)
_MOST_STATE_BYTES = 1 << 16
_ENDINGS = re.compile(r"\.(index|meta|data-\d+-of-\d+)$")


def find_checkpoint(path: str) -> str:
    """Returns the checkpoint's files without their endings.

    Args:
        path: str, the same, one of the files, or the folder of them.
    Raises:
        UserError: no checkpoint is there.
    """
    path = os.path.abspath(os.path.expanduser(path))
    if os.path.isdir(path):
        path = os.path.join(path, _newest(path))
    path = _ENDINGS.sub("", path)
    if not os.path.isfile(f"{path}.index"):
        raise UserError(
            f"--checkpoint_path={path}: no such checkpoint ({path}.index is "
            "missing); give FOLDER/model.ckpt-N, as its .index file is named"
        )
    return path


def _newest(folder: str) -> str:
    """Returns the name of the newest checkpoint in a folder."""
    try:
        content = untrusted.read_file(
            os.path.join(folder, _STATE_FILE), _MOST_STATE_BYTES
        )
        match = _NEWEST.search(content.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"--checkpoint_path={folder}: it has no readable {_STATE_FILE!r} "
            "that names the newest one; give FOLDER/model.ckpt-N"
        ) from error
    # It was written in another place: only the name is of use.
    name = os.path.basename(match[1]) if match else ""
    if not untrusted.is_plain_name(name):
        raise UserError(
            f"--checkpoint_path={folder}: its {_STATE_FILE!r} names no "
            "checkpoint; give FOLDER/model.ckpt-N"
        )
    return name


def read_tensors(prefix: str) -> dict[str, np.ndarray]:
    """Returns the arrays of a checkpoint by name.

    Args:
        prefix: str, from `find_checkpoint`.
    Raises:
        UserError: it is damaged or no checkpoint.
    """
    try:
        return bundle.read(prefix)
    except (
        OSError,
        ValueError,
        LookupError,
        RuntimeError,
        tf.errors.OpError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{prefix} is damaged, or no checkpoint of TensorFlow "
            f"({reason[:200]}); copy its .index and all its .data files again"
        ) from error

"""Examples as rows of numbers, by the kinds of their problem's sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from t2t_lite.data.text_encoder import append_eos
from t2t_lite.errors import UserError, closest


def encode_batch(
    problem, examples: Sequence[dict[str, Any]], encoder
) -> dict[str, list[np.ndarray]]:
    """Returns every side's rows; see `Problem.encode_batch`."""
    kinds = {"inputs": problem.inputs_kind, "targets": problem.targets_kind}
    encoded = {}
    for side, kind in kinds.items():
        if kind == "none":
            continue
        values = [example[side] for example in examples]
        if kind == "tags":
            encoded[side] = _tags(problem, examples, encoded["inputs"], encoder)
        elif kind == "text":
            encoded[side] = [
                append_eos(ids) for ids in encoder.encode_batch(values)
            ]
        elif kind == "label":
            encoded[side] = list(label_ids(problem, values)[:, None])
        else:
            encoded[side] = [_numbers(problem, kind, v) for v in values]
    return encoded


def label_ids(problem, names: Sequence[str]) -> np.ndarray:
    """Returns the ids of labels, int32 (len(names),).

    Raises:
        UserError: the problem has no such label.
    """
    numbers = {name: i for i, name in enumerate(problem.labels, 1)}
    for name in names:
        if name not in numbers:
            raise UserError(
                f"{problem.name}: no label {name!r:.80}"
                f"{closest(name[:80], numbers)}; there are "
                f"{', '.join(problem.labels):.200}"
            )
    return np.array([numbers[name] for name in names], np.int32).reshape(-1)


def _tags(problem, examples, rows, encoder) -> list[np.ndarray]:
    """Returns a word's tag at the first id of the word, elsewhere 0."""
    found = []
    for example, ids in zip(examples, rows, strict=True):
        starts = np.flatnonzero(encoder.word_starts(ids))
        tags = label_ids(problem, example["targets"].split())
        if len(starts) != len(tags):
            raise UserError(
                f"{problem.name}: {len(tags)} tags for the {len(starts)} words "
                f"of {example['inputs']!r:.100}; expected one for each"
            )
        row = np.zeros(len(ids), np.int32)
        row[starts] = tags
        found.append(row)
    return found


def _numbers(problem, kind: str, value: Any) -> np.ndarray:
    """Returns an image's or a clip's numbers, int32 (length,)."""
    dtype = np.dtype(np.uint8 if kind == "image" else np.int16)
    array = np.asarray(value)
    if array.dtype != dtype:
        raise UserError(
            f"{problem.name}: expected {kind} of {dtype}, got {array.dtype}"
        )
    if kind == "image" and array.shape != tuple(problem.image_shape):
        raise UserError(
            f"{problem.name}: expected images of {problem.image_shape}, got "
            f"{array.shape}"
        )
    if not array.size or (kind == "audio" and array.ndim != 1):
        raise UserError(
            f"{problem.name}: expected audio of shape (samples,), got "
            f"{array.shape}"
        )
    return array.astype(np.int32).reshape(-1)

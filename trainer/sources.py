"""What predictors are given, as tensors: texts, images and clips."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from t2t_lite.errors import UserError
from t2t_lite.task import Task

_MAX_BYTES = 1 << 28
# Images that are a batch, whatever their size.
IMAGES = 64


def batch(inputs: Sequence[Any], task: Task) -> tf.Tensor:
    """Returns inputs as a graph takes them.

    Args:
        inputs: see `BatchPredictor`.
        task: whose they are.
    Returns:
        string (batch,); uint8 (batch, height, width, channels); or float32
        (batch, samples), from -1 to 1, then zeros.
    Raises:
        UserError: an input is of another kind or shape.
    """
    values = checked(inputs, task)
    if task.inputs == "image":
        return tf.constant(np.stack(values))
    if task.inputs == "audio":
        longest = max(len(value) for value in values)
        rows = np.zeros((len(values), longest), np.float32)
        for row, value in zip(rows, values, strict=True):
            row[: len(value)] = value / 32768.0
        return tf.constant(rows)
    return tf.constant(values, tf.string)


def checked(inputs: Sequence[Any], task: Task) -> list[Any]:
    """Returns the inputs, texts as UTF-8; raises as `batch` does."""
    if task.inputs == "image":
        return [_array(i, v, task) for i, v in enumerate(inputs)]
    if task.inputs == "audio":
        return [_array(i, v, task) for i, v in enumerate(inputs)]
    return [_utf8(i, text) for i, text in enumerate(inputs)]


def _array(index: int, value: Any, task: Task) -> np.ndarray:
    image = task.inputs == "image"
    kind = "image" if image else "clip"
    dtype = np.uint8 if image else np.int16
    shape = str(task.image_shape) if image else "(samples,)"
    array = np.asarray(value)
    fits = array.shape == task.image_shape if image else array.ndim == 1
    if array.dtype != dtype or not fits or not array.size:
        raise UserError(
            f"{kind} {index}: expected {np.dtype(dtype).name} of shape "
            f"{shape}, got {array.dtype} of {array.shape}"
        )
    return array


def _utf8(index: int, text: Any) -> bytes:
    """Returns a text as UTF-8, whatever is in it."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str):
        raise UserError(
            f"text {index}: expected str, got {type(text).__name__}"
        )
    return text.encode("utf-8", "replace")


def read(line: str, task: Task) -> Any:
    """Returns the input that a line names; see `BatchPredictor.source`."""
    if task.inputs not in ("image", "audio"):
        return line
    content = _content(line.strip())
    try:
        if task.inputs == "image":
            return _image(content, task)
        return _audio(content, task)
    except (tf.errors.OpError, ValueError) as error:
        what = getattr(error, "message", None) or error
        raise UserError(
            f"{line.strip()}: {' '.join(str(what).split())}"
        ) from error


def length(line: str, task: Task, most: int) -> int:
    """Returns how much of a batch the input that a line names takes.

    Args:
        line: str, as for `read`.
        task: whose it is.
        most: int, what a batch holds together: characters of texts, hundredths
            of a second of clips; of images it holds 64.
    """
    if task.inputs == "image":
        return max(1, most // IMAGES)
    if task.inputs == "audio":
        path = line.strip()
        there = os.path.isfile(path)  # reading it says what is wrong
        size = os.path.getsize(path) if there else 0
        return size // (2 * task.unit("inputs"))
    return len(line)


def _content(path: str) -> bytes:
    try:
        if os.path.getsize(path) > _MAX_BYTES:
            raise UserError(f"{path}: more than {_MAX_BYTES:,} bytes")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {error.strerror}; give the path of a "
            "file a line"
        ) from error


def _image(content: bytes, task: Task) -> np.ndarray:
    image = tf.io.decode_image(
        content, channels=task.image_shape[2], expand_animations=False
    ).numpy()
    if image.shape != task.image_shape:
        raise ValueError(
            f"an image of {image.shape}, but the model takes "
            f"{task.image_shape}; scale it first"
        )
    return image


def _audio(content: bytes, task: Task) -> np.ndarray:
    audio, rate = tf.audio.decode_wav(content, desired_channels=1)
    if int(rate) != task.sample_rate:
        raise ValueError(
            f"{int(rate)} samples a second, but the model takes "
            f"{task.sample_rate}; resample it first"
        )
    samples = np.round(audio.numpy()[:, 0] * 32768.0)
    if not len(samples):
        raise ValueError("a clip without samples")
    return np.clip(samples, -32768, 32767).astype(np.int16)

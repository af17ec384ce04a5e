"""A small model of every kind of task, and rows of numbers for it."""

from __future__ import annotations

import dataclasses

import numpy as np

from t2t_lite.models.resolve import build, resolve
from t2t_lite.task import Task

VOCAB = 23
LABELS = ("red", "green", "blue")
TEXT = Task(vocab_size=VOCAB)
LANGUAGE = Task(inputs="none", vocab_size=VOCAB)
LABEL = Task(targets="label", labels=LABELS, vocab_size=VOCAB)
TAGS = Task(targets="tags", labels=LABELS, vocab_size=VOCAB)
IMAGE = Task(
    inputs="image",
    targets="label",
    labels=LABELS,
    image_shape=(9, 8, 2),
    vocab_size=259,
)
AUDIO = Task(inputs="audio", sample_rate=800, vocab_size=VOCAB)
# What is trained on: the set, which names the model, and the task.
CASES = {
    "language model": ("transformer_lm_tiny", LANGUAGE),
    "blanks": ("transformer_encoder_tiny", LANGUAGE),
    "label": ("transformer_encoder_tiny", LABEL),
    "tags": ("transformer_encoder_tiny", TAGS),
    "image": ("vit_test", IMAGE),
    "speech": ("speech_transformer_tiny", AUDIO),
    "universal": ("universal_transformer_test", TEXT),
    "adaptive": ("universal_transformer_test", TEXT),
}
_OF_CASES = {"universal": {"recurrence_type": "basic"}}
_STILL = {
    "layer_prepostprocess_dropout": 0.0,
    "attention_dropout": 0.0,
    "relu_dropout": 0.0,
    "classifier_dropout": 0.0,
    "label_smoothing": 0.0,
    "learning_rate_schedule": "constant",
    "learning_rate_constant": 0.01,
    # Far above a gradient: updates are in proportion to it, where Adam's
    # first ones are its sign, which rounding may turn.
    "adam_epsilon": 1.0,
}


def small_hparams(case: str, **changes):
    """Returns (model, hyperparameters) of a case, without dropout."""
    name, hparams = resolve(CASES[case][0])
    fields = {field.name for field in dataclasses.fields(hparams)}
    values = {k: v for k, v in _STILL.items() if k in fields}
    values |= _OF_CASES.get(case, {})
    return name, dataclasses.replace(hparams, **(values | changes))


def small_model(case: str, seed=0, dtype="float32", task=None, **changes):
    """Returns a built model whose weights depend on `seed` alone."""
    name, hparams = small_hparams(case, **changes)
    model = build(name, hparams, task or CASES[case][1], dtype)
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        value = rng.normal(size=tuple(variable.shape)) * 0.3
        variable.assign(value.astype("float32"))
    return model


def features_of(case: str, rows=4, length=7, seed=0) -> dict[str, np.ndarray]:
    """Returns rows of different lengths as the data room gives them.

    Args:
        case: one of CASES.
        rows, length: ints; audio has length * 20 samples and fewer.
        seed: int.
    """
    task = CASES[case][1]
    rng = np.random.default_rng(seed)
    found = {}
    if task.inputs == "text" or task.inputs == "none":
        side = "inputs" if task.inputs == "text" else "targets"
        found[side] = _texts(rng, rows, length)
    elif task.inputs == "image":
        shape = (rows, task.unit("inputs"))
        found["inputs"] = rng.integers(0, 256, shape)
    else:
        found["inputs"] = _clips(rng, rows, length * 20)
    if task.targets == "label":
        found["targets"] = rng.integers(1, len(LABELS) + 1, (rows, 1))
    elif task.targets == "tags":
        tags = rng.integers(0, len(LABELS) + 1, (rows, length))
        found["targets"] = tags * (found["inputs"] > 1)
    elif task.inputs != "none":
        found["targets"] = _texts(rng, rows, length)
    return {name: value.astype(np.int32) for name, value in found.items()}


def _texts(rng, rows, length):
    ids = rng.integers(3, VOCAB, (rows, length))
    for row, end in zip(ids, rng.integers(2, length, rows), strict=True):
        row[end] = 1
        row[end + 1 :] = 0
    ids[0] = rng.integers(3, VOCAB, length)  # one that is not cut off
    return ids


def _clips(rng, rows, samples):
    clips = rng.integers(-20_000, 20_000, (rows, samples))
    for row, end in zip(
        clips[1:], rng.integers(20, samples, rows - 1), strict=True
    ):
        row[end:] = 0
    return np.where(clips == 0, 1, clips) * (clips != 0)

"""What each registered problem and model is tried with.

A new problem needs a function that writes a few examples in the format of its
own source, here or in a file of its own that is imported below:

    @writes("my_problem")
    def my_source(folder, name):
        (folder / "train.txt").write_text(...)
        return {"train_text": folder / "train.txt"}  # the problem's options

A new model needs a set small enough for tests, in TINY.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

Writer = Callable[[pathlib.Path, str], dict[str, Any]]

WRITERS: dict[str, Writer] = {}
TINY = {
    "rnn_attention": "rnn_attention_tiny",
    "speech_transformer": "speech_transformer_tiny",
    "transformer": "transformer_tiny",
    "transformer_encoder": "transformer_encoder_tiny",
    "transformer_lm": "transformer_lm_tiny",
    "universal_transformer": "universal_transformer_test",
    "vit": "vit_test",
}
ROWS = 40  # of which each 20th, or each 10th, may be validation


def writes(*names: str) -> Callable[[Writer], Writer]:
    """Decorator of a function that writes the sources of some problems.

    It is given an empty folder and the problem's name, and returns the options
    that `problems.create` reads it with.
    """

    def decorate(writer: Writer) -> Writer:
        for name in names:
            assert name not in WRITERS, f"{name} is written twice"
            WRITERS[name] = writer
        return writer

    return decorate


def sentences(count: int, salt: str = "") -> list[str]:
    """Returns lines of a few words each, no two alike."""
    words = ("one", "small", "dog", "größe", "runs", "far", "and", "sleeps")
    return [
        " ".join([*(words[(i * k + k) % 8] for k in range(1, 5)), salt, str(i)])
        for i in range(count)
    ]

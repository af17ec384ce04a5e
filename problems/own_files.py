"""Problems that read a file of the user's for each split."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import Any

from t2t_lite.errors import UserError
from t2t_lite.problems import held_out
from t2t_lite.problems.held_out import HeldOut
from t2t_lite.problems.options import Option

_PREFIXES = {"train": "train", "validation": "eval", "test": "test"}


def options(suffix: str, content: str) -> tuple[Option, ...]:
    """Returns --train_<suffix>, --eval_<suffix> and --test_<suffix>.

    Args:
        suffix: str.
        content: str, what a file holds; for --help.
    """
    return tuple(
        Option(
            f"{prefix}_{suffix}",
            f"{split} {content}, plain or .gz",
            kind="path",
        )
        for split, prefix in _PREFIXES.items()
    )


class FromOwnFiles:
    """Of a problem with the options of `options(suffix, ...)`.

    A subclass sets `suffix` and writes `read` and `key`. Without a file for
    validation a part of the training file is held out.
    """

    suffix: str

    def read(self, path: str) -> Iterator[Any]:
        """Yields what a file holds, example by example."""
        raise NotImplementedError

    def key(self, row: Any) -> str:
        """Returns the text by which an example is held out, or not."""
        raise NotImplementedError

    @property
    def origin(self) -> str:
        return f"your files: `--train_{self.suffix}`"

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(_PREFIXES)[: 3 if self._given("test") else 2]

    def describe_source(self, split: str) -> str:
        if not self._is_shared(split):
            return f"lines of {self._path(split)}"
        return (
            f"lines of {self._path('train')}; {held_out.WORDS}, are held out"
            " for validation"
        )

    def rows(self, split: str) -> Iterator[Any]:
        """Yields what `read` does of a split.

        Raises:
            UserError: there is no such split, or a file is missing.
        """
        self.check_split(split)
        for name in self.splits:
            self._path(name)  # a missing file is told before the work
        if self._is_shared(split):
            return self._held_out.part(split)
        return self.read(self._path(split))

    @functools.cached_property
    def _held_out(self) -> HeldOut:
        return HeldOut(lambda: self.read(self._path("train")), self.key)

    def _is_shared(self, split: str) -> bool:
        """Whether training and validation come from one file."""
        return split != "test" and not self._given("validation")

    def _given(self, split: str) -> str | None:
        return self.settings[f"{_PREFIXES[split]}_{self.suffix}"]

    def _path(self, split: str) -> str:
        part = "train" if self._is_shared(split) else split
        flag = f"--{_PREFIXES[part]}_{self.suffix}"
        path = self._given(part)
        if path is None:
            raise UserError(f"{self.name} needs {flag}=<file>")
        if not os.path.isfile(path):
            what = "is a folder" if os.path.isdir(path) else "no such file"
            raise UserError(f"{flag}={path}: {what}; give a text file")
        return path

"""One registry class; problems, models and hparams sets are its instances.

@PROBLEMS.register("translate_ende", "WMT14 English to German")
def translate_ende(**options): ...
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from t2t_lite.errors import UserError, closest


@dataclasses.dataclass(frozen=True)
class Entry:
    """One registered thing: what makes it, and one line about it."""

    name: str
    factory: Callable[..., Any]
    description: str
    module: str


class Registry:
    """Names of one kind, each with its factory and a one-line description.

    Args:
        kind: str, the word that messages use ("problem").
    """

    def __init__(self, kind: str):
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def register(self, name: str, description: str = "") -> Callable:
        """Decorator that registers a factory (a function or a class).

        Args:
            name: str, what the user types.
            description: str, one line; by default the first line of the
                factory's docstring.
        Raises:
            ValueError: the name is taken; the message names both modules.
        """

        def decorate(factory):
            text = description or (factory.__doc__ or "").strip().split("\n")[0]
            self.add(name, factory, text)
            return factory

        return decorate

    def add(self, name: str, factory: Callable, description: str) -> None:
        """Registers `factory` under `name`; see `register`."""
        if name in self._entries:
            raise ValueError(
                f"{self.kind} {name!r} is registered twice: in "
                f"{self._entries[name].module} and in {factory.__module__}"
            )
        self._entries[name] = Entry(
            name, factory, description, factory.__module__
        )

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def names(self) -> list[str]:
        """Returns the sorted names."""
        return sorted(self._entries)

    def get(self, name: str) -> Callable[..., Any]:
        """Returns the factory registered under `name`.

        Raises:
            UserError: nothing has that name; the closest names are given.
        """
        if name not in self._entries:
            raise UserError(
                f"unknown {self.kind} {name!r}{closest(name, self._entries)};"
                " --registry_help lists them all"
            )
        return self._entries[name].factory

    def describe(self, name: str) -> str:
        """Returns the one-line description of `name`."""
        self.get(name)
        return self._entries[name].description

    def table(self) -> str:
        """Returns aligned lines `name  description`, sorted by name."""
        width = max((len(name) for name in self._entries), default=0)
        return "\n".join(
            f"  {name:<{width}}  {self._entries[name].description}".rstrip()
            for name in self.names()
        )


PROBLEMS = Registry("problem")
MODELS = Registry("model")
HPARAMS = Registry("hparams set")


def import_user_dir(path: str) -> None:
    """Imports a user's folder so that its registrations take effect.

    The folder is a Python package (with `__init__.py`, which imports the
    modules that register) or holds plain modules, all of which are imported.

    Raises:
        UserError: the folder does not exist or its import fails.
    """
    folder = os.path.abspath(os.path.expanduser(path))
    if not os.path.isdir(folder):
        raise UserError(
            f"--t2t_usr_dir={path}: no such folder; give the folder that holds"
            " your Python modules"
        )
    package = os.path.isfile(os.path.join(folder, "__init__.py"))
    sys.path.insert(0, os.path.dirname(folder) if package else folder)
    names = (
        [os.path.basename(folder)]
        if package
        else sorted(
            file[:-3] for file in os.listdir(folder) if file.endswith(".py")
        )
    )
    if not names:
        raise UserError(f"--t2t_usr_dir={path}: holds no Python module")
    try:
        for name in names:
            importlib.import_module(name)
    except Exception as error:
        raise UserError(
            f"--t2t_usr_dir={path}: importing it failed with "
            f"{type(error).__name__}: {error}{_place(error, folder)}"
        ) from error


def _place(error: Exception, folder: str) -> str:
    """Returns " (file, line n)", the last line of `folder` that ran."""
    if isinstance(error, SyntaxError):
        return ""  # its own text says where
    lines = [
        f" ({frame.filename}, line {frame.lineno})"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(folder + os.sep)
    ]
    return lines[-1] if lines else ""

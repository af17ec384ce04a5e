"""Options of problems, which commands turn into flags."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from t2t_lite.errors import UserError, closest


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of a problem, as a command turns it into a flag.

    Args:
        name: str, the flag's name.
        help: str, one line for a person.
        kind: "text", "path" or "integer". A path is made absolute.
        default: str or int, None = not given.
        choices: the only values a text may have; empty = any.
        minimum: int, the smallest integer that makes sense.
        defines_data: bool, False for an option that only says where the
            data is read: the data stays the same, so it is no part of
            `Problem.options`.
    """

    name: str
    help: str
    kind: str = "text"
    default: str | int | None = None
    choices: tuple[str, ...] = ()
    minimum: int = 0
    defines_data: bool = True

    def parse(self, value: Any) -> str | int | None:
        """Returns `value` in the option's type; None gives the default.

        Raises:
            UserError: the value is no integer, too small, no choice or no
                path.
        """
        if value is None:
            return self.default
        if self.kind == "integer":
            return self._parse_integer(value)
        if self.choices and value not in self.choices:
            raise UserError(
                f"--{self.name}={value}: expected one of "
                f"{', '.join(self.choices)}{closest(str(value), self.choices)}"
            )
        if self.kind == "path":
            if not str(value):
                raise UserError(f"--{self.name}: expected a path, got nothing")
            return os.path.abspath(os.path.expanduser(str(value)))
        return str(value)

    def _parse_integer(self, value: Any) -> int:
        try:
            number = int(str(value))
        except ValueError as error:
            raise UserError(
                f"--{self.name}={value}: expected an integer"
            ) from error
        if number < self.minimum:
            raise UserError(
                f"--{self.name}={value}: expected at least {self.minimum}"
            )
        return number


class OptionNames:
    """The names in `option_schema`, of a class and of an instance alike."""

    def __get__(self, instance: Any, owner: type) -> tuple[str, ...]:
        schema = (owner if instance is None else instance).option_schema
        return tuple(option.name for option in schema)


def unknown_option(problem: str, option: str, factory: Any) -> str:
    """Returns the message about an option that `factory` does not have."""
    names = getattr(factory, "option_names", ())
    known = ", ".join(names) if names else "none"
    return (
        f"problem {problem} has no option {option!r}{closest(option, names)};"
        f" its options: {known}"
    )

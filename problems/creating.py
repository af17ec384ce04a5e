"""Problems by the names that users type."""

from __future__ import annotations

from typing import Any

from t2t_lite.errors import UserError
from t2t_lite.problems.options import Option, unknown_option
from t2t_lite.problems.problem import Problem
from t2t_lite.problems.reversed import SUFFIX
from t2t_lite.registry import PROBLEMS


def create(
    name: str,
    options: dict[str, Any] | None = None,
    data_dir: str = "t2t_data",
) -> Problem:
    """Makes the problem called `name`.

    Args:
        name: str, a registered name, or one followed by `_rev`: the problem
            with inputs and targets exchanged. `_rev_rev` is the problem
            itself.
        options: the problem's options; None values count as not given.
        data_dir: str, the folder below which downloads are kept.
    Raises:
        UserError: nothing has that name, an option is unknown to it, or an
            option's value is wrong. Nothing is read yet.
    """
    base, reversals = _split_name(name)
    factory = PROBLEMS.get(base)
    given = {k: v for k, v in (options or {}).items() if v is not None}
    for option in given:
        if option not in getattr(factory, "option_names", ()):
            raise UserError(unknown_option(name, option, factory))
    problem = factory(**given)
    problem.name = base
    problem.description = PROBLEMS.describe(base)
    problem.data_dir = data_dir
    return problem.reversed() if reversals % 2 else problem


def option_schema(name: str) -> tuple[Option, ...]:
    """Returns the options that `create(name, ...)` takes."""
    base, _ = _split_name(name)
    return getattr(PROBLEMS.get(base), "option_schema", ())


def all_options() -> tuple[Option, ...]:
    """Returns every option of any problem once, sorted by name.

    Raises:
        ValueError: two problems give one name different meanings, so that
            one flag could not serve both.
    """
    found: dict[str, Option] = {}
    for problem in PROBLEMS.names():
        for option in option_schema(problem):
            if found.setdefault(option.name, option).kind != option.kind:
                raise ValueError(
                    f"option {option.name!r} of problem {problem} is of kind"
                    f" {option.kind}, elsewhere {found[option.name].kind}"
                )
    return tuple(found[name] for name in sorted(found))


def _split_name(name: str) -> tuple[str, int]:
    """Returns the registered name and how often `_rev` follows it."""
    base, reversals = name, 0
    while base not in PROBLEMS and base.endswith(SUFFIX):
        base, reversals = base.removesuffix(SUFFIX), reversals + 1
    return (base, reversals) if base in PROBLEMS else (name, 0)

"""The command line of the scripts that train recipes and report on them."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Iterable

from quality_training import TrainerError

from t2t_lite.errors import UserError, closest

Reporting = Callable[[pathlib.Path, pathlib.Path], None]


def run(
    description: str,
    recipes: Iterable[str],
    places: tuple[pathlib.Path, pathlib.Path],
    train: Callable[[argparse.Namespace], None],
    report: Reporting,
) -> None:
    """Parses the arguments, and trains or reports.

    It exits with 2 for a mistake in the arguments, and with the trainer's
    status where that failed.

    Args:
        description: the script's docstring.
        recipes: their names.
        places: (page, folder of the stored results), where none are given.
        train: called with the arguments to train.
        report: called with page and folder to make the page.
    """
    parser = argparse.ArgumentParser(
        description=description.split("\n")[0], allow_abbrev=False
    )
    page, folder = places
    parser.add_argument("--recipe", help=", ".join(recipes))
    parser.add_argument("--seeds", default="1", help="as in 1,2,3")
    parser.add_argument("--source_dir", help="the problem's files")
    parser.add_argument("--work_dir", help="runs and prepared data")
    parser.add_argument(
        "--report", action="store_true", help="make the page alone"
    )
    parser.add_argument("--results", type=pathlib.Path, default=folder)
    parser.add_argument("--page", type=pathlib.Path, default=page)
    args = parser.parse_args()
    if bool(args.recipe) == args.report:
        parser.error("give --recipe to train, or --report")
    try:
        if args.report:
            report(args.page, args.results)
            print(args.page)
        else:
            train(args)
    except UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)
    except TrainerError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(error.status)


def work_folder(
    args: argparse.Namespace, recipes: Iterable[str]
) -> pathlib.Path:
    """Returns the folder to work in.

    Raises:
        UserError: it is not given, or there is no such recipe.
    """
    names = list(recipes)
    if args.recipe not in names:
        raise UserError(
            f"--recipe={args.recipe}: unknown{closest(args.recipe, names)}; "
            f"there are {', '.join(names)}"
        )
    if args.work_dir is None:
        raise UserError(
            "--work_dir is missing: give a folder for runs and prepared data"
        )
    return pathlib.Path(args.work_dir).expanduser().resolve()


def seeds(args: argparse.Namespace) -> list[int]:
    """Returns the seeds; raises UserError where they are none."""
    try:
        found = [int(part) for part in args.seeds.split(",")]
    except ValueError:
        found = []
    if not found or len(set(found)) < len(found) or min(found) < 0:
        raise UserError(
            f"--seeds={args.seeds}: expected different whole numbers, as in "
            "1,2,3"
        )
    return found


def source_folder(args: argparse.Namespace) -> pathlib.Path | None:
    """Returns the folder of the problem's files, or None if none is given.

    Raises:
        UserError: it is not there.
    """
    if args.source_dir is None:
        return None
    path = pathlib.Path(args.source_dir).expanduser().resolve()
    if not path.is_dir():
        raise UserError(f"--source_dir={args.source_dir}: no folder is here")
    return path

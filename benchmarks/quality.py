"""Trains recipes over several seeds, and reports on what came out.

    python -m pip install -e ".[quality]"
    python benchmarks/quality.py --recipe=multi30k_ema --seeds=1,2,3 \
        --source_dir=multi30k --work_dir=work
    python benchmarks/quality.py --report

The first goes on where it was interrupted: a seed that is stored is not
trained again, one that was stopped goes on. Each finished seed is stored in
docs/results/quality, and docs/results.md is made anew from all that is stored;
the second makes that page alone. The recipes are in recipes.py.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import quality_report
import quality_store
from quality_scores import detokenizer, needs_detokenizer
from quality_training import ROOT, Seed, TrainerError, train
from recipes import RECIPES

from t2t_lite.errors import UserError, closest

RESULTS = ROOT / "docs" / "results" / "quality"
PAGE = ROOT / "docs" / "results.md"


def run_seed(seed: Seed, folder: pathlib.Path) -> pathlib.Path:
    """Trains and stores one seed, unless it is stored already.

    Args:
        seed: the run.
        folder: of the stored results.
    Returns:
        The path of its result.
    Raises:
        UserError: what is stored was made with other flags.
        TrainerError: training was interrupted or failed.
    """
    path = quality_store.path_of(folder, seed.recipe, seed.seed)
    if path.exists():
        if quality_store.read(path)["flags"] != seed.flags:
            raise UserError(
                f"{path} was made with other flags than {seed.recipe} has now; "
                "remove the recipe's folder, or give the recipe another name"
            )
        print(f"{seed.recipe}, seed {seed.seed}: stored already", flush=True)
        return path
    print(f"{seed.recipe}, seed {seed.seed}: {seed.shown()}", flush=True)
    return quality_store.store(seed, train(seed), folder)


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise UserError(
            f"--seeds={text}: expected different whole numbers, as in 1,2,3"
        )
    return seeds


def _folder(flag: str, text: str | None) -> pathlib.Path | None:
    """Returns a folder that has to be there, or None if it is not given."""
    if text is None:
        return None
    path = pathlib.Path(text).expanduser().resolve()
    if not path.is_dir():
        raise UserError(f"--{flag}={text}: no folder is here")
    return path


def _train(args: argparse.Namespace) -> None:
    if args.recipe not in RECIPES:
        raise UserError(
            f"--recipe={args.recipe}: unknown{closest(args.recipe, RECIPES)}; "
            f"there are {', '.join(RECIPES)}"
        )
    if args.work_dir is None:
        raise UserError(
            "--work_dir is missing: give a folder for runs and prepared data"
        )
    flags = RECIPES[args.recipe]
    seeds = _seeds(args.seeds)
    source = _folder("source_dir", args.source_dir)
    work = pathlib.Path(args.work_dir).expanduser().resolve()
    if needs_detokenizer(flags):
        detokenizer("en")  # what is missing is told before hours of training
    for number in seeds:
        seed = Seed(args.recipe, flags, number, work, source)
        path = run_seed(seed, args.results)
        quality_report.write(args.page, args.results)
        print(f"{path}\n{args.page}", flush=True)


def main() -> None:
    """Parses the arguments; 2 for a mistake in them, else as the trainer."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--recipe", help=", ".join(RECIPES))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--source_dir", help="the problem's files")
    parser.add_argument("--work_dir", help="runs and prepared data")
    parser.add_argument(
        "--report", action="store_true", help="make docs/results.md alone"
    )
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--page", type=pathlib.Path, default=PAGE)
    args = parser.parse_args()
    if bool(args.recipe) == args.report:
        parser.error("give --recipe to train, or --report")
    try:
        if args.report:
            quality_report.write(args.page, args.results)
            print(args.page)
        else:
            _train(args)
    except UserError as error:
        print(f"quality.py: {error}", file=sys.stderr)
        sys.exit(2)
    except TrainerError as error:
        print(f"quality.py: {error}", file=sys.stderr)
        sys.exit(error.status)


if __name__ == "__main__":
    main()

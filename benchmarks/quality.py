"""Trains recipes over several seeds, and reports on what came out.

    python -m pip install -e ".[quality]"
    python benchmarks/quality.py --recipe=multi30k --seeds=1,2,3 \
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
import recipe_arguments
from quality_scores import detokenizer, needs_detokenizer
from quality_training import ROOT, Seed, train
from recipes import RECIPES

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
    if quality_store.is_stored(seed, folder):
        return quality_store.path_of(folder, seed.recipe, seed.seed)
    print(f"{seed.recipe}, seed {seed.seed}: {seed.shown()}", flush=True)
    return quality_store.store(seed, train(seed), folder)


def _train(args: argparse.Namespace) -> None:
    work = recipe_arguments.work_folder(args, RECIPES)
    flags = RECIPES[args.recipe]
    seeds = recipe_arguments.seeds(args)
    source = recipe_arguments.source_folder(args)
    if needs_detokenizer(flags):
        detokenizer("en")  # what is missing is told before hours of training
    for number in seeds:
        seed = Seed(args.recipe, flags, number, work, source)
        path = run_seed(seed, args.results)
        quality_report.write(args.page, args.results)
        print(f"{path}\n{args.page}", flush=True)


def main() -> None:
    """The command; 2 for a mistake in its arguments, else as the trainer."""
    recipe_arguments.run(
        __doc__, RECIPES, (PAGE, RESULTS), _train, quality_report.write
    )


if __name__ == "__main__":
    main()

"""Trains models of several kinds of task, and reports on what came out.

    python benchmarks/tasks.py --recipe=spoken_digits --seeds=1 \
        --source_dir=recordings --work_dir=work
    python benchmarks/tasks.py --report

The first goes on where it was interrupted: a seed that is stored is not
trained again, one that was stopped goes on. Each finished seed is stored in
docs/results/tasks, and docs/tasks.md is made anew from all that is stored; the
second makes that page alone. The recipes are in task_recipes.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import quality_store
import recipe_arguments
import task_report
from quality_training import ROOT, Seed, train
from task_recipes import RECIPES

from t2t_lite import problems
from t2t_lite.data import storage, untrusted

RESULTS = ROOT / "docs" / "results" / "tasks"
PAGE = ROOT / "docs" / "tasks.md"


def run_seed(
    name: str,
    number: int,
    places: Places,
    results: pathlib.Path,
    needed: bool = False,
) -> None:
    """Trains and stores one seed of a recipe, unless it is stored already.

    Args:
        name: str, the recipe's.
        number: int, the seed.
        places: where runs, prepared data and the problem's files are.
        results: folder of the stored results.
        needed: bool, whether the run itself has to be there, for another one
            begins with it.
    Raises:
        UserError: what is stored was made with other flags.
        TrainerError: training was interrupted or failed.
    """
    recipe, seed = RECIPES[name], places.seed(name, number)
    stored = quality_store.is_stored(seed, results)
    if stored and (not needed or (seed.run / "results.json").exists()):
        return
    if recipe.before:
        run_seed(recipe.before, number, places, results, needed=True)
    if recipe.texts:
        places.write_texts(name)
    print(f"{name}, seed {number}: {seed.shown()}", flush=True)
    _store(seed, train(seed), quality_store.path_of(results, name, number))


@dataclasses.dataclass(frozen=True)
class Places:
    """Where this machine has what the recipes need.

    Fields:
        work: folder of runs and prepared data.
        source: folder of the problem's files, or None.
    """

    work: pathlib.Path
    source: pathlib.Path | None = None

    def seed(self, name: str, number: int) -> Seed:
        """Returns a run of a recipe."""
        recipe, stand_for = RECIPES[name], {}
        if recipe.before:
            before = self.seed(recipe.before, number)
            stand_for["before"] = (str(before.run), before.shown_run)
        if recipe.texts:
            path = self._texts(name)
            stand_for["texts"] = (str(path), path.name)
        source = None if recipe.texts else self.source
        return Seed(name, recipe.flags, number, self.work, source, stand_for)

    def _texts(self, name: str) -> pathlib.Path:
        return self.work / name / "texts.txt"

    def write_texts(self, name: str) -> None:
        """Writes what a recipe learns a language from, one text a line."""
        path = self._texts(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        given = {"source_dir": str(self.source)} if self.source else {}
        problem = problems.create(RECIPES[name].texts, given, str(path.parent))
        lines = [f"{e['inputs']}\n" for e in problem.examples("train")]
        storage.write_text(str(path), "".join(lines))


def _store(seed: Seed, starts, path: pathlib.Path) -> None:
    """Stores numbers, measurements and log of a finished run."""
    written = untrusted.read_json(str(seed.run / "results.json"), finite=False)
    # A problem without a test is judged on validation.
    scores = written.get("test", written["validation"])
    log = seed.without_places(seed.log.read_text(errors="replace")).encode()
    quality_store.store_run(
        seed, starts, path, {"problem": scores}, {".log": log}
    )


def _train(args: argparse.Namespace) -> None:
    work = recipe_arguments.work_folder(args, RECIPES)
    places = Places(work, recipe_arguments.source_folder(args))
    for number in recipe_arguments.seeds(args):
        run_seed(args.recipe, number, places, args.results)
        task_report.write(args.page, args.results)
        print(args.page, flush=True)


def main() -> None:
    """The command; 2 for a mistake in its arguments, else as the trainer."""
    recipe_arguments.run(
        __doc__, RECIPES, (PAGE, RESULTS), _train, task_report.write
    )


if __name__ == "__main__":
    main()

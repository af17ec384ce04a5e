"""Trains one model of every kind of task, and reports on what came out.

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
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import quality_store
import recipe_arguments
import task_report
from quality_training import ROOT, Seed, train
from task_recipes import RECIPES, Recipe

from t2t_lite import problems
from t2t_lite.data import storage, untrusted
from t2t_lite.errors import UserError

RESULTS = ROOT / "docs" / "results" / "tasks"
PAGE = ROOT / "docs" / "tasks.md"


def run_seed(
    name: str,
    number: int,
    work: pathlib.Path,
    source: pathlib.Path | None,
    results: pathlib.Path,
) -> Seed:
    """Trains and stores one seed of a recipe, unless it is stored already.

    Args:
        name: str, the recipe's.
        number: int, the seed.
        work: folder of runs and prepared data.
        source: folder of the problem's files, or None.
        results: folder of the stored results.
    Returns:
        The run, which has its folder in `work`.
    Raises:
        UserError: what is stored was made with other flags.
        TrainerError: training was interrupted or failed.
    """
    recipe = RECIPES[name]
    places = {}
    if recipe.before:
        before = run_seed(recipe.before, number, work, source, results)
        places["before"] = (str(before.run), before.shown_run)
    if recipe.texts:
        path = _texts(recipe, work / name / "texts.txt", source)
        places["texts"] = (str(path), path.name)
    given = None if recipe.texts else source
    seed = Seed(name, recipe.flags, number, work, given, places)
    path = quality_store.path_of(results, name, number)
    # What another recipe begins with is there only while its run is.
    if path.exists() and (seed.run / "results.json").exists():
        if untrusted.read_json(str(path))["flags"] != seed.flags:
            raise UserError(
                f"{path} was made with other flags than {name} has now; remove "
                "it, or give the recipe another name"
            )
        print(f"{name}, seed {number}: stored already", flush=True)
        return seed
    print(f"{name}, seed {number}: {seed.shown()}", flush=True)
    _store(seed, train(seed), path)
    return seed


def _texts(
    recipe: Recipe, path: pathlib.Path, source: pathlib.Path | None
) -> pathlib.Path:
    """Writes the inputs of a problem's training part, one a line."""
    given = {"source_dir": str(source)} if source else {}
    problem = problems.create(recipe.texts, given, str(path.parent))
    lines = [f"{e['inputs']}\n" for e in problem.examples("train")]
    path.parent.mkdir(parents=True, exist_ok=True)
    storage.write_text(str(path), "".join(lines))
    return path


def _store(seed: Seed, starts, path: pathlib.Path) -> None:
    """Stores numbers, measurements and log; the JSON file last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    result = quality_store.summary(seed, starts)
    written = untrusted.read_json(str(seed.run / "results.json"), finite=False)
    # A problem without a test is judged on validation.
    scores = written.get("test", written["validation"])
    result["scores"] = {"problem": scores}
    result["settings"] = {
        name: _relative(seed, value) if isinstance(value, str) else value
        for name, value in result["settings"].items()
    }
    log = _relative(seed, seed.log.read_text(errors="replace"))
    storage.write_text(str(path.with_suffix(".log")), log)
    quality_store.store_curves(seed, path)
    storage.write_json(str(path), result)


def _relative(seed: Seed, text: str) -> str:
    """Returns a text in which no path says where this machine has its files."""
    text = text.replace(f"{seed.work}/", "")
    return (
        text.replace(str(seed.source), seed.source.name)
        if seed.source
        else text
    )


def _train(args: argparse.Namespace) -> None:
    work = recipe_arguments.work_folder(args, RECIPES)
    source = recipe_arguments.source_folder(args)
    for number in recipe_arguments.seeds(args):
        run_seed(args.recipe, number, work, source, args.results)
        task_report.write(args.page, args.results)
        print(args.page, flush=True)


def main() -> None:
    """The command; 2 for a mistake in its arguments, else as the trainer."""
    recipe_arguments.run(
        __doc__, RECIPES, (PAGE, RESULTS), _train, task_report.write
    )


if __name__ == "__main__":
    main()

"""docs/tasks.md, made from the stored results and nothing else."""

from __future__ import annotations

import os
import pathlib

import quality_store
import report_parts
from report_parts import NONE, Result
from task_recipes import RECIPES, Recipe

from t2t_lite.data import storage

_INTRODUCTION = """# Trainings of several kinds of task

Made by `python benchmarks/tasks.py --report` from the files in
`docs/results/tasks`: do not edit. Every number is of a run that is stored there
with its command, commit, seed, data hash, machine and log. Weights were chosen
on validation; the score is of the test, which a run judges once, at its end, or
of validation where the problem has no test. ± is the standard deviation over
seeds (n - 1). Processor time is that of all cores over their number: what the
wall time is at least on a machine that does nothing else.

Train a recipe, or go on where that was interrupted:

```
python benchmarks/tasks.py --recipe=spoken_digits --source_dir=recordings \\
  --work_dir=work
```
"""


def write(page: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes the page.

    Args:
        page: the Markdown file.
        folder: of the stored results.
    Raises:
        UserError: a stored result is damaged.
    """
    storage.write_text(str(page), text(page, folder))


def text(page: pathlib.Path, folder: pathlib.Path) -> str:
    """Returns the page's Markdown; arguments and errors as `write`."""
    stored = quality_store.load(folder)
    links = pathlib.Path(os.path.relpath(folder, page.parent))
    parts = [_INTRODUCTION, _summary(stored)]
    for name, recipe in RECIPES.items():
        parts.append(_section(name, recipe, stored.get(name, []), links))
    return "\n".join(parts)


def _summary(stored: dict[str, list[Result]]) -> str:
    rows = [
        [
            *("task", "measure", "asked", "reached", "seeds", "parameters"),
            *("wall time of a seed", "processor time by core", "within"),
        ]
    ]
    for name, recipe in RECIPES.items():
        results = stored.get(name, [])
        row = [f"[{recipe.title}](#{name})", f"`{recipe.measure}`"]
        row += [_asked(recipe), *_reached(recipe, results)]
        row.append(f"{recipe.minutes:g} min" if recipe.minutes else NONE)
        rows.append(row)
    return report_parts.table(rows)


def _asked(recipe: Recipe) -> str:
    if recipe.bar is None:
        return NONE
    least = "at least" if recipe.sign > 0 else "at most"
    return f"{least} {recipe.bar:g}"


def _reached(recipe: Recipe, results: list[Result]) -> list[str]:
    if not results:
        return ["not run yet", *[""] * 4]
    scores = [_score(recipe, result) for result in results]
    value = report_parts.mean(scores)
    if recipe.bar is not None and not recipe.holds(sum(scores) / len(scores)):
        value += ", missed"
    seconds = sum(result["seconds"] for result in results) / len(results)
    return [
        value,
        str(len(results)),
        f"{results[0]['parameters']:,}",
        report_parts.duration(seconds),
        report_parts.core_time(*results),
    ]


def _score(recipe: Recipe, result: Result) -> float:
    return result["scores"]["problem"][recipe.measure]


def _section(
    name: str, recipe: Recipe, results: list[Result], links: pathlib.Path
) -> str:
    parts = [f"## {name}\n", f"{recipe.title[0].upper()}{recipe.title[1:]}.\n"]
    if not results:
        parts.append("Not run yet.\n")
        return "\n".join([*parts, report_parts.command(recipe.flags)])
    if any(result["flags"] != recipe.flags for result in results):
        parts.append(
            "These runs were made with flags that the recipe no longer has.\n"
        )
    parts.append(f"```\n{results[0]['command']}\n```\n")
    rows = [
        [
            *("seed", f"score: `{recipe.measure}`", "validation", "weights"),
            *("updates", "wall time", "processor time by core"),
            *("machine", "data hash", "commit"),
        ]
    ]
    for result in results:
        file = (links / name / f"seed{result['seed']}").as_posix()
        validation = result["validation"].get(recipe.measure)
        rows.append(
            [
                f"[{result['seed']}]({file}.json) ([log]({file}.log))",
                f"{_score(recipe, result):.2f}",
                NONE if validation is None else f"{validation:.2f}",
                result["weights"],
                f"{result['updates']:,}",
                report_parts.duration(result["seconds"]),
                report_parts.core_time(result),
                report_parts.machine(result["starts"][-1]["machine"]),
                f"`{result['data_hash'][:12]}`",
                report_parts.commits(result),
            ]
        )
    return "\n".join([*parts, report_parts.table(rows)])

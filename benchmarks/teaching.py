"""What a recipe is trained with beside its problem: a teacher's outputs."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from typing import Any

from quality_training import Decoding, Seed, train
from recipes import RECIPES, TEACHERS

from t2t_lite import problems
from t2t_lite.data import storage

_SIDES = ("inputs", "targets")
_IN_BRACES = re.compile(r"\{(\w+)\}")


def seed(
    recipe: str,
    number: int,
    work: pathlib.Path,
    source: pathlib.Path | None = None,
) -> Seed:
    """Returns a recipe's run, with what its flags' names in braces stand for.

    {train} is the folder of the training pairs, a line each in `inputs.txt`
    and `targets.txt`; {teacher} the teacher's run of the same seed; {taught}
    the folder of what that makes of them: `targets.txt` of the inputs, and
    `inputs.txt` of the targets.

    Args:
        recipe: str, its name.
        number: int.
        work: folder of runs and prepared data.
        source: folder of the problem's files; None = downloaded.
    """
    flags, places = RECIPES[recipe], {}
    names = set(_IN_BRACES.findall(" ".join(flags)))
    if "train" in names or recipe in TEACHERS:
        pairs = work / TEACHERS.get(recipe, recipe) / "train"
        places["train"] = (str(pairs), "train")
    if recipe in TEACHERS:
        teacher = seed(TEACHERS[recipe], number, work, source)
        places["teacher"] = (str(teacher.run), teacher.shown_run)
        taught = work / recipe / f"seed{number}.taught"
        places["taught"] = (str(taught), f"taught{number}")
    return Seed(recipe, flags, number, work, source, places)


def jobs(run: Seed) -> Iterator[Seed | Decoding]:
    """Yields what is done for a run, in order, the run itself last.

    A decoding is of the teacher's run, which is to be finished before the
    generator goes on.

    Args:
        run: as `seed` returns it.
    """
    if run.recipe in TEACHERS:
        teacher = seed(TEACHERS[run.recipe], run.seed, run.work, run.source)
        yield teacher
        for given, made in (_SIDES, _SIDES[::-1]):
            if f"{{taught}}/{made}.txt" in " ".join(run.flags):
                yield _decoding(run, teacher, given, made)
    yield run


def _decoding(run: Seed, teacher: Seed, given: str, made: str) -> Decoding:
    """Returns what makes one side's lines of the pairs' other side."""
    (train, shown_train), (taught, shown_taught) = (
        run.places[name] for name in ("train", "taught")
    )
    return Decoding(
        teacher,
        pathlib.Path(train, f"{given}.txt"),
        pathlib.Path(taught, f"{made}.txt"),
        (f"{shown_train}/{given}.txt", f"{shown_taught}/{made}.txt"),
    )


def run_all(run: Seed) -> list[dict[str, Any]]:
    """Trains a run and what goes before it; returns the starts of all.

    Each start says of which job it is, and that one's command.

    Raises:
        TrainerError, UserError: as `quality_training.train`.
    """
    starts = []
    for job in jobs(run):
        if isinstance(job, Seed):
            _write_pairs(job)
        told = {"job": job.name, "command": job.shown()}
        print("{job}: {command}".format(**told), flush=True)
        starts += [told | row for row in train(job)]
    return starts


def _write_pairs(run: Seed) -> None:
    """Writes the training pairs of a run's problem, if its flags name them."""
    if "train" not in run.places:
        return
    folder = pathlib.Path(run.places["train"][0])
    if all((folder / f"{side}.txt").exists() for side in _SIDES):
        return
    folder.mkdir(parents=True, exist_ok=True)
    examples = list(_problem(run).examples("train"))
    for side in _SIDES:
        lines = [f"{example[side]}\n" for example in examples]
        storage.write_text(str(folder / f"{side}.txt"), "".join(lines))


def _problem(run: Seed) -> problems.Problem:
    """Returns a run's problem, without more pairs than its own."""
    given = dict(flag[2:].split("=", 1) for flag in run.flags if "=" in flag)
    if run.source:
        given["source_dir"] = str(run.source)
    options = {o.name for o in problems.option_schema(given["problem"])}
    return problems.create(
        given["problem"],
        {name: value for name, value in given.items() if name in options},
        str(run.data),
    )

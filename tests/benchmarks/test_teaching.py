"""Recipes that learn what another one's run makes of the training pairs."""

import json

import pytest
import quality
import recipes
import teaching

from tests.benchmarks.test_quality import TINY

TEACHER = [
    *TINY,
    "--train_steps=2",
    "--eval_interval=2",
    "--more_source={train}/targets.txt",
    "--more_target={train}/inputs.txt",
]
TAUGHT = [
    *TINY,
    "--train_steps=3",
    "--eval_interval=3",
    "--more_source={train}/inputs.txt",
    "--more_target={taught}/targets.txt",
]


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Recipes of a teacher and of what it teaches."""
    monkeypatch.setitem(recipes.RECIPES, "teacher", TEACHER)
    monkeypatch.setitem(recipes.RECIPES, "taught", TAUGHT)
    monkeypatch.setitem(recipes.TEACHERS, "taught", "teacher")


def test_a_recipe_is_taught_by_anothers_run(source, tmp_path, capfd):
    work, results = tmp_path / "work", tmp_path / "quality"
    seed = teaching.seed("taught", 5, work, source)
    quality.run_seed(seed, results)
    pairs = work / "teacher" / "train"
    assert (pairs / "inputs.txt").read_text().startswith("en tr 0\nen tr 1\n")
    taught = (work / "taught" / "seed5.taught" / "targets.txt").read_text()
    assert taught.count("\n") == 60
    printed = capfd.readouterr().out
    assert printed.count("120 training and 3 validation examples") == 2
    stored = json.loads((results / "taught" / "seed5.json").read_text())
    assert stored["updates"] == 3
    jobs = [start["job"] for start in stored["starts"]]
    assert jobs == [
        "teacher, seed 5",
        "taught5/targets.txt by teacher, seed 5",
        "taught, seed 5",
    ]
    commands = [start["command"] for start in stored["starts"]]
    assert "--more_source=train/targets.txt" in commands[0]
    assert commands[1] == (
        "t2t_lite_decoder --output_dir=runs/teacher/seed5 "
        "--decode_from_file=train/inputs.txt "
        "--decode_to_file=taught5/targets.txt --resume"
    )
    assert "--more_target=taught5/targets.txt" in commands[2]
    assert commands[2] == stored["command"]
    seconds = [start["seconds"] for start in stored["starts"]]
    assert stored["seconds"] == pytest.approx(sum(seconds))
    assert str(tmp_path) not in json.dumps(stored)
    # What is made of a teacher that was trained anew is made anew.
    again = list(teaching.jobs(seed))[1]
    before = again.flags
    (again.of.run / "results.json").write_text("{}")
    assert again.flags != before


def test_only_what_is_named_is_made(tmp_path, monkeypatch):
    def made():
        jobs = teaching.jobs(teaching.seed("taught", 1, tmp_path))
        return [job.run.name for job in jobs]

    assert made() == ["seed1", "targets.txt", "seed1"]
    both = [*TAUGHT, "--more_source={taught}/inputs.txt"]
    monkeypatch.setitem(recipes.RECIPES, "taught", both)
    assert made() == ["seed1", "targets.txt", "inputs.txt", "seed1"]
    monkeypatch.delitem(recipes.TEACHERS, "taught")
    monkeypatch.setitem(recipes.RECIPES, "taught", TINY)
    assert made() == ["seed1"]


@pytest.mark.parametrize("name", recipes.TEACHERS)
def test_teachers_are_recipes_of_the_same_problem(name):
    own, teacher = (
        [flag for flag in recipes.RECIPES[n] if "problem" in flag]
        for n in (name, recipes.TEACHERS[name])
    )
    assert own == teacher
    assert "{taught}" in " ".join(recipes.RECIPES[name])
    assert recipes.TEACHERS[name] not in recipes.TEACHERS

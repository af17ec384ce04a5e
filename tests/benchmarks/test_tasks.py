"""Recipes of every kind of task: trained one after the other, and stored."""

import json
import shutil

import pytest
import task_recipes
import task_report
import tasks

from t2t_lite import problems  # noqa: F401 (fills the registry)
from t2t_lite.errors import UserError
from t2t_lite.models.resolve import resolve
from t2t_lite.registry import PROBLEMS
from tests.benchmarks.conftest import result

SMALL = [
    "--model=transformer_encoder_tiny",
    "--hparams=vocab_kind=byte,vocab_size=259,max_shapes=1,batch_size=256",
    "--train_steps=2",
    "--eval_interval=2",
    "--log_interval=1",
    "--noexport",
]
BLANKS = task_recipes.Recipe(
    "blanks",
    ["--problem=languagemodel_files", "--train_text={texts}", *SMALL],
    "nll",
    texts="sentiment_polarity",
)
LABELS = task_recipes.Recipe(
    "labels",
    ["--problem=sentiment_polarity", "--warm_start_from={before}", *SMALL],
    "accuracy",
    bar=101.0,
    before="blanks",
)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "polarity"
    folder.mkdir()
    for name, word in (("neg", "bad"), ("pos", "good")):
        lines = [f"a {word} film {i}\n" for i in range(30)]
        (folder / f"rt-polarity.{name}").write_text("".join(lines))
    return folder


def test_a_recipe_and_the_one_before_it(source, tmp_path, monkeypatch, capsys):
    known = {"blanks": BLANKS, "labels": LABELS}
    for module in (tasks, task_report):
        monkeypatch.setattr(module, "RECIPES", known)
    work, results = tmp_path / "work", tmp_path / "docs" / "tasks"
    places = tasks.Places(work, source)
    tasks.run_seed("labels", 3, places, results)
    assert "weights from" in capsys.readouterr().out
    # What is learned without labels is of the training part alone.
    texts = (work / "blanks" / "texts.txt").read_text().splitlines()
    assert len(texts) == 2 * 27 - 2
    assert "a bad film 0" not in texts
    names = ["seed3.json", "seed3.log", "seed3.metrics.jsonl"]
    for name in known:
        folder = results / name
        assert sorted(path.name for path in folder.iterdir()) == names
        assert str(tmp_path) not in (folder / "seed3.json").read_text()
        assert str(work) not in (folder / "seed3.log").read_text()
    stored = json.loads((results / "labels" / "seed3.json").read_text())
    assert "--warm_start_from=runs/blanks/seed3" in stored["command"]
    assert "--source_dir=polarity" in stored["command"]
    written = json.loads(
        (work / "labels" / "seed3" / "results.json").read_text()
    )
    assert stored["scores"] == {"problem": written["test"]}
    page = task_report.text(tmp_path / "docs" / "tasks.md", results)
    assert f"{written['test']['accuracy']:.2f}, missed | 1 |" in page
    assert (
        "[3](tasks/labels/seed3.json) ([log](tasks/labels/seed3.log))" in page
    )
    tasks.run_seed("labels", 3, places, results)
    assert capsys.readouterr().out == "labels, seed 3: stored already\n"
    # What is stored needs no run; what another begins with does.
    shutil.rmtree(work / "blanks")
    tasks.run_seed("labels", 3, places, results)
    assert not (work / "blanks").exists()
    shutil.rmtree(results / "labels")
    tasks.run_seed("labels", 3, places, results)
    assert (work / "blanks" / "seed3" / "results.json").exists()
    other = {**known, "labels": task_recipes.Recipe("l", SMALL, "accuracy")}
    monkeypatch.setattr(tasks, "RECIPES", other)
    with pytest.raises(UserError, match="was made with other flags than lab"):
        tasks.run_seed("labels", 3, places, results)


@pytest.mark.parametrize(
    ("sign", "scores", "shown"),
    [
        (1, [76.0, 76.4], "at least 76.1 | 76.20 ± 0.28 | 2 |"),
        (1, [76.0, 76.1], "at least 76.1 | 76.05 ± 0.07, missed | 2 |"),
        (-1, [76.2], "at most 76.1 | 76.20, missed | 1 |"),
    ],
)
def test_what_is_asked_and_reached(
    tmp_path, monkeypatch, save, sign, scores, shown
):
    recipe = task_recipes.Recipe(
        "a task", ["--problem=p"], "accuracy", bar=76.1, sign=sign, minutes=20
    )
    monkeypatch.setattr(task_report, "RECIPES", {"r": recipe})
    folder = save(
        *(
            result("r", k, 0.0, scores={"problem": {"accuracy": score}})
            for k, score in enumerate(scores, 1)
        )
    )
    page = task_report.text(tmp_path / "tasks.md", folder)
    assert f"| [a task](#r) | `accuracy` | {shown}" in page
    assert "made with flags that the recipe no longer has" in page


@pytest.mark.parametrize("name", task_recipes.RECIPES)
def test_recipes_name_what_is_there(name):
    recipe = task_recipes.RECIPES[name]
    flags = dict(flag[2:].partition("=")[::2] for flag in recipe.flags)
    assert flags["problem"] in PROBLEMS.names()
    resolve(flags["model"])
    assert ("{before}" in "".join(recipe.flags)) == bool(recipe.before)
    assert ("{texts}" in "".join(recipe.flags)) == bool(recipe.texts)
    assert recipe.before in {"", *task_recipes.RECIPES}
    if recipe.texts:
        assert recipe.texts in PROBLEMS.names()

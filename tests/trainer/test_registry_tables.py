"""Tables of what is registered: their cells, and their place in a document."""

import pytest

from t2t_lite import models, problems
from t2t_lite.errors import UserError
from t2t_lite.registry import HPARAMS, MODELS, PROBLEMS
from t2t_lite.trainer import registry_tables
from t2t_lite.trainer.registry_tables import TABLES, Table, models_for

del models


def test_markdown_escapes_what_would_end_a_cell():
    table = Table(("a", "b"), [("x | y", "two\nlines")])
    assert table.markdown() == (
        "| a | b |\n| --- | --- |\n| x \\| y | two lines |\n"
    )


def test_every_problem_and_every_set_is_there():
    lines = registry_tables.problems().splitlines()
    names = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert names == set(PROBLEMS.names()) | set(MODELS.names())
    text = registry_tables.sets().markdown()
    assert all(f"`{name}`" in text for name in HPARAMS.names())


@pytest.mark.parametrize("name", PROBLEMS.names())
def test_every_problem_has_an_origin_and_a_model(name):
    problem = problems.create(name)
    assert problem.origin
    assert models_for(problem)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("translate_ende", ["transformer"]),
        ("image_mnist", ["vit"]),
        ("librispeech", ["speech_transformer"]),
        ("tag_files", ["transformer_encoder"]),
        ("classify_files", ["transformer_encoder"]),
        ("languagemodel_ptb", ["transformer_encoder", "transformer_lm"]),
        ("mix", ["transformer"]),
    ],
)
def test_models_are_those_that_fit(name, expected):
    assert set(expected) <= set(models_for(problems.create(name)))


@pytest.fixture
def numbers(monkeypatch):
    monkeypatch.setitem(TABLES, "numbers", lambda: "| 1 |\n")


def test_a_table_is_replaced_between_its_marks(numbers):
    marks = "<!-- table of numbers -->\n{}<!-- end of table of numbers -->"
    text = f"# A\n\n{marks.format('old')}\nmore\n"
    found = registry_tables.refreshed(text, "numbers", "x.md")
    table = "\n| 1 |\n\n"
    assert found == f"# A\n\n{marks.format(table)}\nmore\n"
    assert registry_tables.refreshed(found, "numbers", "x.md") == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- table of numbers -->\n",
        "<!-- end of table of numbers -->\n",
        "<!-- table of problems -->\n<!-- end of table of problems -->\n",
    ],
)
def test_a_document_without_a_place(numbers, text):
    with pytest.raises(UserError, match=r"x\.md: no lines <!-- table of num"):
        registry_tables.refreshed(text, "numbers", "x.md")

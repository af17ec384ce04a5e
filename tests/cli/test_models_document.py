"""docs/models.md: its table is the registry's, its examples work."""

import pathlib
import re
import shlex

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from t2t_lite import models, problems
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.models.resolve import check_fits
from t2t_lite.registry import PROBLEMS
from t2t_lite.trainer import model_tables, predictors
from t2t_lite.trainer.cli import common, decode, query, train
from t2t_lite.trainer.cli import model_tables as tables_command
from tests.models.small import small_model
from tests.models_for_tests import word_encoder
from tests.trainer.test_sources import write_wav

assert models
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "models.md"
TEXT = PAGE.read_text(encoding="utf-8")
# The sections with examples in Python, and the runs that stand in for RUN.
SECTIONS = {
    "Language models": "language",
    "Masked language models": "blanks",
    "Labels of texts": "label",
    "Images": "image",
    "Speech": "speech",
}


def section(title):
    """Returns the text below a heading."""
    return re.split(r"^## ", TEXT.split(f"\n## {title}\n")[1], flags=re.M)[0]


def blocks(text, language=""):
    """Returns the fenced blocks of a language."""
    parts = text.split("```")[1::2]
    heads = [part.partition("\n") for part in parts]
    return [body for head, _, body in heads if head == language]


def commands(name):
    """Returns the words of every line that calls a command."""
    lines = "".join(blocks(TEXT)).replace("\\\n", " ").splitlines()
    calls = [line[line.index(name) :] for line in lines if name in line]
    return [shlex.split(call) for call in calls]


def test_the_table_is_the_registrys():
    assert model_tables.refreshed(TEXT, "models.md") == TEXT, (
        "docs/models.md is stale: python -m "
        "t2t_lite.trainer.cli.model_tables --write=docs/models.md"
    )


def test_a_stale_table_is_replaced_and_a_page_without_one_refused(
    run_command, tmp_path
):
    page = tmp_path / "page.md"
    table = model_tables.models()
    page.write_text(TEXT.replace("**`vit`**", "**`vet`**"))
    command = (tables_command, "tables", f"--write={page}")
    assert run_command(*command) == (0, "", "")
    assert page.read_text() == TEXT
    assert run_command(*command[:2]) == (0, table, "")
    page.write_text("<!-- end of table of models -->\n")
    status, _, error = run_command(*command)
    assert status == 2
    assert f"{page}: no lines <!-- table of models --> and" in error
    assert page.read_text() == "<!-- end of table of models -->\n"


@pytest.mark.parametrize("words", commands("t2t_lite_trainer"), ids=" ".join)
def test_training_commands_name_what_fits(words):
    values = flags.FlagValues()
    train._define(values)
    assert values(words)[1:] == []
    factory = PROBLEMS.get(values.problem)
    given = [o.name for o in problems.all_options() if values[o.name].present]
    assert set(given) <= set(factory.option_names)
    problem = factory()
    problem.vocab_file = None
    model, hparams = common.resolve_hparams(values, problem)
    kinds = (factory.inputs_kind, factory.targets_kind)
    stands_in = {
        ("text", "text"): "universal",
        ("none", "text"): "language model",
        ("text", "label"): "label",
        ("image", "label"): "image",
        ("audio", "text"): "speech",
    }[kinds]
    check_fits(model, small_model(stands_in).task, values.problem)
    assert hparams.batch_size > 0


@pytest.mark.parametrize(
    ("name", "module"),
    [("t2t_lite_decoder", decode), ("t2t_lite_query", query)],
)
def test_other_commands_have_their_flags(name, module):
    found = commands(name)
    assert found
    for words in found:
        values = flags.FlagValues()
        module._define(values)
        assert values(words)[1:] == []


@pytest.mark.parametrize("title", SECTIONS)
def test_python_examples_run(task_run, tmp_path, monkeypatch, title):
    monkeypatch.chdir(tmp_path)
    picture = np.zeros((28, 28, 1), np.uint8)
    (tmp_path / "picture.png").write_bytes(tf.io.encode_png(picture).numpy())
    write_wav(tmp_path / "clip.wav", np.arange(900), rate=8_000)
    (code,) = blocks(section(title), "python")
    code = code.replace('"RUN"', repr(str(task_run(SECTIONS[title]))))
    code = compile(code, f"{PAGE}, {title}", "exec")
    exec(code, {})


def signature_rows(title):
    """Returns {signature: (names taken, names returned)} of a section."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", section(title), re.M)
    return {
        name: tuple(set(re.findall(r"`(\w+)`", text)) for text in texts)
        for name, *texts in rows
    }


def offered(predictor):
    """Returns the same of what an export would offer, wishes left out."""
    found = {}
    for name, signature in predictor.graphs_of().signatures().items():
        outputs = signature.traced().get_concrete_function().structured_outputs
        search = {"beam_size"} <= set(signature.specs)
        takes = {"inputs"} if search else set(signature.specs)
        found[name] = takes, set(outputs)
    return found


@pytest.mark.parametrize(
    ("title", "case"),
    [
        ("Language models", "language model"),
        ("Masked language models", "blanks"),
        ("Labels of texts", "label"),
        ("Tags", "tags"),
        ("Images", "image"),
        ("Speech", "speech"),
    ],
)
def test_signatures_are_the_exports(title, case):
    model = small_model(case)
    options = SearchOptions(beam_size=2)
    predictor = predictors.create(model, word_encoder(), model.hparams, options)
    told = signature_rows(title)
    missing = {"prefix", "replace_unknown"}  # of wishes, said to be missing
    told = {
        name: (takes - missing, returns)
        for name, (takes, returns) in told.items()
    }
    assert told == offered(predictor)

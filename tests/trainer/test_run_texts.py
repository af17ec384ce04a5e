"""What the end of a run leaves of its test, and when it is made again."""

import json
import os
import shutil

import pytest

from t2t_lite import metrics
from t2t_lite.trainer.finishing import finished_results
from t2t_lite.trainer.model_card import score_lines
from t2t_lite.trainer.run_texts import RunTexts, missing
from t2t_lite.trainer.score_intervals import intervals
from tests.trainer.conftest import make_setup

TEXTS = RunTexts(["b", "", "c d"], ["B", "x\u2028y", "c\nd"], ["1", "2", "3"])


def test_lines_in_are_lines_out(tmp_path):
    TEXTS.write(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == [
        "test.outputs.txt",
        "test.references.txt",
        "test.sources.txt",
    ]
    found = RunTexts.read(str(tmp_path))
    assert found == RunTexts(TEXTS.outputs, ["B", "x y", "c d"], TEXTS.sources)
    assert missing(str(tmp_path)) == []
    (tmp_path / "test.sources.txt").unlink()
    assert missing(str(tmp_path)) == ["test.sources.txt"]


def test_a_finished_run_holds_the_texts_of_its_score(finished_run):
    texts = RunTexts.read(str(finished_run))
    assert len(texts.outputs) == len(texts.sources) == 20
    assert [text[::-1] for text in texts.sources] == texts.references
    results = json.loads((finished_run / "results.json").read_text())
    test = results["test"]
    again = metrics.exact_match(texts.outputs, texts.references)
    assert again == (test["exact_match"], test["exact_match_signature"])
    low, high = test["exact_match_ci"]
    assert 0 <= low <= high <= 100
    assert results["parameters"] > 0


def test_training_rows_count_their_tokens(finished_run):
    with open(finished_run / "metrics.jsonl") as file:
        rows = [json.loads(line) for line in file]
    tokens = [row["tokens"] for row in rows if row["kind"] == "train"]
    assert len(tokens) == 4
    assert all(0 < count <= 256 for count in tokens)


def test_a_run_without_its_texts_is_finished_again(
    finished_run, tmp_path, capsys
):
    shutil.copytree(finished_run, tmp_path / "run")
    setup = make_setup(tmp_path)
    assert finished_results(setup, 4) is not None
    (tmp_path / "run" / "test.references.txt").unlink()
    assert finished_results(setup, 4) is None
    assert "test.references.txt: missing, made again" in capsys.readouterr().out
    setup.close()


def test_intervals_only_of_what_the_signature_gives():
    outputs, references = ["a b c d"] * 9 + ["x"], ["a b c d"] * 10
    bleu, signature = metrics.bleu(outputs, references)
    scores = {"bleu": bleu, "bleu_signature": signature}
    found = intervals(scores, outputs, references)
    low, high = found["bleu_ci"]
    assert list(found) == ["bleu_ci"]
    assert low < bleu < high
    assert intervals(scores, outputs, references) == found
    other = {"bleu": bleu - 1, "bleu_signature": signature}
    assert intervals(other, outputs, references) == {}
    own = {"length": 3.0, "length_signature": "words", "note": "none"}
    assert intervals(own, outputs, references) == {}
    assert intervals(scores, outputs * 1001, references * 1001) == {}


@pytest.mark.parametrize(
    ("scores", "line"),
    [
        ({"bleu": 1.234}, "test bleu 1.23"),
        (
            {"bleu": 1.2, "bleu_signature": "a|b", "bleu_ci": [0.5, 2.0]},
            "test bleu 1.20  95 % interval 0.50 to 2.00  a|b",
        ),
    ],
)
def test_the_printed_line(scores, line):
    assert score_lines("test", scores) == [line]

"""t2t_lite_exporter and t2t_lite_demo with runs that are no translators."""

import os
import shutil

import pytest

import t2t_lite
from t2t_lite.errors import UserError
from t2t_lite.layers import quantizing
from t2t_lite.trainer import export_check
from t2t_lite.trainer.cli import demo, export
from t2t_lite.trainer.exported import Exported
from tests.selection import few
from tests.serving.session_model import SessionModel

# What is compared, and on how many validation examples.
COMPARED = {
    "language": ("nats_per_character", 2),
    "blanks": ("nats_per_blank", 2),
    "label": ("accuracy", 2),
    "image": ("accuracy", 2),
    "speech": ("wer", 4),
}
IN_8_BITS = ("language", "label", "speech")


@pytest.fixture
def run(run_command, task_run, tmp_path):
    """run(kind, *flags) -> (status, output, error) of the exporter."""

    def call(kind, *flags):
        return run_command(
            export,
            "export",
            f"--output_dir={task_run(kind)}",
            f"--data_dir={task_run(kind).parent / 'data'}",
            f"--export_dir={tmp_path / 'export'}",
            *flags,
        )

    return call


@pytest.mark.parametrize("kind", few(COMPARED, always=(2, 3)))
def test_an_export_is_compared_on_validation(run, tmp_path, kind, monkeypatch):
    metric, lines = COMPARED[kind]
    monkeypatch.setattr(quantizing, "_LEAST", 1)
    dtype = "int8" if kind in IN_8_BITS else "bfloat16"
    status, output, error = run(kind, f"--target_dtype={dtype}")
    assert status == 0, error
    assert f"validation, {lines} lines:" in output
    assert f"  {metric} " in output
    assert " of the float32 model, " in output
    assert "the same" in output
    assert (tmp_path / "export" / "1" / "saved_model.pb").exists()


@pytest.mark.parametrize("kind", few(["language", "speech"]))
def test_without_the_data_that_is_said(run, tmp_path, kind):
    status, output, error = run(kind, f"--data_dir={tmp_path / 'none'}")
    assert status == 0, error
    assert (
        "not compared with the float32 model on validation: the run's prepared "
        f"data are not in --data_dir={tmp_path / 'none'}\n"
    ) in output


@pytest.mark.parametrize("kind", few(COMPARED, always=(2, 3)))
@pytest.mark.parametrize("name", ["tflite", "keras", "ctranslate2"])
def test_other_formats_are_for_translators(run, tmp_path, kind, name):
    status, output, error = run(kind, f"--format={name}")
    assert (status, output) == (2, "")
    assert (
        f"--format={name}: works for models from text to text; this one gives "
    ) in error.splitlines()[-1]
    assert not os.path.exists(tmp_path / "export")


class _Scorer:
    def __init__(self, score):
        self._score = score

    def scored(self, texts):
        return [(text.upper(), self._score) for text in texts]

    def score(self, texts):
        return [self._score * len(text) for text in texts]


@pytest.mark.parametrize(
    ("compare", "metric"),
    [
        (export_check.compare_continuations, "nats_per_character"),
        (export_check.compare_blanks, "nats_per_blank"),
    ],
)
def test_what_loses_is_not_published(compare, metric):
    texts = ["a b c d e f g h", "i j"]
    exact, near, far = (_Scorer(score) for score in (-2.0, -2.009, -2.02))
    compare(exact, near, texts).check(metric)
    found = compare(exact, far, texts)
    assert (found.same, found.lines) == (2, 2)
    with pytest.raises(UserError, match=rf"loses 1\.00% {metric} on valid"):
        found.check(metric)


def test_a_higher_error_rate_loses():
    found = export_check.Comparison({"wer": 10.0}, {"wer": 11.0}, 1, 2)
    with pytest.raises(UserError, match=r"loses 1\.00 wer on validation"):
        found.check("wer")
    export_check.Comparison({"wer": 11.0}, {"wer": 10.0}, 1, 2).check("wer")


def test_blanks_stand_for_every_seventh_word():
    text = "a b c d e f g h i"
    assert export_check.blanked(text) == "<mask> b c d e f g <mask> i"
    assert export_check.blanked("") == ""


@pytest.mark.parametrize("kind", COMPARED)
def test_the_demo_page_is_for_translators(run_command, task_run, kind):
    status, output, error = run_command(
        demo, "demo", f"--output_dir={task_run(kind)}", "--port=0"
    )
    assert (status, output) == (2, "")
    said = f"--output_dir={task_run(kind)}: works for models from text to text;"
    assert said in error.splitlines()[-1]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("language", "no signature 'translate', but continue, encode, score,"),
        ("label", "no signature 'translate', but classify, encode, serving"),
        ("speech", "its inputs are float32, no texts; give a version of a mod"),
    ],
)
def test_other_exports_are_no_translators(task_run, kind, said):
    with pytest.raises(UserError, match=said):
        Exported(str(task_run(kind) / "export" / "1"))


@pytest.mark.parametrize("kind", COMPARED)
def test_the_card_says_what_goes_in(task_run, kind):
    folder = task_run(kind) / "export" / "1" / "assets.extra"
    card = (folder / "MODEL_CARD.md").read_text()
    expected = {
        "language": "- task: none to text",
        "blanks": "- vocabulary: 259 entries",
        "label": "- labels: no, yes",
        "image": "- image (height, width, channels): (28, 28, 1)",
        "speech": "- samples per second: 8000",
    }
    assert expected[kind] in card


def test_a_run_alone_is_enough_for_labels(task_run, run_command, tmp_path):
    """What it was judged on lies in its folder."""
    copy = tmp_path / "copy"
    shutil.copytree(task_run("label"), copy)
    status, output, error = run_command(
        export, "export", f"--output_dir={copy}", f"--data_dir={tmp_path}"
    )
    assert status == 0, error
    assert "validation, 2 lines:" in output
    model = SessionModel(str(copy / "export" / "1"))
    found = model.predict({"inputs": ["one small dog"]}, "classify")
    expected = t2t_lite.load(str(copy)).probabilities(["one small dog"])[0]
    assert [x.decode() for x in found["labels"][0]] == list(expected)
    model.close()

"""Weights that TensorFlow packs once: told where none changes, and the same."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from t2t_lite.errors import UserError
from t2t_lite.trainer import early_checks, packed_weights
from tests.selection import few

ROOT = pathlib.Path(__file__).parents[2]
ANSWERS = """
import json
import sys
import numpy as np
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.trainer import predictors
from tests.models.small import small_model
from tests.models_for_tests import (
    WORDS, tiny_hparams, tiny_model, tiny_rnn_hparams, word_encoder
)

large = tiny_hparams(hidden_size=256, filter_size=512, num_heads=4)
models = {
    "float32": lambda: tiny_model(large),
    "other weights": lambda: tiny_model(large, seed=1),
    "bfloat16": lambda: tiny_model(large, dtype="bfloat16"),
    "recurrent": lambda: tiny_model(tiny_rnn_hparams()),
    "adaptive": lambda: small_model("adaptive"),
    "speech": lambda: small_model("speech"),
}
random = np.random.default_rng(0)
texts = [" ".join(random.choice(WORDS, n)) for n in [1, 3, 5, 2, 4] * 8]
clips = [random.normal(0, 9_000, 20 * n).astype("int16") for n in range(1, 41)]
options = SearchOptions(beam_size=3, extra_length=4)
found = {}
for name in sys.argv[1:]:
    model = models[name]()
    ask = predictors.create(model, word_encoder(), model.hparams, options)
    inputs = clips if name == "speech" else texts
    answers = [p for n in (1, 3, 40, 3, 1) for p in ask.predict(inputs[:n])]
    found[name] = [[p.outputs[0], p.scores[0]] for p in answers]
    if name != "speech":
        found[name] += [["", score] for score in ask.score(texts, texts)]
print(json.dumps(found))
"""


def _python(code, value, arguments=()):
    environment = {**os.environ, packed_weights.VARIABLE: value}
    if not value:
        del environment[packed_weights.VARIABLE]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "names",
    few(
        [
            ["float32", "other weights"],
            ["bfloat16", "recurrent"],
            ["adaptive", "speech"],
        ]
    ),
    ids=", ".join,
)
def test_models_answer_the_same(names):
    expected, found = (
        json.loads(_python(ANSWERS, value, names)) for value in ("0", "1")
    )
    assert list(found) == list(expected) == names
    for name, answers in expected.items():
        equal = sum(
            a[0] == b[0] for a, b in zip(answers, found[name], strict=True)
        )
        assert equal >= 0.97 * len(answers), name
        scores = [[score for _, score in f] for f in (answers, found[name])]
        tolerance = 0.05 if name == "bfloat16" else 1e-3
        assert scores[1] == pytest.approx(scores[0], rel=tolerance), name


def test_a_process_that_has_not_imported_tensorflow_packs_once():
    code = (
        "import os; from t2t_lite.trainer import packed_weights as packed; "
        "{} packed.pack_once(); print(os.environ.get(packed.VARIABLE))"
    )
    assert _python(code.format(""), "") == "1"
    assert _python(code.format(""), "0") == "0"
    assert _python(code.format("import tensorflow;"), "") == "None"


@pytest.mark.parametrize("value", ["1", "true"])
def test_nothing_is_trained_with_weights_that_are_packed_once(
    monkeypatch, value
):
    monkeypatch.setenv(packed_weights.VARIABLE, value)
    with pytest.raises(
        UserError, match=f"{packed_weights.VARIABLE}={value} is"
    ):
        early_checks.check(None, "", None, None)


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_other_values_are_no_hindrance(monkeypatch, value):
    monkeypatch.setenv(packed_weights.VARIABLE, value)
    packed_weights.check_training()

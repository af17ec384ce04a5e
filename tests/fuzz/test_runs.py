"""Run folders, requests to what they export, and a server's answers."""

import io
import json
import types

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from t2t_lite.errors import UserError
from t2t_lite.task import Task
from t2t_lite.trainer import exporting, inference, predictor
from t2t_lite.trainer.cli import decode
from t2t_lite.trainer.cli.clients import RestClient, ServerError, Target, ask
from t2t_lite.trainer.cli.query import answers_of
from t2t_lite.trainer.plotting import read_metrics
from tests.fuzz import counting, mutations


def test_run_folders(run):
    path = run.file("hparams.json")
    with open(path, "rb") as file:
        good = file.read()
    documents = mutations.edited(json.loads(good)).map(mutations.as_json)

    def attempt(content):
        with open(path, "wb") as file:
            file.write(content)
        try:
            inference.load(run.path)
        except UserError as error:
            counting.check_message(error)

    mutants = st.one_of(documents, documents, mutations.mangled(good))
    try:
        counting.run("run folders", attempt, mutants)
    finally:
        with open(path, "wb") as file:
            file.write(good)


@pytest.mark.parametrize("name", mutations.NAMES)
def test_the_vocabulary_is_a_file_of_the_run_folder(run, tmp_path, name):
    with open(run.file("hparams.json")) as file:
        values = json.load(file)
    (tmp_path / "hparams.json").write_text(
        json.dumps(values | {"vocabulary": name})
    )
    with pytest.raises(UserError):
        inference.load(str(tmp_path))


@pytest.fixture(scope="module")
def export(run):
    loaded = inference.load(run.path)
    folder = exporting.export(loaded, run.file("export"))
    return tf.saved_model.load(folder).signatures["serving_default"]


def test_serving_requests(run, export):
    """Lines out = lines in, whatever the bytes; none is a request too."""
    odd = st.sampled_from(
        [b"", b" ", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"a\nb", b"x" * 9999]
    )
    text = st.one_of(odd, st.binary(max_size=20), st.text(max_size=9))
    encoded = text.map(lambda t: t.encode() if isinstance(t, str) else t)
    loaded = inference.load(run.path)

    def attempt(texts):
        answer = export(inputs=tf.constant(texts, tf.string, [len(texts)]))
        outputs, scores = (answer[k].numpy() for k in ("outputs", "scores"))
        assert outputs.shape == scores.shape == (len(texts),)
        assert np.isfinite(scores).all()
        assert len(loaded.predict(texts)) == len(texts)
        for output in outputs:
            output.decode("utf-8")

    counting.run("serving requests", attempt, st.lists(encoded, max_size=5))


def test_predict_takes_half_characters_and_names_what_is_no_text(run):
    loaded = inference.load(run.path)
    assert len(loaded(["\ud800", "a\0b", "\udcff x"])) == 3
    for wrong in (None, 3, ["a"]):
        with pytest.raises(UserError, match="text 1: expected str, got"):
            loaded(["a", wrong])


def test_what_is_typed_may_be_any_bytes(monkeypatch, capsys):
    typed = io.TextIOWrapper(io.BytesIO(b"a \xff\n\n"), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", typed)
    asked = []

    def predict(texts):
        asked.extend(texts)
        return [predictor.Prediction(["b"], [-1.0], False)]

    loaded = types.SimpleNamespace(
        predict=predict,
        model=types.SimpleNamespace(task=Task(vocab_size=259)),
        source=lambda text: text,
    )
    assert decode._interactive(loaded) == 0
    assert asked == ["a \ufffd"]
    assert "b" in capsys.readouterr().out


def test_metrics(tmp_path):
    path = tmp_path / "metrics.jsonl"
    row = {"step": 3, "kind": "train", "loss": 1.5, "signature": "a"}
    rows = mutations.edited(row).map(mutations.as_json)
    good = mutations.as_json(row)

    def attempt(line):
        path.write_bytes(good + b"\n" + line)
        try:
            curves = read_metrics(str(path))
        except UserError as error:
            counting.check_message(error, str(path))
            return
        assert curves["train"]["loss"][0] == (3, 1.5)

    counting.run("metrics", attempt, rows | mutations.mangled(good))


def _answers(texts):
    """Draws what a server may send: good answers edited, and anything."""
    good = {"outputs": {"outputs": texts, "scores": [-1.0] * len(texts)}}
    return st.one_of(
        mutations.edited(good).map(mutations.as_json),
        mutations.mangled(json.dumps(good).encode()),
        st.just(b"[" * 10**5),
        mutations.odd_values().map(mutations.as_json),
    )


def test_served_answers(monkeypatch):
    """An answer is used whole, or the server is said to have failed."""
    texts = ["a b", "c"]
    client = RestClient(Target("host:1", "m", None, "serving_default", 1.0))

    def attempt(drawn):
        content, status = drawn
        response = types.SimpleNamespace(status_code=status, content=content)
        monkeypatch.setattr(
            "requests.Session.request", lambda *_, **__: response
        )
        rows = [{"inputs": text} for text in texts]
        try:
            found = ask(lambda: client.predict({"inputs": texts}), retries=0)
            answers = answers_of(client, found, rows)
        except (ServerError, UserError) as error:
            counting.check_message(error)
            return
        assert len(answers) == len(texts)

    counting.run(
        "served answers",
        attempt,
        st.tuples(
            _answers(texts),
            st.sampled_from([200, 200, 200, 400, 404, 500, 503]),
        ),
    )

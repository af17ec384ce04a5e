"""The recurrent model through the engine: steps, runs, searches, exports."""

import dataclasses
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import t2t_lite
from t2t_lite.errors import UserError
from t2t_lite.layers import quantizing
from t2t_lite.trainer import (
    checkpoints,
    ctranslate2_model,
    exporting,
    keras_model,
    strategies,
    tflite_model,
)
from t2t_lite.trainer.finishing import finish
from t2t_lite.trainer.lanes import call_side_by_side
from t2t_lite.trainer.step import TrainStep
from t2t_lite.trainer.training import Training
from tests.models_for_tests import random_batch, tiny_model, tiny_rnn_hparams
from tests.selection import few
from tests.serving.session_model import SessionModel
from tests.trainer.conftest import make_setup

FORMS = {
    "bahdanau": {},
    "luong": {
        "architecture": "luong",
        "cell": "lstm",
        "num_hidden_layers": 2,
        "bidirectional": False,
        "score": "general",
        "alignment": "local-p",
        "window": 3,
        "input_feeding": True,
    },
}
TEXTS = ["12345", "9", "7 1", "", "31", "271828"]


def _step(name, precision="float32", xla=False, lanes=1, **changes):
    hparams = tiny_rnn_hparams(**{"dropout": 0.3, **FORMS[name], **changes})
    model = tiny_model(hparams, dtype=strategies.policy_name(precision))
    strategy = tf.distribute.get_strategy()
    return TrainStep(
        model,
        hparams,
        strategy,
        xla=xla,
        seed=1,
        lanes=lanes,
        loss_scaling=precision == "float16",
    )


def _train(name, **options):
    """Returns (weights after two updates, the last one's sums)."""
    step = _step(name, **options)
    for number in (1, 2):
        sums = step.update([random_batch(8, 7)], number, 0.01)
    weights = [p.numpy() for p in step.parameters]
    return weights, {key: float(value) for key, value in sums.items()}


def _assert_same(first, second, rtol=1e-3, atol=1e-4):
    for a, b in zip(first[0], second[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)
    for name, value in first[1].items():
        assert second[1][name] == pytest.approx(value, rel=rtol), name


@pytest.mark.parametrize(
    ("name", "first", "second"),
    few(
        [
            ("bahdanau", {}, {"xla": True}),
            # Parts of a batch have dropout and loops of their own.
            ("luong", {"dropout": 0.0}, {"dropout": 0.0, "lanes": 2}),
            ("luong", {}, {"xla": True}),
            ("bahdanau", {}, {"softmax_chunk": 10}),
        ],
        always=(0, 1),
    ),
    ids=str,
)
def test_the_same_update(name, first, second):
    _assert_same(_train(name, **first), _train(name, **second))


@pytest.mark.parametrize(
    ("name", "precision"),
    few([("bahdanau", "float16"), ("luong", "bfloat16")]),
)
def test_half_precision_trains(name, precision):
    _, plain = _train(name)
    step = _step(name, precision)
    losses = [
        float(step.update([random_batch(8, 7)], number, 0.01)["loss"])
        for number in range(1, 7)
    ]
    assert losses[1] == pytest.approx(plain["loss"], rel=0.1)
    assert losses[-1] < losses[0]
    assert {p.dtype for p in step.parameters} == {tf.float32}


@pytest.mark.parametrize(
    ("name", "precision"),
    [("bahdanau", "float32"), ("luong", "bfloat16")],
)
def test_the_step_is_one_module_for_gpus(name, precision):
    """Lowered without one: no part of the loops waits for the host."""
    step = _step(name, precision, xla=True)
    batch = {k: tf.constant(v) for k, v in random_batch(4, 6).items()}
    function = tf.function(
        lambda *arguments: step.pure_gradients(*arguments), jit_compile=True
    )
    text = function.experimental_get_compiler_ir(
        [tf.constant(p) for p in step.parameters],
        [tf.constant(v.value) for v in step._others],
        batch,
        tf.constant([1, 2]),
        tf.constant(1.0),
    )(stage="hlo", platform_name="GPU")
    assert text.count("ENTRY ") == 1
    assert not re.search(r"infeed|outfeed|send|recv|callback", text)
    assert " while(" in text
    short = {"float32": "f32", "bfloat16": "bf16"}[precision]
    products = re.findall(r"= (\w+)\[[^=]*? dot\(", text)
    assert set(products) == {short}


def test_mirrored_equals_one_device():
    batch = random_batch(8, 7)
    found = []
    for kind in ("one_device", "mirrored"):
        strategy = tf.distribute.get_strategy()
        if kind == "mirrored":
            strategy, _ = strategies.create_strategy("mirrored")
        hparams = tiny_rnn_hparams()
        with strategy.scope():
            model = tiny_model(hparams)
        step = TrainStep(model, hparams, strategy, xla=False, seed=1)
        sums = step.update([batch], 1, 0.01)
        weights = [v.numpy() for v in model.trainable_variables]
        found.append((weights, {"loss": float(sums["loss"])}))
    _assert_same(*found)


def test_a_function_with_a_loop_runs_side_by_side():
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def total(values):
        return tf.while_loop(
            lambda i, _: i < tf.size(values),
            lambda i, x: (i + 1, x + values[i]),
            (tf.constant(0), tf.constant(0.0)),
        )[1]

    concrete = total.get_concrete_function()

    @tf.function
    def both(values):
        return call_side_by_side(concrete, [(values,), (2 * values,)])

    found = both(tf.range(50.0))
    np.testing.assert_array_equal(found, [1225.0, 2450.0])


def _tensors(folder, step):
    root = str(folder / "run" / "checkpoints")
    return checkpoints.read(checkpoints.path(root, step))[0]


def test_resume_is_exact(tmp_path):
    hparams = tiny_rnn_hparams(dropout=0.3, **FORMS["luong"])
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Training(make_setup(whole, hparams)).run()
    Training(make_setup(parts, hparams, train_steps=2)).run()
    assert Training(make_setup(parts, hparams)).run().step == 4
    first, second = _tensors(whole, 4), _tensors(parts, 4)
    assert first.keys() == second.keys()
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key], err_msg=key)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished, exported run."""
    folder = tmp_path_factory.mktemp("finished_rnn")
    hparams = tiny_rnn_hparams(**FORMS["luong"])
    setup = make_setup(
        folder, hparams, decode=True, train_steps=20, eval_interval=20
    )
    finish(setup, Training(setup).run().step)
    setup.close()
    return folder / "run"


def test_a_finished_run_has_its_export_and_answers(finished):
    results = json.loads((finished / "results.json").read_text())
    assert results["step"] == 20
    assert "exact_match" in results["test"]
    predictor = t2t_lite.load(str(finished))
    model = SessionModel(str(finished / "export" / "1"))
    inputs = {"inputs": np.array([t.encode() for t in TEXTS], object)}
    expected = [p.outputs[0] for p in predictor.predict_batch(TEXTS)]
    found = model.predict(inputs)
    assert [text.decode() for text in found["outputs"]] == expected
    assert any(expected)
    vectors = model.predict(inputs, "encode")["vectors"]
    np.testing.assert_allclose(
        vectors, predictor.encode(TEXTS), rtol=1e-4, atol=1e-5
    )
    asked = {**inputs, "return_attention": np.array([True])}
    found = model.predict(asked, "translate")
    assert found["attention"].shape[::2] == (6, found["input_tokens"].shape[1])
    targets = np.array([t[::-1].encode() for t in TEXTS], object)
    penalty = {
        name: np.zeros(1, "float32") for name in ("alpha", "length_offset")
    }
    rated = model.predict({**inputs, "targets": targets, **penalty}, "score")
    np.testing.assert_allclose(
        rated["scores"],
        predictor.score(TEXTS, [t[::-1] for t in TEXTS], 0.0, 0.0),
        rtol=1e-4,
    )
    nothing = {"inputs": np.array([], object)}
    assert model.predict(nothing)["outputs"].shape == (0,)
    model.close()


@pytest.mark.parametrize(
    ("dtype", "form"),
    few(
        [
            ("int8", exporting.Form(parts=2)),
            ("mixed_bfloat16", exporting.Form(weights="constants")),
        ]
    ),
    ids=str,
)
def test_other_forms_of_an_export(finished, tmp_path, dtype, form, monkeypatch):
    monkeypatch.setattr(quantizing, "_LEAST", 1)
    predictor = t2t_lite.load(str(finished), dtype=dtype)
    folder = exporting.export(predictor, str(tmp_path), form=form)
    model = SessionModel(folder)
    inputs = {"inputs": np.array([t.encode() for t in TEXTS], object)}
    found = model.predict(inputs)["outputs"]
    if dtype == "int8":
        expected = [p.outputs[0] for p in predictor.predict_batch(TEXTS)]
        assert [text.decode() for text in found] == expected
    assert len(found) == len(TEXTS)
    model.close()


def test_other_formats(finished, tmp_path):
    predictor = t2t_lite.load(str(finished))
    keras_model.write(predictor, str(tmp_path / "keras"))
    model = keras.saving.load_model(tmp_path / "keras" / "model.keras")
    assert type(model) is type(predictor.model)
    batch = random_batch(3, 6)
    np.testing.assert_array_equal(model(batch), predictor.model(batch))
    translate = keras_model.translator(str(tmp_path / "keras"), predictor)
    assert translate(TEXTS) == predictor(TEXTS)
    with pytest.raises(UserError, match="tflite: it has no search for a mod"):
        tflite_model.write(predictor, str(tmp_path / "m"))
    pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")
    with pytest.raises(UserError, match="no model such as RnnAttention"):
        ctranslate2_model.write(predictor, str(tmp_path / "m"))
    assert not (tmp_path / "m").exists()


def test_packed_rows_are_refused_by_name():
    with pytest.raises(UserError, match="hparam pack: expected false, for a"):
        dataclasses.replace(tiny_rnn_hparams(), pack=True)

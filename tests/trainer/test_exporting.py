"""How an export may be written, and what lies beside it."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

import t2t_lite
from t2t_lite.errors import UserError
from t2t_lite.layers import quantizing
from t2t_lite.trainer import export_check, exporting, inference
from t2t_lite.trainer.cli import export as export_command
from tests.selection import few
from tests.serving import capi
from tests.serving.session_model import SessionModel

TEXTS = ["12345", "9", "7 1", "", "31", "271828"]
FORMS = {
    "constants in parts": (
        "float32",
        exporting.Form(weights="constants", parts=2),
    ),
    "bfloat16 variables": ("bfloat16", exporting.Form(parts=3)),
    "8 bits in parts": ("int8_matmul", exporting.Form(parts=2)),
    "8 bits by convolution": ("int8_convolution", exporting.Form(parts=2)),
}


def _inputs(texts):
    return {"inputs": np.array([text.encode() for text in texts], object)}


@pytest.mark.parametrize("name", few(FORMS, always=(0, 2)))
def test_every_form_answers_as_the_run_does(
    finished_run, tmp_path, name, monkeypatch
):
    monkeypatch.setattr(quantizing, "_LEAST", 1)
    dtype, form = FORMS[name]
    predictor = t2t_lite.load(str(finished_run), dtype=dtype)
    folder = exporting.export(predictor, str(tmp_path), form=form)
    model = SessionModel(folder)
    expected = [p.outputs[0] for p in predictor.predict_batch(TEXTS)]
    for texts in (TEXTS, TEXTS[:1], []):
        found = model.predict(_inputs(texts))
        if dtype != "bfloat16":
            answers = [text.decode() for text in found["outputs"]]
            assert answers == expected[: len(texts)]
        assert len(found["outputs"]) == len(texts)
    found = model.predict(
        {**_inputs(TEXTS), "num_results": np.arange(1, 7, dtype=np.int32)},
        "translate",
    )
    assert found["outputs"].shape == (6, 6)
    given = np.isfinite(found["scores"]).sum(axis=1)
    assert given.tolist() == [1, 2, 3, 4, 5, 6]
    model.close()
    if "parts" in name:
        texts = [text for text in TEXTS if text]
        outputs = capi.run(folder, texts)["outputs"]
        # TensorFlow's C API gives bytes where they are no UTF-8.
        answers = [t if isinstance(t, str) else t.decode() for t in outputs]
        assert answers == [e for e, t in zip(expected, TEXTS, strict=True) if t]


def test_an_export_in_8_bits_has_its_matrices_once(
    finished_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(quantizing, "_LEAST", 1)
    predictor = t2t_lite.load(str(finished_run), dtype="int8_matmul")
    folder = exporting.export(predictor, str(tmp_path))
    prefix = os.path.join(folder, "variables", "variables")
    sizes = {"int8": 0, "float32": 0}
    for name, shape in tf.train.list_variables(prefix):
        dtype = tf.train.load_checkpoint(prefix).get_variable_to_dtype_map()
        if dtype[name].name in sizes and len(shape) == 2:
            sizes[dtype[name].name] += int(np.prod(shape))
    matrices = [v for v in predictor.model.weights if len(v.shape) == 2]
    assert sizes["int8"] == sum(int(np.prod(v.shape)) for v in matrices)
    assert sizes["float32"] == 0
    origin = json.loads((tmp_path / "1/assets.extra/t2t_lite.json").read_text())
    assert origin["dtype"] == "int8_matmul"


def test_the_faster_products_are_those_of_int8(finished_run, monkeypatch):
    for name in ("matmul", "convolution"):
        monkeypatch.setattr(quantizing, "fastest", lambda name=name: name)
        predictor = t2t_lite.load(str(finished_run), dtype="int8")
        assert predictor.dtype == f"int8_{name}"


def test_without_products_of_8_bits_that_is_said(finished_run, monkeypatch):
    monkeypatch.setattr(inference, "has_quantized_products", lambda: False)
    with pytest.raises(UserError, match="int8: this TensorFlow multiplies no"):
        t2t_lite.load(str(finished_run), dtype="int8")


def test_another_form_is_another_version(finished_run, tmp_path, monkeypatch):
    def write(module, folder, inputs):
        os.makedirs(os.path.join(folder, "assets.extra"))

    monkeypatch.setattr(exporting, "_write", write)
    monkeypatch.setattr(exporting, "check_export", lambda *arguments: None)
    predictor = t2t_lite.load(str(finished_run))
    forms = [exporting.Form(), exporting.Form(parts=2)]
    folders = [
        exporting.export(predictor, str(tmp_path), form=form)
        for form in (*forms, *reversed(forms))
    ]
    numbers = [os.path.basename(folder) for folder in folders]
    assert numbers == ["1", "2", "2", "3"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "constant"}, "--weights=constant: unknown .did you mean"),
        ({"parts": 0}, "--parts=0: expected at least 1"),
    ],
)
def test_unknown_forms_are_named(options, message):
    with pytest.raises(UserError, match=message):
        exporting.Form(**options)


def test_warm_up_requests_are_what_a_server_reads(finished_run):
    """The messages are TensorFlow Serving's, and its signatures take them."""
    pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    folder = finished_run / "export" / "1"
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    model = SessionModel(str(folder))
    asked = []
    for record in tf.data.TFRecordDataset(str(path)):
        log = pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        assert request.model_spec.name == "t2t_lite"
        inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
        outputs = model.predict(inputs, request.model_spec.signature_name)
        assert outputs
        asked.append(request.model_spec.signature_name)
    assert set(asked) == {"serving_default", "translate", "encode"}
    model.close()


def test_model_card_tells_scores_and_data(finished_run):
    folder = finished_run / "export" / "1" / "assets.extra"
    card = (folder / "MODEL_CARD.md").read_text()
    results = json.loads((finished_run / "results.json").read_text())
    assert f"data hash: {results['data_hash']}" in card
    assert "## Scores on test\n\n- test exact_match " in card
    assert "- hidden_size: " in card


def _score(outputs, references, sources):
    return {
        "same": 100.0
        * np.mean([o == r for o, r in zip(outputs, references, strict=True)])
    }


def test_an_export_that_loses_is_not_published():
    texts = export_check.Examples(["1", "2", "3", "4"], ["a"] * 4)
    found = export_check.compare(
        lambda lines: ["a"] * len(lines),
        lambda lines: ["a" if line != "3" else "b" for line in lines],
        texts,
        _score,
    )
    assert found.rows() == [
        ("same", "100.00 of the float32 model, 75.00 of the export"),
        ("the same", "3 of 4 lines (75.0%)"),
    ]
    with pytest.raises(UserError, match=r"loses 25\.00 same on validation"):
        found.check("same")
    export_check.compare(
        lambda lines: ["a"] * len(lines),
        lambda lines: ["a"] * len(lines),
        texts,
        _score,
    ).check("same")


def test_exporter_compares_with_the_float32_model(
    finished_run, tmp_path, capsys, monkeypatch
):
    values = export_command.flags.FlagValues()
    export_command._define(values)
    values(
        [
            "export",
            f"--output_dir={finished_run}",
            f"--export_dir={tmp_path}",
            "--target_dtype=bfloat16",
            "--weights=constants",
            "--parts=2",
        ]
    )
    assert export_command.export(values) == 0
    shown = capsys.readouterr().out
    assert "validation, 20 lines:" in shown
    assert "of the float32 model" in shown
    assert "the same" in shown
    assert (tmp_path / "1" / "saved_model.pb").exists()
    card = (tmp_path / "1" / "assets.extra" / "MODEL_CARD.md").read_text()
    assert "- export: bfloat16, constants, 2 parts" in card

"""Keras' and TensorFlow Lite's formats, and how all formats are published."""

import os

import keras
import numpy as np
import pytest

import t2t_lite
from t2t_lite.data.text_encoder import load_encoder
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.trainer import formats, keras_model, tflite_model
from t2t_lite.trainer.cli import export as export_command
from t2t_lite.trainer.predictor import Predictor
from tests.models_for_tests import random_batch
from tests.selection import few

TEXTS = ["12345", "9", "7 1", "", "31", "271828", "5" * 80]


def _predictor(run, **options):
    loaded = t2t_lite.load(str(run))
    options = {"extra_length": 4, "max_input_length": 32, **options}
    return Predictor(
        loaded.model, loaded.encoder, loaded.hparams, SearchOptions(**options)
    )


@pytest.mark.parametrize(
    "options",
    few(
        [
            {"beam_size": 3, "length_offset": 0.0, "max_ratio": 0.5},
            {"beam_size": 4, "alpha": 1.0},
            {"beam_size": 1},
        ]
    ),
    ids=str,
)
def test_tflite_finds_what_the_search_finds(finished_run, tmp_path, options):
    predictor = _predictor(finished_run, **options)
    tflite_model.write(predictor, str(tmp_path / "m"))
    translate = tflite_model.translator(str(tmp_path / "m"), predictor)
    expected = [p.outputs[0] for p in predictor.predict_batch(TEXTS)]
    assert translate(TEXTS) == expected
    assert any(expected)
    encoder = load_encoder(str(tmp_path / "m"))
    assert encoder.to_bytes() == predictor.encoder.to_bytes()


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_tflite_with_smaller_weights(finished_run, tmp_path, dtype):
    predictor = _predictor(finished_run, beam_size=2)
    sizes = {}
    for name in ("float32", dtype):
        folder = tmp_path / name
        tflite_model.write(predictor, str(folder), name)
        sizes[name] = os.path.getsize(folder / tflite_model.MODEL_FILE)
        found = tflite_model.translator(str(folder), predictor)(TEXTS)
        assert len(found) == len(TEXTS)
    assert sizes[dtype] < sizes["float32"]


def test_tflite_says_what_it_cannot_search(finished_run, tmp_path):
    predictor = _predictor(finished_run, no_repeat_ngram=2)
    with pytest.raises(UserError, match="no search with no_repeat_ngram=2"):
        tflite_model.write(predictor, str(tmp_path / "m"))
    assert not list(tmp_path.iterdir())


def test_keras_format_is_the_model(finished_run, tmp_path):
    predictor = _predictor(finished_run)
    keras_model.write(predictor, str(tmp_path / "m"))
    model = keras.saving.load_model(tmp_path / "m" / "model.keras")
    assert type(model) is type(predictor.model)
    batch = random_batch(3, 6)
    np.testing.assert_array_equal(model(batch), predictor.model(batch))
    assert model.hparams == predictor.hparams
    translate = keras_model.translator(str(tmp_path / "m"), predictor)
    assert translate(TEXTS) == predictor(TEXTS)


def test_nothing_is_published_that_is_refused(finished_run, tmp_path):
    predictor = _predictor(finished_run)

    def refuse(reference, translate):
        assert translate(["12"]) == reference(["12"])
        raise UserError("no")

    folder = str(tmp_path / "keras")
    with pytest.raises(UserError, match="no"):
        formats.export(predictor, "keras", folder, "float32", check=refuse)
    assert not list(tmp_path.iterdir())
    formats.export(predictor, "keras", folder, "float32", card="# A card")
    assert (tmp_path / "keras" / "MODEL_CARD.md").read_text() == "# A card"
    with pytest.raises(UserError, match="exists; give another --export_dir"):
        formats.export(predictor, "keras", folder, "float32")
    with pytest.raises(
        UserError, match="--target_dtype=int8: --format=keras has float32"
    ):
        formats.export(predictor, "keras", folder + "2", "int8")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--format=tflite", "--weights=constants"], "--weights: goes with"),
        (["--format=keras", "--version=3"], "--version: goes with"),
        (["--target_dtype=float16"], "saved_model has float32, bfloat16, int8"),
        (
            ["--target_dtype=int8", "--weights=constants"],
            "leave it out with --target_dtype=int8",
        ),
        (
            ["--target_dtype=int8_matmul", "--format=tflite"],
            "--format=tflite has float32, float16, int8",
        ),
    ],
)
def test_flags_that_do_not_go_together(finished_run, tmp_path, flags, message):
    values = export_command.flags.FlagValues()
    export_command._define(values)
    values(["x", f"--output_dir={finished_run}", *flags])
    with pytest.raises(UserError, match=message):
        export_command.export(values)


def test_the_exporter_compares_every_format(finished_run, tmp_path, capsys):
    values = export_command.flags.FlagValues()
    export_command._define(values)
    values(
        [
            "x",
            f"--output_dir={finished_run}",
            f"--export_dir={tmp_path / 'm'}",
            "--format=tflite",
        ]
    )
    assert export_command.export(values) == 0
    shown = capsys.readouterr().out
    assert "20 of 20 lines (100.0%)" in shown
    assert f"tflite model: {tmp_path / 'm'}" in shown

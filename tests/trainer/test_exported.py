"""An exported version as a function of sentences, beside its run."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import t2t_lite
from t2t_lite.errors import UserError
from t2t_lite.trainer.exported import Exported
from tests.serving import tiny

TEXTS = ["12345", "9 \u00fc", "7 1"]


@pytest.fixture(scope="module")
def exported(finished_run):
    return Exported(str(finished_run / "export" / "1"))


@pytest.fixture(scope="module")
def predictor(finished_run):
    return t2t_lite.load(str(finished_run))


def test_answers_as_the_run_does(exported, predictor):
    wishes = {"beam_size": 3, "num_results": 3, "prefix": ["1", "", "7"]}
    for found, expected in zip(
        exported.translate(TEXTS, **wishes),
        predictor.translate(TEXTS, **wishes),
        strict=True,
    ):
        for field in dataclasses.fields(found):
            mine, other = (getattr(x, field.name) for x in (found, expected))
            if field.name in ("scores", "attention"):
                np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)
            else:
                assert mine == other, field.name
    assert exported.translate([]) == []


def test_its_options_are_those_of_the_run(exported, predictor):
    fields = {"max_input_length", "batch_size"}
    plain = dict.fromkeys(fields, 7)
    assert dataclasses.replace(exported.options, **plain) == (
        dataclasses.replace(predictor.options, **plain)
    )


def test_wrong_wishes_are_named(exported):
    with pytest.raises(UserError, match="beam_sise: no wish of a search"):
        exported.translate(["1"], beam_sise=3)
    with pytest.raises(UserError, match="top_p: expected a number above 0"):
        exported.translate(["1"], top_p=2.0)


def test_folders_without_an_export_are_named(finished_run, tmp_path):
    with pytest.raises(UserError, match=r"give one, e\.g\. .*/export/1$"):
        Exported(str(finished_run / "export"))
    with pytest.raises(UserError, match=r"no saved_model\.pb is there"):
        Exported(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(UserError, match="not a whole SavedModel"):
        Exported(str(tmp_path))


def test_models_of_others_are_refused(tmp_path):
    folder = tiny.save_shouter(tmp_path / "shouter")
    with pytest.raises(UserError, match="no signature 'translate'"):
        Exported(folder)
    module = tiny.Shouter()
    folder = str(tmp_path / "translate")
    tf.saved_model.save(module, folder, {"translate": module.serve})
    with pytest.raises(UserError, match=r"not the exporter's \(attention, "):
        Exported(folder)

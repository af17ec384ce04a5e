"""The Universal Transformer in the formats that are no SavedModel."""

import pytest

from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.trainer import formats
from t2t_lite.trainer.predictor import Predictor
from tests.models.small import small_model
from tests.models_for_tests import word_encoder

TEXTS = ["one red dog", "two", "three big old green", ""]


@pytest.fixture(scope="module")
def predictor():
    model = small_model("adaptive", max_length=12)
    options = SearchOptions(beam_size=2, extra_length=3, max_input_length=8)
    return Predictor(model, word_encoder(), model.hparams, options)


@pytest.mark.parametrize("name", ["keras", "tflite"])
def test_it_answers_as_the_model_does(predictor, tmp_path, name):
    found = {}

    def compare(reference, translate):
        found["outputs"] = translate(TEXTS), reference(TEXTS)

    folder = str(tmp_path / "model")
    formats.export(predictor, name, folder, "float32", check=compare)
    outputs, expected = found["outputs"]
    assert list(outputs) == expected
    assert any(expected)


def test_ctranslate2_has_no_such_model(predictor, tmp_path):
    pytest.importorskip("ctranslate2", reason="the extra is not installed")
    with pytest.raises(
        UserError,
        match="--format=ctranslate2: it has no model such as UniversalTransf",
    ):
        formats.export(
            predictor, "ctranslate2", str(tmp_path / "model"), "float32"
        )
    assert not list(tmp_path.iterdir())

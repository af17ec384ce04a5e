"""The whole path of each variant: a train step, a search, and every format."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.decoding.search import SearchOptions
from t2t_lite.trainer import exporting, formats, tflite_model
from t2t_lite.trainer.predictor import Predictor
from t2t_lite.trainer.step import TrainStep
from tests.models_for_tests import (
    VARIANTS,
    WORDS,
    random_batch,
    tiny_hparams,
    tiny_model,
    word_encoder,
)
from tests.selection import few
from tests.serving.session_model import SessionModel

TEXTS = [
    " ".join(WORDS[i : i + n]) for i, n in ((0, 5), (7, 1), (3, 9), (9, 2))
]
# Every variant once, alone or beside others.
PATHS = [
    *("relative", "t5_bias", "alibi", "local"),
    "rotary, local, multi-query",
]


def make(name, **changes):
    hparams = tiny_hparams(num_heads=4, **VARIANTS[name], **changes)
    return hparams, tiny_model(hparams)


@pytest.fixture(scope="module", params=few(PATHS, always=(4,)))
def predictor(request):
    """One of random weights that does not end every sentence at once."""
    hparams, _ = make(request.param)
    options = SearchOptions(beam_size=3, extra_length=4, max_input_length=12)
    for seed in range(8):
        model = tiny_model(hparams, seed=seed)
        found = Predictor(model, word_encoder(), hparams, options)
        if any(found(TEXTS)):
            return found
    raise AssertionError("all of them are silent")


def _train(name, xla=False, lanes=1, **changes):
    """Returns (weights before, weights after an update, the loss)."""
    hparams, model = make(name, **changes)
    before = [v.numpy() for v in model.trainable_variables]
    strategy = tf.distribute.get_strategy()
    step = TrainStep(model, hparams, strategy, xla=xla, seed=1, lanes=lanes)
    sums = step.update([random_batch(4, 40)], 1, 0.01)
    after = [v.numpy() for v in model.trainable_variables]
    return before, after, float(sums["loss"])


@pytest.fixture(scope="module", params=few(VARIANTS, always=(1, 7)))
def trained(request):
    return request.param, *_train(request.param)


def test_every_weight_learns(trained):
    _, before, after, _ = trained
    moved = [(a != b).any() for a, b in zip(before, after, strict=True)]
    assert all(moved)


def _assert_same(trained, found):
    _, _, expected, loss = trained
    assert found[2] == pytest.approx(loss, rel=1e-4)
    # Adam's first update is the gradient's sign: one of nothing may turn.
    far = [
        np.mean(np.abs(a - b) > 1e-4)
        for a, b in zip(expected, found[1], strict=True)
    ]
    assert np.mean(far) < 0.01


def test_recomputed_in_lanes(trained):
    _assert_same(trained, _train(trained[0], lanes=2, recompute=True))


@pytest.mark.parametrize("trained", few(PATHS, always=(4,)), indirect=True)
def test_under_xla(trained):
    _assert_same(trained, _train(trained[0], xla=True))


@pytest.mark.parametrize(
    "predictor", few([PATHS[4], "relative"]), indirect=True
)
def test_exports_answer_as_the_search_does(predictor, tmp_path):
    form = exporting.Form(weights="constants", parts=2)
    folder = exporting.export(
        predictor, str(tmp_path), samples=TEXTS, form=form
    )
    model = SessionModel(folder)
    inputs = {"inputs": np.array([text.encode() for text in TEXTS], object)}
    found = model.predict(inputs)
    expected = predictor.predict_batch(TEXTS)
    assert [t.decode() for t in found["outputs"]] == [
        p.outputs[0] for p in expected
    ]
    np.testing.assert_allclose(
        found["scores"], [p.scores[0] for p in expected], rtol=1e-4
    )
    targets = np.array([text.encode() for text in TEXTS[::-1]], object)
    rated = model.predict({**inputs, "targets": targets}, "score")
    np.testing.assert_allclose(
        rated["scores"], predictor.score(TEXTS, TEXTS[::-1]), rtol=1e-4
    )
    model.close()


@pytest.mark.parametrize("name", ["keras", "tflite"])
def test_other_formats_answer_as_the_search_does(predictor, tmp_path, name):
    folder = str(tmp_path / name)
    answers = {}

    def compare(reference, translate):
        answers["found"] = translate(TEXTS)
        answers["expected"] = reference(TEXTS)

    formats.export(predictor, name, folder, "float32", check=compare)
    assert answers["found"] == answers["expected"]
    assert any(answers["found"])


@pytest.mark.parametrize("options", few([{"max_ratio": 0.2}, {"beam_size": 1}]))
def test_tflite_with_a_window_shorter_than_the_output(tmp_path, options):
    """And one that is longer: what is seen is the last places in both."""
    hparams, model = make("rotary, local, multi-query")
    options = {"beam_size": 2, "extra_length": 6, **options}
    options = SearchOptions(max_input_length=6, **options)
    predictor = Predictor(model, word_encoder(), hparams, options)
    tflite_model.write(predictor, str(tmp_path / "m"))
    translate = tflite_model.translator(str(tmp_path / "m"), predictor)
    texts = [text for text in TEXTS if len(text.split()) < 6]
    assert translate(texts) == predictor(texts)


def test_int8_weights_of_a_variant(tmp_path):
    hparams, model = make("relative")
    options = SearchOptions(beam_size=2, extra_length=2, max_input_length=6)
    predictor = Predictor(model, word_encoder(), hparams, options)
    tflite_model.write(predictor, str(tmp_path / "m"), "int8")
    translate = tflite_model.translator(str(tmp_path / "m"), predictor)
    assert len(translate(TEXTS[:2])) == 2

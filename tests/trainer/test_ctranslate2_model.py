"""A run's model in CTranslate2's format answers as our own search does."""

import numpy as np
import pytest

from t2t_lite.data.sentencepiece_training import train_sentencepiece
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.models.resolve import build
from t2t_lite.trainer import ctranslate2_model
from t2t_lite.trainer.predictor import Predictor
from tests.models_for_tests import tiny_hparams

TEXTS = ["the small dog sleeps", "a dog", "the cat eats the dog", ""]
ct2 = pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")


@pytest.fixture(scope="module")
def encoder():
    lines = ["the small dog sleeps", "a cat eats the dog"] * 20
    return train_sentencepiece(lines, "bpe", 280, lambda line: None)


def _predictor(encoder, **changes):
    hparams = tiny_hparams(num_hidden_layers=2, **changes)
    model = build("transformer", hparams, encoder.vocab_size, "float32")
    random = np.random.default_rng(0)
    for variable in model.weights:
        noise = random.normal(0.0, 0.3, variable.shape)
        variable.assign(variable.value.numpy() + noise)
    options = SearchOptions(beam_size=4, alpha=0.0, extra_length=8)
    return Predictor(model, encoder, hparams, options)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "post", "attention_bias": True},
        {"position": "learned", "shared_embedding": "none"},
        {"activation": "gelu", "position": "sinusoid_paper"},
    ],
    ids=str,
)
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_same_ids_and_scores(encoder, tmp_path, changes, alpha):
    predictor = _predictor(encoder, **changes)
    folder = tmp_path / "model"
    ctranslate2_model.write(predictor, str(folder))
    assert (folder / "vocab.model").read_bytes() == encoder.to_bytes()
    translator = ct2.Translator(str(folder), compute_type="float32")
    found_by_us = predictor.translate(
        TEXTS, min_length=2, alpha=alpha, length_offset=0.0
    )
    for text, ours in zip(TEXTS, found_by_us, strict=True):
        pieces = [encoder.piece(i) for i in encoder.encode(text)]
        found = translator.translate_batch(
            [pieces],
            beam_size=4,
            length_penalty=alpha,
            max_decoding_length=len(pieces) + 1 + 8,
            return_scores=True,
        )[0]
        if text and ours.finished[0]:
            assert found.hypotheses[0] == ours.output_tokens[:-1]
            assert found.scores[0] == pytest.approx(ours.scores[0], rel=1e-3)


def test_models_that_it_has_not_are_named(encoder, tmp_path):
    predictor = _predictor(encoder, activation="swiglu")
    with pytest.raises(UserError, match="no model with activation=swiglu"):
        ctranslate2_model.write(predictor, str(tmp_path / "model"))
    assert not list(tmp_path.iterdir())
    (tmp_path / "model").mkdir()
    with pytest.raises(UserError, match="exists; give another folder"):
        ctranslate2_model.write(predictor, str(tmp_path / "model"))

"""A run's model in CTranslate2's format answers as our own search does."""

import keras
import numpy as np
import pytest

from t2t_lite.data.sentencepiece_training import train_sentencepiece
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.models.resolve import build
from t2t_lite.trainer import ctranslate2_model
from t2t_lite.trainer.predictor import Predictor
from tests.models_for_tests import tiny_hparams
from tests.selection import few

PULL = 5.0
TEXTS = ["the small dog sleeps", "a dog", "the cat eats the dog", ""]
ct2 = pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")


@pytest.fixture(scope="module")
def encoder():
    lines = ["the small dog sleeps", "a cat eats the dog"] * 20
    return train_sentencepiece(lines, "bpe", 280, lambda line: None)


def _predictor(encoder, beam_size=4, **changes):
    hparams = tiny_hparams(num_hidden_layers=2, **changes)
    keras.utils.set_random_seed(1)  # whatever ran before
    model = build("transformer", hparams, encoder.vocab_size, "float32")
    random = np.random.default_rng(0)
    for variable in model.weights:
        noise = random.normal(0.0, 0.3, variable.shape)
        variable.assign(variable.value.numpy() + noise)
    _make_ends_likely(model)
    options = SearchOptions(beam_size=beam_size, alpha=0.0, extra_length=8)
    return Predictor(model, encoder, hparams, options)


def _make_ends_likely(model):
    """Turns all states towards the end mark's embedding, away from padding's.

    CTranslate2 takes padding out of the softmax, our search out of its choice
    alone.
    """
    last = model.decoder.final_norm
    if last is None:
        last = model.decoder.blocks[-1].feed_forward_residual.layer_norm
    table = model.softmax.embeddings.value.numpy()
    end = table[1]
    table[0] = -9.0 * end
    model.softmax.embeddings.assign(table)
    last.bias.assign(last.bias.value.numpy() + PULL * end / (end**2).sum())


@pytest.mark.parametrize(
    "changes",
    few(
        [
            {},
            {"norm": "post", "attention_bias": True},
            {"position": "learned", "shared_embedding": "none"},
            {"activation": "gelu", "position": "sinusoid_paper"},
            {"position": "relative", "max_relative_position": 3},
            {
                "position": "t5_bias",
                "relative_attention_num_buckets": 8,
                "relative_attention_max_distance": 9,
                "shared_embedding": "none",
            },
            {"position": "rotary", "rotary_base": 50.0, "attention_bias": True},
            {"position": "none", "num_heads": 4, "num_key_value_heads": 1},
            {"position": "rotary", "num_heads": 4, "num_key_value_heads": 2},
            {
                "position": "relative",
                "num_heads": 4,
                "num_key_value_heads": 2,
                "norm": "post",
            },
            {"position": "t5_bias", "num_heads": 4, "num_key_value_heads": 4},
        ],
        always=(5, 9),
    ),
    ids=str,
)
def test_same_ids_and_scores(encoder, tmp_path, changes):
    """Greedily and of given outputs; beams end by other rules there."""
    predictor = _predictor(encoder, **changes)
    folder = tmp_path / "model"
    ctranslate2_model.write(predictor, str(folder))
    assert (folder / "vocab.model").read_bytes() == encoder.to_bytes()
    translator = ct2.Translator(str(folder), compute_type="float32")
    texts = [text for text in TEXTS if text]
    pieces = [[encoder.piece(i) for i in encoder.encode(t)] for t in texts]
    greedy = predictor.translate(texts, beam_size=1, alpha=0.0)
    for source, ours in zip(pieces, greedy, strict=True):
        found = translator.translate_batch(
            [source],
            beam_size=1,
            min_decoding_length=0,
            max_decoding_length=len(source) + 1 + 8,
            return_scores=True,
        )[0]
        count = ours.lengths[0] - ours.finished[0]
        assert found.hypotheses[0][:count] == ours.output_tokens[:count]
        if ours.finished[0]:
            assert len(found.hypotheses[0]) == count
    targets = texts[::-1]
    rated = translator.score_batch(
        pieces, [[encoder.piece(i) for i in encoder.encode(t)] for t in targets]
    )
    np.testing.assert_allclose(
        [sum(each.log_probs) for each in rated],
        predictor.score(texts, targets, alpha=0.0),
        rtol=1e-3,
    )


def test_the_translator_is_the_search(encoder, tmp_path):
    predictor = _predictor(encoder, beam_size=1)
    ctranslate2_model.write(predictor, str(tmp_path / "model"))
    translate = ctranslate2_model.translator(str(tmp_path / "model"), predictor)
    assert translate(TEXTS) == predictor(TEXTS)
    assert any(predictor(TEXTS))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"activation": "swiglu"}, "activation=swiglu"),
        ({"position": "alibi"}, "position=alibi"),
        ({"local_attention_radius": 4}, "local_attention_radius=4"),
        ({"target_space_id": 8}, "target_space_id=8"),
    ],
    ids=str,
)
def test_models_that_it_has_not_are_named(encoder, tmp_path, changes, named):
    predictor = _predictor(encoder, **changes)
    with pytest.raises(UserError, match=f"no model with {named}"):
        ctranslate2_model.write(predictor, str(tmp_path / "model"))
    assert not list(tmp_path.iterdir())

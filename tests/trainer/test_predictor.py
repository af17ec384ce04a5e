"""Wishes of a search from Python, and the exported signatures of them."""

import numpy as np
import pytest

import t2t_lite
from t2t_lite.errors import UserError
from tests.serving.session_model import SessionModel

TEXTS = ["12345", "9", "7 1", "", "31"]


@pytest.fixture(scope="module")
def predictor(finished_run):
    return t2t_lite.load(str(finished_run))


@pytest.fixture(scope="module")
def served(finished_run):
    model = SessionModel(str(finished_run / "export" / "1"))
    yield model
    model.close()


def _best(predictions):
    return [p.outputs[0] for p in predictions]


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"beam_sise": 4}, "beam_sise: no wish of a search .did you mean"),
        ({"beam_size": 0}, "beam_size: expected an integer of at least 1"),
        ({"alpha": [0.5, 1.0]}, "alpha: 2 values for 5 texts"),
        ({"alpha": "big"}, "alpha: expected float32, got 'big'"),
        ({"num_results": 5, "beam_size": 4}, "at most beam_size=4"),
        ({"top_p": [1.0, 1.0, 2.0, 1.0, 1.0]}, "top_p: expected a number"),
    ],
)
def test_wrong_wishes_are_named(predictor, wishes, message):
    with pytest.raises(UserError, match=message):
        predictor.predict(TEXTS, **wishes)


def test_each_text_has_its_wishes(predictor):
    wishes = {
        "beam_size": [1, 2, 3, 4, 2],
        "alpha": [0.0, 0.5, 1.0, 0.6, 2.0],
        "prefix": ["1", "", "7", "", "22"],
        "forbidden": [["1"], [], ["2", "3"], [], ["9"]],
        "no_repeat_ngram": 2,
    }
    together = predictor.predict(TEXTS, batch_size=2, **wishes)
    for i, text in enumerate(TEXTS):
        mine = {
            name: value[i] if isinstance(value, list) else value
            for name, value in wishes.items()
        }
        alone = predictor.predict([text], **mine)[0]
        assert alone.outputs == together[i].outputs
        np.testing.assert_allclose(
            alone.scores, together[i].scores, rtol=1e-4, atol=1e-5
        )


def test_phrases_and_prefixes_are_kept(predictor):
    texts = [text for text in TEXTS if text]
    found = _best(predictor.predict(texts, required=["4", "6"], prefix="5"))
    for output in found:
        assert output.startswith("5")
        assert "4" in output
        assert "6" in output
    used = {
        letter
        for output in _best(predictor.predict(texts))
        for letter in output
    }
    banned = sorted(used - {" "})[:1]
    assert banned
    for output in _best(predictor.predict(texts, forbidden=banned)):
        assert banned[0] not in output


def test_more_results_and_samples(predictor):
    found = predictor.predict(["123"], num_results=6, beam_size=6)[0]
    assert len(found.outputs) == len(found.scores) == 6
    assert (np.diff(found.scores) <= 0).all()
    first, again, other = (
        predictor.predict(["123"], temperature=1.0, num_results=5, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_translate_says_how(predictor):
    for text, found in zip(
        TEXTS, predictor.translate(TEXTS, num_results=2), strict=True
    ):
        shape = (len(found.output_tokens), len(found.input_tokens))
        assert found.attention.shape == shape
        np.testing.assert_allclose(found.attention.sum(1), 1.0, atol=1e-4)
        assert len(found.lengths) == len(found.finished) == 2
        assert found.lengths[0] == len(found.output_tokens)
        pieces = predictor.encoder.encode(text)
        assert len(found.input_tokens) == len(pieces) + 1
    assert found.outputs == predictor.predict(["31"], num_results=2)[0].outputs


def test_scores_are_those_of_the_search(predictor, served):
    texts = [text for text in TEXTS if text]
    found = predictor.translate(texts, min_length=2)
    outputs = _best(found)
    given = served.predict(
        {"inputs": _bytes(texts), "targets": _bytes(outputs)}, "score"
    )
    for row, prediction in enumerate(found):
        length = prediction.lengths[0]  # with an end mark, or cut before it
        total = given["token_log_probs"][row, :length].sum()
        expected = total / ((5 + length) / 6) ** predictor.options.alpha
        assert prediction.scores[0] == pytest.approx(expected, rel=1e-4)
    scores = predictor.score(texts, outputs)
    np.testing.assert_allclose(scores, given["scores"], rtol=1e-5)
    mean = predictor.score(texts, outputs, alpha=1.0, length_offset=0.0)
    lengths = (given["token_log_probs"] != 0).sum(axis=1)
    np.testing.assert_allclose(mean, given["log_probs"] / lengths, rtol=1e-5)
    plain = predictor.score(texts, outputs, alpha=0.0)
    np.testing.assert_allclose(plain, given["log_probs"], rtol=1e-5)
    with pytest.raises(UserError, match="1 texts and 2 targets"):
        predictor.score(["1"], ["1", "2"])


def test_sentence_vectors_do_not_depend_on_the_batch(predictor):
    together = predictor.encode(TEXTS)
    assert together.shape == (len(TEXTS), predictor.hparams.hidden_size)
    alone = np.concatenate([predictor.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def _bytes(texts):
    return np.array([text.encode() for text in texts], object)


def test_exported_signatures(predictor, served):
    """As a server calls them, what is left out having its default."""
    inputs = _bytes(TEXTS)
    plain = served.predict({"inputs": inputs})
    expected = predictor.predict(TEXTS)
    assert plain["outputs"].tolist() == _bytes(_best(expected)).tolist()
    same = served.predict({"inputs": inputs}, "translate")
    assert same["outputs"][:, 0].tolist() == plain["outputs"].tolist()
    assert same["attention"].shape == (len(TEXTS), 0, 0)
    wishes = {
        "beam_size": np.array([6], np.int32),
        "num_results": np.array([3], np.int32),
        "alpha": np.linspace(0, 1, len(TEXTS)).astype(np.float32),
        "forbidden": np.array([[b"1", b"2"]], object),
        "return_attention": np.array([True]),
    }
    found = served.predict({"inputs": inputs, **wishes}, "translate")
    expected = predictor.translate(
        TEXTS,
        beam_size=6,
        num_results=3,
        alpha=wishes["alpha"].tolist(),
        forbidden=["1", "2"],
    )
    for row, prediction in enumerate(expected):
        assert [t.decode() for t in found["outputs"][row]] == prediction.outputs
        rows, columns = prediction.attention.shape
        np.testing.assert_allclose(
            found["attention"][row, :rows, :columns],
            prediction.attention,
            atol=1e-5,
        )
    scored = served.predict(
        {"inputs": inputs, "targets": inputs[::-1]}, "score"
    )
    np.testing.assert_allclose(
        scored["scores"], predictor.score(TEXTS, TEXTS[::-1]), rtol=1e-5
    )
    np.testing.assert_allclose(
        scored["token_log_probs"].sum(1), scored["log_probs"], rtol=1e-5
    )
    vectors = served.predict({"inputs": inputs}, "encode")["vectors"]
    np.testing.assert_allclose(vectors, predictor.encode(TEXTS), atol=1e-5)

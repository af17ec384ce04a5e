"""What each kind of model answers, by what the model itself computes."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.data.text_encoder import EOS_ID, append_eos
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.models.masking import MASK_ID
from t2t_lite.trainer import predictors
from t2t_lite.trainer.predictor import Predictor
from tests.models.small import AUDIO, IMAGE, LABELS, small_model
from tests.models_for_tests import word_encoder

TEXTS = ["one red dog", "two", "three big old green", "one one one one"]
LONGEST = 12


def predictor_of(case, **options):
    model = small_model(case, max_length=LONGEST)
    options = SearchOptions(**{"extra_length": 4, "beam_size": 3, **options})
    return predictors.create(model, word_encoder(), model.hparams, options)


def log_softmax(logits):
    return tf.nn.log_softmax(tf.cast(logits, tf.float32)).numpy()


@pytest.fixture(scope="module")
def language():
    return predictor_of("language model", alpha=0.0)


class TestContinuations:
    def test_texts_go_on_as_the_model_finds_most_likely(self, language):
        for text in TEXTS:
            ids = language.encoder.encode(text).tolist()
            given, log_prob = len(ids), language.score([text])[0]
            for _ in range(4):  # the first id is always 0
                whole = np.array([[*ids, 3]], np.int32)
                logits = language.model({"targets": whole})
                values = log_softmax(logits)[0, -1]
                values[0] = -np.inf
                ids.append(int(values.argmax()))
                log_prob += values.max()
                if ids[-1] == EOS_ID:
                    break
            found = language.predict([text], beam_size=1)[0]
            whole = language.encoder.decode(ids)
            assert text + found.outputs[0] == whole, given
            assert found.scores[0] == pytest.approx(log_prob, rel=1e-3)

    def test_an_answer_depends_on_no_other(self, language):
        together = language.predict([*TEXTS, ""])
        for text, found in zip([*TEXTS, ""], together, strict=True):
            alone = language.predict([text])[0]
            assert alone.outputs == found.outputs
            np.testing.assert_allclose(alone.scores, found.scores, rtol=1e-4)

    def test_scores_are_sums_over_tokens(self, language):
        each = language.token_log_probs(TEXTS)
        total = language.score(TEXTS)
        for text, tokens, value in zip(TEXTS, each, total, strict=True):
            ids = language.encoder.encode(text)
            pieces = [language.encoder.piece(i) for i in ids]
            assert [token for token, _ in tokens] == pieces
            logits = language.model({"targets": ids[None]})
            chosen = log_softmax(logits)[0, np.arange(len(ids)), ids]
            np.testing.assert_allclose([x for _, x in tokens], chosen, 1e-3)
            assert value == pytest.approx(chosen.sum(), rel=1e-3)

    @pytest.mark.parametrize("texts", [[""], ["", "one"]])
    def test_nothing_is_certain(self, language, texts):
        assert language.score(texts)[0] == 0.0
        assert language.token_log_probs(texts)[0] == []
        assert language.encode(texts).shape == (len(texts), 16)
        assert language.score([]) == language.token_log_probs([]) == []

    def test_of_a_long_text_the_end_is_read(self, language):
        long = " ".join(["big", "small"] * LONGEST)
        end = " ".join(["big", "small"] * (LONGEST // 2))
        found = language.predict([long, end])
        assert [p.truncated for p in found] == [True, False]
        assert found[0].outputs == found[1].outputs
        assert language.truncation_note == f"input cut to {LONGEST} tokens"
        np.testing.assert_allclose(*language.score([long, end]), rtol=1e-4)

    def test_wishes_are_those_of_a_search_without_a_prefix(self, language):
        found = language.predict(
            TEXTS[:2], num_results=3, required=[["blue"], ["white", "grey"]]
        )
        assert all("blue" in output for output in found[0].outputs)
        assert all("grey" in output for output in found[1].outputs)
        samples = language.predict(["one"], temperature=2.0, num_results=5)
        assert len(set(samples[0].outputs)) > 1
        with pytest.raises(UserError, match="prefix: no wish of a search"):
            language.predict(TEXTS, prefix="one")


@pytest.fixture(scope="module")
def speech():
    return predictor_of("speech", max_input_length=30)


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    sizes = (100, 33, 240, 1)
    return [rng.integers(-9_000, 9_000, n).astype(np.int16) for n in sizes]


class TestSpeech:
    def test_an_answer_depends_on_no_other(self, speech, clips):
        together = speech.predict(clips)
        for clip, found in zip(clips, together, strict=True):
            alone = speech.predict([clip])[0]
            assert alone.outputs == found.outputs
            np.testing.assert_allclose(alone.scores, found.scores, rtol=1e-3)

    def test_scores_are_those_of_given_texts(self, speech, clips):
        found = speech.translate(clips, min_length=2)
        outputs = [each.outputs[0] for each in found]
        ids = [append_eos(speech.encoder.encode(text)) for text in outputs]
        scores = speech.score(clips, outputs, alpha=0.0)
        for clip, row, score in zip(clips, ids, scores, strict=True):
            features = {
                "inputs": clip[None].astype(np.int32),
                "targets": row[None],
            }
            logits = log_softmax(speech.model(features))[0]
            expected = logits[np.arange(len(row)), row].sum()
            assert score == pytest.approx(expected, rel=1e-3)
        for each in found:
            assert each.attention.shape[0] == len(each.output_tokens)

    def test_silence_says_nothing_and_a_long_clip_is_cut(self, speech):
        longest = 30 * AUDIO.unit("inputs")
        rng = np.random.default_rng(1)
        long = rng.integers(1, 9_000, longest + 5).astype(np.int16)
        clips = [np.zeros(50, np.int16), long, long[:longest]]
        found = speech.predict(clips)
        assert found[0].outputs == [""]
        assert found[0].scores == [0.0]
        assert [p.truncated for p in found] == [False, True, False]
        assert found[1].outputs == found[2].outputs
        assert speech.truncation_note == "input cut to 0.3 seconds"

    def test_texts_are_no_clips(self, speech):
        with pytest.raises(
            UserError, match=r"clip 1: expected int16 of shape .samples,."
        ):
            speech.predict([np.zeros(9, np.int16), np.zeros(9)])


@pytest.fixture(scope="module", params=["label", "image"])
def labelled(request):
    """(a predictor of labels, inputs of it)."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, *IMAGE.image_shape), np.uint8)
    inputs = {"label": TEXTS, "image": list(images)}[request.param]
    return predictor_of(request.param), inputs


class TestLabels:
    def test_probabilities_are_the_models(self, labelled):
        predictor, inputs = labelled
        found = predictor.predict(inputs)
        for value, prediction in zip(inputs, found, strict=True):
            rows = _row(predictor, value)
            logits = predictor.model({"inputs": rows})
            expected = tf.nn.softmax(logits[0, 0, 1:]).numpy()
            probabilities = prediction.details["probabilities"]
            np.testing.assert_allclose(
                [probabilities[label] for label in LABELS], expected, rtol=1e-3
            )
            values = list(probabilities.values())
            assert values == sorted(values, reverse=True)
            assert prediction.outputs == [LABELS[expected.argmax()]]
            assert prediction.scores == values[:1]
        for one, prediction in zip(
            predictor.probabilities(inputs), found, strict=True
        ):
            expected = prediction.details["probabilities"]
            assert one == pytest.approx(expected, rel=1e-4)
        assert predictor.probabilities([]) == []

    def test_an_answer_depends_on_no_other(self, labelled):
        predictor, inputs = labelled
        for value, found in zip(inputs, predictor.predict(inputs), strict=True):
            alone = predictor.predict([value])[0]
            assert alone.outputs == found.outputs
            np.testing.assert_allclose(alone.scores, found.scores, rtol=1e-4)

    def test_nothing_can_be_asked_of_a_search(self, labelled):
        predictor, inputs = labelled
        with pytest.raises(UserError, match=r"beam_size: no wish .* are none"):
            predictor.predict(inputs, beam_size=4)

    def test_texts_have_vectors_and_images_none(self, labelled):
        predictor, _ = labelled
        if predictor.model.task.inputs == "text":
            alone = [predictor.encode([text]) for text in TEXTS]
            together = predictor.encode(TEXTS)
            np.testing.assert_allclose(np.vstack(alone), together, atol=1e-5)
        else:
            with pytest.raises(UserError, match="the model reads images, no"):
                predictor.encode(TEXTS)


def _row(predictor, value):
    if isinstance(value, str):
        return append_eos(predictor.encoder.encode(value))[None]
    return value.reshape(1, -1).astype(np.int32)


def test_a_long_text_is_cut_and_an_image_has_a_shape():
    found = predictor_of("label").predict(["red " * 40, "red " * 11, ""])
    assert [p.truncated for p in found] == [True, False, False]
    assert found[0].outputs == found[1].outputs
    with pytest.raises(UserError, match=r"image 0: .* shape .9, 8, 2., got"):
        predictor_of("image").predict([np.zeros((8, 9, 2), np.uint8)])


def test_each_word_has_a_tag():
    predictor = predictor_of("tags")
    texts = [*TEXTS, "", "  two   dog "]
    for text, found in zip(texts, predictor.predict(texts), strict=True):
        ids = append_eos(predictor.encoder.encode(text))
        logits = predictor.model({"inputs": ids[None]})[0, :-1, 1:]
        expected = tf.nn.softmax(logits).numpy()  # each word is one piece
        tags = found.details["tags"]
        assert len(tags) == len(text.split())
        assert tags == [LABELS[i] for i in expected.argmax(axis=1)]
        np.testing.assert_allclose(
            found.details["probabilities"], expected.max(axis=1), rtol=1e-3
        )
        assert found.outputs == [" ".join(tags)]
        least = min(found.details["probabilities"], default=1.0)
        assert found.scores == [pytest.approx(least)]
    long = predictor.predict(["dog " * 20])[0]
    assert long.truncated
    assert len(long.details["tags"]) == LONGEST - 1
    assert predictor.encode(TEXTS).shape == (4, 16)


@pytest.fixture(scope="module")
def blanks():
    return predictor_of("blanks")


class TestBlanks:
    def test_each_is_filled_with_what_is_most_likely(self, blanks):
        texts = ["one <mask> dog", "<mask> <mask>", "two dog"]
        for text, found in zip(texts, blanks.predict(texts), strict=True):
            words = [
                MASK_ID if word == "<mask>" else blanks.encoder.encode(word)
                for word in text.split()
            ]
            ids = append_eos(np.hstack(words).astype(np.int32))
            places = np.arange(len(ids), dtype=np.int32)
            logits = blanks.model({"inputs": ids[None], "asked": places[None]})
            values = tf.nn.softmax(logits[0, :, 3:]).numpy()[ids == MASK_ID]
            ids[ids == MASK_ID] = 3 + values.argmax(axis=1)
            assert found.outputs == [blanks.encoder.decode(ids)]
            log_prob = np.log(values.max(axis=1, initial=0.0)).sum()
            assert found.scores[0] == pytest.approx(log_prob, rel=1e-3)
            for tokens, chances, value in zip(
                found.details["tokens"],
                found.details["probabilities"],
                values,
                strict=True,
            ):
                best = np.argsort(-value, kind="stable")[:5]
                pieces = [blanks.encoder.piece(i + 3) for i in best]
                assert tokens == pieces
                np.testing.assert_allclose(chances, value[best], rtol=1e-3)

    def test_a_text_without_one_stays(self, blanks):
        (found,) = blanks.predict(["three big dog"])
        assert found.outputs == ["three big dog"]
        assert found.scores == [0.0]
        assert found.details == {"tokens": [], "probabilities": []}

    def test_a_long_text_is_cut(self, blanks):
        found = blanks.predict(["<mask> " * 20, "<mask> " * 3])
        assert [p.truncated for p in found] == [True, False]
        assert [len(p.details["tokens"]) for p in found] == [LONGEST - 1, 3]


def test_only_translators_are_taken_for_them():
    translator = predictor_of("universal")
    assert type(translator) is Predictor
    predictors.require_text(translator, "--format=tflite")
    for case, gives in (("label", "label"), ("speech", "text")):
        with pytest.raises(
            UserError,
            match=f"--format=tflite: works for .*; this one gives {gives} for",
        ):
            predictors.require_text(predictor_of(case), "--format=tflite")

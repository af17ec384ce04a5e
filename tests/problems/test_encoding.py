"""Examples of every kind as numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2t_lite.data.sentencepiece_training import train_sentencepiece
from t2t_lite.data.text_encoder import ByteEncoder
from t2t_lite.errors import UserError
from t2t_lite.problems.problem import Problem
from t2t_lite.problems.tagging import TaggingProblem
from tests.data.fake import quiet


class Plain(Problem):
    """A problem whose kinds a test sets."""

    name = "plain"

    def describe_source(self, split):
        return "none"

    def examples(self, split):
        return iter(())


class Tagger(TaggingProblem, Plain):
    """Three tags."""

    labels = ("O", "B-x", "I-x")


def _problem(**attributes):
    return type("P", (Plain,), attributes)()


@pytest.fixture(scope="module", params=["bpe", "unigram", "byte"])
def encoder(request):
    if request.param == "byte":
        return ByteEncoder()
    lines = ["the small dog sleeps", "a dog eats bones", "grüne Äpfel"] * 50
    return train_sentencepiece(lines, request.param, 300, quiet)


class TestLabels:
    problem = _problem(targets_kind="label", labels=("a", "b c"))

    def test_ids_from_1_on(self):
        examples = [{"inputs": "x", "targets": t} for t in ("b c", "a")]
        rows = self.problem.encode_batch(examples, ByteEncoder())["targets"]
        assert [row.tolist() for row in rows] == [[2], [1]]
        assert {row.dtype for row in rows} == {np.dtype(np.int32)}

    def test_unknown(self):
        examples = [{"inputs": "x", "targets": "b  c"}]
        with pytest.raises(
            UserError, match=r"plain: no label 'b  c' .did you mean 'b c'"
        ):
            self.problem.encode_batch(examples, ByteEncoder())

    def test_the_vocabulary_is_of_the_inputs_alone(self):
        example = {"inputs": "x", "targets": "a"}
        assert self.problem.vocabulary_texts(example) == ["x"]


class TestTags:
    @pytest.mark.parametrize(
        ("text", "tags"),
        [
            ("the dog sleeps", "O B-x I-x"),
            ("Straße 😀 ﷽ x", "B-x O I-x B-x"),
            ("dog", "O"),
        ],
    )
    def test_a_tag_stands_at_each_words_first_id(self, encoder, text, tags):
        example = {"inputs": text, "targets": tags}
        found = Tagger().encode_batch([example], encoder)
        (ids,), (row,) = found["inputs"], found["targets"]
        assert len(row) == len(ids)
        expected = [Tagger.labels.index(tag) + 1 for tag in tags.split()]
        assert row[row > 0].tolist() == expected
        ends = [*np.flatnonzero(row)[1:], len(ids) - 1]
        for start, end, word in zip(
            np.flatnonzero(row), ends, text.split(), strict=True
        ):
            assert encoder.decode(ids[start:end]).strip() == word

    @given(tokens=st.lists(st.text(min_size=1, max_size=6), min_size=1))
    @settings(max_examples=200, deadline=None)
    def test_whatever_the_words_are(self, encoder, tokens):
        example = Tagger().tagged(tokens, ["B-x"] * len(tokens))
        found = Tagger().encode_batch([example], encoder)
        assert (found["targets"][0] > 0).sum() == len(tokens)

    def test_other_number_than_words(self, encoder):
        example = {"inputs": "the dog sleeps", "targets": "O B-x"}
        with pytest.raises(UserError, match="2 tags for the 3 words of 'the d"):
            Tagger().encode_batch([example], encoder)

    def test_unknown_tag(self, encoder):
        example = {"inputs": "dog", "targets": "B-y"}
        with pytest.raises(UserError, match="no label 'B-y'"):
            Tagger().encode_batch([example], encoder)


class TestImages:
    problem = _problem(
        inputs_kind="image",
        targets_kind="label",
        labels=("a", "b"),
        image_shape=(2, 3, 1),
    )

    def _encode(self, image):
        examples = [{"inputs": image, "targets": "a"}]
        return self.problem.encode_batch(examples, ByteEncoder())["inputs"][0]

    def test_row_by_row(self):
        image = np.arange(250, 256, dtype=np.uint8).reshape(2, 3, 1)
        row = self._encode(image)
        assert row.dtype == np.int32
        assert row.tolist() == [250, 251, 252, 253, 254, 255]

    @pytest.mark.parametrize(
        ("image", "message"),
        [
            (np.zeros((2, 3, 1)), "expected image of uint8, got float64"),
            (np.zeros((3, 2, 1), np.uint8), r"of \(2, 3, 1\), got \(3, 2, 1\)"),
            (np.zeros((2, 3), np.uint8), r"got \(2, 3\)"),
        ],
    )
    def test_refusals(self, image, message):
        with pytest.raises(UserError, match=message):
            self._encode(image)


class TestAudio:
    problem = _problem(inputs_kind="audio", sample_rate=8000)

    def _encode(self, clip):
        examples = [{"inputs": clip, "targets": "a"}]
        return self.problem.encode_batch(examples, ByteEncoder())

    def test_samples(self):
        found = self._encode(np.array([-(2**15), 2**15 - 1], np.int16))
        assert found["inputs"][0].tolist() == [-32768, 32767]
        assert found["targets"][0].tolist() == [ord("a") + 3, 1]

    @pytest.mark.parametrize(
        ("clip", "message"),
        [
            (np.zeros(5, np.float32), "expected audio of int16, got float32"),
            (np.zeros(0, np.int16), r"shape \(samples,\), got \(0,\)"),
            (np.zeros((2, 2), np.int16), r"got \(2, 2\)"),
        ],
    )
    def test_refusals(self, clip, message):
        with pytest.raises(UserError, match=message):
            self._encode(clip)


def test_without_inputs_there_are_targets_alone():
    problem = _problem(inputs_kind="none")
    found = problem.encode_batch([{"targets": "a"}], ByteEncoder())
    assert list(found) == ["targets"]

"""Unknown pieces of an output become what it looked at in the input."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.decoding.search import SearchOptions
from t2t_lite.trainer.text_graphs import TextGraphs
from tests.models_for_tests import tiny_hparams, tiny_model, word_encoder

INPUTS = ["one zebra  two", "dog", "red yellow-ish blue seven"]
# No word of a prefix that is in no vocabulary: the search has to say it.
PREFIXES = ["three qqq", "qqq", "qqq four qqq"]
MARK = "\u2047"


@pytest.fixture(scope="module")
def graphs():
    options = SearchOptions(beam_size=2, extra_length=3)
    model = tiny_model(tiny_hparams())
    tokenizer = word_encoder().graph_tokenizer()
    return TextGraphs(model, tokenizer, options, max_input_length=20)


def _translate(graphs, inputs, prefixes, **wishes):
    wishes = {name: tf.constant(value) for name, value in wishes.items()}
    wishes = graphs.defaults() | {"prefix": tf.constant(prefixes)} | wishes
    found = graphs.translate(tf.constant(inputs), wishes)
    return {name: value.numpy() for name, value in found.items()}


def _words(text):
    return text.decode().split()


def test_they_stay_unless_asked(graphs):
    found = _translate(graphs, INPUTS, PREFIXES)
    for text, prefix in zip(found["outputs"][:, 0], PREFIXES, strict=True):
        expected = prefix.replace("qqq", MARK).split()
        assert _words(text)[: len(expected)] == expected


def test_each_becomes_the_word_it_looked_at_most(graphs):
    kept = _translate(graphs, INPUTS, PREFIXES, return_attention=[True])
    found = _translate(graphs, INPUTS, PREFIXES, replace_unknown=[True])
    for row, text in enumerate(INPUTS):
        words = text.split()
        looked = kept["attention"][row][:, : len(words)]
        before = _words(kept["outputs"][row, 0])
        after = _words(found["outputs"][row, 0])
        assert MARK in before
        for place, word in enumerate(before):
            seen = words[int(np.argmax(looked[place]))]
            assert after[place] == (seen if word == MARK else word)
        assert len(after) == len(before)


def test_each_row_has_its_wish(graphs):
    wanted = [True, False, True]
    plain, all_of_them, some = (
        _translate(graphs, INPUTS, PREFIXES, replace_unknown=wish)["outputs"]
        for wish in ([False], [True], wanted)
    )
    assert (plain != all_of_them).all()
    expected = np.where(np.array(wanted)[:, None], all_of_them, plain)
    assert some.tolist() == expected.tolist()


def test_every_result_has_its_own(graphs):
    """Results of one input look at it in their own ways."""
    wishes = {"num_results": [2], "replace_unknown": [True]}
    found = _translate(graphs, INPUTS, PREFIXES, **wishes)["outputs"]
    assert found.shape == (3, 2)
    for text in found.flat:
        assert MARK not in text.decode()
    assert (found[:, 0] != found[:, 1]).all()


@dataclasses.dataclass
class _Looking:
    """A model's attention, as given."""

    places: list[int]

    def attention(self, ids, outputs):
        length = outputs.shape[1]
        looked = tf.one_hot(self.places, ids.shape[1])[:, None]
        return tf.repeat(looked, length, axis=1)


@pytest.mark.parametrize(
    ("place", "word"), [(0, "one"), (1, "zebra"), (2, "two"), (3, "one")]
)
def test_it_is_the_attention_that_chooses(graphs, monkeypatch, place, word):
    """The end mark, place 3, is no word: the first of the others it is."""
    monkeypatch.setattr(graphs._model, "attention", _Looking([place]).attention)
    found = _translate(graphs, INPUTS[:1], ["qqq"], replace_unknown=[True])
    assert _words(found["outputs"][0, 0])[0] == word

"""Rows in turn give what all rows at once give, in bounded memory."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.decoding.search import SearchOptions
from t2t_lite.trainer.text_graphs import TextGraphs
from t2t_lite.trainer.turns import in_turns
from tests.models_for_tests import WORDS, tiny_hparams, tiny_model, word_encoder

SPECS = {
    "inputs": tf.TensorSpec([None], tf.string, "inputs"),
    "times": tf.TensorSpec([None], tf.int32, "times"),
}


def _sizes(given):
    return tf.strings.length(given["inputs"])


def _letters(inputs, times):
    """Letters, a ragged output; what they are worth; rows of the turn."""
    letters = tf.strings.bytes_split(inputs)
    values = tf.strings.unicode_decode(inputs, "UTF-8")
    scores = tf.cast(values, tf.float32) * tf.cast(times, tf.float32)[:, None]
    rows = tf.size(inputs)
    largest = tf.reduce_max(tf.strings.length(inputs))
    return {
        "letters": letters.to_tensor(""),
        "scores": scores.to_tensor(float("-inf")),
        "seen": letters.with_values(letters.values == "a").to_tensor(False),
        "turn": tf.fill([rows], rows),
        "largest": tf.fill([rows], largest),
        "pair": tf.tile([[1.0, 2.0]], [rows, 1]),
    }


def _called(inputs, times, budget):
    function = in_turns(_letters, SPECS, _sizes, budget)
    call = tf.function(
        lambda inputs, times: function(inputs=inputs, times=times),
        input_signature=list(SPECS.values()),
        autograph=False,
    )
    found = call(tf.constant(inputs), tf.constant(times))
    return {name: value.numpy() for name, value in found.items()}


INPUTS = ["b", "abcdefgh", "aaa", "", "zz", "ab", "c", "abcd", "x", "yyyyy"]


@pytest.mark.parametrize("times", [[3], list(range(1, 11))])
@pytest.mark.parametrize("budget", [1, 8, 9, 20, 1000])
def test_each_row_gets_its_own(times, budget):
    found = _called(INPUTS, times, budget)
    every = times * 10 if len(times) == 1 else times
    assert found["letters"].shape == found["scores"].shape == (10, 8)
    assert found["pair"].tolist() == [[1.0, 2.0]] * 10
    for row, text in enumerate(INPUTS):
        letters = [letter.encode() for letter in text]
        padding = 8 - len(text)
        assert found["letters"][row].tolist() == letters + [b""] * padding
        scores = [float(ord(letter) * every[row]) for letter in text]
        assert found["scores"][row].tolist() == scores + [-np.inf] * padding
        seen = [letter == "a" for letter in text]
        assert found["seen"][row].tolist() == seen + [False] * padding


@pytest.mark.parametrize("budget", [1, 8, 9, 20, 79])
def test_no_turn_is_over_the_budget(budget):
    found = _called(INPUTS, [1], budget)
    sizes = found["turn"] * np.maximum(found["largest"], 1)
    assert ((sizes <= budget) | (found["turn"] == 1)).all()
    assert (found["turn"] < 10).any()


def test_what_fits_is_not_parted():
    assert _called(INPUTS, [1], 80)["turn"].tolist() == [10] * 10


def test_turns_of_equal_rows_are_of_like_numbers():
    """Not as many as fit and then a rest."""
    found = _called(["abc"] * 10, [1], 24)  # eight would fit
    assert sorted(found["turn"].tolist()) == [5] * 10


def test_no_rows():
    found = _called(tf.constant([], tf.string), [1], 5)
    assert found["turn"].shape == (0,)


def _graphs(batch_size):
    options = SearchOptions(beam_size=3, extra_length=6, batch_size=batch_size)
    model = tiny_model(tiny_hparams())
    tokenizer = word_encoder().graph_tokenizer()
    return TextGraphs(model, tokenizer, options, max_input_length=12)


def test_a_translator_answers_in_turns_as_at_once():
    random = np.random.default_rng(0)
    texts = [
        " ".join(random.choice(WORDS, random.integers(0, 15)))
        for _ in range(30)
    ]
    wishes = {
        "beam_size": np.array([2, 3] * 15, np.int32),
        "num_results": np.array([1, 2] * 15, np.int32),
        "forbidden": np.array([["dog"]] * 30, object),
        "return_attention": np.array([True]),
        "prefix": np.array([random.choice(WORDS) for _ in range(30)], object),
    }
    answers = []
    for batch_size in (40, 100_000):
        graphs = _graphs(batch_size)
        signature = graphs.signatures()["translate"]
        call = signature.traced(graphs.row_sizes, batch_size)
        given = {**signature.defaults, **wishes, "inputs": texts}
        found = call(**{n: tf.constant(v) for n, v in given.items()})
        answers.append({n: v.numpy() for n, v in found.items()})
    for name, expected in answers[1].items():
        assert answers[0][name].shape == expected.shape, name
        if expected.dtype == np.float32:
            np.testing.assert_allclose(
                answers[0][name], expected, rtol=1e-4, atol=1e-5
            )
        else:
            assert answers[0][name].tolist() == expected.tolist(), name


def test_a_row_takes_what_it_wants():
    graphs = _graphs(4096)

    def sizes(**given):
        given = {name: tf.constant(value) for name, value in given.items()}
        return graphs.row_sizes(given).numpy().tolist()

    texts = ["one two three", "one " * 30]
    plain = sizes(inputs=texts)
    assert plain == [4, 12]  # with end marks, at most 12
    assert sizes(inputs=texts, targets=["one " * 8, ""]) == [9, 12]
    assert sizes(inputs=texts, beam_size=[4, 5]) == [4, 24]
    assert sizes(inputs=texts, num_results=[4, 9]) == [4, 36]
    assert sizes(inputs=texts, extra_length=[26, 90]) == [10, 34]
    most = 2**31 - 1  # as far as a search would go
    assert sizes(inputs=texts, beam_size=[most]) == [4 * 256, 12 * 256]
    assert sizes(inputs=texts, max_length=[most, 1]) == [4, 12]

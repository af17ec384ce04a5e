"""Laws of the search: brute force, argmax rollouts, independence."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.decoding.search import (
    Cache,
    Logits,
    Request,
    SearchOptions,
    beam_search,
    length_penalty,
    most_beams,
)
from tests.decoding.toy_model import EOS, ToyModel
from tests.selection import few


def _request(options, max_lengths, **given):
    max_lengths = tf.convert_to_tensor(max_lengths, tf.int32)
    return Request.of(options, max_lengths, **given).checked()


def _search(model, options, max_lengths, rows=None, kept=False, **given):
    """Searches for outputs of the sentences `rows`; by default of all."""
    dtype = given.pop("dtype", tf.float32)
    request = _request(options, max_lengths, **given)
    rows = list(range(len(max_lengths))) if rows is None else rows
    return beam_search(
        model.step_fn(dtype, kept),
        model.cache(len(max_lengths), most_beams(request)),
        tf.constant(rows, tf.int32),
        request,
    )


def _in_graph(model, options, max_lengths, shape=(None, None, None)):
    """As `_search`, while a graph is built; `shape` of logits is known."""
    request = _request(options, max_lengths)
    batch = tf.shape(max_lengths)[0]
    step_fn = model.step_fn()

    def step(*state):
        logits, cache = step_fn(*state)
        return tf.ensure_shape(logits, shape), cache

    return beam_search(
        step,
        model.cache(batch, most_beams(request)),
        tf.range(batch),
        request,
    )


def _same_logits(logits):
    """Returns a step function that says the same at every step."""

    def step(ids, index, cache, context, ancestors):
        shape = [*tf.unstack(tf.shape(ids)), len(logits)]
        return tf.broadcast_to(tf.constant(logits), shape), cache

    return step


def _outputs(result, sentence):
    ids, lengths = result.ids.numpy(), result.lengths.numpy()
    for row, length in zip(ids[sentence], lengths[sentence], strict=True):
        assert not row[length:].any()
    return [
        tuple(int(i) for i in row[:length])
        for row, length in zip(ids[sentence], lengths[sentence], strict=True)
    ]


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 3.0])
@pytest.mark.parametrize("offset", [5.0, 0.0])
@pytest.mark.parametrize("results", [1, 7])
def test_wide_beam_is_brute_force(alpha, offset, results):
    model = ToyModel(vocab_size=5, depth=4, batch=3, seed=0)
    options = SearchOptions(
        beam_size=81, alpha=alpha, length_offset=offset, num_results=results
    )
    max_lengths = [4, 2, 3]
    result = _search(model, options, max_lengths)
    for sentence, max_length in enumerate(max_lengths):
        expected = model.brute_force(sentence, max_length, alpha, offset)
        expected = expected[:results]
        assert _outputs(result, sentence) == [ids for _, ids in expected]
        np.testing.assert_allclose(
            result.scores[sentence], [s for s, _ in expected], rtol=1e-5
        )
        np.testing.assert_array_equal(
            result.finished[sentence], [EOS in ids for _, ids in expected]
        )


def test_all_outputs_are_ended_ones_then_cut_ones_then_nothing():
    model = ToyModel(vocab_size=4, depth=2, batch=1, seed=1)
    options = SearchOptions(beam_size=8, num_results=8)
    result = _search(model, options, [2])
    expected = model.brute_force(0, 2, options.alpha)
    assert len(expected) == 7  # EOS; 2 of length 2; 4 cut ones
    assert _outputs(result, 0) == [ids for _, ids in expected] + [()]
    assert result.scores[0, 7] == -np.inf
    assert result.lengths[0, 7] == 0
    np.testing.assert_array_equal(result.finished[0], [True] * 3 + [False] * 5)


def _reference(model, sentence, max_length, options):
    """Beam search word by word without early stop: T2T's rule in Python."""
    live, done = [(0.0, ())], []
    for length in range(1, max_length + 1):
        grown = [
            (score + gain, (*ids, token))
            for score, ids in live
            for token, gain in enumerate(model.next_log_probs(sentence, ids))
            if token != 0
        ]
        grown = sorted(grown, reverse=True)[: 2 * options.beam_size]
        penalty = ((5 + length) / 6) ** options.alpha
        done += [(s / penalty, ids) for s, ids in grown if ids[-1] == EOS]
        live = [(s, ids) for s, ids in grown if ids[-1] != EOS]
        live = live[: options.beam_size]
    cut = [(s / penalty, ids) for s, ids in live]
    return (sorted(done, reverse=True) + cut)[: options.num_results]


@pytest.mark.parametrize("beams", [2, 3, 5])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_narrow_beam_stops_early_exactly(beams, alpha):
    model = ToyModel(vocab_size=6, depth=5, batch=8, seed=beams)
    max_lengths = [5, 1, 4, 5, 3, 5, 2, 5]
    for results in (1, beams):
        options = SearchOptions(
            beam_size=beams, alpha=alpha, num_results=results
        )
        result = _search(model, options, max_lengths)
        for sentence, max_length in enumerate(max_lengths):
            expected = _reference(model, sentence, max_length, options)
            assert _outputs(result, sentence)[: len(expected)] == [
                ids for _, ids in expected
            ]


def test_greedy_is_the_argmax_rollout():
    model = ToyModel(vocab_size=6, depth=5, batch=8, seed=3)
    max_lengths = [5, 1, 4, 5, 0, 5, 2, 5]
    options = SearchOptions(beam_size=1)
    result = _search(model, options, max_lengths)
    for sentence, max_length in enumerate(max_lengths):
        ids, score = (), 0.0
        while len(ids) < max_length and EOS not in ids:
            log_probs = model.next_log_probs(sentence, ids)[1:]
            ids = (*ids, int(np.argmax(log_probs)) + 1)
            score += log_probs.max()
        assert _outputs(result, sentence) == [ids]
        penalty = ((5 + len(ids)) / 6) ** options.alpha
        np.testing.assert_allclose(
            result.scores[sentence, 0], score / penalty, rtol=1e-5, atol=1e-6
        )
        assert bool(result.finished[sentence, 0]) == (EOS in ids)


def _refined(step):
    """Returns the step function with logits in bfloat16 and exact ones."""

    def refined(*arguments):
        logits, cache = step(*arguments)
        rough = tf.cast(logits, tf.bfloat16)
        exact = functools.partial(tf.gather, logits, batch_dims=2)
        return Logits(rough, exact), cache

    return refined


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("rounded", [False, True])
def test_one_beam_has_the_same_results_beside_several(kept, rounded):
    batch = 12
    model = ToyModel(vocab_size=6, depth=5, batch=batch, seed=4)
    step = model.step_fn(kept=kept)
    lengths = tf.constant([5, 1, 4, 5, 0, 5, 2, 5, 5, 3, 5, 5])
    least = tf.constant([0, 0, 4, 2, 0, 5, 1, 3, 4, 0, 3, 4])
    found = []
    for last in (1, 3):
        beam_sizes = tf.constant([1] * (batch - 1) + [last])
        given = {"beam_size": beam_sizes, "min_lengths": least}
        request = _request(SearchOptions(), lengths, **given)
        found.append(
            beam_search(
                _refined(step) if rounded else step,
                model.cache(batch, most_beams(request)),
                tf.range(batch),
                request,
            )
        )
    for sentence in range(batch - 1):
        one, several = (_outputs(result, sentence) for result in found)
        assert one == several
        assert len(one[0]) >= min(least[sentence], lengths[sentence])
    for name in ("scores", "finished", "lengths"):
        one, several = (getattr(result, name)[:-1] for result in found)
        # More beams have more of the rounded logits replaced by exact ones.
        np.testing.assert_allclose(one, several, 1e-3 if rounded else 1e-6)
    ended = int(tf.math.count_nonzero(found[0].finished))
    assert 0 < ended < batch


@pytest.mark.parametrize("beams", [1, 3])
def test_a_sentence_does_not_depend_on_its_batch(beams):
    model = ToyModel(vocab_size=6, depth=5, batch=6, seed=5)
    options = SearchOptions(beam_size=beams, num_results=beams)
    max_lengths = [5, 1, 4, 5, 3, 5]
    together = _search(model, options, max_lengths)
    for sentence, max_length in enumerate(max_lengths):
        alone = _search(model, options, [max_length], rows=[sentence])
        assert _outputs(alone, 0) == _outputs(together, sentence)
        np.testing.assert_allclose(
            alone.scores[0], together.scores[sentence], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize(
    ("beams", "known"), few([(1, False), (4, True), (4, False)], (0, 1))
)
def test_graph_with_unknown_batch_equals_eager(beams, known):
    model = ToyModel(vocab_size=6, depth=5, batch=4, seed=6)
    options = SearchOptions(beam_size=beams, num_results=beams)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def search(max_lengths):
        shape = [None, beams if known else None, None]
        return _in_graph(model, options, max_lengths, shape)

    for max_lengths in ([5, 2, 0, 4], []):
        result = search(tf.constant(max_lengths, tf.int32))
        eager = _search(model, options, max_lengths)
        for ours, theirs in zip(result, eager, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_bfloat16_logits_are_searched_in_float32():
    model = ToyModel(vocab_size=5, depth=4, batch=2, seed=7)
    options = SearchOptions(beam_size=3, num_results=3)
    result = _search(model, options, [4, 4], dtype=tf.bfloat16)
    model.tables = [
        tf.cast(tf.cast(t, tf.bfloat16), tf.float32).numpy()
        for t in model.tables
    ]
    expected = _search(model, options, [4, 4])
    assert result.scores.dtype == tf.float32
    np.testing.assert_array_equal(result.ids, expected.ids)
    np.testing.assert_allclose(result.scores, expected.scores, rtol=1e-5)


@pytest.mark.parametrize("beams", [1, 2])
def test_padding_is_never_produced(beams):
    result = beam_search(
        _same_logits([9.0, 0.0, 1.0, 0.5]),
        Cache(),
        (),
        _request(SearchOptions(beam_size=beams), [3]),
    )
    assert result.lengths[0, 0] >= 1
    assert (result.ids.numpy()[0, 0, : result.lengths[0, 0]] != 0).all()


@pytest.mark.parametrize("beams", [1, 2, 6])
def test_impossible_ids_give_no_nan(beams):
    """Only 2 then the end mark is possible; after that nothing is."""
    logits = tf.constant(
        [
            [-np.inf, -np.inf, 0.0, -np.inf],
            [-np.inf] * 4,
            [-np.inf, 0.0, -np.inf, -np.inf],
            [-np.inf] * 4,
        ]
    )
    options = SearchOptions(beam_size=beams, num_results=beams)
    result = beam_search(
        lambda ids, index, cache, *_: (tf.gather(logits, ids), cache),
        Cache(),
        (),
        _request(options, [7]),
    )
    np.testing.assert_array_equal(result.ids[0, 0, :2], [2, 1])
    np.testing.assert_array_equal(
        result.scores[0], [0.0] + [-np.inf] * (beams - 1)
    )
    assert not result.ids.numpy()[0, 1:].any()
    # Nothing lives after two steps, so the search is over.
    assert result.ids.shape[2] == 2


@pytest.mark.parametrize("beams", [1, 2, 4])
def test_a_hypothesis_without_continuation_dies(beams):
    """2 and 3 may come first; after 2 the end mark may, after 3 nothing."""
    logits = tf.constant(
        [
            [-np.inf, -np.inf, 0.0, 1.0],
            [-np.inf] * 4,
            [-np.inf, 0.0, -np.inf, -np.inf],
            [-np.inf] * 4,
        ]
    )
    options = SearchOptions(beam_size=beams, num_results=beams, alpha=0.0)
    result = beam_search(
        lambda ids, index, cache, *_: (tf.gather(logits, ids), cache),
        Cache(),
        (),
        _request(options, [7]),
    )
    second = np.log(1 / (1 + np.e)) if beams > 1 else -np.inf
    np.testing.assert_allclose(
        result.scores[0], [second] + [-np.inf] * (beams - 1), rtol=1e-6
    )
    assert _outputs(result, 0)[0] == ((2, 1) if beams > 1 else ())


def test_stops_as_soon_as_no_continuation_can_win():
    """A sure short output ends the search long before the max length."""
    steps = []
    logits = _same_logits([0.0, 9.0, 0.0, 0.0])

    def step(ids, index, *rest):
        steps.append(int(index))
        return logits(ids, index, *rest)

    request = _request(SearchOptions(beam_size=3, alpha=0.6), [50])
    beam_search(step, Cache(), (), request)
    assert steps == [0]


def test_zero_max_length_gives_an_empty_output_with_score_zero():
    model = ToyModel(vocab_size=5, depth=3, batch=2, seed=8)
    result = _search(model, SearchOptions(beam_size=2), [0, 3])
    assert _outputs(result, 0) == [()]
    assert result.scores[0, 0] == 0.0
    assert _outputs(result, 1) != [()]


def test_length_penalty_is_gnmts_or_a_power_of_the_length():
    np.testing.assert_allclose(
        length_penalty(tf.constant([1, 7, 25]), 1.0, 5.0), [1.0, 2.0, 5.0]
    )
    np.testing.assert_allclose(
        length_penalty(tf.constant([1, 7, 25]), 2.0, 0.0), [1.0, 49.0, 625.0]
    )
    np.testing.assert_allclose(
        length_penalty(tf.constant([7]), 0.0, 5.0), [1.0]
    )


def test_saved_model_searches_with_core_operations(tmp_path):
    model = ToyModel(vocab_size=6, depth=5, batch=4, seed=9)
    options = SearchOptions(beam_size=3, num_results=2)
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def search(max_lengths):
        result = _in_graph(model, options, max_lengths)
        return {"ids": result.ids, "scores": result.scores}

    module.search = search
    tf.saved_model.save(module, str(tmp_path), signatures=search)
    # The session loader is what a server uses.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
        signature = graph.signature_def["serving_default"]
        ids, scores = session.run(
            [signature.outputs["ids"].name, signature.outputs["scores"].name],
            {signature.inputs["max_lengths"].name: [5, 4, 3, 5]},
        )
    expected = _search(model, options, [5, 4, 3, 5])
    np.testing.assert_array_equal(ids, expected.ids)
    np.testing.assert_allclose(scores, expected.scores, rtol=1e-6)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"max_lengths: expected shape"):
        _request(SearchOptions(), 3)
    with pytest.raises(ValueError, match="step_fn: expected logits of shape"):
        beam_search(
            lambda ids, index, cache, *_: (ids, cache),
            Cache(),
            (),
            _request(SearchOptions(), [3]),
        )

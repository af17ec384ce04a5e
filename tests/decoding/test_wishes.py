"""What a request may ask for: brute force, references, promises kept."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.decoding.search import (
    Request,
    SearchOptions,
    beam_search,
    most_beams,
)
from tests.decoding.toy_model import EOS, ToyModel

DEPTH, VOCAB = 5, 5
WIDE = {"beam_size": 256, "num_results": 6, "alpha": 0.6}


@pytest.fixture(scope="module")
def model():
    return ToyModel(vocab_size=VOCAB, depth=DEPTH, batch=4, seed=11)


def _search(model, rows=(0,), lengths=None, options=None, kept=False, **given):
    lengths = lengths or [DEPTH] * len(rows)
    given = {name: tf.constant(value) for name, value in given.items()}
    request = Request.of(
        SearchOptions(**(options or {})), tf.constant(lengths), **given
    ).checked()
    return beam_search(
        model.step_fn(kept=kept),
        model.cache(len(rows), most_beams(request)),
        tf.constant(rows),
        request,
    )


def _outputs(result, sentence=0):
    ids, lengths = result.ids[sentence].numpy(), result.lengths[sentence]
    return [
        tuple(int(i) for i in row[:length])
        for row, length in zip(ids, lengths.numpy(), strict=True)
    ]


def _assert_best(model, result, allowed, max_length=DEPTH, sentence=0):
    """The results are the best of all outputs that are allowed."""
    expected = [
        (score, ids)
        for score, ids in model.brute_force(sentence, max_length, 0.6)
        if allowed(ids)
    ][: result.ids.shape[1]]
    assert expected
    found = _outputs(result, sentence)[: len(expected)]
    assert found == [ids for _, ids in expected]
    np.testing.assert_allclose(
        result.scores[sentence, : len(expected)],
        [score for score, _ in expected],
        rtol=1e-5,
    )


def _contains(ids, phrase):
    size = len(phrase)
    return any(ids[i : i + size] == phrase for i in range(len(ids) - size + 1))


def _repeats(ids, size):
    grams = [ids[i : i + size] for i in range(len(ids) - size + 1)]
    return len(set(grams)) < len(grams)


def _phrases(*phrases):
    width = max(map(len, phrases))
    return [[[*p, *[0] * (width - len(p))] for p in phrases]]


def test_ancestors_find_the_history_that_is_not_moved(model):
    options = {"beam_size": 3, "num_results": 3}
    moved, kept = (
        _search(model, (0, 1, 2, 3), [5, 2, 4, 5], options, kept=kept)
        for kept in (False, True)
    )
    for one, other in zip(moved, kept, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("least", [1, 3, 5])
def test_min_length(model, least):
    result = _search(model, options=WIDE, min_lengths=[least])
    _assert_best(model, result, lambda ids: len(ids) >= least)


@pytest.mark.parametrize(
    "phrases", [[(2,)], [(3, 4)], [(4, 3), (2,)], [(2, 2, 3)], [(3,), (4,)]]
)
def test_required_phrases(model, phrases):
    result = _search(model, options=WIDE, required=_phrases(*phrases))
    _assert_best(
        model,
        result,
        lambda ids: ids[-1] == EOS and all(_contains(ids, p) for p in phrases),
    )


@pytest.mark.parametrize(
    "phrases", [[(2,)], [(3, 4)], [(4, 3), (2,)], [(2, 2, 3), (4,)]]
)
def test_forbidden_phrases(model, phrases):
    result = _search(model, options=WIDE, forbidden=_phrases(*phrases))
    _assert_best(
        model, result, lambda ids: not any(_contains(ids, p) for p in phrases)
    )


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_repeated_ngram(model, size):
    result = _search(model, options={**WIDE, "no_repeat_ngram": size})
    _assert_best(model, result, lambda ids: not _repeats(ids, size))


@pytest.mark.parametrize("prefix", [(3,), (4, 2), (2, 2, 2)])
def test_prefix(model, prefix):
    result = _search(model, options=WIDE, prefix=[list(prefix)])
    _assert_best(model, result, lambda ids: ids[: len(prefix)] == prefix)


def test_all_together(model):
    result = _search(
        model,
        options={**WIDE, "no_repeat_ngram": 2},
        min_lengths=[4],
        prefix=[[3]],
        required=_phrases((4,)),
        forbidden=_phrases((2, 4)),
    )
    _assert_best(
        model,
        result,
        lambda ids: (
            len(ids) >= 4
            and ids[0] == 3
            and ids[-1] == EOS
            and 4 in ids
            and not _contains(ids, (2, 4))
            and not _repeats(ids, 2)
        ),
    )


@pytest.mark.parametrize("beams", [1, 2, 3])
def test_promises_are_kept_by_narrow_beams(beams):
    random = np.random.default_rng(beams)
    model = ToyModel(vocab_size=6, depth=6, batch=8, seed=beams)
    required = random.integers(2, 6, (8, 2, 2))
    required[::2, 1] = 0
    forbidden = random.integers(2, 6, (8, 1, 2))
    prefix = random.integers(2, 6, (8, 1))
    prefix[::3] = 0
    result = _search(
        model,
        tuple(range(8)),
        [6] * 8,
        {"beam_size": beams},
        required=required.astype(np.int32),
        forbidden=forbidden.astype(np.int32),
        prefix=prefix.astype(np.int32),
    )
    for sentence in range(8):
        (ids,) = _outputs(result, sentence)
        for phrase in required[sentence]:
            assert not phrase.any() or _contains(ids, tuple(phrase)), ids
        assert prefix[sentence] == 0 or ids[0] == prefix[sentence]


def test_every_sentence_has_wishes_of_its_own(model):
    wishes = {
        "beam_size": [4, 1, 2, 3],
        "num_results": [2, 1, 2, 1],
        "alpha": [0.0, 0.6, 1.0, 2.0],
        "no_repeat_ngram": [0, 0, 1, 2],
        "min_lengths": [0, 3, 0, 2],
        "prefix": [[0], [3], [0], [2]],
    }
    together = _search(model, (0, 1, 2, 3), [5, 5, 4, 5], **wishes)
    for sentence in range(4):
        mine = {name: [value[sentence]] for name, value in wishes.items()}
        length = [5, 5, 4, 5][sentence]
        alone = _search(model, (sentence,), [length], **mine)
        count = wishes["num_results"][sentence]
        assert _outputs(alone) == _outputs(together, sentence)[:count]
        np.testing.assert_allclose(
            alone.scores[0], together.scores[sentence, :count], rtol=1e-5
        )
        assert np.isneginf(together.scores[sentence, count:]).all()


def _with_penalty(model, sentence, ids, factor):
    """Log-probabilities after `ids`, repeated ids made less likely."""
    state = 0
    for token in ids:
        state = state * VOCAB + token
    logits = model.tables[len(ids)][sentence, state].astype(np.float64)
    for token in set(ids):
        value = logits[token]
        logits[token] = value / factor if value > 0 else value * factor
    return logits - np.log(np.exp(logits).sum())


@pytest.mark.parametrize("factor", [0.5, 1.7])
def test_repetition_penalty(model, factor):
    options = {**WIDE, "repetition_penalty": factor, "num_results": 1}
    result = _search(model, options=options)
    ended, cut = model.all_outputs(DEPTH)
    scores = {}
    for ids in ended:
        total = sum(
            _with_penalty(model, 0, ids[:i], factor)[token]
            for i, token in enumerate(ids)
        )
        scores[ids] = total / ((5 + len(ids)) / 6) ** 0.6
    best = max(scores, key=scores.get)
    assert _outputs(result) == [best]
    assert float(result.scores[0, 0]) == pytest.approx(scores[best], rel=1e-5)
    assert cut  # an ended one always comes first


def _diverse(model, sentence, groups, size, strength):
    """Vijayakumar et al.'s algorithm, word by word."""
    live = [[(0.0, ())] for _ in range(groups)]
    done = [[] for _ in range(groups)]
    for length in range(1, DEPTH + 1):
        chosen = []
        for group in range(groups):
            grown = []
            for score, ids in live[group]:
                gains = model.next_log_probs(sentence, ids)
                for token, gain in enumerate(gains):
                    times = chosen.count(token)
                    if token != 0:
                        key = score + gain - strength * times
                        grown.append((key, score + gain, (*ids, token)))
            grown = sorted(grown, reverse=True)[: 2 * size]
            penalty = ((5 + length) / 6) ** 0.6
            done[group] += [
                (s / penalty, ids) for _, s, ids in grown if ids[-1] == EOS
            ]
            live[group] = [(s, ids) for _, s, ids in grown if ids[-1] != EOS][
                :size
            ]
            chosen += [ids[-1] for _, ids in live[group]]
    return [sorted(group, reverse=True) for group in done]


@pytest.mark.parametrize("strength", [0.0, 0.7, 100.0])
@pytest.mark.parametrize(("groups", "size"), [(2, 2), (3, 2), (2, 3)])
def test_diverse_groups(model, groups, size, strength):
    options = {
        "beam_size": groups * size,
        "num_results": groups,
        "num_groups": groups,
        "diversity": strength,
    }
    for sentence in range(4):
        result = _search(model, (sentence,), options=options)
        expected = _diverse(model, sentence, groups, size, strength)
        best = sorted((group[0] for group in expected), reverse=True)
        assert _outputs(result) == [ids for _, ids in best]
        np.testing.assert_allclose(
            result.scores[0], [score for score, _ in best], rtol=1e-5
        )


def _first_ids(model, count=4000, **options):
    """Frequencies of the first ids of many samples."""
    options = {"num_results": 1000, "temperature": 1.0, **options}
    found = [
        _search(model, lengths=[1], options={**options, "seed": seed})
        for seed in range(count // 1000)
    ]
    ids = np.concatenate([result.ids.numpy().ravel() for result in found])
    return np.bincount(ids, minlength=VOCAB) / len(ids)


def _distribution(model, temperature=1.0):
    log_probs = model.next_log_probs(0, ())
    log_probs[0] = -np.inf  # padding is never produced
    weights = np.exp(log_probs / temperature)
    return weights / weights.sum()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_samples_have_the_models_distribution(model, temperature):
    found = _first_ids(model, temperature=temperature)
    expected = _distribution(model, temperature)
    assert np.abs(found - expected).max() < 0.03


@pytest.mark.parametrize(
    "cut", [{"top_k": 2}, {"top_p": 0.7}, {"top_k": 3, "top_p": 0.5}]
)
def test_samples_are_cut(model, cut):
    expected = _distribution(model)
    order = np.argsort(-expected)
    kept = order[: cut.get("top_k", VOCAB)]
    within = expected[kept] / expected[kept].sum()
    before = np.cumsum(within) - within
    kept = kept[before < cut.get("top_p", 1.0)]
    expected = np.where(np.isin(np.arange(VOCAB), kept), expected, 0.0)
    found = _first_ids(model, **cut)
    assert np.abs(found - expected / expected.sum()).max() < 0.03
    assert not found[np.setdiff1d(np.arange(VOCAB), kept)].any()


def test_samples_are_the_seeds_and_scored_as_the_model_does(model):
    options = {"temperature": 1.5, "num_results": 8, "seed": 7}
    one = _search(model, (1,), options=options)
    assert _outputs(one) == _outputs(_search(model, (1,), options=options))
    other = _search(model, (1,), options={**options, "seed": 8})
    assert _outputs(one) != _outputs(other)
    for ids, score in zip(_outputs(one), one.scores[0].numpy(), strict=True):
        penalty = ((5 + len(ids)) / 6) ** 0.6
        expected = model.log_prob(1, ids) / penalty
        assert score == pytest.approx(expected, rel=1e-5)
    assert (
        np.diff(one.scores[0, : int(one.finished.numpy().sum())]) <= 0
    ).all()
    seeds, temperatures = [0, 7, 0, 0], [0.0, 1.5, 0.0, 0.9]
    together = _search(
        model,
        (0, 1, 2, 3),
        seed=seeds,
        temperature=np.float32(temperatures),
        num_results=[1, 8, 2, 3],
        beam_size=[4, 4, 2, 4],
    )
    assert _outputs(together, 1) == _outputs(one)
    plain = _search(model, (2,), options={"beam_size": 2, "num_results": 2})
    assert _outputs(together, 2)[:2] == _outputs(plain)


def test_all_orders_of_phrases_are_found(model):
    """Whichever comes first, the beam does not lose the other."""
    phrases = [(2,), (3,), (4,)]
    for order in itertools.permutations(phrases):
        result = _search(
            model, options={"beam_size": 2}, required=_phrases(*order)
        )
        (ids,) = _outputs(result)
        assert {2, 3, 4} <= set(ids)
        assert bool(result.finished[0, 0])


def test_values_out_of_range_are_moved_to_what_makes_sense(model):
    result = _search(
        model,
        (0, 1),
        beam_size=[-3, 4],
        num_results=[0, 2],
        alpha=np.float32([-1.0, 99.0]),
        num_groups=[0, 3],
        top_p=np.float32([-1.0, 1.0]),
        repetition_penalty=np.float32([0.0, 1.0]),
    )
    assert np.isfinite(result.scores.numpy()[:, 0]).all()

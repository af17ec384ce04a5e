"""Intervals and paired tests against sacreBLEU's own and closed forms."""

import os
import random

import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

from t2t_lite import metrics, significance
from t2t_lite.errors import UserError
from t2t_lite.exact_match import ExactMatch

BLEU_NONE = "nrefs:1|case:mixed|eff:no|tok:none|smooth:exp|version:2.6.0"
SAMPLES = {"bootstrap": 200, "randomization": 500}


def _texts(lines=40):
    draw = random.Random(0)
    return [" ".join(draw.choices("abcdefgh", k=8)) for _ in range(lines)]


def _noisy(texts, share, seed):
    draw = random.Random(seed)
    return [
        " ".join("z" if draw.random() < share else w for w in text.split())
        for text in texts
    ]


REFERENCES = _texts()
FIRST, SECOND = _noisy(REFERENCES, 0.3, 1), _noisy(REFERENCES, 0.2, 2)


@pytest.mark.parametrize(
    "metric",
    [
        BLEU(),
        BLEU(tokenize="none", lowercase=True),
        BLEU(tokenize="intl", smooth_method="floor", effective_order=True),
        BLEU(smooth_method="add-k", smooth_value=0.5),
        CHRF(),
        CHRF(word_order=2, char_order=4, lowercase=True),
        CHRF(whitespace=True, eps_smoothing=True),
    ],
    ids=lambda metric: type(metric).__name__,
)
def test_a_signature_gives_back_its_metric(metric):
    expected = metric.corpus_score(FIRST, [REFERENCES]).score
    signature = str(metric.get_signature())
    again = significance.metric_of(signature)
    assert significance.score(again, FIRST, REFERENCES) == expected
    assert str(again.get_signature()) == signature


def test_exact_match_is_a_metric_too():
    outputs = ["a", "b ", "c"]
    score, signature = metrics.exact_match(outputs, ["a", "b", "c"])
    metric = significance.metric_of(signature)
    assert significance.score(metric, outputs, ["a", "b", "c"]) == score


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "accuracy",
        "tok:spm|smooth:exp",
        "tok:13a|smooth:often",
        "tok:13a",
        "nc:6",
        "nc:99|nw:0",
        "nc:0|nw:0",
        "nc:600000000|nw:0",
    ],
)
def test_other_signatures_give_none(signature):
    assert significance.metric_of(signature) is None


def test_interval_is_that_of_sacrebleu(monkeypatch):
    monkeypatch.setenv("SACREBLEU_SEED", "7")
    metric = significance.metric_of(BLEU_NONE)
    result = metric.corpus_score(FIRST, [REFERENCES], n_bootstrap=300)
    low, high = significance.interval(
        metric, FIRST, REFERENCES, samples=300, seed=7
    )
    assert low == pytest.approx(result._mean - result._ci)
    assert high == pytest.approx(result._mean + result._ci)
    assert low < result.score < high
    other = significance.interval(metric, FIRST, REFERENCES, 300, seed=8)
    assert other != (low, high)
    assert os.environ["SACREBLEU_SEED"] == "7"


def test_the_environment_does_not_change_the_interval(monkeypatch):
    metric = significance.metric_of(BLEU_NONE)
    found = set()
    for seed in ("3", "none"):
        monkeypatch.setenv("SACREBLEU_SEED", seed)
        found.add(significance.interval(metric, FIRST, REFERENCES, 100))
    monkeypatch.delenv("SACREBLEU_SEED")
    found.add(significance.interval(metric, FIRST, REFERENCES, 100))
    assert len(found) == 1
    assert "SACREBLEU_SEED" not in os.environ


def test_p_values_are_those_of_sacrebleu(monkeypatch):
    metric = significance.metric_of(BLEU_NONE)
    found = significance.compare(metric, (FIRST, SECOND), REFERENCES, SAMPLES)
    monkeypatch.setenv("SACREBLEU_SEED", str(significance.SEED))
    for test, short in (("bootstrap", "bs"), ("randomization", "ar")):
        _, results = PairedTest(
            [("a", FIRST), ("b", SECOND)],
            {"BLEU": metric},
            [REFERENCES],
            test_type=short,
            n_samples=SAMPLES[test],
        )()
        assert found.p_values[test] == results["BLEU"][1].p_value
        assert found.scores == tuple(r.score for r in results["BLEU"])
    assert found.difference > 0
    assert set(found.p_values) == set(SAMPLES)


@pytest.mark.parametrize("signature", [BLEU_NONE, "nrefs:1|strip:no"])
def test_a_system_does_not_differ_from_itself(signature):
    metric = significance.metric_of(signature)
    found = significance.compare(metric, (FIRST, FIRST), REFERENCES, SAMPLES)
    assert found.difference == 0
    assert found.p_values == dict.fromkeys(SAMPLES, 1.0)
    assert found.intervals[0] == found.intervals[1]


@pytest.mark.parametrize(("lines", "least"), [(1, 1.0), (2, 0.5), (3, 0.25)])
def test_few_lines_that_differ_are_no_evidence(lines, least):
    metric = significance.metric_of(BLEU_NONE)
    better = REFERENCES[:lines] + FIRST[lines:]
    worse = ["y " * 8] * lines + FIRST[lines:]
    found = significance.compare(
        metric, (worse, better), REFERENCES, {"randomization": 2000}
    )
    assert least <= found.p_values["randomization"] <= 1.0


@pytest.mark.parametrize(
    ("wins", "losses", "expected"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (1, 0, 1.0),
        (5, 0, 2 / 2**5),
        (1, 7, 2 * (1 + 8) / 2**8),
        (6, 5, 1.0),
    ],
)
def test_sign_test_by_hand(wins, losses, expected):
    assert significance.sign_test(wins, losses) == pytest.approx(expected)
    assert significance.sign_test(losses, wins) == pytest.approx(expected)


def test_exact_match_is_tested_by_signs():
    references = ["r"] * 20
    first = ["r"] * 2 + ["x"] * 18
    second = ["x"] + ["r"] * 10 + ["x"] * 9
    assert ExactMatch().wins(first, second, references) == (9, 1)
    found = significance.compare(
        ExactMatch(), (first, second), references, {"randomization": 100}
    )
    assert found.p_values["randomization"] == significance.sign_test(9, 1)
    assert found.scores == (10.0, 50.0)


def test_a_sampled_sign_test_comes_near_the_exact_one():
    """The tail of sacreBLEU's own samples, ties counted, is the same."""
    draw = random.Random(3)
    differences = [1] * 12 + [-1] * 4
    tail = sum(
        abs(sum(d * draw.choice((1, -1)) for d in differences)) >= 8
        for _ in range(4000)
    )
    assert tail / 4000 == pytest.approx(significance.sign_test(12, 4), abs=0.02)


def test_samples_that_fit_no_memory_are_refused():
    with pytest.raises(UserError, match="take about 80 GB of memory by boot"):
        significance.interval(
            ExactMatch(), ["a"] * 1000, ["a"] * 1000, samples=1_000_000
        )

"""Scores against hand-computed values, and their errors."""

import math

import pytest

from t2t_lite import metrics
from t2t_lite.errors import UserError


def test_bleu_by_hand():
    # 6 of 7 words, 4 of 6 pairs, 3 of 5 triples, 2 of 4 quadruples agree.
    score, signature = metrics.bleu(["a b c d e x g"], ["a b c d e f g"])
    precisions = (6 / 7, 4 / 6, 3 / 5, 2 / 4)
    assert score == pytest.approx(100 * math.prod(precisions) ** 0.25)
    assert "tok:13a" in signature
    assert "case:mixed" in signature
    assert "version:" in signature


def test_bleu_brevity_penalty():
    score, _ = metrics.bleu(["a b c d"], ["a b c d e f"])
    assert score == pytest.approx(100 * math.exp(1 - 6 / 4))


def test_bleu_options_reach_sacrebleu():
    texts = (["The cat , sat down ."], ["the cat , sat down ."])
    mixed, _ = metrics.bleu(*texts)
    lower, signature = metrics.bleu(*texts, tokenize="none", lowercase=True)
    assert mixed < lower == pytest.approx(100)
    assert "tok:none" in signature
    assert "case:lc" in signature


def test_bleu_refuses_an_unknown_tokenizer():
    with pytest.raises(UserError, match=r"unknown tokenizer '13b'.*13a"):
        metrics.bleu(["a"], ["a"], tokenize="13b")


def test_chrf():
    perfect, signature = metrics.chrf(["ein Hund"], ["ein Hund"])
    other, _ = metrics.chrf(["ein Hund"], ["eine Katze"])
    assert perfect == pytest.approx(100)
    assert 0 < other < 100
    assert "nc:6" in signature
    assert "nw:2" in metrics.chrf(["a"], ["a"], word_order=2)[1]


def test_exact_match():
    score, signature = metrics.exact_match(
        ["12", "13", "14 ", "A"], ["12", "31", "14", "a"]
    )
    assert score == 25.0
    assert "strip:no" in signature


@pytest.mark.parametrize(
    "metric", [metrics.bleu, metrics.chrf, metrics.exact_match]
)
class TestErrors:
    def test_lengths(self, metric):
        with pytest.raises(UserError, match="2 predictions but 1 references"):
            metric(["a", "b"], ["a"])

    def test_nothing(self, metric):
        with pytest.raises(UserError, match="nothing to score"):
            metric([], [])

    def test_one_text_is_no_list(self, metric):
        with pytest.raises(UserError, match="references: expected a list"):
            metric(["a"], "a")

    def test_one_empty_prediction_is_fine(self, metric):
        assert metric(["", "a"], ["b", "a"])[0] < 100

"""Scores against hand-computed values, and their errors."""

import functools
import itertools
import math
import random

import numpy as np
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


class TestF1:
    def test_by_hand(self):
        # 2 hits of 3 that are said to be "y" and of 4 that are.
        said = ["y", "y", "y", "n", "n", "z"]
        real = ["y", "y", "n", "y", "y", "n"]
        score = metrics.f1(said, real, "y")
        assert score == pytest.approx(100 * 2 / (1 / (2 / 3) + 1 / (2 / 4)))

    def test_without_the_label(self):
        assert metrics.f1(["n"], ["n"], "y") == 0.0
        assert metrics.f1(["y"], ["n"], "y") == 0.0
        assert metrics.f1(["y"], ["y"], "y") == 100.0


class TestMatthews:
    def test_by_hand(self):
        # tp 1, fp 2, fn 1, tn 2
        said = ["y", "y", "y", "n", "n", "n"]
        real = ["y", "n", "n", "y", "n", "n"]
        expected = (1 * 2 - 2 * 1) / math.sqrt(3 * 2 * 4 * 3)
        assert metrics.matthews(said, real, "y") == pytest.approx(
            100 * expected
        )

    @pytest.mark.parametrize("seed", range(20))
    def test_is_pearsons_correlation_of_two_columns_of_0_and_1(self, seed):
        rng = np.random.default_rng(seed)
        bits = rng.integers(0, 2, (2, 30))
        said, real = (["ny"[bit] for bit in row] for row in bits)
        found = metrics.matthews(said, real, "y")
        assert found == pytest.approx(100 * np.corrcoef(bits)[0, 1])
        turned = metrics.matthews(said, real, "n")
        assert turned == pytest.approx(found)

    @pytest.mark.parametrize(
        ("said", "real", "score"),
        [("yn", "yn", 100), ("yn", "ny", -100), ("yy", "yn", 0), ("n", "n", 0)],
    )
    def test_ends(self, said, real, score):
        assert metrics.matthews(list(said), list(real), "y") == score


def _edits(first, second):
    """The least edits, by trying all; from the definition."""

    @functools.cache
    def least(i, j):
        if i == len(first) or j == len(second):
            return len(first) - i + len(second) - j
        same = least(i + 1, j + 1) + (first[i] != second[j])
        return min(same, 1 + least(i + 1, j), 1 + least(i, j + 1))

    return least(0, 0)


class TestErrorRates:
    def test_by_hand(self):
        # One word other, one too many, one missing: 3 edits of 7 words.
        said = ["the cat sat there", "one two three"]
        real = ["the dog sat", "one two three four"]
        assert metrics.word_error_rate(said, real) == pytest.approx(300 / 7)
        assert metrics.character_error_rate(
            ["kitten"], ["sitting"]
        ) == pytest.approx(300 / 7)

    def test_of_all_texts_together(self):
        # 1 of 1 word and 0 of 3, which is not the mean of the two.
        rate = metrics.word_error_rate(["x", "a b c"], ["y", "a b c"])
        assert rate == 25.0

    @pytest.mark.parametrize(
        ("said", "real", "rate"),
        [
            ("", "a b", 100),
            ("a b c", "a", 200),
            ("", "", 0),
            ("a  b", "a b", 0),
        ],
    )
    def test_ends(self, said, real, rate):
        assert metrics.word_error_rate([said], [real]) == rate

    def test_spaces_are_characters(self):
        assert metrics.character_error_rate(["ab"], ["a b"]) == (
            pytest.approx(100 / 3)
        )

    @pytest.mark.parametrize("seed", range(30))
    def test_is_the_least_of_all_ways(self, seed):
        rng = random.Random(seed)
        said, real = (
            "".join(rng.choices("ab ", k=rng.randint(1, 8))) for _ in range(2)
        )
        edits = _edits(said, real)
        assert metrics.character_error_rate([said], [real]) == (
            pytest.approx(100 * edits / len(real))
        )


def _conlleval(said, real):
    """Counts of entities (right, said, real) as conlleval walks over tags.

    From its rules: where an entity begins and ends follows from two tags
    side by side, and one is right that begins and ends at once on both sides
    with one type throughout.
    """

    def parts(tag):
        return ("O", "") if tag == "O" else tuple(tag.split("-", 1))

    def begins(before, now):
        if now[0] == "O":
            return False
        return now[0] == "B" or before[0] == "O" or before[1] != now[1]

    def ends(before, now):
        if before[0] == "O":
            return False
        return now[0] in ("B", "O") or before[1] != now[1]

    right = found = there = 0
    for tags in zip(said, real, strict=True):
        before, inside = [("O", "")] * 2, False
        for pair in zip(*([*line.split(), "O"] for line in tags), strict=True):
            now = [parts(tag) for tag in pair]
            both = [(b, n) for b, n in zip(before, now, strict=True)]
            ending = [ends(*each) for each in both]
            starting = [begins(*each) for each in both]
            if inside and all(ending) and before[0][1] == before[1][1]:
                right += 1
                inside = False
            elif inside and (any(ending) or now[0][1] != now[1][1]):
                inside = False
            if all(starting) and now[0][1] == now[1][1]:
                inside = True
            found += starting[0]
            there += starting[1]
            before = now
    return right, found, there


class TestEntities:
    def test_by_hand(self):
        # Real: PER 0-1, LOC 3-4, ORG 6; said: PER 0-1, LOC 3, ORG 6, PER 7.
        real = ["B-PER I-PER O B-LOC I-LOC O B-ORG O"]
        said = ["B-PER I-PER O B-LOC O O B-ORG B-PER"]
        scores = metrics.entity_scores(said, real)
        assert scores["precision"] == 50.0
        assert scores["recall"] == pytest.approx(200 / 3)
        assert scores["f1"] == pytest.approx(400 / 7)
        assert metrics.tag_accuracy(said, real) == pytest.approx(75.0)

    @pytest.mark.parametrize(
        ("said", "real", "right"),
        [
            # I after O, or after another type, begins an entity.
            ("I-A I-A", "B-A I-A", 1),
            ("B-A I-B", "B-A B-B", 2),
            # Two of one type side by side are told apart by B.
            ("B-A B-A", "B-A I-A", 0),
            ("B-A I-A", "B-A B-A", 0),
            # The words must be the same, and the type.
            ("B-A I-A", "B-B I-B", 0),
            ("B-A I-A O", "B-A I-A I-A", 0),
            ("B-creative-work", "B-creative-work", 1),
        ],
    )
    def test_what_an_entity_is(self, said, real, right):
        scores = metrics.entity_scores([said], [real])
        count = len(metrics._entities(real.split()))
        assert scores["recall"] == 100 * right / count

    def test_an_entity_ends_with_its_sentence(self):
        scores = metrics.entity_scores(["B-A", "I-A"], ["B-A", "B-A"])
        assert scores == {"precision": 100.0, "recall": 100.0, "f1": 100.0}

    def test_missing_tags_are_outside(self):
        scores = metrics.entity_scores(["B-A", ""], ["B-A O", "B-A"])
        assert (scores["precision"], scores["recall"]) == (100.0, 50.0)
        assert metrics.tag_accuracy(["B-A", ""], ["B-A O", "B-A"]) == (
            pytest.approx(100 / 3)
        )

    def test_without_entities(self):
        scores = metrics.entity_scores(["O O"], ["O O"])
        assert scores == {"precision": 0.0, "recall": 0.0, "f1": 0.0}

    @pytest.mark.parametrize("seed", range(60))
    def test_counts_as_conlleval_does(self, seed):
        rng = random.Random(seed)
        tags = ["O", "O", "B-A", "I-A", "B-B", "I-B"]
        said, real = [], []
        for size in rng.choices(range(1, 9), k=6):
            real.append(rng.choices(tags, k=size))
            said.append(
                [
                    t if rng.random() < 0.7 else rng.choice(tags)
                    for t in real[-1]
                ]
            )
        texts = [[" ".join(line) for line in lines] for lines in (said, real)]
        right, found, there = _conlleval(*texts)
        scores = metrics.entity_scores(*texts)
        assert scores["precision"] == pytest.approx(100 * right / max(found, 1))
        assert scores["recall"] == pytest.approx(100 * right / max(there, 1))
        assert scores["f1"] == pytest.approx(
            200 * right / max(found + there, 1)
        )

    @pytest.mark.parametrize("tag", ["A", "B", "B-", "E-A", "o", "-A", "I_A"])
    def test_other_tags(self, tag):
        with pytest.raises(UserError, match="expected O, B-<type> or I-<type>"):
            metrics.entity_scores([tag], ["O"])

    def test_more_tags_than_words(self):
        for metric in (metrics.entity_scores, metrics.tag_accuracy):
            with pytest.raises(
                UserError, match="2 tags for the 1 words of 'O'"
            ):
                metric(["O O"], ["O"])


def _longest_common(first, second):
    """The longest common subsequence's length, by trying all of them."""
    for size in range(min(len(first), len(second)), 0, -1):
        parts = set(itertools.combinations(first, size))
        if parts & set(itertools.combinations(second, size)):
            return size
    return 0


class TestRouge:
    def test_by_hand(self):
        # Lin 2004, section 3.1: police kill the gunman against the reference
        # police killed the gunman; stemming makes them the same.
        scores, signature = metrics.rouge(
            ["police kill the gunman"], ["police killed the gunman"]
        )
        assert scores == {
            "rouge1": pytest.approx(100),
            "rouge2": pytest.approx(100),
            "rougeL": pytest.approx(100),
        }
        assert "stem:porter" in signature

    def test_orders_of_words(self):
        # 3 of 4 words, no pair of 3; in order "the gunman".
        scores, _ = metrics.rouge(
            ["the gunman shot police"], ["police killed the gunman"]
        )
        assert scores["rouge1"] == pytest.approx(75)
        assert scores["rouge2"] == pytest.approx(100 / 3)
        assert scores["rougeL"] == pytest.approx(50)

    def test_is_the_mean_over_texts(self):
        scores, _ = metrics.rouge(["a b", "c"], ["a b", "d"])
        assert scores["rouge1"] == pytest.approx(50)
        assert scores["rouge2"] == pytest.approx(50)

    def test_empty_texts(self):
        scores, _ = metrics.rouge(["", "a"], ["a", ""])
        assert set(scores.values()) == {0.0}

    @pytest.mark.parametrize("seed", range(20))
    def test_longest_common_subsequence(self, seed):
        rng = random.Random(seed)
        said, real = (rng.choices("abc", k=rng.randint(1, 7)) for _ in range(2))
        scores, _ = metrics.rouge([" ".join(said)], [" ".join(real)])
        common = _longest_common(said, real)
        expected = 200 * common / (len(said) + len(real))
        assert scores["rougeL"] == pytest.approx(expected)

    def test_no_test_takes_it_for_a_metric_of_sacrebleu(self):
        from t2t_lite import significance

        assert significance.metric_of(metrics.rouge(["a"], ["a"])[1]) is None


@pytest.mark.parametrize(
    "metric",
    [
        metrics.bleu,
        metrics.chrf,
        metrics.exact_match,
        metrics.word_error_rate,
        metrics.character_error_rate,
        metrics.tag_accuracy,
        metrics.entity_scores,
        metrics.rouge,
        functools.partial(metrics.f1, positive="a"),
        functools.partial(metrics.matthews, positive="a"),
    ],
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


@pytest.mark.parametrize(
    "metric", [metrics.bleu, metrics.chrf, metrics.exact_match]
)
def test_one_empty_prediction_is_fine(metric):
    assert metric(["", "a"], ["b", "a"])[0] < 100

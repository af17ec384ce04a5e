"""Scores of a mix: each problem's own, and their mean."""

import math

import pytest

from t2t_lite.errors import UserError
from tests.problems.mixed import Pairs, create

pytestmark = pytest.mark.usefixtures("registered")


def test_of_each_problem_by_its_own_metrics():
    problem = create("pairs:1,labels:1,tags:1")
    sources = ["labels: x", "pairs: a 0", "labels: y", "tags: d e"]
    said = ["yes", "one two three four", "yes", "O B-x"]
    real = ["yes", "one two three four", "no", "O B-x"]
    scores = problem.score(said, real, sources)
    assert scores["labels.accuracy"] == 50.0
    assert scores["pairs.bleu"] == pytest.approx(100)
    assert scores["tags.f1"] == 100.0
    assert scores["mean"] == pytest.approx(250 / 3)
    assert scores["pairs.bleu_signature"].startswith("lines:pairs|nrefs:1|")


def test_problems_without_examples_are_left_out():
    problem = create("pairs:1,labels:1")
    scores = problem.score(["yes"], ["yes"], ["labels: x"])
    assert set(scores) == {
        "labels.accuracy",
        "labels.accuracy_signature",
        "mean",
    }


def test_a_part_has_no_interval_of_all_lines():
    from t2t_lite.trainer.score_intervals import intervals

    problem = create("pairs:1,labels:1")
    texts = ["no", "no"]
    scores = problem.score(texts, texts, ["labels: x", "pairs: y"])
    assert scores["labels.accuracy"] == 100.0
    assert intervals(scores, texts, texts) == {}


def test_sources_reach_a_problem_without_its_name(monkeypatch):
    seen = []

    def score(self, predictions, references, sources=None):
        seen.extend(sources)
        return {"bleu": 1.0}

    monkeypatch.setattr(Pairs, "score", score)
    create("pairs").score(
        ["a"] * 3, ["b"] * 3, ["pairs: x: y", "pairs:", "pairs:  z"]
    )
    assert seen == ["x: y", "", " z"]


def test_a_language_models_loss():
    problem = create("pairs:1,texts:1")
    assert problem.loss_parts == ("texts",)
    assert problem.loss_part("texts:") == "texts"
    assert problem.loss_part("pairs: a") is None
    decoded = problem.score(["a b c d"], ["a b c d"], ["pairs: x"])
    scores = problem.with_losses(decoded, {"texts": (6.0, 3, ["ab c"])})
    assert scores["texts.nll"] == 2.0
    assert scores["texts.nats_per_character"] == 1.5
    assert scores["texts.word_perplexity"] == pytest.approx(math.exp(3))
    assert scores["mean"] == pytest.approx((100 + 100 * math.exp(-2)) / 2)


def test_language_models_alone():
    problem = create("texts:1")
    assert problem.score([], [], []) == {}
    scores = problem.with_losses({}, {"texts": (0.0, 3, ["a"])})
    assert scores["mean"] == 100.0


def test_measures_are_all_of_the_numbers():
    problem = create("pairs:1,labels:1,texts:1")
    decoded = problem.score(["a", "no"], ["a", "no"], ["pairs: x", "labels: y"])
    scores = problem.with_losses(decoded, {"texts": (1.0, 1, ["a"])})
    numbers = {k for k, v in scores.items() if isinstance(v, float)}
    assert set(problem.measures()) == numbers
    assert problem.main_metric in numbers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], ["a"]), "scores need the inputs' texts"),
        ((["a"], ["a"], ["pear: x"]), "'pear: x' begins with no name of"),
        (([], [], []), "nothing to score"),
        ((["a"], ["a", "b"], ["pairs: x"]), "1 predictions, 2 references"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(UserError, match=message):
        create("pairs:1").score(*arguments)

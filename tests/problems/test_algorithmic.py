"""Generated problems: right answers, determinism, disjoint splits."""

import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError

NAMES = [
    "algorithmic_addition",
    "algorithmic_identity",
    "algorithmic_reverse",
    "algorithmic_sort",
]
ANSWERS = {
    "algorithmic_addition": lambda text: str(_sum(text)),
    "algorithmic_identity": lambda text: text,
    "algorithmic_reverse": lambda text: "".join(reversed(text)),
    "algorithmic_sort": lambda text: "".join(sorted(text)),
}


def _sum(text):
    return sum(int(number) for number in text.split("+"))


def _examples(name, split="train", **options):
    options.setdefault("train_examples", 500)
    return list(problems.create(name, options).examples(split))


@pytest.mark.parametrize("name", NAMES)
class TestEveryProblem:
    def test_answers(self, name):
        for example in _examples(name):
            answer = ANSWERS[name](example["inputs"])
            assert example["targets"] == answer

    def test_samples(self, name):
        for source, target in problems.create(name).sample_pairs:
            assert ANSWERS[name](source) == target

    def test_is_a_function_of_the_seed(self, name):
        assert _examples(name) == _examples(name)
        assert _examples(name) != _examples(name, data_seed=2)

    def test_splits_are_disjoint_for_any_seed(self, name):
        inputs = [
            {e["inputs"] for e in _examples(name, split, data_seed=seed)}
            for split, seed in (("train", 1), ("validation", 2), ("test", 3))
        ]
        assert not inputs[0] & inputs[1]
        assert not inputs[0] & inputs[2]
        assert not inputs[1] & inputs[2]

    def test_counts(self, name):
        problem = problems.create(
            name, {"train_examples": 70, "eval_examples": 20}
        )
        counts = [problem.source(split).count for split in problem.splits]
        assert counts == [70, 20, 20]

    def test_score(self, name):
        problem = problems.create(name)
        scores = problem.score(["1", "2"], ["1", "3"])
        assert scores[problem.main_metric] == 50.0
        assert scores["exact_match_signature"]


def test_lengths():
    lengths = {len(e["inputs"]) for e in _examples("algorithmic_sort")}
    assert lengths == set(range(4, 13))


def test_digits_is_a_limit():
    for example in _examples("algorithmic_addition", digits=3):
        assert max(len(n) for n in example["inputs"].split("+")) <= 3


def test_too_few_digits():
    with pytest.raises(UserError, match="--digits=3: expected at least 4"):
        problems.create("algorithmic_sort", {"digits": 3})

"""Summaries: their scores; the data are tested with all of TFDS's."""

import pytest

from t2t_lite import problems


@pytest.mark.parametrize("name", ["summarize_aeslc", "summarize_cnn_dailymail"])
class TestScores:
    def test_are_rouge_with_signatures(self, name):
        problem = problems.create(name)
        scores = problem.score(["the cat sat"], ["the cat sat"])
        names = ["rouge1", "rouge2", "rougeL"]
        assert problem.measures() == names
        assert problem.main_metric in names
        assert [scores[n] for n in names] == [pytest.approx(100)] * 3
        assert all("stem:porter" in scores[f"{n}_signature"] for n in names)

    def test_texts_fit_the_longest_length(self, name):
        problem = problems.create(name)
        words = problem.settings["text_words"]
        assert problem.defaults["max_length"] > 2 * words

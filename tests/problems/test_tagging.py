"""Tags of words: CoNLL's form, its pitfalls, and how tags are judged."""

import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError
from t2t_lite.problems.tagging import read_conll

SENTENCES = [
    "-DOCSTART- -X- -X- O",
    "",
    "EU NNP B-NP B-ORG",
    "rejects VBZ B-VP O",
    "",
    "",
    "York NNP B-NP B-LOC",
]


class TestReading:
    def test_columns_between_spaces(self, write):
        assert list(read_conll(write("a", SENTENCES))) == [
            [("EU", "B-ORG"), ("rejects", "O")],
            [("York", "B-LOC")],
        ]

    def test_columns_between_tabs(self, write):
        lines = ["New York\tB-LOC", "\u00a0\tO", "", "\t", "x\ty\tO\t"]
        assert list(read_conll(write("a.gz", lines))) == [
            [("New York", "B-LOC"), ("\u00a0", "O")],
            [("x", "O")],
        ]

    def test_windows_line_ends(self, tmp_path):
        (tmp_path / "a").write_bytes(b"a\tO\r\nb\tB-x\r\n\r\nc\tO\r\n")
        found = list(read_conll(str(tmp_path / "a")))
        assert found == [[("a", "O"), ("b", "B-x")], [("c", "O")]]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            (
                "word",
                "line 2: expected a word and, in the last column, its tag",
            ),
            ("word\t", "line 2: expected a word"),
            ("word\ta b", "line 2: expected a word"),
            ("word\tB-y", "tag 'B-y' is not one of O, B-x .did you mean 'B-x'"),
        ],
    )
    def test_refusals_name_the_line(self, write, line, message):
        path = write("a", ["the\tO", line])
        with pytest.raises(UserError, match=message):
            list(read_conll(path, ("O", "B-x")))


class TestWnut:
    files = (
        "wnut17train.conll",
        "emerging.dev.conll",
        "emerging.test.annotated",
    )

    def _create(self, tmp_path):
        return problems.create("ner_wnut17", {"source_dir": str(tmp_path)})

    def test_upstreams_files(self, write, tmp_path):
        for name in self.files:
            lines = [f"{name}\tB-person", "\u2581\tI-person", "", "x\tO", ""]
            write(name, lines)
        problem = self._create(tmp_path)
        for split, name in zip(problem.splits, self.files, strict=True):
            assert list(problem.examples(split)) == [
                {"inputs": f"{name} _", "targets": "B-person I-person"},
                {"inputs": "x", "targets": "O"},
            ]
        assert len(problem.labels) == 13

    def test_tag_of_another_corpus(self, write, tmp_path):
        write(self.files[0], ["EU\tB-ORG"])
        with pytest.raises(
            UserError, match=r"wnut17train\.conll, line 1: tag 'B-ORG' is not"
        ):
            self._create(tmp_path).source("train")

    def test_missing_file(self, write, tmp_path):
        write(self.files[0], ["EU\tO"])
        with pytest.raises(
            UserError, match=r"neither emerging\.dev\.conll\.gz"
        ):
            self._create(tmp_path).source("validation")

    def test_empty_split(self, write, tmp_path):
        write(self.files[1], ["", ""])
        with pytest.raises(UserError, match="validation split has no examples"):
            self._create(tmp_path).source("validation")

    def test_source(self):
        problem = problems.create("ner_wnut17")
        assert "leondz/emerging_entities_17" in problem.describe_source("test")


class TestFiles:
    def _create(self, **options):
        return problems.create("tag_files", options)

    def test_given_files_are_the_splits(self, write):
        problem = self._create(
            train_tags=write("a", SENTENCES),
            eval_tags=write("e", ["Y O"]),
            test_tags=write("t", ["Z B-LOC"]),
        )
        assert problem.labels == ("B-LOC", "B-ORG", "O")
        assert problem.main_metric == "f1"
        assert [list(problem.examples(s)) for s in problem.splits] == [
            [
                {"inputs": "EU rejects", "targets": "B-ORG O"},
                {"inputs": "York", "targets": "B-LOC"},
            ],
            [{"inputs": "Y", "targets": "O"}],
            [{"inputs": "Z", "targets": "B-LOC"}],
        ]

    def test_a_part_is_held_out(self, write):
        lines = [x for i in range(60) for x in (f"w{i} O", "x B-y", "")]
        problem = self._create(train_tags=write("a", lines))
        counts = [problem.source(split).count for split in problem.splits]
        assert counts == [57, 3]

    def test_unknown_tag(self, write):
        problem = self._create(
            train_tags=write("a", ["a O", "b B-x"]),
            eval_tags=write("e", ["a O", "b B-z"]),
        )
        with pytest.raises(
            UserError, match="e, line 2: tag 'B-z' is not one of"
        ):
            problem.source("validation")

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            (["a O", "b O"], "expected two tags or more, found O"),
            ([], "expected two tags or more, found none"),
            (["a O", "b"], "line 2: expected a word and"),
        ],
    )
    def test_bad_training_file(self, write, lines, message):
        problem = self._create(train_tags=write("a", lines))
        with pytest.raises(UserError, match=message):
            problem.task(300)

    def test_no_file(self):
        with pytest.raises(UserError, match="needs --train_tags=<file>"):
            self._create().source("train")


class TestScores:
    def test_of_entities(self):
        problem = problems.create("ner_conll2003")
        scores = problem.score(["B-PER O O"], ["B-PER O B-LOC"])
        assert scores == {
            "accuracy": pytest.approx(200 / 3),
            "precision": 100.0,
            "recall": 50.0,
            "f1": pytest.approx(200 / 3),
        }
        assert set(problem.measures()) == set(scores)

    def test_of_other_tags(self, write):
        path = write("a", ["dog NOUN", "eats VERB"])
        problem = problems.create("tag_files", {"train_tags": path})
        assert problem.main_metric == "accuracy"
        scores = problem.score(["NOUN VERB", "NOUN"], ["NOUN NOUN", "NOUN"])
        assert scores == {"accuracy": pytest.approx(200 / 3)}

    def test_whatever_a_model_says(self):
        problem = problems.create("ner_conll2003")
        said = ["what is this ?", "B-PER B-PER B-PER", ""]
        real = ["B-PER O", "B-PER B-PER", "O"]
        scores = problem.score(said, real)
        # "what" and "is" count as O, the third B-PER has no word.
        assert scores["recall"] == pytest.approx(200 / 3)
        assert scores["precision"] == 100.0
        assert scores["accuracy"] == pytest.approx(60.0)

    def test_errors_are_the_metrics(self):
        problem = problems.create("ner_conll2003")
        with pytest.raises(UserError, match="2 predictions but 1 references"):
            problem.score(["O", "O"], ["O"])

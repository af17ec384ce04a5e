"""Labels of texts: upstream's files, the user's own, and their scores."""

import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError


class TestPolarity:
    @pytest.fixture
    def folder(self, write, tmp_path):
        for name, count in (("neg", 25), ("pos", 21)):
            lines = [f"  {name}  ü {i} . " for i in range(count)]
            write(f"rt-polarity.{name}", lines)
        return str(tmp_path)

    def _create(self, folder):
        return problems.create("sentiment_polarity", {"source_dir": folder})

    def test_splits_by_the_number_of_the_line(self, folder):
        problem = self._create(folder)
        assert list(problem.examples("test")) == [
            {"inputs": "neg ü 0 .", "targets": "negative"},
            {"inputs": "pos ü 0 .", "targets": "positive"},
            {"inputs": "neg ü 10 .", "targets": "negative"},
            {"inputs": "pos ü 10 .", "targets": "positive"},
            {"inputs": "neg ü 20 .", "targets": "negative"},
            {"inputs": "pos ü 20 .", "targets": "positive"},
        ]
        counts = [problem.source(split).count for split in problem.splits]
        assert counts == [46 - 6 - 2, 2, 6]
        texts = [
            e["inputs"] for s in problem.splits for e in problem.examples(s)
        ]
        assert len(set(texts)) == len(texts) == 46

    def test_folder_without_a_file(self, write, tmp_path):
        write("rt-polarity.neg", ["a"])
        with pytest.raises(
            UserError, match=r"neither rt-polarity\.pos\.gz nor"
        ):
            self._create(str(tmp_path)).source("train")

    def test_damaged_file(self, folder, tmp_path):
        (tmp_path / "rt-polarity.pos").write_bytes(b"caf\xe9\n")
        with pytest.raises(UserError, match=r"\.pos, line 1: not UTF-8"):
            self._create(folder).source("train")

    def test_empty_split(self, write, tmp_path):
        for name in ("neg", "pos"):
            write(f"rt-polarity.{name}", ["a"])
        with pytest.raises(UserError, match="train split has no examples"):
            self._create(str(tmp_path)).source("train")

    def test_real_files(self, shared_data):
        folder = shared_data("sentence_polarity") / "sentence_polarity"
        problem = self._create(str(folder))
        counts = [problem.source(split).count for split in problem.splits]
        assert counts == [9115, 479, 1068]


class TestFiles:
    def _create(self, **options):
        return problems.create("classify_files", options)

    def test_given_files_are_the_splits(self, write):
        problem = self._create(
            train_tsv=write("a.tsv", ["good\ta  b", "", " bad \tc\td"]),
            eval_tsv=write("e.tsv.gz", ["bad\te"]),
            test_tsv=write("t.tsv", ["good\tf"]),
        )
        assert problem.labels == ("bad", "good")
        assert problem.splits == ("train", "validation", "test")
        assert [list(problem.examples(s)) for s in problem.splits] == [
            [
                {"inputs": "a b", "targets": "good"},
                {"inputs": "c d", "targets": "bad"},
            ],
            [{"inputs": "e", "targets": "bad"}],
            [{"inputs": "f", "targets": "good"}],
        ]
        assert problem.task(300).labels == ("bad", "good")

    def test_a_part_is_held_out(self, write):
        lines = [f"{'yes' if i % 2 else 'no'}\ttext {i}" for i in range(100)]
        problem = self._create(train_tsv=write("a.tsv", lines))
        assert problem.splits == ("train", "validation")
        texts = [
            {e["inputs"] for e in problem.examples(s)} for s in problem.splits
        ]
        assert [len(part) for part in texts] == [95, 5]
        assert not texts[0] & texts[1]
        assert "held out" in problem.describe_source("train")

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            (["good\ta", "no tab"], r"a\.tsv, line 2: expected label<TAB>text"),
            (["good\ta", "\tb"], "line 2: expected label<TAB>text"),
            (["good\ta", "bad\t "], "line 2: expected label<TAB>text"),
            (["good\ta", "good\tb"], "two labels or more, found good"),
            ([], "two labels or more, found none"),
        ],
    )
    def test_bad_training_file(self, write, lines, message):
        problem = self._create(train_tsv=write("a.tsv", lines))
        with pytest.raises(UserError, match=message):
            problem.task(300)

    def test_unknown_label(self, write):
        problem = self._create(
            train_tsv=write("a.tsv", ["good\ta", "bad\tb"]),
            eval_tsv=write("e.tsv", ["good\ta", "god\tb"]),
        )
        with pytest.raises(
            UserError,
            match=r"e\.tsv, line 2: label 'god' .* .did you mean 'good'",
        ):
            problem.source("validation")

    def test_missing_files(self, write, tmp_path):
        with pytest.raises(UserError, match="needs --train_tsv=<file>"):
            self._create().source("train")
        with pytest.raises(UserError, match="--train_tsv=/no: no such file"):
            self._create(train_tsv="/no").labels  # noqa: B018
        problem = self._create(
            train_tsv=write("a.tsv", ["a\tb", "b\tc"]), test_tsv=str(tmp_path)
        )
        with pytest.raises(
            UserError, match=r"--test_tsv=.*: is a folder; give"
        ):
            problem.source("train")

    def test_unknown_split(self, write):
        problem = self._create(train_tsv=write("a.tsv", ["a\tb", "b\tc"]))
        with pytest.raises(UserError, match="no split 'test'"):
            problem.source("test")


class TestScores:
    @pytest.mark.parametrize(
        ("name", "numbers"),
        [
            ("sentiment_polarity", {"accuracy"}),
            ("glue_cola", {"accuracy", "matthews"}),
            ("glue_mrpc", {"accuracy", "f1"}),
            ("glue_mnli", {"accuracy"}),
        ],
    )
    def test_are_those_of_the_task(self, name, numbers):
        problem = problems.create(name)
        assert set(problem.measures()) == numbers
        assert problem.main_metric in numbers
        scores = problem.score(list(problem.labels), list(problem.labels))
        assert {scores[n] for n in numbers} == {100.0}

    def test_f1_is_of_equivalent(self):
        problem = problems.create("glue_mrpc")
        said = ["equivalent", "equivalent", "not_equivalent"]
        real = ["equivalent", "not_equivalent", "not_equivalent"]
        assert problem.score(said, real)["f1"] == pytest.approx(200 / 3)

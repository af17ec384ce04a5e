"""Language modelling: what is cut where, and what the loss says."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2t_lite import problems
from t2t_lite.data.text_encoder import ByteEncoder
from t2t_lite.errors import UserError
from t2t_lite.problems.language_model import LanguageModelProblem

TEXTS = ["a short one", "one that is cut into several examples", "x" * 25]


class Texts(LanguageModelProblem):
    """Some texts."""

    name = "texts"
    found = TEXTS

    def describe_source(self, split):
        return "texts"

    def texts(self, split):
        return iter(self.found)


class TestExamples:
    def test_texts_are_cut_before_spaces(self):
        problem = Texts(example_characters=12)
        assert [
            (e["targets"], e["ends"]) for e in problem.examples("train")
        ] == [
            ("a short one", True),
            ("one that is", False),
            (" cut into", False),
            (" several", False),
            (" examples", True),
            ("x" * 12, False),
            ("x" * 12, False),
            ("x", True),
        ]

    @given(
        texts=st.lists(st.text(min_size=1), min_size=1, max_size=5),
        size=st.integers(1, 30),
    )
    @settings(max_examples=200, deadline=None)
    def test_nothing_is_lost(self, texts, size):
        problem = Texts(example_characters=size)
        problem.found = texts
        examples = list(problem.examples("train"))
        joined = "".join(e["targets"] + "\0" * e["ends"] for e in examples)
        assert joined == "".join(f"{text}\0" for text in texts)
        assert all(0 < len(e["targets"]) <= size for e in examples)

    def test_only_a_texts_last_example_ends(self):
        problem = Texts(example_characters=12)
        examples = list(problem.examples("train"))[:5]
        rows = problem.encode_batch(examples, ByteEncoder())["targets"]
        assert [int(row[-1]) == 1 for row in rows] == [
            True,
            False,
            False,
            False,
            True,
        ]
        for row, example in zip(rows, examples, strict=True):
            assert ByteEncoder().decode(row) == example["targets"]

    def test_a_row_is_never_empty(self):
        class Nothing(ByteEncoder):
            def encode_batch(self, texts):
                return super().encode_batch([""] * len(texts))

        rows = Texts().encode_batch(
            [{"targets": " ", "ends": False}], Nothing()
        )
        assert rows["targets"][0].tolist() == [1]

    def test_the_vocabulary_is_of_the_texts(self):
        problem = Texts()
        example = next(problem.examples("train"))
        assert problem.vocabulary_texts(example) == ["a short one"]

    def test_cannot_be_reversed(self):
        with pytest.raises(UserError, match="texts is none to text; only text"):
            Texts().reversed()


class TestLosses:
    def test_by_hand(self):
        scores = Texts().score_losses(12.0, ["ab cd", "e"])
        assert scores["nats_per_character"] == 2.0
        assert scores["word_perplexity"] == pytest.approx(math.exp(4))

    def test_ends_are_words_where_it_is_the_custom(self):
        problem = problems.create("languagemodel_ptb")
        # 2 + 1 words and two ends: " e" goes on from the text before it.
        scores = problem.score_losses(10.0, ["ab cd", " e", "f"])
        assert scores["word_perplexity"] == pytest.approx(math.exp(10 / 6))
        assert scores["nats_per_character"] == pytest.approx(10 / 8)

    def test_no_overflow(self):
        assert math.isfinite(
            Texts().score_losses(1e9, ["a"])["word_perplexity"]
        )
        assert Texts().score_losses(0.0, [""])["nats_per_character"] == 0.0

    def test_measures(self):
        assert Texts().measures() == ["nats_per_character", "word_perplexity"]
        assert Texts().main_metric == "nll"


class TestShakespeare:
    def _create(self, tmp_path, **options):
        options["source_dir"] = str(tmp_path)
        return problems.create("languagemodel_shakespeare", options)

    def test_parts_of_one_file(self, tmp_path):
        text = "".join(chr(97 + i % 26) for i in range(3999)) + "\n"
        (tmp_path / "input.txt").write_text(text)
        problem = self._create(tmp_path, example_characters=30)
        parts = {
            split: [e["targets"] for e in problem.examples(split)]
            for split in problem.splits
        }
        assert ["".join(part) for part in parts.values()] == [
            text[:3500],
            text[3500:3600],
            text[3600:],
        ]
        assert {len(e) for part in parts.values() for e in part[:-1]} == {30}
        ends = [e["ends"] for e in problem.examples("test")]
        assert ends == [False] * (len(ends) - 1) + [True]

    def test_folder_without_the_file(self, tmp_path):
        with pytest.raises(UserError, match=r"neither input\.txt\.gz nor inp"):
            self._create(tmp_path).source("train")

    def test_empty_file(self, tmp_path):
        (tmp_path / "input.txt").write_text("")
        with pytest.raises(UserError, match="train split has no examples"):
            self._create(tmp_path).source("train")

    def test_real_file(self, shared_data):
        problem = self._create(shared_data("tiny_shakespeare"))
        sizes = [
            sum(len(e["targets"]) for e in problem.examples(split))
            for split in problem.splits
        ]
        assert sum(sizes) == 1_115_394
        assert problem.source("train").count == -(-sizes[0] // 64)


class TestLines:
    @pytest.mark.parametrize(
        ("name", "files"),
        [
            ("languagemodel_ptb", "ptb.{}.txt"),
            ("languagemodel_wikitext103", "wiki.{}.raw"),
        ],
    )
    def test_a_file_for_each_split(self, write, tmp_path, name, files):
        for split in ("train", "valid", "test"):
            write(files.format(split), [f" the {split} <unk> ", "", " = A = "])
        problem = problems.create(name, {"source_dir": str(tmp_path)})
        for split, word in zip(
            problem.splits, ("train", "valid", "test"), strict=True
        ):
            assert [e["targets"] for e in problem.examples(split)] == [
                f"the {word} <unk>",
                "= A =",
            ]
        with pytest.raises(UserError, match="no split 'dev'"):
            problem.source("dev")

    def test_wikitext_is_unpacked_by_hand(self, tmp_path):
        problem = problems.create(
            "languagemodel_wikitext103", data_dir=str(tmp_path)
        )
        with pytest.raises(
            UserError, match=r"unpack https://.*wikitext-103-raw-v1\.zip, and"
        ):
            problem.source("train")

    def test_damaged_file(self, tmp_path, write):
        write("ptb.valid.txt", ["a"])
        (tmp_path / "ptb.train.txt").write_bytes(b"a\n\xff\n")
        options = {"source_dir": str(tmp_path)}
        problem = problems.create("languagemodel_ptb", options)
        with pytest.raises(
            UserError, match=r"ptb\.train\.txt, line 2: not UTF"
        ):
            problem.source("train")


class TestFiles:
    def _create(self, **options):
        return problems.create("languagemodel_files", options)

    def test_given_files_are_the_splits(self, write):
        problem = self._create(
            train_text=write("a", ["  one ", "", "two"]),
            eval_text=write("e.gz", ["three"]),
            test_text=write("t", ["four"]),
        )
        assert [
            [e["targets"] for e in problem.examples(s)] for s in problem.splits
        ] == [["  one ", "two"], ["three"], ["four"]]

    def test_a_part_is_held_out(self, write):
        lines = [f"line {i}" for i in range(60)]
        problem = self._create(train_text=write("a", lines))
        counts = [problem.source(split).count for split in problem.splits]
        assert counts == [57, 3]

    def test_no_file(self):
        with pytest.raises(UserError, match="needs --train_text=<file>"):
            self._create().source("train")

    def test_missing_file(self):
        with pytest.raises(UserError, match="--train_text=/no: no such file"):
            self._create(train_text="/no").source("train")

    def test_blank_file(self, write):
        problem = self._create(train_text=write("a", ["", "  "]))
        with pytest.raises(UserError, match="train split has no examples"):
            problem.source("train")

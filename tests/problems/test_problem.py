"""Options, facts, reversal and `create`."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError
from t2t_lite.problems.problem import Option, Problem
from t2t_lite.registry import PROBLEMS

PAIRS = [("one", "eins"), ("two", "zwei"), ("three", "drei")]


class Toy(Problem):
    """Three pairs."""

    name = "toy"
    sample_pairs = (("one", "eins"),)
    option_schema = (
        Option("kind", "which", default="a", choices=("a", "b")),
        Option("size", "how many", kind="integer", default=3, minimum=1),
        Option("folder", "where", kind="path", defines_data=False),
        Option("file", "what", kind="path"),
    )

    def describe_source(self, split):
        return f"toy {split}"

    def examples(self, split):
        self.check_split(split)
        for source, target in PAIRS[: self.settings["size"]]:
            yield {"inputs": source, "targets": target}


class LetterEncoder:
    """Ids 3, 4, ... for a, b, ...: what `encode_batch` needs of an encoder."""

    def encode_batch(self, texts):
        return [np.array([ord(c) - 94 for c in t], np.int32) for t in texts]


class TestOptions:
    def test_defaults(self):
        problem = Toy()
        assert problem.options == {"kind": "a", "size": 3}
        assert Toy.option_names == ("kind", "size", "folder", "file")

    def test_text_from_a_flag_becomes_an_integer(self):
        assert Toy(size="2").options["size"] == 2

    def test_none_counts_as_not_given(self):
        assert Toy(size=None, kind=None).options == Toy().options

    def test_paths_become_absolute(self):
        problem = Toy(file="x.txt", folder="~/y")
        assert problem.options["file"] == os.path.abspath("x.txt")
        assert problem.settings["folder"] == os.path.expanduser("~/y")
        assert "folder" not in problem.options

    def test_options_survive_json(self):
        problem = Toy(size=2, file="x.txt")
        again = Toy(**json.loads(json.dumps(problem.options)))
        assert again.options == problem.options
        assert again.data_key == problem.data_key

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"size": "many"}, "--size=many: expected an integer"),
            ({"size": 2.5}, "--size=2.5: expected an integer"),
            ({"size": 0}, "--size=0: expected at least 1"),
            ({"kind": "c"}, "--kind=c: expected one of a, b"),
            ({"sise": 1}, "no option 'sise' .did you mean 'size'"),
        ],
    )
    def test_errors(self, options, message):
        with pytest.raises(UserError, match=message):
            Toy(**options)


class TestDataKey:
    def test_is_the_name_with_default_options(self):
        assert Toy().data_key == "toy"
        assert Toy(size=3, folder="/x").data_key == "toy"

    def test_differs_with_every_option_that_defines_data(self):
        keys = {Toy(**o).data_key for o in ({}, {"size": 2}, {"kind": "b"})}
        assert len(keys) == 3
        assert all(key.startswith("toy") for key in keys)


class TestSource:
    def test_facts(self):
        facts = Toy(size=2).source("train")
        text = "one\neins\ntwo\nzwei\n"
        assert facts.count == 2
        assert facts.sha256 == hashlib.sha256(text.encode()).hexdigest()
        assert facts.description == "toy train"

    def test_unknown_split(self):
        with pytest.raises(UserError, match=r"no split 'trian'.*'train'"):
            Toy().source("trian")

    def test_no_examples(self):
        class Empty(Toy):
            def examples(self, split):
                return iter(())

        with pytest.raises(UserError, match="train split has no examples"):
            Empty().source("train")


def test_encode_batch_appends_the_end():
    encoded = Toy().encode_batch(
        [{"inputs": "ab", "targets": ""}], LetterEncoder()
    )
    assert encoded["inputs"][0].tolist() == [3, 4, 1]
    assert encoded["targets"][0].tolist() == [1]
    assert encoded["targets"][0].dtype == np.int32


def test_score_has_values_and_signatures():
    scores = Toy().score(["a b c d e"], ["a b c d e"])
    assert scores["bleu"] == pytest.approx(100)
    assert scores["chrf"] == pytest.approx(100)
    assert "tok:13a" in scores["bleu_signature"]


class TestLabels:
    def test_name_of_a_number(self):
        problem = Toy()
        problem.labels = ("a", "b")
        assert [problem.label_name(i, "x") for i in (0, 1)] == ["a", "b"]

    @pytest.mark.parametrize("number", [-1, 2])
    def test_no_such_number(self, number):
        problem = Toy()
        problem.labels = ("a", "b")
        with pytest.raises(
            UserError,
            match=f"^f.bin: a label of {number}, expected 0 to 1; get",
        ):
            problem.label_name(number, "f.bin")


def test_measures_are_the_numbers_of_its_scores():
    assert Toy().measures() == ["bleu", "chrf"]
    assert problems.create("image_mnist").measures() == ["accuracy"]


class TestReversed:
    def test_exchanges_everything_that_has_sides(self):
        problem = Toy(size=2).reversed()
        assert [e["inputs"] for e in problem.examples("train")] == [
            "eins",
            "zwei",
        ]
        assert problem.sample_inputs == ("eins",)
        encoded = problem.encode_batch(
            [{"inputs": "a", "targets": "b"}], LetterEncoder()
        )
        assert encoded["inputs"][0].tolist() == [3, 1]
        assert encoded["targets"][0].tolist() == [4, 1]

    def test_encodes_as_the_base_does(self):
        class UpperTargets(Toy):
            def encode_batch(self, examples, encoder):
                lowered = [
                    {**e, "targets": e["targets"].lower()} for e in examples
                ]
                return super().encode_batch(lowered, encoder)

        # The base's target, lowered by it, is the reversed problem's input.
        encoded = (
            UpperTargets()
            .reversed()
            .encode_batch([{"inputs": "B", "targets": "a"}], LetterEncoder())
        )
        assert encoded["inputs"][0].tolist() == [4, 1]
        assert encoded["targets"][0].tolist() == [3, 1]

    def test_its_vocabulary_is_the_bases(self):
        class InputsAlone(Toy):
            def vocabulary_texts(self, example):
                return [example["inputs"]]

        texts = InputsAlone().reversed().vocabulary_texts
        assert texts({"inputs": "eins", "targets": "one"}) == ["one"]

    def test_keeps_the_rest(self):
        base = Toy(size=2)
        problem = base.reversed()
        assert problem.name == "toy_rev"
        assert problem.data_key == base.data_key + "_rev"
        assert problem.options == base.options
        assert problem.source("train").count == 2
        assert problem.reversed() is base


class TestCreate:
    def test_rev(self):
        problem = problems.create("algorithmic_sort_rev", {"digits": "5"})
        assert problem.name == "algorithmic_sort_rev"
        assert problem.options["digits"] == 5
        assert "reversed" in problem.description

    @pytest.mark.parametrize("count", range(5))
    def test_rev_rev_is_the_problem_itself(self, count):
        problem = problems.create("algorithmic_sort" + "_rev" * count)
        assert problem.name == "algorithmic_sort" + "_rev" * (count % 2)

    def test_data_dir_reaches_the_problem(self):
        name = "translate_ende_multi30k_rev"
        assert problems.create(name, None, "/d").base.data_dir == "/d"

    @pytest.mark.parametrize(
        "name", ["algorithmic_srt", "algorithmic_srt_rev", "_rev", ""]
    )
    def test_unknown_name(self, name):
        with pytest.raises(UserError, match="unknown problem"):
            problems.create(name)

    def test_close_name(self):
        with pytest.raises(UserError, match="did you mean 'algorithmic_sort'"):
            problems.create("algorithmic_srt")

    def test_unknown_option_names_the_known_ones(self):
        with pytest.raises(UserError, match=r"'digts' \(did.*'digits'.*its o"):
            problems.create("algorithmic_sort_rev", {"digts": 3})

    def test_option_of_another_problem(self):
        with pytest.raises(UserError, match="no option 'tfds_data_dir'"):
            problems.create("algorithmic_sort", {"tfds_data_dir": "/x"})

    def test_a_plain_function_may_be_a_problem(self, monkeypatch):
        monkeypatch.setattr(PROBLEMS, "_entries", dict(PROBLEMS._entries))
        PROBLEMS.register("mine", "my own")(lambda: Toy())
        problem = problems.create("mine_rev")
        assert (problem.name, problem.base.name) == ("mine_rev", "mine")
        with pytest.raises(UserError, match="its options: none"):
            problems.create("mine", {"size": 1})


class TestRegistered:
    @pytest.mark.parametrize("name", PROBLEMS.names())
    def test_is_made_without_options_and_says_what_it_is(self, name):
        problem = problems.create(name)
        assert problem.name == problem.data_key == name
        assert PROBLEMS.describe(name) == problem.description != ""
        assert "\n" not in problem.description
        assert len(problem.description) <= 75  # a line of --registry_help
        assert not problem.description.endswith(".")
        assert {"train", "validation"} <= set(problem.splits)
        assert {"train_steps", "eval_interval", "vocab_kind", "max_length"} <= (
            set(problem.defaults)
        )
        json.dumps(problem.options)
        for option in problems.option_schema(name + "_rev"):
            assert option.help

    def test_defaults_are_valid_hparams(self):
        import dataclasses

        from t2t_lite.hparams import HParams

        fields = {f.name for f in dataclasses.fields(HParams)}
        for name in PROBLEMS.names():
            defaults = problems.create(name).defaults
            HParams(**{k: v for k, v in defaults.items() if k in fields})
            left = set(defaults) - fields
            run = {"train_steps", "eval_interval", "eval_decode_examples"}
            assert left <= run, name

    def test_one_flag_can_serve_all_problems(self):
        names = [option.name for option in problems.all_options()]
        assert names == sorted(set(names))
        assert {"source_dir", "tfds_data_dir", "train_source"} <= set(names)

    def test_options_of_one_name_have_one_kind(self, monkeypatch):
        class Other(Toy):
            """An option that others have as a path."""

            option_schema = (Option("source_dir", "number", kind="integer"),)

        monkeypatch.setattr(PROBLEMS, "_entries", dict(PROBLEMS._entries))
        PROBLEMS.register("other", "other")(Other)
        with pytest.raises(ValueError, match=r"'source_dir' of problem .* is"):
            problems.all_options()

    def test_phrasebook(self):
        problem = problems.create("translate_ende_phrasebook")
        sizes = [problem.source(s).count for s in problem.splits]
        assert problem.splits == ("train", "validation", "test")
        assert sizes[0] > sizes[1] > 0

    def test_import_is_quick(self):
        code = (
            "import sys; from t2t_lite import problems;"
            "print({'tensorflow', 'numpy', 'sacrebleu'} & set(sys.modules))"
        )
        result = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=pathlib.Path(__file__).parents[2],
        )
        assert result.stdout.strip() == "set()"

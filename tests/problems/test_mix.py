"""Mixes: weights, order, options and refusals."""

import json

import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError
from t2t_lite.problems import mix_weights
from tests.problems.mixed import create

pytestmark = pytest.mark.usefixtures("registered")


def _inputs(problem, split="train"):
    return [example["inputs"] for example in problem.examples(split)]


def _count(problem, name, split="train"):
    return sum(x.startswith(f"{name}:") for x in _inputs(problem, split))


class TestExamples:
    def test_inputs_begin_with_the_problems_name(self):
        problem = create("pairs:1,labels:1,tags:1,texts:1", size=1)
        found = {e["inputs"]: e["targets"] for e in problem.examples("train")}
        assert found == {
            "pairs: a 0": "b 0",
            "labels: c 0": "no",
            "tags: d e": "O B-x",
            "texts:": found["texts:"],
        }
        assert problem.task(300).describe() == "text to text"

    def test_a_language_model_has_empty_inputs(self):
        problem = create("texts")
        assert list(problem.examples("train")) == [
            {"inputs": "texts:", "targets": text}
            for text in ("one two", "three", "four")
        ]

    @pytest.mark.parametrize(
        ("weights", "sizes"),
        [
            ("pairs:1,labels:1", (10, 10)),
            ("pairs:2,labels:1", (20, 10)),
            ("pairs:1,labels:2", (10, 20)),
            ("pairs:0.5,labels:1", (10, 20)),
            ("pairs,labels:3", (10, 30)),
            ("pairs:2,labels:3", (10, 15)),
            ("pairs:2,texts:1", (10, 5)),
            ("pairs:100,texts:1", (300, 3)),
        ],
    )
    def test_weights_share_out_an_epoch_that_shows_everything(
        self, weights, sizes
    ):
        problem = create(weights)
        counts = [_count(problem, name) for name in problem.parts]
        assert tuple(counts) == sizes
        assert problem.source("train").count == sum(sizes)
        for name, part in problem.parts.items():
            if not part.scored_by_loss:
                shown = {x for x in _inputs(problem) if x.startswith(name)}
                assert len(shown) == part.source("train").count

    @pytest.mark.parametrize("total", [2, 3, 7, 12, 30, 100])
    def test_an_epoch_of_so_many_examples(self, total):
        problem = create("pairs:2,labels:1", mix_examples=total)
        counts = [_count(problem, name) for name in ("pairs", "labels")]
        assert sum(counts) == total
        assert abs(counts[0] - total * 2 / 3) < 1

    def test_what_is_too_many_is_thinned_out_evenly(self):
        problem = create("pairs:1", mix_examples=5)
        numbers = [int(text.split()[-1]) for text in _inputs(problem)]
        assert numbers == [1, 3, 5, 7, 9]

    def test_what_is_too_few_is_repeated_evenly(self):
        problem = create("pairs:1", mix_examples=25)
        numbers = [int(text.split()[-1]) for text in _inputs(problem)]
        assert {numbers.count(i) for i in range(10)} == {2, 3}
        assert numbers[:10] == numbers[10:20] == list(range(10))

    def test_problems_take_turns(self):
        problem = create("pairs:2,labels:1")
        names = [text.split(":")[0] for text in _inputs(problem)]
        for start in range(0, 30, 3):
            assert sorted(names[start : start + 3]) == [
                "labels",
                "pairs",
                "pairs",
            ]

    def test_order_is_always_the_same(self):
        first, second = (create("pairs:3,labels:2") for _ in range(2))
        assert list(first.examples("train")) == list(second.examples("train"))
        assert first.source("train") == second.source("train")

    def test_other_splits_are_the_problems_own(self):
        problem = create("pairs:5,texts:1")
        assert problem.splits == ("train", "validation", "test")
        assert _count(problem, "pairs", "validation") == 4
        assert _count(problem, "texts", "validation") == 3
        # One without a test is not in it.
        assert _count(problem, "pairs", "test") == 4
        assert _count(problem, "texts", "test") == 0
        assert create("texts").splits == ("train", "validation")

    def test_their_first_examples_are_of_each_problem(self):
        problem = create("pairs:5,labels:1,texts:1")
        names = [x.split(":")[0] for x in _inputs(problem, "validation")]
        assert names == [
            *("pairs", "labels", "texts"),
            *("pairs", "labels", "texts"),
            *("pairs", "texts"),
            "pairs",
        ]

    def test_describes_itself(self):
        text = create("pairs:2,labels:1").describe_source("train")
        assert text == (
            "20 examples of pairs (train pairs); 10 examples of labels (train"
            " labels)"
        )

    def test_samples(self):
        problem = create("pairs:1,texts:1")
        assert problem.sample_inputs == ("pairs: a 0",)
        named = problems.create(
            "mix", {"mix": "pairs,languagemodel_shakespeare"}
        )
        assert named.sample_inputs[1] == "languagemodel_shakespeare:"


class TestOptions:
    def test_reach_each_problem_that_has_them(self, tmp_path):
        problem = create(
            "pairs:1,labels:1", size="3", other="x", folder=str(tmp_path)
        )
        assert problem.parts["pairs"].settings["size"] == 3
        assert problem.parts["labels"].settings == {"size": 3, "other": "x"}
        assert problem.options == {
            "mix": "pairs:1,labels:1",
            "other": "x",
            "size": 3,
        }

    def test_of_one_problem_come_before(self):
        problem = create(
            "pairs:1,labels:1", size=3, mix_options="labels.size=5"
        )
        assert problem.parts["pairs"].settings["size"] == 3
        assert problem.parts["labels"].settings["size"] == 5
        assert problem.options == {
            "mix": "pairs:1,labels:1",
            "size": 3,
            "mix_options": "labels.size=5",
        }
        again = problems.create("mix", problem.options)
        assert again.options == problem.options

    def test_where_data_are_read_defines_nothing(self, tmp_path):
        folder = f"pairs.folder={tmp_path}"
        problem = create("pairs:1", mix_options=folder)
        assert problem.parts["pairs"].settings["folder"] == str(tmp_path)
        assert problem.options == {"mix": "pairs:1"}
        assert problem.data_key == create("pairs:1").data_key

    def test_survive_json(self):
        problem = create(
            " pairs:2.50 , labels ",
            size=3,
            mix_examples="20",
            mix_options="labels.other=y",
        )
        options = json.loads(json.dumps(problem.options))
        again = problems.create("mix", options)
        assert again.options == problem.options
        assert again.options["mix"] == "pairs:2.5,labels:1"
        assert again.data_key == problem.data_key
        assert list(again.examples("train")) == list(problem.examples("train"))

    def test_data_key_differs(self):
        keys = {
            create("pairs:1,labels:1").data_key,
            create("pairs:1,labels:2").data_key,
            create("labels:1,pairs:1").data_key,
            create("pairs:1,labels:1", size=3).data_key,
            # The default of one of them need not be that of the other.
            create("pairs:1,labels:1", size=10).data_key,
            create("pairs:1,labels:1", mix_examples=3).data_key,
            create("pairs:1,labels:1", mix_options="labels.size=3").data_key,
        }
        assert len(keys) == 7

    def test_the_folder_of_downloads_reaches_the_problems(self):
        options = {"mix": "pairs,translate_ende_multi30k_rev"}
        problem = problems.create("mix", options, "/d")
        assert problem.parts["pairs"].data_dir == "/d"
        reversed_part = problem.parts["translate_ende_multi30k_rev"]
        assert reversed_part.base.data_dir == "/d"

    def test_long_examples_make_the_longest_length(self):
        assert create("pairs").defaults["max_length"] == 256
        problem = create("pairs,summarize_aeslc")
        assert problem.defaults["max_length"] == 1024


class TestRefusals:
    @pytest.mark.parametrize(
        ("mix", "message"),
        [
            ("pears:1", "unknown problem 'pears' .did you mean 'pairs'"),
            ("pairs:0", "'pairs:0': expected <problem>:<weight>, a number abo"),
            ("pairs:-1", "a number above 0"),
            ("pairs:x", "a number above 0"),
            ("pairs:", "a number above 0"),
            ("pairs:1e9", "a number above 0"),
            ("pairs:nan", "a number above 0"),
            ("pairs:10000000000", "a number above 0"),
            ("pairs:1,pairs:2", "'pairs' is given twice"),
            ("pairs:1,pictures:1", "pictures is image to label; problems of t"),
            ("librispeech:1", "librispeech is audio to text; problems of text"),
            ("pairs:1,mix:1", "mix is a mix itself"),
            ("pairs:1,labels_rev:1", "labels_rev: labels is text to label"),
        ],
    )
    def test_wrong_mixes(self, mix, message):
        with pytest.raises(UserError, match=message):
            create(mix)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"size": 0}, "--size=0: expected at least 1"),
            ({"mix_examples": 0}, "--mix_examples=0: expected at least 1"),
            ({"train_tsv": "a"}, "--train_tsv: none of pairs, labels has such"),
            ({"siez": 1}, "problem mix has no option 'siez'"),
            ({"mix_options": "size=1"}, "expected problem.option=value"),
            ({"mix_options": "texts.x=1"}, "with a problem of --mix, got 'te"),
            ({"mix_options": "label.size=1"}, "did you mean 'labels'"),
            ({"mix_options": "labels.siez=1"}, "labels has no option 'siez'"),
            ({"mix_options": "labels.size"}, "not of the form name=value"),
        ],
    )
    def test_wrong_options(self, options, message):
        with pytest.raises(UserError, match=message):
            create("pairs:1,labels:1", **options)

    def test_no_mix(self):
        problem = problems.create("mix")
        for attempt in (
            lambda: problem.source("train"),
            lambda: problem.task(300),
            problem.measures,
        ):
            with pytest.raises(UserError, match="mix needs --mix=<problem>:<w"):
                attempt()

    def test_none_left(self):
        problem = create("labels:1,pairs:9", mix_examples=5)
        with pytest.raises(
            UserError,
            match="--mix_examples=5: leaves none of labels; give more",
        ):
            problem.source("train")

    def test_cannot_be_reversed(self):
        with pytest.raises(
            UserError, match="mix_rev: mix the problems the oth"
        ):
            problems.create("mix_rev", {"mix": "pairs:1"})
        problem = create("pairs_rev:1")
        assert next(problem.examples("train"))["inputs"] == "pairs_rev: b 0"


@pytest.mark.parametrize("total", range(1, 40))
def test_shares_are_whole_and_together_all(total):
    weights = mix_weights.parse("a:1,b:2.5,c:0.1")
    shares = mix_weights.shares(total, weights)
    assert sum(shares.values()) == total
    for name, weight in weights.items():
        assert abs(shares[name] - total * weight / 3.6) < 1

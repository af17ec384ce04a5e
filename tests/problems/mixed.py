"""Small problems of every kind, to be mixed."""

from __future__ import annotations

from t2t_lite import problems
from t2t_lite.problems.classification import ClassificationProblem
from t2t_lite.problems.language_model import LanguageModelProblem
from t2t_lite.problems.options import Option
from t2t_lite.problems.problem import Problem
from t2t_lite.problems.tagging import TaggingProblem
from t2t_lite.registry import PROBLEMS


class Pairs(Problem):
    """Numbered pairs."""

    option_schema = (
        Option("size", "how many", kind="integer", default=10, minimum=1),
        Option("folder", "where", kind="path", defines_data=False),
    )
    defaults = {"max_length": 64}
    sample_pairs = (("a 0", "b 0"),)
    splits = ("train", "validation", "test")

    def describe_source(self, split):
        return f"{split} pairs"

    def examples(self, split):
        self.check_split(split)
        for i in range(self.settings["size"] if split == "train" else 4):
            yield {"inputs": f"a {i}", "targets": f"b {i}"}


class Labels(ClassificationProblem):
    """Numbered texts with a label."""

    labels = ("no", "yes")
    option_schema = (Pairs.option_schema[0], Option("other", "what"))

    def describe_source(self, split):
        return f"{split} labels"

    def examples(self, split):
        self.check_split(split)
        for i in range(self.settings["size"] if split == "train" else 2):
            yield {"inputs": f"c {i}", "targets": self.labels[i % 2]}


class Tags(TaggingProblem):
    """One tagged sentence."""

    labels = ("O", "B-x")
    defaults = {}

    def describe_source(self, split):
        return "tags"

    def examples(self, split):
        yield self.tagged(["d", "e"], ["O", "B-x"])


class Texts(LanguageModelProblem):
    """Three texts."""

    splits = ("train", "validation")

    def describe_source(self, split):
        return "texts"

    def texts(self, split):
        return iter(["one two", "three", "four"])


class Pictures(ClassificationProblem):
    """No text."""

    inputs_kind = "image"
    image_shape = (1, 1, 1)
    labels = ("a", "b")

    def describe_source(self, split):
        return "pictures"

    def examples(self, split):
        return iter(())


def register():
    """Registers them."""
    for name, factory in (
        ("pairs", Pairs),
        ("labels", Labels),
        ("tags", Tags),
        ("texts", Texts),
        ("pictures", Pictures),
    ):
        PROBLEMS.register(name, name)(factory)


def create(mix, **options):
    """Returns a mix."""
    return problems.create("mix", {"mix": mix, **options})

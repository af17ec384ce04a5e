"""A small phrasebook that comes with the library: nothing to download."""

from __future__ import annotations

from collections.abc import Iterator

from t2t_lite.problems.problem import Example, Problem
from t2t_lite.registry import PROBLEMS


@PROBLEMS.register(
    "translate_ende_phrasebook",
    "English to German, a small built-in phrasebook; needs no network",
)
class TranslateEndePhrasebook(Problem):
    """English to German with the pairs of `t2t_lite.problems.phrasebook`."""

    splits = ("train", "validation", "test")
    defaults = {
        "vocab_kind": "unigram",
        "vocab_size": 1000,
        "max_length": 64,
        "train_steps": 1500,
        "eval_interval": 500,
    }
    sample_pairs = (
        ("Good morning!", "Guten Morgen!"),
        ("Where is the station?", "Wo ist der Bahnhof?"),
        ("I would like a coffee, please.", "Ich hätte gern einen Kaffee."),
    )

    def describe_source(self, split: str) -> str:
        return f"the library's own English-German phrasebook, {split} split"

    def examples(self, split: str) -> Iterator[Example]:
        from t2t_lite.problems import phrasebook

        self.check_split(split)
        for english, german in phrasebook.pairs(split):
            yield {"inputs": english, "targets": german}

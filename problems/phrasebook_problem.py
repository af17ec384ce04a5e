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
    origin = "built in"
    defaults = {
        "vocab_kind": "bpe",
        "vocab_size": 2000,
        "max_length": 64,
        "batch_size": 2048,
        "learning_rate_constant": 1.0,
        "learning_rate_warmup_steps": 400,
        "train_steps": 1500,
        "eval_interval": 500,
        "eval_decode_examples": 200,
    }
    sample_pairs = (
        (
            "Yesterday my brother bought a house.",
            "Gestern hat mein Bruder ein Haus gekauft.",
        ),
        (
            "He put the key on the table.",
            "Er hat den Schlüssel auf den Tisch gelegt.",
        ),
        (
            "I am happy because you visited me.",
            "Ich bin glücklich, weil du mich besucht hast.",
        ),
    )

    def describe_source(self, split: str) -> str:
        return f"the library's own English-German phrasebook, {split} split"

    def examples(self, split: str) -> Iterator[Example]:
        from t2t_lite.problems import phrasebook

        self.check_split(split)
        for english, german in phrasebook.pairs(split):
            yield {"inputs": english, "targets": german}

"""An example of a problem and a hparams set of one's own."""

import dataclasses

from t2t_lite.models.transformer_sets import transformer_tiny
from t2t_lite.problems.problem import Problem
from t2t_lite.registry import HPARAMS, PROBLEMS

RANGES = {"train": (0, 900), "validation": (900, 950)}
WORDS = ("nil", "one", "two", "three", "four")
WORDS += ("five", "six", "seven", "eight", "nine")


@PROBLEMS.register("translate_upper", "number words to capitals")
class TranslateUpper(Problem):
    """Spelled digits in, the same in capitals out."""

    defaults = {"vocab_kind": "byte", "train_steps": 200, "eval_interval": 100}

    def describe_source(self, split):
        return "generated number words"

    def examples(self, split):
        self.check_split(split)
        for number in range(*RANGES[split]):
            text = " ".join(WORDS[int(digit)] for digit in str(number))
            yield {"inputs": text, "targets": text.upper()}


@HPARAMS.register("transformer_nano")
def transformer_nano():
    """One layer of 32: for looking at the machinery."""
    return dataclasses.replace(
        transformer_tiny(),
        hidden_size=32,
        filter_size=64,
        num_heads=2,
        num_hidden_layers=1,
        batch_size=512,
    )

"""Problems of digits that are generated, and learned in minutes.

What they are for: a first run that shows whether everything works, and tests
of the engine with a known right answer.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence

from t2t_lite.problems.options import Option
from t2t_lite.problems.problem import Example, Problem
from t2t_lite.registry import PROBLEMS

_DIGITS = "0123456789"
# Inputs belong to a split by their checksum, so that no split can hold an
# input of another: tenth 0 is validation, tenth 1 is test, the rest train.
_SPLIT_OF_TENTH = {0: "validation", 1: "test"}

_SEED = Option(
    "data_seed", "seed of the generated examples", kind="integer", default=1
)
_TRAIN_EXAMPLES = Option(
    "train_examples",
    "number of generated training examples",
    kind="integer",
    default=20_000,
    minimum=1,
)
_EVAL_EXAMPLES = Option(
    "eval_examples",
    "number of generated validation examples, and of test examples",
    kind="integer",
    default=500,
    minimum=1,
)


class AlgorithmicProblem(Problem):
    """Generated texts with one right answer; a function of its options.

    A subclass writes `draw` (an input from a random generator) and `solve`
    (its target). Text goes in and comes out, byte by byte.
    """

    splits = ("train", "validation", "test")
    origin = "generated"
    main_metric = "exact_match"
    defaults = {
        "vocab_kind": "byte",
        "vocab_size": 259,
        "max_length": 64,
        "batch_size": 2048,
        "learning_rate_constant": 1.0,
        "learning_rate_warmup_steps": 200,
        "train_steps": 600,
        "eval_interval": 200,
        "eval_decode_examples": 100,
    }
    option_schema = (_SEED, _TRAIN_EXAMPLES, _EVAL_EXAMPLES)

    def draw(self, generator: random.Random) -> str:
        """Returns a random input."""
        raise NotImplementedError

    def solve(self, inputs: str) -> str:
        """Returns the target of `inputs`."""
        raise NotImplementedError

    def describe_source(self, split: str) -> str:
        options = ", ".join(f"{k}={v}" for k, v in self.options.items())
        return f"generated digits, {split} split ({options})"

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        generator = random.Random(f"{self.settings['data_seed']}/{split}")
        remaining = self.settings[
            "train_examples" if split == "train" else "eval_examples"
        ]
        while remaining:
            inputs = self.draw(generator)
            if _split_of(inputs) == split:
                remaining -= 1
                yield {"inputs": inputs, "targets": self.solve(inputs)}

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        sources: Sequence[str] | None = None,
    ) -> dict[str, float | str]:
        """Returns the share of exactly right texts in percent."""
        from t2t_lite import metrics

        value, signature = metrics.exact_match(predictions, references)
        return {"exact_match": value, "exact_match_signature": signature}


def _split_of(inputs: str) -> str:
    tenth = zlib.crc32(inputs.encode("utf-8")) % 10
    return _SPLIT_OF_TENTH.get(tenth, "train")


class DigitSequences(AlgorithmicProblem):
    """Sequences of 4 to `digits` random digits."""

    option_schema = (
        *AlgorithmicProblem.option_schema,
        Option(
            "digits",
            "largest number of digits in an input (of each number in a sum)",
            kind="integer",
            default=12,
            minimum=4,
        ),
    )

    def draw(self, generator: random.Random) -> str:
        length = generator.randint(4, self.settings["digits"])
        return "".join(generator.choices(_DIGITS, k=length))


@PROBLEMS.register(
    "algorithmic_identity", "copy a sequence of digits; learned in minutes"
)
class Identity(DigitSequences):
    """`31415` to `31415`."""

    sample_pairs = (("31415", "31415"), ("2718281828", "2718281828"))

    def solve(self, inputs: str) -> str:
        return inputs


@PROBLEMS.register(
    "algorithmic_reverse", "reverse a sequence of digits; learned in minutes"
)
class Reverse(DigitSequences):
    """`31415` to `51413`."""

    sample_pairs = (("31415", "51413"), ("2718281828", "8281828172"))

    def solve(self, inputs: str) -> str:
        return inputs[::-1]


@PROBLEMS.register(
    "algorithmic_sort", "sort a sequence of digits; learned in minutes"
)
class Sort(DigitSequences):
    """`31415` to `11345`."""

    sample_pairs = (("31415", "11345"), ("2718281828", "1122278888"))

    def solve(self, inputs: str) -> str:
        return "".join(sorted(inputs))


@PROBLEMS.register(
    "algorithmic_addition", "add two numbers of up to two digits"
)
class Addition(AlgorithmicProblem):
    """`57+88` to `145`: numbers of 1 to `digits` digits."""

    sample_pairs = (("57+88", "145"), ("3+4", "7"))
    option_schema = (
        *AlgorithmicProblem.option_schema,
        Option(
            "digits",
            "largest number of digits in an input (of each number in a sum)",
            kind="integer",
            default=2,
            minimum=2,
        ),
    )

    def draw(self, generator: random.Random) -> str:
        limit = 10 ** self.settings["digits"]
        return f"{generator.randrange(limit)}+{generator.randrange(limit)}"

    def solve(self, inputs: str) -> str:
        first, second = inputs.split("+")
        return str(int(first) + int(second))

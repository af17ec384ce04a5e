"""Tags of words: named entities, and the user's own."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from t2t_lite.errors import UserError, closest
from t2t_lite.problems import own_files, text_files
from t2t_lite.problems.own_files import FromOwnFiles
from t2t_lite.problems.problem import Example, Problem
from t2t_lite.problems.source_files import FromFiles, SourceFiles
from t2t_lite.problems.tfds_source import FromTfds, TfdsSource
from t2t_lite.registry import PROBLEMS

OUTSIDE = "O"
_BETWEEN_DOCUMENTS = "-DOCSTART-"
_SPACE_MARK = "\u2581"  # SentencePiece's
_TFDS_SPLITS = {"train": "train", "validation": "dev", "test": "test"}
_WNUT = "https://raw.githubusercontent.com/leondz/emerging_entities_17/master/"
_OWN_FILES = "your own files with --problem=tag_files"

Sentence = list[tuple[str, str]]


class TaggingProblem(Problem):
    """Sentences with a tag for each word.

    Where all tags are O, B-type or I-type they are judged as entities.
    """

    targets_kind = "tags"
    splits = ("train", "validation", "test")
    defaults = {
        "vocab_kind": "bpe",
        "vocab_size": 8000,
        "max_length": 256,
        "batch_size": 4096,
        "train_steps": 2000,
        "eval_interval": 200,
    }

    @property
    def main_metric(self) -> str:
        """`f1` of entities, `accuracy` of other tags."""
        return "f1" if self._of_entities else "accuracy"

    @property
    def _of_entities(self) -> bool:
        return all(
            tag == OUTSIDE or (tag[:2] in ("B-", "I-") and len(tag) > 2)
            for tag in self.labels
        )

    def tagged(self, tokens: Sequence[str], tags: Sequence[str]) -> Example:
        """Returns a sentence as an example.

        Spaces, and SentencePiece's mark of one, become _ in a token.
        """
        words = ["".join(map(_visible, token)) or "_" for token in tokens]
        return {"inputs": " ".join(words), "targets": " ".join(tags)}

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        sources: Sequence[str] | None = None,
    ) -> dict[str, float | str]:
        """Returns the share of right tags, and how many entities are right.

        Tags after the last word are left out, and what is no tag of the
        problem counts as O: other models than taggers may give such.
        """
        from t2t_lite import metrics

        if len(predictions) == len(references):
            pairs = zip(predictions, references, strict=True)
            predictions = [self._fitted(p, r) for p, r in pairs]
        scores = {"accuracy": metrics.tag_accuracy(predictions, references)}
        if self._of_entities:
            scores |= metrics.entity_scores(predictions, references)
        return scores

    def _fitted(self, prediction: str, reference: str) -> str:
        known = frozenset(self.labels)
        tags = prediction.split()[: len(reference.split())]
        return " ".join(tag if tag in known else OUTSIDE for tag in tags)


def _visible(character: str) -> str:
    space = character.isspace() or character == _SPACE_MARK
    return "_" if space else character


def _labels(*types: str) -> tuple[str, ...]:
    """Returns O, and B-type and I-type of each type."""
    marks = [f"{mark}-{name}" for name in types for mark in ("B", "I")]
    return (OUTSIDE, *marks)


@PROBLEMS.register(
    "ner_conll2003", "names in news (14,041 sentences, CoNLL-2003 by TFDS)"
)
class NerConll2003(FromTfds, TaggingProblem):
    """Tjong Kim Sang and De Meulder 2003, English; validation is testa."""

    labels = _labels("PER", "ORG", "LOC", "MISC")
    sample_pairs = (("Anna lives in New York .", "B-PER O O B-LOC I-LOC O"),)
    data = TfdsSource(
        "conll2003",
        "conll2003",
        {"tokens": "texts", "ner": "numbers"},
        "https://data.deepai.org",
        _OWN_FILES,
    )

    def describe_source(self, split: str) -> str:
        return super().describe_source(_TFDS_SPLITS[split])

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        for row in self.data.rows(self, _TFDS_SPLITS[split]):
            name = self.data.name
            tags = [self.label_name(number, name) for number in row["ner"]]
            if tags:  # TFDS ends each file with an empty sentence
                yield self.tagged(row["tokens"], tags)


@PROBLEMS.register(
    "ner_wnut17",
    "new and rare names in social media (3,394 sentences, a 1 MB download)",
)
class NerWnut17(FromFiles, TaggingProblem):
    """Derczynski et al. 2017."""

    labels = _labels(
        "corporation",
        "creative-work",
        "group",
        "location",
        "person",
        "product",
    )
    sample_pairs = (("new york is great", "B-location I-location O O"),)
    names = {
        "train": "wnut17train.conll",
        "validation": "emerging.dev.conll",
        "test": "emerging.test.annotated",
    }
    files = SourceFiles("wnut17", {n: _WNUT + n for n in names.values()})

    def describe_source(self, split: str) -> str:
        return self.files.describe(self, [self.names[split]])

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        path = self.files.path(self, self.names[split])
        for sentence in read_conll(path, self.labels):
            yield self.tagged(*zip(*sentence, strict=True))


@PROBLEMS.register(
    "tag_files", "your own tagged words: --train_tags, CoNLL columns"
)
class TagFiles(FromOwnFiles, TaggingProblem):
    """CoNLL files: a word a line, its tag in the last column.

    The tags are those of the training file. Without --eval_tags a part of the
    training sentences is held out.
    """

    suffix = "tags"
    option_schema = own_files.options(
        "tags", "words, one a line, with the tag in the last column"
    )

    @functools.cached_property
    def labels(self) -> tuple[str, ...]:
        path = self._path("train")
        found = {tag for words in read_conll(path) for _, tag in words}
        if len(found) < 2:
            raise UserError(
                f"--train_tags={path}: expected two tags or more, found "
                f"{', '.join(found) or 'none'}"
            )
        return tuple(sorted(found))

    @property
    def main_metric(self) -> str:
        """As `TaggingProblem.main_metric`; `f1` while there is no file."""
        return super().main_metric if self._given("train") else "f1"

    def read(self, path: str) -> Iterator[Sentence]:
        """Yields the sentences of a file."""
        return read_conll(path, self.labels)

    def key(self, row: Sentence) -> str:
        return " ".join(token for token, _ in row)

    def examples(self, split: str) -> Iterator[Example]:
        for sentence in self.rows(split):
            yield self.tagged(*zip(*sentence, strict=True))


def read_conll(
    path: str, labels: Sequence[str] | None = None
) -> Iterator[Sentence]:
    """Yields the sentences of a file of columns, as (word, tag) each.

    A line is a word: columns between tabs, or else between spaces, of which
    the first is the word and the last its tag. Empty lines part sentences, and
    lines of -DOCSTART- documents.

    Args:
        path: str, plain or .gz.
        labels: the tags there are; None = any.
    Raises:
        UserError: as `text_files.read_lines`; or a line has no second column,
            or a tag that there is not; names the line.
    """
    sentence: Sentence = []
    for number, line in enumerate(text_files.read_lines(path), 1):
        columns = line.rstrip().split("\t" if "\t" in line else None)
        if not line.strip() or columns[0] == _BETWEEN_DOCUMENTS:
            if sentence:
                yield sentence
            sentence = []
            continue
        tag = columns[-1].strip()
        if len(columns) < 2 or not tag or len(tag.split()) > 1:
            raise UserError(
                f"{path}, line {number}: expected a word and, in the last"
                f" column, its tag, got {line[:60]!r}"
            )
        if labels is not None and tag not in labels:
            raise UserError(
                f"{path}, line {number}: tag {tag!r:.80} is not one of"
                f" {', '.join(labels):.200}{closest(tag[:80], labels)}"
            )
        sentence.append((columns[0], tag))
    if sentence:
        yield sentence

"""Multi30k, task 1: 29,000 image captions in English, German, French, Czech.

Reference: Elliott, Frank, Sima'an, Specia 2016; the files are those of
https://github.com/multi30k/dataset (non-commercial research).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from absl import logging

from t2t_lite.errors import UserError
from t2t_lite.problems import languages, source_files, text_files
from t2t_lite.problems.options import Option
from t2t_lite.problems.problem import Example, Problem
from t2t_lite.problems.source_files import FromFiles, SourceFiles
from t2t_lite.registry import PROBLEMS

_URL = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1"
_FILES = {
    "train": "train",
    "validation": "val",
    "test": "test_2016_flickr",
}
_LINES = {"train": 29_000, "validation": 1_014, "test": 1_000}
_RAW = "raw"
_TOKENIZED = "lc.norm.tok"

LANGUAGES = ("de", "fr", "cs")
_SAMPLES = {
    "en": ("Two men are playing guitar in the street.", "A dog is running."),
    "de": ("Zwei Männer spielen Gitarre auf der Straße.", "Ein Hund rennt."),
    "fr": ("Deux hommes jouent de la guitare dans la rue.", "Un chien court."),
    "cs": ("Dva muži hrají na kytaru na ulici.", "Pes běží."),
}


class Multi30kProblem(FromFiles, Problem):
    """Captions of one language into another; test = test_2016_flickr.

    The files come from `source_dir`, or are downloaded once into
    `<data_dir>/downloads/multi30k`. The text "lc.norm.tok" is upstream's
    lower-cased, normalised and tokenised form: papers report BLEU on it,
    which is then computed without further tokenisation.
    """

    source_language = "en"
    target_language: str
    splits = ("train", "validation", "test")
    defaults = {
        "vocab_kind": "bpe",
        "vocab_size": 4000,
        "max_length": 100,
        "max_shapes": 12,
        "train_steps": 12_000,
        "eval_interval": 1_000,
        "eval_decode_examples": 200,
    }
    option_schema = (
        source_files.OPTION,
        Option(
            "multi30k_text",
            "which of upstream's texts: raw, or lc.norm.tok (lower-cased and"
            " tokenised)",
            default=_RAW,
            choices=(_RAW, _TOKENIZED),
        ),
    )

    @property
    def files(self) -> SourceFiles:
        """Upstream's files of the text that is asked for."""
        part = "tok" if self._tokenized else "raw"
        names = [name for split in self.splits for name in self._names(split)]
        urls = {name: f"{_URL}/{part}/{name}" for name in names}
        return SourceFiles("multi30k", urls, self._check_lines)

    def describe_source(self, split: str) -> str:
        files = self.files.describe(self, self._names(split))
        return f"Multi30k task 1, {files}"

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        source, target = (
            self.files.path(self, name) for name in self._names(split)
        )
        count = 0
        for inputs, targets in text_files.read_pairs(source, target):
            count += 1
            yield {"inputs": inputs, "targets": targets}
        if count != _LINES[split]:
            logging.warning(
                "%s: %d pairs, where upstream's file has %d",
                source,
                count,
                _LINES[split],
            )

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        sources: Sequence[str] | None = None,
    ) -> dict[str, float | str]:
        """As `Problem.score`; tokenised text is not tokenised again."""
        scores = super().score(predictions, references, sources)
        if self._tokenized:
            from t2t_lite import metrics

            scores["bleu"], scores["bleu_signature"] = metrics.bleu(
                predictions, references, tokenize="none"
            )
        return scores

    @property
    def _tokenized(self) -> bool:
        return self.settings["multi30k_text"] == _TOKENIZED

    def _names(self, split: str) -> tuple[str, str]:
        """Returns upstream's names of the two files."""
        start = _FILES[split] + (f".{_TOKENIZED}" if self._tokenized else "")
        packed = "" if self._tokenized else ".gz"
        return (
            f"{start}.{self.source_language}{packed}",
            f"{start}.{self.target_language}{packed}",
        )

    def _check_lines(self, path: str, name: str) -> None:
        """Raises UserError unless a download has upstream's lines."""
        (count,) = (_LINES[s] for s in self.splits if name in self._names(s))
        lines = text_files.count_lines(path, name.endswith(".gz"))
        if lines != count:
            raise UserError(
                f"{name}: the download has {lines:,} lines instead of"
                f" {count:,}; try again"
            )


def _register(target: str) -> None:
    text = (
        f"{languages.direction('en', target)}, Multi30k image captions"
        " (29,000 pairs, a 2 MB download)"
    )
    name = f"translate_en{target}_multi30k"
    body = {
        "__doc__": text,
        "__module__": __name__,
        "target_language": target,
        "sample_pairs": tuple(
            zip(_SAMPLES["en"], _SAMPLES[target], strict=True)
        ),
    }
    PROBLEMS.register(name, text)(type(name, (Multi30kProblem,), body))


for _language in LANGUAGES:
    _register(_language)

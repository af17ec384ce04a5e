"""Multi30k, task 1: 29,000 image captions in English, German, French, Czech.

Reference: Elliott, Frank, Sima'an, Specia 2016; the files are those of
https://github.com/multi30k/dataset (non-commercial research).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial

from absl import logging

from t2t_lite.errors import UserError
from t2t_lite.problems import downloads, languages, text_files
from t2t_lite.problems.problem import Example, Option, Problem
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


class Multi30kProblem(Problem):
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
        "train_steps": 3600,
        "eval_interval": 600,
        "eval_decode_examples": 200,
    }
    option_schema = (
        Option(
            "source_dir",
            "folder that holds upstream's files (train.en.gz, ...); without"
            " it they are downloaded",
            kind="path",
            defines_data=False,
        ),
        Option(
            "multi30k_text",
            "which of upstream's texts: raw, or lc.norm.tok (lower-cased and"
            " tokenised)",
            default=_RAW,
            choices=(_RAW, _TOKENIZED),
        ),
    )

    def source_is_local(self) -> bool:
        return self.settings["source_dir"] is not None or all(
            self._local_path(name)
            for split in self.splits
            for name in self._names(split)
        )

    def describe_source(self, split: str) -> str:
        names = " and ".join(self._names(split))
        origin = self.settings["source_dir"] or _URL
        return f"Multi30k task 1, {names} from {origin}"

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        source, target = (self._find(split, n) for n in self._names(split))
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
        if self.settings["multi30k_text"] == _TOKENIZED:
            from t2t_lite import metrics

            scores["bleu"], scores["bleu_signature"] = metrics.bleu(
                predictions, references, tokenize="none"
            )
        return scores

    def _names(self, split: str) -> tuple[str, str]:
        """Returns upstream's names of the two files, without .gz."""
        tokenized = self.settings["multi30k_text"] == _TOKENIZED
        start = _FILES[split] + (f".{_TOKENIZED}" if tokenized else "")
        return (
            f"{start}.{self.source_language}",
            f"{start}.{self.target_language}",
        )

    def _folder(self) -> str:
        return self.settings["source_dir"] or os.path.join(
            self.data_dir, "downloads", "multi30k"
        )

    def _local_path(self, name: str) -> str | None:
        """Returns the path of a file that is there, packed or not."""
        for file in (f"{name}.gz", name):
            path = os.path.join(self._folder(), file)
            if os.path.isfile(path):
                return path
        return None

    def _find(self, split: str, name: str) -> str:
        """Returns the path of a file; downloads it if need be."""
        if path := self._local_path(name):
            return path
        if given := self.settings["source_dir"]:
            raise UserError(
                f"--source_dir={given}: holds neither {name}.gz nor {name};"
                " give the folder of upstream's files, or leave the flag out"
                " to download them"
            )
        return self._download(self._folder(), split, name)

    def _download(self, folder: str, split: str, name: str) -> str:
        """Returns the path of a downloaded file of the right length."""
        part = "raw" if self.settings["multi30k_text"] == _RAW else "tok"
        file = f"{name}.gz" if part == "raw" else name
        url = f"{_URL}/{part}/{file}"
        if reason := downloads.unreachable(url):
            raise UserError(
                f"{self.name}: {file} is neither in {folder} nor can it be"
                f" downloaded from {url} ({reason}); mend the network, or give"
                " --source_dir=<folder with upstream's files>"
            )
        logging.info("downloading %s", url)
        path = os.path.join(folder, file)
        downloads.download(
            url, path, partial(_check_lines, file=file, count=_LINES[split])
        )
        return path


def _check_lines(path: str, file: str, count: int) -> None:
    """Raises UserError unless the file at `path` has `count` lines."""
    compressed = file.endswith(".gz")
    lines = text_files.count_lines(path, compressed)
    if lines != count:
        raise UserError(
            f"{file}: the download has {lines:,} lines instead of {count:,};"
            " try again"
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

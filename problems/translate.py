"""WMT14 translation by TensorFlow Datasets: one line of data per language.

Validation is newstest2013 (newsdev2014 for Hindi), test is newstest2014.
"""

from __future__ import annotations

from collections.abc import Iterator

from t2t_lite.problems import languages
from t2t_lite.problems.problem import Example, Problem
from t2t_lite.problems.tfds_source import FromTfds, TfdsSource
from t2t_lite.registry import PROBLEMS

DATASET = "wmt14_translate"
# (the language beside English, a note). TFDS wants some corpora downloaded by
# hand: CzEng 1.0, Yandex 1M, HindEnCorp.
LANGUAGES = (
    ("de", "4.5 million pairs"),
    ("fr", "41 million pairs"),
    ("cs", "partly downloaded by hand"),
    ("ru", "partly downloaded by hand"),
    ("hi", "partly downloaded by hand"),
)
_SAMPLES = {
    "en": ("The house is small.", "I did not know that."),
    "de": ("Das Haus ist klein.", "Das wusste ich nicht."),
    "fr": ("La maison est petite.", "Je ne le savais pas."),
    "cs": ("Ten dům je malý.", "To jsem nevěděl."),
    "ru": ("Дом маленький.", "Я этого не знал."),
    "hi": ("घर छोटा है।", "मुझे यह नहीं पता था।"),
}
# Every pair needs files from here.
_HOST = "http://www.statmt.org"
_OWN_FILES = (
    "your own files with --problem=translate_files --train_source=<file>"
    " --train_target=<file>"
)


class WmtProblem(FromTfds, Problem):
    """News translation between English and another language.

    The data is TFDS's `wmt14_translate`: a folder that TFDS prepared
    earlier, else TFDS downloads it (gigabytes, once).
    """

    source_language: str
    target_language: str
    splits = ("train", "validation", "test")
    defaults = {
        "vocab_kind": "bpe",
        "vocab_size": 32768,
        "max_length": 256,
        "train_steps": 100_000,
        "eval_interval": 2000,
    }

    @property
    def data(self) -> TfdsSource:
        """What TFDS calls it: "de-en", whichever way it is translated."""
        languages = (self.source_language, self.target_language)
        (other,) = set(languages) - {"en"}
        features = dict.fromkeys(languages, "text")
        return TfdsSource(DATASET, f"{other}-en", features, _HOST, _OWN_FILES)

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        for row in self.data.rows(self, split):
            yield {
                "inputs": row[self.source_language],
                "targets": row[self.target_language],
            }


def _register(source: str, target: str, size: str) -> None:
    text = f"{languages.direction(source, target)}, WMT14 by TFDS ({size})"
    name = f"translate_{source}{target}"
    body = {
        "__doc__": text,
        "__module__": __name__,
        "source_language": source,
        "target_language": target,
        "sample_pairs": tuple(
            zip(_SAMPLES[source], _SAMPLES[target], strict=True)
        ),
    }
    PROBLEMS.register(name, text)(type(name, (WmtProblem,), body))


for _language, _size in LANGUAGES:
    _register("en", _language, _size)
    _register(_language, "en", _size)

"""WMT14 translation by TensorFlow Datasets: one line of data per language.

Validation is newstest2013 (newsdev2014 for Hindi), test is newstest2014.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from absl import logging

from t2t_lite.errors import UserError
from t2t_lite.problems import downloads, languages
from t2t_lite.problems.problem import Example, Option, Problem
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
_BATCH = 1024
_TFDS_CLASSES = "tensorflow_datasets."
_CLASS_KEYS = ("pythonClassName", "python_class_name", "type")


class WmtProblem(Problem):
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
    option_schema = (
        Option(
            "tfds_data_dir",
            "TensorFlow Datasets' folder, where the data is or will be"
            " prepared (default: TFDS's own)",
            kind="path",
            defines_data=False,
        ),
    )

    @property
    def config(self) -> str:
        """TFDS's name of the pair, such as "de-en"."""
        pair = {self.source_language, self.target_language}
        return f"{(pair - {'en'}).pop()}-en"

    def source_is_local(self) -> bool:
        return _find_prepared(self._root(), self.config) is not None

    def describe_source(self, split: str) -> str:
        return f"TensorFlow Datasets {DATASET}/{self.config}, {split} split"

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        folder = self._prepared_folder()  # before TensorFlow's slow import
        import tensorflow as tf

        try:
            for batch in self._batches(folder, split):
                yield from self._pairs(batch)
        except tf.errors.OpError as error:
            raise UserError(
                f"{DATASET}/{self.config}: the {split} records cannot be read"
                f" ({type(error).__name__}: {_one_line(error.message)});"
                " prepare the TFDS folder again"
            ) from error

    def _pairs(self, batch: dict[str, Any]) -> Iterator[Example]:
        for source, target in zip(
            batch[self.source_language],
            batch[self.target_language],
            strict=True,
        ):
            yield {"inputs": source.decode(), "targets": target.decode()}

    def _batches(self, folder: str, split: str) -> Iterator[dict[str, Any]]:
        """Yields {language: array of bytes}, one file after the other."""
        import tensorflow_datasets as tfds

        builder = _open_builder(folder)
        self._check_builder(builder, split)
        in_order = tfds.ReadConfig(
            interleave_cycle_length=1, try_autocache=False
        )
        dataset = builder.as_dataset(
            split=split,
            batch_size=_BATCH,
            shuffle_files=False,
            read_config=in_order,
        )
        yield from dataset.as_numpy_iterator()

    def _check_builder(self, builder: Any, split: str) -> None:
        there = set(builder.info.features)
        if not {self.source_language, self.target_language} <= there:
            raise UserError(
                f"{builder.data_dir} holds {', '.join(sorted(there))}, but"
                f" {self.name} needs {self.source_language} and"
                f" {self.target_language}; give another --tfds_data_dir"
            )
        if split not in builder.info.splits:
            raise UserError(
                f"{builder.data_dir} has no {split} split; prepare the TFDS"
                " folder again"
            )

    def _root(self) -> str:
        """Returns TFDS's folder: the option's, else the one TFDS uses."""
        given = self.settings["tfds_data_dir"] or os.environ.get(
            "TFDS_DATA_DIR"
        )
        return os.path.expanduser(given or "~/tensorflow_datasets")

    def _prepared_folder(self) -> str:
        """Returns the version folder; downloads and prepares it if need be."""
        root = self._root()
        folder = _find_prepared(root, self.config)
        if folder:
            return folder
        if reason := downloads.unreachable(_HOST):
            raise UserError(
                f"{self.name}: no prepared {DATASET}/{self.config} in {root},"
                f" and no way to download it ({_HOST}: {reason}). Three ways"
                " on: run it once with a network; or"
                " --tfds_data_dir=<folder in which TFDS has prepared it>; or"
                " your own files with --problem=translate_files"
                " --train_source=<file> --train_target=<file>"
            )
        return self._prepare(root)

    def _prepare(self, root: str) -> str:
        """Lets TFDS download and prepare; returns the version folder."""
        import tensorflow_datasets as tfds

        logging.info("TFDS prepares %s/%s in %s", DATASET, self.config, root)
        try:
            builder = tfds.builder(f"{DATASET}/{self.config}", data_dir=root)
            builder.download_and_prepare()
        except Exception as error:  # TFDS's downloads raise many kinds
            raise UserError(
                f"TFDS cannot prepare {DATASET}/{self.config}"
                f" ({type(error).__name__}: {_one_line(str(error))}); mend"
                " that, or give --tfds_data_dir with a prepared one"
            ) from error
        return str(builder.data_dir)


def _find_prepared(root: str, config: str) -> str | None:
    """Returns the newest prepared version folder below `root`, or None.

    `root` may be TFDS's folder, the dataset's, the pair's or the version's.
    """
    parents = (f"{DATASET}/{config}", config, ".")
    for parent in (os.path.join(root, p) for p in parents):
        for name in sorted(_versions(parent), key=_numbers, reverse=True):
            folder = os.path.normpath(os.path.join(parent, name))
            if os.path.isfile(os.path.join(folder, "dataset_info.json")):
                return folder
    info = os.path.join(root, "dataset_info.json")
    return os.path.normpath(root) if os.path.isfile(info) else None


def _versions(folder: str) -> list[str]:
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [name for name in names if re.fullmatch(r"\d+\.\d+\.\d+", name)]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _open_builder(folder: str) -> Any:
    import tensorflow_datasets as tfds

    _check_feature_classes(os.path.join(folder, "features.json"))
    try:
        return tfds.builder_from_directory(folder)
    except Exception as error:  # JSON, protobuf and file errors alike
        raise UserError(
            f"{folder}: not a prepared TFDS folder"
            f" ({type(error).__name__}: {_one_line(str(error))}); prepare it"
            " again"
        ) from error


def _check_feature_classes(path: str) -> None:
    """Raises UserError unless all features are TFDS's own.

    TFDS imports whatever module the file names.
    """
    # Here, not above: t2t_lite.data brings NumPy, which --help can do without.
    from t2t_lite.data import untrusted

    try:
        named = _class_names(untrusted.read_json(path))
        foreign = [n for n in named if not str(n).startswith(_TFDS_CLASSES)]
    except FileNotFoundError:
        return  # TFDS says what is missing
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error}); prepare the TFDS folder again"
        ) from error
    if foreign:
        raise UserError(
            f"{path} names {foreign[0]!r:.80}, which is no feature of TFDS;"
            " prepare the TFDS folder again"
        )


def _class_names(value: Any) -> Iterator[Any]:
    """Yields what a features.json calls a class, at any depth."""
    if isinstance(value, dict):
        yield from (value[key] for key in _CLASS_KEYS if key in value)
        for inner in value.values():
            yield from _class_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _class_names(inner)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


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

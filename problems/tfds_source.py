"""Data by TensorFlow Datasets: a folder it has prepared, else its download.

A folder's features.json names classes that TFDS imports: only TFDS's own are
let through.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from absl import logging

from t2t_lite.errors import UserError
from t2t_lite.problems import downloads
from t2t_lite.problems.options import Option

_BATCH = 1024
_TFDS_CLASSES = "tensorflow_datasets."
_CLASS_KEYS = ("pythonClassName", "python_class_name", "type")
# Rank and types of TFDS's tensors.
_FORMS = {
    "text": (0, ("string",)),
    "texts": (1, ("string",)),
    "number": (0, ("int64",)),
    "numbers": (1, ("int64",)),
    "audio": (1, ("int16", "int64")),
    "image": (3, ("uint8",)),
}

OPTION = Option(
    "tfds_data_dir",
    "TensorFlow Datasets' folder, where the data is or will be"
    " prepared (default: TFDS's own)",
    kind="path",
    defines_data=False,
)


class TfdsSource:
    """One data set of TFDS.

    Args:
        dataset: str, its name, e.g. "wmt14_translate".
        config: str, its configuration, e.g. "de-en"; "" = it has none.
        features: by name what every record must have: a "text", "texts" (a
            list of them), a "number", "numbers", "audio" or an "image".
        host: str, a URL that its download needs.
        own_files: str, how a user gives own files instead; for messages.
        batch: int, records that are read at once.
    """

    def __init__(
        self,
        dataset: str,
        config: str,
        features: Mapping[str, str],
        host: str,
        own_files: str = "",
        batch: int = _BATCH,
    ):
        self.dataset = dataset
        self.config = config
        self.features = dict(features)
        self._host = host
        self._own_files = own_files
        self._batch = batch

    @property
    def name(self) -> str:
        """TFDS's name of it, such as "glue/cola"."""
        return f"{self.dataset}/{self.config}" if self.config else self.dataset

    def describe(self, split: str) -> str:
        """Returns some words about a split, by TFDS's name of it."""
        return f"TensorFlow Datasets {self.name}, {split} split"

    def is_local(self, problem) -> bool:
        """Whether TFDS has prepared it below the problem's folder."""
        return self._found(_root(problem)) is not None

    def rows(self, problem, split: str) -> Iterator[dict[str, Any]]:
        """Yields the records of a split, always in one order.

        Args:
            problem: Problem, with the option `OPTION`.
            split: str, TFDS's name of it.
        Yields:
            By feature: str, list of str, int, list of int, int16 (samples,)
            or uint8 (height, width, channels).
        Raises:
            UserError: there is no such data, or it cannot be read.
        """
        folder = self._prepared_folder(problem)  # before TensorFlow's import
        import tensorflow as tf

        try:
            for batch in self._batches(problem, folder, split):
                for values in zip(*batch.values(), strict=True):
                    yield dict(zip(batch, values, strict=True))
        except tf.errors.OpError as error:
            raise self._unreadable(
                split, f"{type(error).__name__}: {_one_line(error.message)}"
            ) from error
        except ValueError as error:
            raise self._unreadable(split, _one_line(str(error))) from error

    def _unreadable(self, split: str, why: str) -> UserError:
        return UserError(
            f"{self.name}: the {split} records cannot be read ({why}); prepare"
            " the TFDS folder again"
        )

    def _batches(
        self, problem, folder: str, split: str
    ) -> Iterator[dict[str, list]]:
        """Yields {name: values of a batch}, one file after the other."""
        import tensorflow_datasets as tfds

        builder = _open_builder(folder)
        self._check_builder(problem, builder, split)
        in_order = tfds.ReadConfig(
            interleave_cycle_length=1, try_autocache=False
        )
        dataset = builder.as_dataset(
            split=split,
            shuffle_files=False,
            read_config=in_order,
        )
        dataset = dataset.map(lambda row: {n: row[n] for n in self.features})
        for batch in tfds.as_numpy(dataset.ragged_batch(self._batch)):
            yield {
                name: [_value(kind, value) for value in _values(batch[name])]
                for name, kind in self.features.items()
            }

    def _check_builder(self, problem, builder: Any, split: str) -> None:
        there = builder.info.features
        if not set(self.features) <= set(there):
            raise UserError(
                f"{builder.data_dir} holds {', '.join(sorted(there))}, but"
                f" {problem.name} needs {' and '.join(self.features)}; give"
                " another --tfds_data_dir"
            )
        specs = there.get_tensor_spec()
        for name, kind in self.features.items():
            if not _has_form(specs[name], kind):
                raise UserError(
                    f"{builder.data_dir}: {name} is {there[name]!r:.100}, but"
                    f" {problem.name} needs {kind}; give another"
                    " --tfds_data_dir"
                )
        found = (builder.info.name, builder.info.config_name or "")
        if found != (self.dataset, self.config):
            raise UserError(
                f"{builder.data_dir} holds {'/'.join(filter(None, found))}, but"
                f" {problem.name} needs {self.name}; give another"
                " --tfds_data_dir"
            )
        if split not in builder.info.splits:
            raise UserError(
                f"{builder.data_dir} has no {split} split; prepare the TFDS"
                " folder again"
            )

    def _prepared_folder(self, problem) -> str:
        """Returns the version folder; downloads and prepares it if need be."""
        root = _root(problem)
        folder = self._found(root)
        if folder:
            return folder
        if reason := downloads.unreachable(self._host):
            ways = [
                "run it once with a network",
                "--tfds_data_dir=<folder in which TFDS has prepared it>",
                *([self._own_files] if self._own_files else []),
            ]
            count = {2: "Two", 3: "Three"}[len(ways)]
            raise UserError(
                f"{problem.name}: no prepared {self.name} in {root},"
                f" and no way to download it ({self._host}: {reason}). {count}"
                f" ways on: {'; or '.join(ways)}"
            )
        return self._prepare(root)

    def _prepare(self, root: str) -> str:
        """Lets TFDS download and prepare; returns the version folder."""
        import tensorflow_datasets as tfds

        logging.info("TFDS prepares %s in %s", self.name, root)
        try:
            builder = tfds.builder(self.name, data_dir=root)
            builder.download_and_prepare()
        except Exception as error:  # TFDS's downloads raise many kinds
            raise UserError(
                f"TFDS cannot prepare {self.name}"
                f" ({type(error).__name__}: {_one_line(str(error))}); mend"
                " that, or give --tfds_data_dir with a prepared one"
            ) from error
        return str(builder.data_dir)

    def _found(self, root: str) -> str | None:
        """Returns the newest prepared version folder below `root`, or None.

        `root` may be TFDS's folder, the dataset's, the configuration's or the
        version's.
        """
        parents = (self.name, self.config or self.dataset, ".")
        for parent in (os.path.join(root, p) for p in parents):
            for name in sorted(_versions(parent), key=_numbers, reverse=True):
                folder = os.path.normpath(os.path.join(parent, name))
                if os.path.isfile(os.path.join(folder, "dataset_info.json")):
                    return folder
        info = os.path.join(root, "dataset_info.json")
        return os.path.normpath(root) if os.path.isfile(info) else None


class FromTfds:
    """Of a problem whose examples are records of `data`."""

    data: TfdsSource
    option_schema: tuple[Option, ...] = (OPTION,)

    @property
    def origin(self) -> str:
        return f"TFDS `{self.data.name}`"

    def source_is_local(self) -> bool:
        return self.data.is_local(self)

    def describe_source(self, split: str) -> str:
        return self.data.describe(split)


def _root(problem) -> str:
    """Returns TFDS's folder: the option's, else the one TFDS uses."""
    given = problem.settings[OPTION.name] or os.environ.get("TFDS_DATA_DIR")
    return os.path.expanduser(given or "~/tensorflow_datasets")


def _values(batch: Any) -> list[Any]:
    """Returns a batch's values, an array or a scalar each."""
    import numpy as np

    if not hasattr(batch, "row_splits"):
        return list(batch)
    values, splits = np.asarray(batch.values), np.asarray(batch.row_splits)
    return [values[start:end] for start, end in itertools.pairwise(splits)]


def _value(kind: str, value: Any) -> Any:
    """Returns a value as `TfdsSource.rows` yields it."""
    if kind == "text":
        return value.decode()
    if kind == "texts":
        return [text.decode() for text in value]
    if kind == "number":
        return int(value)
    if kind == "numbers":
        return value.tolist()
    if kind == "audio" and (value.astype("int16") != value).any():
        raise ValueError("audio of more than 16 bits")
    return value if kind == "image" else value.astype("int16")


def _has_form(spec: Any, kind: str) -> bool:
    """Returns whether a tensor of TFDS is of a kind of `_FORMS`."""
    import tensorflow as tf

    rank, types = _FORMS[kind]
    plain = isinstance(spec, tf.TensorSpec) and spec.shape.rank == rank
    return plain and spec.dtype.name in types


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

"""Prepared data on disk: shards of TFRecords, and the folder that holds them.

A record is a `tf.train.Example` with a BLOCK of up to 1024 examples, so that
reading costs per block and not per example. Per feature it has `name/values`
(all numbers, little-endian int32) and `name/lengths` (int32 per example); per
text, `name_text` (one UTF-8 string per example).
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from t2t_lite.data import manifest as manifests
from t2t_lite.data import record_checks, storage
from t2t_lite.data.columns import Columns, columns_of
from t2t_lite.data.text_encoder import TextEncoder, load_encoder
from t2t_lite.errors import UserError, closest
from t2t_lite.task import SIDES, Task

BLOCK_SIZE = 1024
_INT32 = np.dtype("<i4")


class Split:
    """One split of a prepared folder.

    Attributes:
        name: str.
        num_examples: int.
        feature_names: tuple of str, those that are stored.
        task: Task.
        lengths: per side, int32 `(num_examples,)`, in the task's units, an
            end mark included; a side that is not stored has zeros.
        shard_sizes: tuple of int, number of examples per shard, in order.

    Args:
        folder: str, the prepared folder.
        name: str, the split.
        manifest: the folder's checked manifest.
    """

    def __init__(self, folder: str, name: str, manifest: dict[str, Any]):
        self.name = name
        self.folder = folder
        self.task = Task.from_json(manifest["task"])
        entry = manifest["splits"][name]
        self._shards = entry["shards"]
        self.num_examples = entry["examples"]
        self.feature_names = tuple(manifest["features"])
        self.shard_sizes = tuple(shard["examples"] for shard in self._shards)
        self._lengths_entry = entry["lengths"]

    @functools.cached_property
    def lengths(self) -> dict[str, np.ndarray]:
        """Lengths per side; raises UserError if their file is damaged."""
        none = np.zeros(self.num_examples, np.int32)
        return {
            side: -(-self._stored_lengths.get(side, none) // unit)
            for side, unit in self._units.items()
        }

    @property
    def _units(self) -> dict[str, int]:
        return {side: self.task.unit(side) for side in SIDES}

    @functools.cached_property
    def _stored_lengths(self) -> dict[str, np.ndarray]:
        """Numbers of each example, per feature."""
        entry = self._lengths_entry
        path = os.path.join(self.folder, entry["file"])
        content = manifests.read_checked(path, entry)
        shape = (len(self.feature_names), self.num_examples)
        try:
            table = record_checks.lengths_table(content, shape)
        except ValueError as error:
            raise manifests.damaged(path, str(error)) from error
        return dict(zip(self.feature_names, table, strict=True))

    def load(self, shards: Sequence[int] | None = None) -> Columns:
        """Returns the examples of some shards (default: all), in that order.

        Raises:
            UserError: a shard is missing or damaged; names it and the mend.
        """
        chosen = range(len(self._shards)) if shards is None else shards
        starts = np.concatenate([[0], np.cumsum(self.shard_sizes)])
        blocks = [block for i in chosen for block in self._blocks(i)]
        ids = [np.arange(starts[i], starts[i + 1]) for i in chosen]
        columns = columns_of(
            blocks, self.feature_names, _concatenated(ids, np.int64)
        )
        self._check_columns(columns)
        for side in set(SIDES) - set(self.feature_names):
            columns.values[side] = np.zeros(0, np.int32)
            columns.offsets[side] = np.zeros(len(columns) + 1, np.int64)
        return dataclasses.replace(columns, units=self._units)

    def _check_columns(self, columns: Columns) -> None:
        """Raises UserError unless numbers and lengths are as they must be."""
        for name in self.feature_names:
            lengths = columns.lengths(name)
            told = self._stored_lengths[name][columns.example_ids]
            if not np.array_equal(told, lengths):
                self._refuse(f"{name} have other lengths than are listed")
            self._check_values(name, columns.values[name])
            if name not in SIDES:
                continue
            exact = self.task.exact_length(name)
            if self.task.kind(name) == "tags":
                exact = columns.lengths("inputs")
            if exact is not None and not np.all(lengths == exact):
                kind = self.task.kind(name)
                self._refuse(f"{name} have lengths that no {kind} has")

    def _check_values(self, name: str, values: np.ndarray) -> None:
        side = name in SIDES
        least, end = (
            self.task.bounds(name) if side else (0, self.task.vocab_size)
        )
        if values.size and not (values.min() >= least and values.max() < end):
            numbers = side and self.task.kind(name) in ("image", "audio")
            what = "values" if numbers else "ids"
            self._refuse(f"{name} have {what} outside of {least}..{end - 1}")

    def _refuse(self, what: str) -> None:
        path = os.path.join(self.folder, manifests.MANIFEST_FILE)
        raise manifests.damaged(path, f"split {self.name}: {what}")

    def texts(self, name: str) -> list[str]:
        """Returns the raw texts of one field ("inputs"), in split order.

        Raises:
            UserError: no such text; or a shard is missing or damaged.
        """
        texts: list[str] = []
        for shard in range(len(self._shards)):
            for block in self._blocks(shard):
                feature = block.features.feature
                if f"{name}_text" not in feature:
                    raise UserError(
                        f"the split {self.name} of {self.folder} holds no text"
                        f" {name!r}{closest(name, self.feature_names)}"
                    )
                texts.extend(
                    text.decode("utf-8", "replace")
                    for text in feature[f"{name}_text"].bytes_list.value
                )
        return texts

    def sources(self, limit: int | None = None) -> list[Any]:
        """Returns what a predictor is given, in split order.

        Args:
            limit: int, only the first examples; None = all.
        Returns:
            Texts; of images uint8 arrays (height, width, channels); of audio
            int16 arrays (samples,); of a task without inputs the targets'
            texts.
        """
        kind = self.task.inputs
        if kind in ("text", "none"):
            return self.texts(self.task.features[0])[:limit]
        columns = self.load()
        rows = range(self.num_examples)[:limit]
        dtype = np.uint8 if kind == "image" else np.int16
        shape = self.task.image_shape if kind == "image" else [-1]
        return [
            columns.row("inputs", row).astype(dtype).reshape(shape)
            for row in rows
        ]

    def check(self) -> None:
        """Checks every file of the split against the manifest's SHA-256."""
        for entry in [self._lengths_entry, *self._shards]:
            path = os.path.join(self.folder, entry["file"])
            manifests.read_checked(path, entry)

    def _blocks(self, shard: int) -> list:
        entry = self._shards[shard]
        path = os.path.join(self.folder, entry["file"])
        return read_blocks(path, entry, self.feature_names)


class PreparedData:
    """A complete prepared folder; made by `open_prepared` or `prepare`.

    Attributes:
        folder: str.
        manifest: dict, the content of manifest.json.
        data_hash: str, one hash of all the data.
        splits: tuple of str, the names of the splits.
        encoder: TextEncoder, the vocabulary.
        task: Task, what the data are of.
    """

    def __init__(self, folder: str, manifest: dict[str, Any]):
        self.folder = folder
        self.manifest = manifest
        self.data_hash = manifest["data_hash"]
        self.splits = tuple(manifest["splits"])
        self.task = Task.from_json(manifest["task"])
        self.encoder = self._load_encoder()
        self._check_files()

    def split(self, name: str) -> Split:
        """Returns a split; raises UserError for an unknown name."""
        if name not in self.splits:
            raise UserError(
                f"the data in {self.folder} have no split {name!r}"
                f"{closest(name, self.splits)}; they have"
                f" {', '.join(self.splits)}"
            )
        return Split(self.folder, name, self.manifest)

    def check(self) -> None:
        """Reads every file and checks its SHA-256."""
        for name in self.splits:
            self.split(name).check()

    def _load_encoder(self) -> TextEncoder:
        entry = self.manifest["tokenizer"]
        path = os.path.join(self.folder, entry["file"])
        manifests.read_checked(path, entry)
        encoder = load_encoder(path)
        if encoder.vocab_size != self.task.vocab_size:
            raise manifests.damaged(
                path, f"it has not {self.task.vocab_size:,} entries"
            )
        return encoder

    def _check_files(self) -> None:
        for split in self.manifest["splits"].values():
            for entry in [split["lengths"], *split["shards"]]:
                path = os.path.join(self.folder, entry["file"])
                manifests.check_file(path, entry)


def open_prepared(folder: str) -> PreparedData:
    """Opens a complete prepared folder.

    Checks the manifest and the vocabulary by hash and every other file by
    size; the rest is checked by hash when it is read.

    Raises:
        UserError: something is missing or damaged; names the file and mend.
    """
    return PreparedData(folder, manifests.read(folder))


def write_blocks(path: str, blocks: Iterable[bytes]) -> None:
    """Writes serialised blocks as a GZIP TFRecord file, whole or not at all.

    Raises:
        UserError: `read_blocks` would refuse the file as too large.
    """
    import tensorflow as tf

    left = record_checks.MAX_UNPACKED
    with (
        storage.replacing(path) as temporary,
        tf.io.TFRecordWriter(temporary, "GZIP") as writer,
    ):
        for block in blocks:
            left -= len(block) + record_checks.FRAME_BYTES
            if left < 0:
                raise UserError(
                    f"{path} would unpack to more than"
                    f" {record_checks.MAX_UNPACKED:,} bytes; prepare the data"
                    " with a larger --num_shards"
                )
            writer.write(block)


def block_of(
    features: dict[str, Sequence[np.ndarray]], texts: dict[str, list[str]]
) -> bytes:
    """Returns the serialised `tf.train.Example` of up to 1024 examples.

    Args:
        features: per feature, one int array of ids per example.
        texts: per field, one string per example.
    """
    from tensorflow.core.example import example_pb2

    content = {}
    for name, rows in features.items():
        lengths = np.array([len(row) for row in rows], _INT32)
        content[f"{name}/values"] = [_concatenated(rows, _INT32).tobytes()]
        content[f"{name}/lengths"] = [lengths.tobytes()]
    for name, lines in texts.items():
        content[f"{name}_text"] = [
            line.encode("utf-8", "replace") for line in lines
        ]
    example = example_pb2.Example()
    for name, values in sorted(content.items()):
        example.features.feature[name].bytes_list.value.extend(values)
    return example.SerializeToString(deterministic=True)


def read_blocks(
    path: str, entry: dict[str, Any], feature_names: Sequence[str]
) -> list:
    """Returns the `tf.train.Example` blocks of a GZIP TFRecord file.

    The file's own checksums are not looked at: the manifest's SHA-256 covers
    more. A file may unpack to 1 GiB at most.

    Args:
        path: str, the file.
        entry: its entry in the manifest.
        feature_names: the features that every block must have.
    Raises:
        UserError: the file is missing or damaged, or not what the entry says.
    """
    content = manifests.read_checked(path, entry)
    try:
        return record_checks.blocks_in(
            content, feature_names, entry["examples"]
        )
    except ValueError as error:
        raise manifests.damaged(path, str(error)) from error


def _concatenated(arrays: Sequence[np.ndarray], dtype) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype)

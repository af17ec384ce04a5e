"""The form of shards and of tables of lengths: checked, never trusted.

Every function raises ValueError with a few words that fit "... is damaged
(words)".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from t2t_lite.data import untrusted

# A shard's content in memory; a file of 8,192 examples has some 10 MB.
MAX_UNPACKED = 1 << 30
# uint64 length, uint32 its checksum, the data, uint32 its checksum
FRAME_BYTES = 16
_INT32 = np.dtype("<i4")
# What NumPy writes, and nothing that has to be evaluated.
_NPY = re.compile(
    rb"\x93NUMPY\x01\x00(..)\{'descr': '<i4', 'fortran_order': False,"
    rb" 'shape': \((\d{1,12}), (\d{1,12})\), \}( *\n)",
    re.DOTALL,
)


def lengths_table(content: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Returns the table of an .npy file, int32 `(features, examples)`.

    Args:
        content: bytes, the file.
        shape: (features, examples), as the manifest says.
    Raises:
        ValueError: it is no such table, or a length is below 1.
    """
    found = _NPY.match(content)
    if not found:
        raise ValueError("it is no table of int32")
    (size,) = struct.unpack("<H", found[1])
    if (int(found[2]), int(found[3])) != shape or size != found.end() - 10:
        raise ValueError(f"it is no table of {shape[0]} x {shape[1]}")
    if len(content) - found.end() != shape[0] * shape[1] * _INT32.itemsize:
        raise ValueError(f"it does not hold {shape[0]} x {shape[1]} numbers")
    table = np.frombuffer(content, _INT32, offset=found.end()).reshape(shape)
    if table.size and table.min() < 1:
        raise ValueError("a length is below 1")
    return table


def blocks_in(
    content: bytes, feature_names: Sequence[str], examples: int
) -> list:
    """Returns the checked `tf.train.Example`s of a GZIP TFRecord file.

    Args:
        content: bytes, the file.
        feature_names: the features that every block must have.
        examples: int, how many all blocks hold together.
    Raises:
        ValueError: the file unpacks to more than `MAX_UNPACKED` bytes, or a
            record is not what `records.block_of` writes.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.example import example_pb2

    blocks, count = [], 0
    for record in _records(untrusted.gunzip(content, MAX_UNPACKED)):
        try:
            block = example_pb2.Example.FromString(record)
        except DecodeError as error:
            raise ValueError("a record is no tf.train.Example") from error
        count += _checked_examples(block, feature_names)
        if count > examples:  # no more objects than examples
            break
        blocks.append(block)
    if count != examples:
        raise ValueError(f"it does not hold {examples} examples")
    return blocks


def _records(unpacked: bytes) -> Iterator[memoryview]:
    """Yields the data of every record of a TFRecord file."""
    view, position = memoryview(unpacked), 0
    while position < len(view):
        if len(view) - position < FRAME_BYTES:
            raise ValueError("a record is cut short")
        (size,) = struct.unpack_from("<Q", view, position)
        start = position + 12
        position = start + size + 4
        if position > len(view):
            raise ValueError("a record is cut short")
        if not size:
            raise ValueError("a record is empty")
        yield view[start : start + size]


def _checked_examples(block: Any, feature_names: Sequence[str]) -> int:
    """Returns the examples of a block whose parts fit together."""
    counts = set()
    for name in feature_names:
        values = _int32_of(block, f"{name}/values")
        lengths = _int32_of(block, f"{name}/lengths")
        if lengths.size and lengths.min() < 1:
            raise ValueError("a length is below 1")
        if lengths.sum(dtype=np.int64) != values.size:
            raise ValueError(f"{name} have other lengths than values")
        counts.add(len(lengths))
    for name, feature in block.features.feature.items():
        if name.endswith("_text"):
            counts.add(len(feature.bytes_list.value))
    if len(counts) != 1 or counts == {0}:
        raise ValueError("its features have different numbers of examples")
    return counts.pop()


def _int32_of(block: Any, name: str) -> np.ndarray:
    there = name in block.features.feature
    arrays = block.features.feature[name].bytes_list.value if there else []
    if len(arrays) != 1 or len(arrays[0]) % _INT32.itemsize:
        raise ValueError(f"a record holds no {name}")
    return np.frombuffer(arrays[0], _INT32)

"""The index of TensorFlow's bundle format, read without native code.

TensorFlow's reader ends the process over an index whose checksums are right
but whose entries are not; so every entry is looked at here first. The file is
a table as LevelDB's, uncompressed: blocks of sorted keys, the first of them
"" with the header, and an index block that says where the blocks are.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

MAX_INDEX_BYTES = 1 << 26
_FOOTER_BYTES = 48
_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_MAX_VARINT_BYTES = 10
_MAX_RANK = 32
_MAX_ELEMENTS = 1 << 62
_HEADER_KEY = b""


def shapes_and_types(content: bytes) -> dict[str, tuple[tuple, tf.DType]]:
    """Returns {name: (shape, dtype)} of every tensor of an index.

    Args:
        content: bytes, the `.index` file.
    Raises:
        ValueError: it is no index, or a tensor is partitioned, of a shape
            that cannot be, or holds no numbers.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import tensor_bundle_pb2

    found = {}
    for key, value in _pairs(content):
        if key == _HEADER_KEY:
            continue
        name = key.decode("utf-8")
        try:
            entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
        except DecodeError as error:
            raise ValueError(f"the entry of {name} cannot be read") from error
        found[name] = (_shape(name, entry), _dtype(name, entry))
    return found


def _shape(name: str, entry: Any) -> tuple[int, ...]:
    shape = tuple(axis.size for axis in entry.shape.dim)
    if (
        entry.slices
        or entry.shape.unknown_rank
        or len(shape) > _MAX_RANK
        or any(size < 0 for size in shape)
        or math.prod(max(1, size) for size in shape) > _MAX_ELEMENTS
    ):
        raise ValueError(f"{name} has no shape that can be")
    return shape


def _dtype(name: str, entry: Any) -> tf.DType:
    try:
        dtype = tf.as_dtype(entry.dtype)
    except TypeError as error:
        raise ValueError(f"{name} has the type {entry.dtype}") from error
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        raise ValueError(f"{name} holds no numbers but {dtype.name}")
    return dtype


def _pairs(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys and values of a table."""
    footer = content[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or footer[-8:] != _MAGIC:
        raise ValueError("its index has no end")
    position = 0
    for _ in range(2):  # where the block of metadata is, which has no use
        _, position = _varint(footer, position)
    place, _ = _handle(footer, position)
    for _, value in _block(content, place):
        place, _ = _handle(value, 0)
        yield from _block(content, place)


def _block(
    content: bytes, place: tuple[int, int]
) -> Iterator[tuple[bytes, bytes]]:
    """Yields the pairs of the block at (offset, size)."""
    offset, size = place
    block = content[offset : offset + size]
    # A byte after the block says how it is packed; 0 = not at all.
    if (
        len(block) < max(size, 4)
        or content[offset + size : offset + size + 1] != b"\0"
    ):
        raise ValueError("a block of its index cannot be read")
    (restarts,) = struct.unpack("<I", block[-4:])
    end = size - 4 * (restarts + 1)
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        added, position = _varint(block, position)
        length, position = _varint(block, position)
        after = position + added + length
        if shared > len(key) or after > end:
            raise ValueError("a block of its index cannot be read")
        key = key[:shared] + block[position : position + added]
        yield key, block[position + added : after]
        position = after


def _handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    """Returns ((offset, size) of a block, the position after them)."""
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return (offset, size), position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Returns (an integer of 7 bits a byte, the position after it)."""
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        if position + index >= len(data):
            break
        byte = data[position + index]
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value, position + index + 1
    raise ValueError("a number of its index is cut short")

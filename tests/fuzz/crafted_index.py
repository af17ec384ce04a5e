"""Indexes of TensorFlow's bundle format whose checksums are all right."""

from __future__ import annotations

import struct

from hypothesis import strategies as st
from tensorflow.core.protobuf import tensor_bundle_pb2

_MAGIC = 0xDB4775248B80FB57
_SIZES = (-(2**63), -5, -1, 0, 1, 2, 7, 2**31, 2**40, 2**62, 2**63 - 1)


def indexes() -> st.SearchStrategy:
    """Draws indexes with a header and one to three entries."""
    values = entries() | st.binary(max_size=12)
    names = st.text("ab/", max_size=3).map(str.encode) | st.binary(max_size=3)
    header = st.sampled_from(
        [
            _header(),
            _header(endianness=1),
            _header(num_shards=-1),
            b"\xff",
            None,
        ]
    )
    return st.tuples(
        header | st.just(_header()),
        st.dictionaries(names, values, min_size=1, max_size=3),
    ).map(lambda drawn: table(*drawn))


def entries() -> st.SearchStrategy:
    """Draws serialised entries of any type, shape, size and place."""
    sizes = st.sampled_from(_SIZES)
    dims = st.lists(sizes, max_size=3) | st.just([1] * 300)
    return st.builds(
        _entry,
        dims,
        st.integers(0, 60) | st.just(1),
        sizes | st.just(8),
        sizes | st.just(0),
        st.sampled_from([0, 0, 0, -1, 7]),
        st.booleans(),
    )


def table(header: bytes | None, values: dict[bytes, bytes]) -> bytes:
    """Returns a table of one block, a header of None left out."""
    pairs = [] if header is None else [(b"", header)]
    pairs += sorted((k, v) for k, v in values.items() if k)
    content, places = b"", []
    for block in (_block(pairs), _block([])):
        places.append(_varint(len(content)) + _varint(len(block)))
        content += _sealed(block)
    index = _block([(b"\xff", places[0])])
    footer = places[1] + _varint(len(content)) + _varint(len(index))
    content += _sealed(index)
    return content + footer.ljust(40, b"\0") + struct.pack("<Q", _MAGIC)


def _entry(dims, dtype, size, offset, shard, sliced) -> bytes:
    entry = tensor_bundle_pb2.BundleEntryProto(
        dtype=dtype, size=size, offset=offset, shard_id=shard
    )
    for length in dims:
        entry.shape.dim.add(size=length)
    if sliced:
        entry.slices.add().extent.add(start=0, length=2**40)
    return entry.SerializeToString()


def _header(num_shards=1, endianness=0) -> bytes:
    header = tensor_bundle_pb2.BundleHeaderProto(
        num_shards=num_shards, endianness=endianness
    )
    header.version.producer = 1
    return header.SerializeToString()


def _block(pairs) -> bytes:
    content = b"".join(
        _varint(0) + _varint(len(key)) + _varint(len(value)) + key + value
        for key, value in pairs
    )
    return content + struct.pack("<II", 0, 1)


def _sealed(block: bytes) -> bytes:
    """Returns a block with its type, uncompressed, and its checksum."""
    crc = 0xFFFFFFFF
    for byte in block + b"\0":
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    return block + b"\0" + struct.pack("<I", masked)


def _varint(value: int) -> bytes:
    content = b""
    while value >= 128:
        content += bytes([value & 127 | 128])
        value >>= 7
    return content + bytes([value])

"""Warm-up requests, which TensorFlow Serving replays when it loads a model.

<version>/assets.extra/tf_serving_warmup_requests holds records of serialised
`tensorflow.serving.PredictionLog`. The messages are put together here, field by
field, so that an export does not need TensorFlow Serving's package.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
# Field numbers of prediction_log.proto, predict.proto and model.proto.
_PREDICT_LOG, _REQUEST = 6, 1
_MODEL_SPEC, _INPUTS = 1, 2
_NAME, _SIGNATURE_NAME = 1, 3
_KEY, _VALUE = 1, 2


def write_requests(
    folder: str, name: str, requests: Sequence[tuple[str, Mapping[str, Any]]]
) -> None:
    """Writes warm-up requests into a SavedModel's folder.

    Args:
        folder: str, the version's.
        name: str, the model's name in the server.
        requests: (signature, inputs by name) each.
    """
    path = os.path.join(folder, _FILE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tf.io.TFRecordWriter(path) as writer:
        for signature, inputs in requests:
            writer.write(_prediction_log(name, signature, inputs))


def _prediction_log(
    name: str, signature: str, inputs: Mapping[str, Any]
) -> bytes:
    spec = _field(_NAME, name.encode())
    spec += _field(_SIGNATURE_NAME, signature.encode())
    request = _field(_MODEL_SPEC, spec)
    for key, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        entry = _field(_KEY, key.encode()) + _field(_VALUE, tensor)
        request += _field(_INPUTS, entry)
    return _field(_PREDICT_LOG, _field(_REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    """Returns a length-delimited field of Protocol Buffers' wire format."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)

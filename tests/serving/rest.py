"""TensorFlow Serving's REST format, as far as text models need it.

As there, each input of the signature has to be in a request, for its defaults
hold over gRPC alone, and a value has to be of its input's type.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from tests.serving.session_model import RequestError

_PATH = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+))?(:predict|/metadata)?$"
)
_KINDS = {
    tf.string: ("string", (str, dict)),
    tf.bool: ("bool", bool),
    tf.int32: ("int32", int),
    tf.float32: ("float", (int, float)),
    tf.uint8: ("uint8", int),
}


def get(server: Any, path: str) -> dict:
    """Answers GET /v1/models/NAME[/versions/V][/metadata]."""
    if path.endswith("/metadata"):
        _parse_path(server, path, verb="/metadata")
        return _metadata(server)
    _parse_path(server, path, verb=None)
    return {
        "model_version_status": [
            {
                "version": str(server.version),
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


def _metadata(server: Any) -> dict:
    return {
        "model_spec": {
            "name": server.name,
            "signature_name": "",
            "version": str(server.version),
        },
        "metadata": {
            "signature_def": json_format.MessageToDict(
                server.signatures(),
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
        },
    }


def predict(server: Any, path: str, body: bytes) -> dict:
    """Answers POST ...:predict, in the row or the column format."""
    _parse_path(server, path, verb=":predict")
    try:
        request = json.loads(body)
    except ValueError as error:
        raise RequestError(f"JSON Parse error: {error}") from error
    if ("instances" in request) == ("inputs" in request):
        raise RequestError("Missing 'inputs' or 'instances' key")
    signature = request.get("signature_name", "serving_default")
    types = {
        name: tf.as_dtype(info.dtype)
        for name, info in server.model.definition(signature).inputs.items()
    }
    if "inputs" in request:
        outputs = server.predict(_columns(request["inputs"], types), signature)
        shown = {k: _plain(v.tolist()) for k, v in outputs.items()}
        # One output goes without its name.
        alone = next(iter(shown.values()))
        return {"outputs": shown if len(shown) > 1 else alone}
    outputs = server.predict(_rows(request["instances"], types), signature)
    names = list(outputs)
    rows = [
        dict(zip(names, _plain(row), strict=True))
        for row in zip(*(outputs[k].tolist() for k in names), strict=True)
    ]
    if len(names) == 1:
        rows = [row[names[0]] for row in rows]
    return {"predictions": rows}


def dumps(value: dict) -> bytes:
    """Returns JSON in UTF-8, but for strings that are none: they stay so."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return text.encode("utf-8", "surrogateescape")


def _parse_path(server: Any, path: str, verb: str | None) -> None:
    found = _PATH.match(path)
    if not found or found[3] != verb:
        raise RequestError(f"Malformed request: {path}")
    server.check_model(found[1], int(found[2]) if found[2] else None)


def _columns(inputs: Any, types: dict) -> dict[str, np.ndarray]:
    if not isinstance(inputs, dict) or set(inputs) == {"b64"}:
        inputs = {next(iter(types)): inputs}
        if len(types) > 1:
            raise RequestError(
                "inputs is a plain value/list, but expecting an object as "
                "multiple input tensors required as per tensorinfo_map"
            )
    for name in types:
        if name not in inputs:
            raise RequestError(
                f"Missing named input: {name} in 'inputs' object."
            )
    # What the signature does not have is passed over, as the server does.
    return {name: _array(inputs[name], types[name]) for name in types}


def _rows(instances: list, types: dict) -> dict[str, np.ndarray]:
    named = [
        row
        if isinstance(row, dict) and "b64" not in row
        else {next(iter(types)): row}
        for row in instances
    ]
    for place, row in enumerate(named):
        if set(row) != set(types):
            raise RequestError(
                f"Failed to process element: {place} of 'instances' list. "
                f"JSON object: {row} keys must be equal to: "
                f"{','.join(sorted(types))}"
            )
    return {
        name: _array([row[name] for row in named], dtype)
        for name, dtype in types.items()
    }


def _array(values: Any, dtype: tf.DType) -> np.ndarray:
    cells = _converted(values, dtype)
    try:
        found = np.array(cells, dtype.as_numpy_dtype)
    except ValueError as error:
        raise RequestError(
            f"Encountered list at unexpected size: {error}"
        ) from error
    if any(isinstance(cell, list) for cell in found.flat):
        raise RequestError("Encountered list at unexpected size")
    return found


def _converted(value: Any, dtype: tf.DType) -> Any:
    if isinstance(value, list):
        return [_converted(item, dtype) for item in value]
    name, kinds = _KINDS[dtype]
    wrong = isinstance(value, bool) and dtype != tf.bool
    if wrong or not isinstance(value, kinds):
        raise RequestError(
            f"JSON Value: {json.dumps(value)} Type: {type(value).__name__} is "
            f"not of expected type: {name}"
        )
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value.encode() if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value

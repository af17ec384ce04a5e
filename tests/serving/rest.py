"""TensorFlow Serving's REST format, as far as string models need it."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np

from tests.serving.session_model import RequestError

_PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(:predict)?$")


def status(server: Any, path: str) -> dict:
    """Answers GET /v1/models/NAME[/versions/V]."""
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
    if "inputs" in request:
        outputs = server.predict(_columns(request["inputs"]), signature)
        shown = {k: _plain(v.tolist()) for k, v in outputs.items()}
        # One output goes without its name.
        alone = next(iter(shown.values()))
        return {"outputs": shown if len(shown) > 1 else alone}
    outputs = server.predict(_rows(request["instances"]), signature)
    names = list(outputs)
    rows = [
        dict(zip(names, _plain(row), strict=True))
        for row in zip(*(outputs[k].tolist() for k in names), strict=True)
    ]
    if len(names) == 1:
        rows = [row[names[0]] for row in rows]
    return {"predictions": rows}


def dumps(value: dict) -> bytes:
    """Returns JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def _parse_path(server: Any, path: str, verb: str | None) -> None:
    found = _PATH.match(path)
    if not found or found[3] != verb:
        raise RequestError(f"Malformed request: {path}")
    server.check_model(found[1], int(found[2]) if found[2] else None)


def _columns(inputs: Any) -> dict[str, np.ndarray]:
    if not isinstance(inputs, dict) or set(inputs) == {"b64"}:
        inputs = {"inputs": inputs}
    return {name: _array(values) for name, values in inputs.items()}


def _rows(instances: list) -> dict[str, np.ndarray]:
    named = [
        row if isinstance(row, dict) and "b64" not in row else {"inputs": row}
        for row in instances
    ]
    return {
        name: _array([row[name] for row in named])
        for name in (named[0] if named else ["inputs"])
    }


def _array(values: Any) -> np.ndarray:
    def convert(value):
        if isinstance(value, dict):
            return base64.b64decode(value["b64"])
        return value.encode() if isinstance(value, str) else value

    if isinstance(values, list):
        cells = [convert(value) for value in values]
        strings = all(isinstance(cell, bytes) for cell in cells)
        return np.array(cells, dtype=object if strings else None)
    return np.array(convert(values), dtype=object)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value

"""The fields of a run's hparams.json, read without trusting them."""

from __future__ import annotations

from typing import Any

from t2t_lite.data import untrusted
from t2t_lite.task import Task

FILE = "hparams.json"
_TYPES = {
    "problem": str,
    "problem_options": dict,
    "model": str,
    "hparams": dict,
    "task": dict,
    "vocabulary": str,
    "data_hash": str,
    "settings": dict,
}


def read(path: str, expected: int) -> dict[str, Any]:
    """Returns the fields of a run's hparams.json.

    Those of the format `expected` are checked: `hparams` is a JSON object
    still; `vocabulary` is a plain file name. Of another format there is only
    `format` to be relied on.

    Raises:
        ValueError: the file is no JSON object, or a field is missing or of
            another type or range; a few words that say which.
        OSError: it cannot be read.
    """
    values = untrusted.read_json(path)
    if not isinstance(values, dict):
        raise ValueError("it is no JSON object")
    if type(values.get("format")) is not int:
        raise ValueError("it names no format")
    if values["format"] == expected:
        _check(values)
    return values


def _check(values: dict[str, Any]) -> None:
    for name, kind in _TYPES.items():
        if name not in values:
            raise ValueError(f"{name} is missing")
        if type(values[name]) is not kind:
            raise ValueError(
                f"{name}: expected {kind.__name__}, got {values[name]!r:.80}"
            )
    untrusted.check_plain_name(values["vocabulary"])
    Task.from_json(values["task"])
    search = values["settings"].get("decode_hparams", "")
    if not isinstance(search, str):
        raise ValueError(f"decode_hparams: expected str, got {search!r:.80}")

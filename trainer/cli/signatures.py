"""What a signature of a served model takes, and requests that fit it.

A server tells a signature's inputs and their defaults as metadata. Over REST
TensorFlow Serving wants every input in a request, and where it batches, every
input with as many rows as the texts; so a request holds them all.
"""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from t2t_lite.decoding.options import SearchOptions
from t2t_lite.decoding.wishes import (
    PHRASES,
    by_name,
    check_names,
    check_ranges,
)
from t2t_lite.errors import UserError, closest

TEXTS = ("inputs", "targets")
# Those that take what a search may be asked for.
SEARCHES = ("translate", "continue")
_MAX_INT32 = 1 << 31
# The protocol buffers' names: (ours, the field of a TensorProto).
_TYPES = {
    "DT_STRING": ("string", "string_val"),
    "DT_INT32": ("int32", "int_val"),
    "DT_FLOAT": ("float32", "float_val"),
    "DT_BOOL": ("bool", "bool_val"),
    "DT_UINT8": ("uint8", "int_val"),
}
_READ = {("uint8", 4): "image", ("float32", 2): "audio"}


@dataclasses.dataclass(frozen=True)
class Input:
    """An input of a signature.

    Fields:
        dtype: str, "string", "int32", "float32", "bool" or "uint8".
        default: what a row holds where nothing is asked for: a str, int,
            float or bool, or a list of str; None = it has to be given.
        shape: sizes of its axes, -1 = any.
    """

    dtype: str
    default: Any = None
    shape: tuple[int, ...] = ()


Signature = dict[str, Input]


def read_signature(definition: Mapping[str, Any]) -> Signature:
    """Returns the inputs of a SignatureDef in the JSON of protocol buffers.

    Args:
        definition: its fields by their own names (`tensor_shape`, not
            `tensorShape`).
    Raises:
        ValueError, KeyError, TypeError, IndexError, AttributeError: it is no
            SignatureDef, or has inputs of other types than an export has.
    """
    defaults = definition.get("defaults", {})
    found = {}
    for name, info in definition["inputs"].items():
        dtype, field = _TYPES[info["dtype"]]
        default = None
        if name in defaults:
            default = _row(defaults[name], field)
        axes = info.get("tensor_shape", {}).get("dim", [])
        shape = tuple(int(axis["size"]) for axis in axes)
        found[name] = Input(dtype, default, shape)
    return found


def kind_of(signature: Signature) -> str:
    """Returns what `inputs` are: "text", "image" or "audio".

    Raises:
        UserError: something else.
    """
    inputs = signature.get("inputs", Input("string"))
    if inputs.dtype == "string":
        return "text"
    form = (inputs.dtype, len(inputs.shape))
    if form not in _READ:
        raise UserError(
            f"inputs: expected texts, images or waveforms, the signature takes "
            f"{inputs.dtype} of {inputs.shape}"
        )
    return _READ[form]


def _row(tensor: Mapping[str, Any], field: str) -> Any:
    """Returns the first row of a TensorProto of one row."""
    values = list(tensor[field])
    if field == "string_val":
        values = [base64.b64decode(value).decode() for value in values]
    if field == "float_val":
        values = [float(value) for value in values]
    rank = len(tensor["tensor_shape"]["dim"])
    return values if rank == 2 else values[0]


def checked(
    name: str,
    signature: Signature,
    asked: Mapping[str, Any],
    whole: bool = True,
) -> dict[str, Any]:
    """Returns the values that one line asks for, each of its input's type.

    Args:
        name: str, the signature's.
        signature: its inputs.
        asked: values by name; None asks for nothing.
        whole: bool, they are all that the line has, its texts too.
    Raises:
        UserError: a name is unknown, a value is of a wrong type or out of
            range, or what has no default is missing.
    """
    if name in SEARCHES:
        check_names([n for n in asked if n not in TEXTS], _wishes(signature))
    for key in asked:
        if key not in signature:
            raise UserError(
                f"{key}: no input of {name!r}{closest(key, signature)}; there "
                f"are {', '.join(signature)}"
            )
    found = {
        # Of what is no text it is a path here.
        key: _typed(key, each[0], signature[key].dtype, key == "inputs")
        for key, each in by_name(1, asked).items()
    }
    wishes = {k: v for k, v in found.items() if k not in (*TEXTS, *PHRASES)}
    check_ranges(_options(signature), 1, wishes)
    for key, given in signature.items():
        if whole and key not in found and given.default is None:
            raise UserError(
                f"{key} is missing: the signature {name!r} has no default for "
                "it"
            )
    return found


def _wishes(signature: Signature) -> list[str]:
    return sorted(name for name in signature if name not in TEXTS)


def _typed(name: str, value: Any, dtype: str, path: bool) -> Any:
    """Returns a value as `dtype`; raises UserError if it is of another."""
    dtype = "string" if path else dtype
    items = value if name in PHRASES else [value]
    if not all(_is_of(dtype, item) for item in items):
        raise UserError(f"{name}: expected {dtype}, got {value!r:.100}")
    return float(value) if dtype == "float32" else value


def _is_of(dtype: str, value: Any) -> bool:
    if dtype == "string":
        return isinstance(value, str) and _is_utf8(value)
    if dtype == "bool":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if dtype == "int32":
        return isinstance(value, int) and -_MAX_INT32 <= value < _MAX_INT32
    return isinstance(value, int | float) and math.isfinite(value)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _options(signature: Signature) -> SearchOptions:
    """Returns a signature's defaults as the options of a search."""
    fields = {field.name for field in dataclasses.fields(SearchOptions)}
    values = {
        name: given.default
        for name, given in signature.items()
        if name in fields and given.default is not None
    }
    if values.get("max_length") == 0:
        values["max_length"] = None
    return SearchOptions(**values)


def columns(
    signature: Signature, rows: Sequence[Mapping[str, Any]]
) -> dict[str, list]:
    """Returns all inputs of a request, each with as many rows as `rows`.

    Args:
        signature: its inputs.
        rows: what `checked` returned, a line each.
    """
    found = {}
    for key, given in signature.items():
        values = [row.get(key, given.default) for row in rows]
        found[key] = _phrases(values) if key in PHRASES else values
    return found


def _phrases(each: Sequence[Sequence[str]]) -> list[list[str]]:
    """Returns phrases as rows of one width, of which "" asks for nothing.

    The first is "": a server that merges requests of different widths repeats
    the first phrase of a request's first row to make them equal.
    """
    filled = [[phrase for phrase in row if phrase] for row in each]
    width = max(len(row) for row in filled)
    return [["", *row, *[""] * (width - len(row))] for row in filled]

"""Runs a SavedModel through TensorFlow's C API, in a process without Python's
TensorFlow: what a server in C, Go or Java would do.

    outputs = capi.run(saved_model_dir, ["The small dog sleeps."])

The child process (this file as a script) reads a request as JSON from its
standard input, loads the shared libraries of TensorFlow's wheel with ctypes,
and writes the outputs as JSON. It never imports TensorFlow.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import pathlib
import subprocess
import sys
from typing import Any

_STRING = 7
# TF_DataType: how to read one element.
_NUMBERS = {
    1: ctypes.c_float,
    2: ctypes.c_double,
    3: ctypes.c_int32,
    9: ctypes.c_int64,
    10: ctypes.c_bool,
}
_TSTRING_BYTES = 24

_P, _I, _S = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
# The C functions used: result, arguments.
_PROTOTYPES = {
    "TF_NewStatus": (_P, []),
    "TF_GetCode": (_I, [_P]),
    "TF_Message": (ctypes.c_char_p, [_P]),
    "TF_LoadLibrary": (_P, [ctypes.c_char_p, _P]),
    "TF_NewGraph": (_P, []),
    "TF_NewSessionOptions": (_P, []),
    "TF_LoadSessionFromSavedModel": (
        _P,
        [_P, _P, ctypes.c_char_p, _P, _I, _P, _P, _P],
    ),
    "TF_GraphOperationByName": (_P, [_P, ctypes.c_char_p]),
    "TF_SessionRun": (
        None,
        [_P, _P, _P, _P, _I, _P, _P, _I, _P, _I, _P, _P],
    ),
    "TF_AllocateTensor": (_P, [_I, _P, _I, _S]),
    "TF_TensorType": (_I, [_P]),
    "TF_TensorData": (_P, [_P]),
    "TF_TensorElementCount": (ctypes.c_int64, [_P]),
    "TF_StringInit": (None, [_P]),
    "TF_StringCopy": (None, [_P, ctypes.c_char_p, _S]),
    "TF_StringGetDataPointer": (_P, [_P]),
    "TF_StringGetSize": (_S, [_P]),
}


class _Output(ctypes.Structure):
    """TF_Output: one output of one operation."""

    _fields_ = [("operation", _P), ("index", _I)]


def text_libraries() -> list[str]:
    """Returns TF Text's shared libraries that hold the SentencePiece ops."""
    folder = _package("tensorflow_text") / "python" / "ops"
    return sorted(str(p) for p in folder.glob("_*sentencepiece_tokenizer.so"))


def run(
    saved_model_dir: str,
    texts: list[str],
    signature: str = "serving_default",
    libraries: list[str] | None = None,
) -> dict[str, list]:
    """Returns the signature's outputs, each as one flat list.

    Args:
        saved_model_dir: str, the folder that holds saved_model.pb.
        texts: what is fed to the signature's only input, 1-D strings.
        signature: str, the signature's key.
        libraries: op libraries loaded first; by default `text_libraries()`.
    Raises:
        RuntimeError: the C API refuses; the message is what it says.
    """
    request = {
        "saved_model_dir": str(saved_model_dir),
        "texts": texts,
        "libraries": text_libraries() if libraries is None else libraries,
        **_tensor_names(saved_model_dir, signature),
    }
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


def _tensor_names(saved_model_dir: str, signature: str) -> dict[str, Any]:
    from tensorflow.core.protobuf import saved_model_pb2

    content = (pathlib.Path(saved_model_dir) / "saved_model.pb").read_bytes()
    saved = saved_model_pb2.SavedModel.FromString(content)
    found = next(
        g for g in saved.meta_graphs if "serve" in g.meta_info_def.tags
    )
    definition = found.signature_def[signature]
    (fed,) = definition.inputs.values()
    fetched = {name: info.name for name, info in definition.outputs.items()}
    return {"input": fed.name, "outputs": fetched}


def _package(name: str) -> pathlib.Path:
    """The package's folder, found without importing it."""
    return pathlib.Path(
        importlib.util.find_spec(name).submodule_search_locations[0]
    )


class _Session:
    """A session made by the C API; every call checks its status."""

    def __init__(self, saved_model_dir: str, libraries: list[str]):
        folder = _package("tensorflow")
        names = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
        self._libraries = [
            ctypes.CDLL(str(folder / name), ctypes.RTLD_GLOBAL)
            for name in names
        ]
        self._status = self._call("TF_NewStatus")
        for library in libraries:
            self._checked("TF_LoadLibrary", library.encode())
        self._graph = self._call("TF_NewGraph")
        tags = (ctypes.c_char_p * 1)(b"serve")
        self._session = self._checked(
            "TF_LoadSessionFromSavedModel",
            self._call("TF_NewSessionOptions"),
            None,
            saved_model_dir.encode(),
            tags,
            1,
            self._graph,
            None,
        )

    def _call(self, name: str, *arguments: Any) -> Any:
        """Calls a C function, whichever of the two libraries exports it."""
        for library in self._libraries:
            function = getattr(library, name, None)
            if function is not None:
                function.restype, function.argtypes = _PROTOTYPES[name]
                return function(*arguments)
        raise RuntimeError(f"TensorFlow's libraries do not export {name}")

    def _checked(self, name: str, *arguments: Any) -> Any:
        """Calls a C function whose last argument is the status."""
        result = self._call(name, *arguments, self._status)
        if self._call("TF_GetCode", self._status):
            message = self._call("TF_Message", self._status).decode()
            raise RuntimeError(f"{name}: {message}")
        return result

    def run(
        self, texts: list[str], fed: str, fetched: dict[str, str]
    ) -> dict[str, list]:
        """Feeds `texts` to tensor `fed`; returns the fetched tensors."""
        inputs = (_Output * 1)(self._output(fed))
        values = (_P * 1)(self._string_tensor(texts))
        outputs = (_Output * len(fetched))(
            *(self._output(name) for name in fetched.values())
        )
        results = (_P * len(fetched))()
        self._checked(
            "TF_SessionRun",
            self._session,
            None,
            inputs,
            values,
            1,
            outputs,
            results,
            len(fetched),
            None,
            0,
            None,
        )
        return {
            name: self._read(tensor)
            for name, tensor in zip(fetched, results, strict=True)
        }

    def _output(self, tensor_name: str) -> _Output:
        name, _, index = tensor_name.partition(":")
        found = self._call(
            "TF_GraphOperationByName", self._graph, name.encode()
        )
        if not found:
            raise RuntimeError(f"the graph has no operation {name!r}")
        return _Output(found, int(index or 0))

    def _string_tensor(self, texts: list[str]) -> int:
        shape = (ctypes.c_int64 * 1)(len(texts))
        size = len(texts) * _TSTRING_BYTES
        tensor = self._call("TF_AllocateTensor", _STRING, shape, 1, size)
        start = self._call("TF_TensorData", tensor)
        for row, text in enumerate(texts):
            content = text.encode()
            cell = start + row * _TSTRING_BYTES
            self._call("TF_StringInit", cell)
            self._call("TF_StringCopy", cell, content, len(content))
        return tensor

    def _read(self, tensor: int) -> list:
        count = self._call("TF_TensorElementCount", tensor)
        start = self._call("TF_TensorData", tensor)
        kind = self._call("TF_TensorType", tensor)
        if kind != _STRING:
            return list((_NUMBERS[kind] * count).from_address(start))
        cells = [start + i * _TSTRING_BYTES for i in range(count)]
        return [
            ctypes.string_at(
                self._call("TF_StringGetDataPointer", cell),
                self._call("TF_StringGetSize", cell),
            ).decode()
            for cell in cells
        ]


def _serve_one_request() -> None:
    request = json.load(sys.stdin)
    session = _Session(request["saved_model_dir"], request["libraries"])
    found = session.run(request["texts"], request["input"], request["outputs"])
    if "tensorflow" in sys.modules:
        raise RuntimeError("this process must not import TensorFlow")
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    try:
        _serve_one_request()
    except RuntimeError as error:
        sys.exit(str(error))

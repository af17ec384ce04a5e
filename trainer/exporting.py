"""Export: a versioned SavedModel with the tokenizer inside.

    <output_dir>/export/<version>/    a folder that TF Serving loads as it is

Signatures: `serving_default` takes `inputs`, strings (batch,), and returns
`outputs`, strings (batch,), and `scores`, float32 (batch,): the best
translation and its log-probability over the length penalty. `translate` takes
everything that a request may ask for and returns all results, their tokens and
attention; `score` rates given translations; `encode` gives sentence vectors.
`text_graphs` has each one's inputs and outputs.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import os
import re
import shutil
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

import t2t_lite
from t2t_lite.data import storage, untrusted
from t2t_lite.errors import UserError
from t2t_lite.trainer.inference import Predictor

# Beside the model, where servers do not look.
_ORIGIN_FILE = os.path.join("assets.extra", "t2t_lite.json")
_UNFINISHED = re.compile(r"writing-\d+-\d+")
_SENTENCES = ("A dog sleeps.", "", "1 2 3")


class ServingModule(tf.Module):
    """What is saved: raw variables, the tokenizer and one signature.

    The Keras model is reached through the traced function alone: as an
    attribute it would hide its variables from loaders that are not Keras.

    Args:
        predictor: Predictor whose graph is exported.
    """

    def __init__(self, predictor: Predictor):
        super().__init__(name="t2t_lite")
        self.weights = [v.value for v in predictor.model.weights]
        self.tokenizer = predictor.tokenizer

        graphs = predictor.graphs
        specs = graphs.specification()
        inputs = specs.pop("inputs")
        alpha = tf.constant([predictor.options.alpha], tf.float32)
        targets = tf.TensorSpec([None], tf.string, "targets")
        self.functions = {
            "serving_default": _signature(graphs.serve, {"inputs": inputs}),
            "translate": _signature(
                lambda inputs, **wishes: graphs.translate(inputs, wishes),
                {"inputs": inputs, **specs},
                graphs.defaults(),
            ),
            "score": _signature(
                graphs.score,
                {
                    "inputs": inputs,
                    "targets": targets,
                    "alpha": specs["alpha"],
                },
                {"alpha": alpha},
            ),
            "encode": _signature(graphs.encode, {"inputs": inputs}),
        }


def _signature(function, specs, defaults=None):
    """Returns a tf.function of named inputs, some with defaults.

    The defaults go into the SavedModel, where a server finds them for inputs
    that a request leaves out.
    """
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter(
            name,
            kind,
            default=(defaults or {}).get(name, inspect.Parameter.empty),
        )
        for name in specs
    ]

    def call(*args, **kwargs):
        bound = call.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        return function(**bound.arguments)

    call.__signature__ = inspect.Signature(parameters)
    return tf.function(
        call, input_signature=list(specs.values()), autograph=False
    )


def versions(root: str) -> list[int]:
    """Returns the versions exported below `root`, ascending."""
    if not os.path.isdir(root):
        return []
    return sorted(
        int(name)
        for name in os.listdir(root)
        if name.isascii() and name.isdigit()
    )


def export(
    predictor: Predictor,
    root: str,
    version: int | None = None,
    sentences: Sequence[str] = _SENTENCES,
) -> str:
    """Writes a SavedModel to `root/<version>`.

    A version that is already there and was made of the same weights,
    vocabulary and search is kept: a command that was killed just before its
    end leaves one version when it runs again, not two.

    Args:
        predictor: what is exported.
        root: str, the folder of all versions.
        version: int, by default one above the highest there.
        sentences: the export must answer them as `predictor` does.
    Returns:
        The version's folder; it appears whole and checked, by a rename.
    Raises:
        UserError: that version exists and is another.
        RuntimeError: the export answers otherwise.
    """
    os.makedirs(root, exist_ok=True)
    # One exporter at a time: the next removes what a killed one left.
    with storage.folder_lock(os.path.join(root, "versions"), lambda: None):
        return _export(predictor, root, version, sentences)


def _export(predictor, root, version, sentences) -> str:
    there = versions(root)
    newest = there[-1] if there else 0
    folder = os.path.join(root, str(version or newest))
    made_of = origin(predictor)
    if _read_origin(folder) == made_of:
        check_export(folder, predictor, sentences)
        return folder
    if version in there:
        raise UserError(
            f"--version={version} exists in {root}; give a higher number or "
            "leave the flag out"
        )
    version = version or newest + 1
    _write(predictor, root, version, made_of, sentences)
    return os.path.join(root, str(version))


def _write(predictor, root, version, made_of, sentences) -> None:
    """Writes and checks a version under a temporary name, and renames it."""
    # An absolute path is what TensorFlow's errors are read for.
    root = os.path.abspath(root)
    temporary = os.path.join(root, f"writing-{version}-{os.getpid()}")
    for name in os.listdir(root):
        if _UNFINISHED.fullmatch(name):
            shutil.rmtree(os.path.join(root, name))
    module = ServingModule(predictor)
    try:
        tf.saved_model.save(module, temporary, signatures=module.functions)
        path = os.path.join(temporary, _ORIGIN_FILE)
        os.makedirs(os.path.dirname(path))
        storage.write_json(path, made_of)
        check_export(temporary, predictor, sentences)
        os.rename(temporary, os.path.join(root, str(version)))
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def origin(predictor: Predictor) -> dict[str, Any]:
    """Returns what an export is made of, to know it again."""
    weights = hashlib.sha256()
    for variable in predictor.model.weights:
        weights.update(f"{variable.path} {variable.shape}".encode())
        weights.update(variable.numpy().tobytes())
    vocabulary = hashlib.sha256(predictor.encoder.to_bytes())
    return {
        "t2t_lite": t2t_lite.__version__,
        "tensorflow": tf.__version__,
        "weights": weights.hexdigest(),
        "vocabulary": vocabulary.hexdigest(),
        "hparams": dataclasses.asdict(predictor.hparams),
        "search": dataclasses.asdict(predictor.options),
        "dtype": predictor.model.dtype_policy.name,
    }


def _read_origin(folder: str) -> dict[str, Any] | None:
    """Returns what a version was made of; None if it does not say."""
    try:
        return untrusted.read_json(os.path.join(folder, _ORIGIN_FILE))
    except (FileNotFoundError, ValueError):
        return None


def check_export(
    folder: str, predictor: Predictor, sentences: Sequence[str]
) -> None:
    """Loads a SavedModel and compares its text with the predictor's.

    Raises:
        RuntimeError: they differ.
    """
    signature = tf.saved_model.load(folder).signatures["serving_default"]
    result = signature(inputs=tf.constant(sentences))["outputs"].numpy()
    found = [text.decode("utf-8", "replace") for text in result]
    expected = [p.outputs[0] for p in predictor.predict_batch(sentences)]
    if found != expected:
        raise RuntimeError(
            f"{folder} answers {found}, expected {expected}; do not use it"
        )

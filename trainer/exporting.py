"""Export: a versioned SavedModel with the tokenizer inside.

    <output_dir>/export/<version>/    a folder that TF Serving loads as it is

`serving_default` takes `inputs`, strings (batch,), and returns `outputs`,
strings (batch,), and `scores`, float32 (batch,): the best translation and its
log-probability over the length penalty.
"""

from __future__ import annotations

import os
import shutil

import tensorflow as tf

from t2t_lite.errors import UserError
from t2t_lite.trainer.inference import Predictor


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

        def serve(inputs):
            result = predictor.graph(inputs)
            return {
                "outputs": result["outputs"][:, 0],
                "scores": result["scores"][:, 0],
            }

        self.serve = tf.function(
            serve,
            input_signature=[tf.TensorSpec([None], tf.string, "inputs")],
            autograph=False,
        )


def versions(root: str) -> list[int]:
    """Returns the versions exported below `root`, ascending."""
    if not os.path.isdir(root):
        return []
    return sorted(int(name) for name in os.listdir(root) if name.isdigit())


def export(predictor: Predictor, root: str, version: int | None = None) -> str:
    """Writes a SavedModel to `root/<version>`.

    Args:
        predictor: what is exported.
        root: str, the folder of all versions.
        version: int, by default one above the highest there.
    Returns:
        The version's folder; it appears whole, by a rename.
    Raises:
        UserError: that version exists.
    """
    if version is None:
        version = max(versions(root), default=0) + 1
    folder = os.path.join(root, str(version))
    if os.path.exists(folder):
        raise UserError(
            f"--version={version}: {folder} exists; give a higher number or "
            "leave the flag out"
        )
    temporary = os.path.join(root, f"writing-{version}-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(root, exist_ok=True)
    for name in os.listdir(root):
        if name.startswith("writing-"):
            shutil.rmtree(os.path.join(root, name))
    module = ServingModule(predictor)
    try:
        tf.saved_model.save(
            module, temporary, signatures={"serving_default": module.serve}
        )
        os.rename(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


def check_export(
    folder: str, predictor: Predictor, sentences: list[str]
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

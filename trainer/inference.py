"""Loads a trained run for prediction.

translate = t2t_lite.load("runs/ende")
translate(["A sentence."])  ->  ["Ein Satz."]
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

import numpy as np

from t2t_lite.data import storage
from t2t_lite.data.text_encoder import TextEncoder, load_encoder
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.layers import QuantizedWeights, has_quantized_products
from t2t_lite.models.resolve import build
from t2t_lite.registry import MODELS
from t2t_lite.trainer import checkpoints, predictors
from t2t_lite.trainer.batch_predictor import BatchPredictor
from t2t_lite.trainer.run_folder import RunDescription, RunFolder

# The products of each dtype, see `QuantizedWeights`.
_IN_8_BITS = {
    "int8": "auto",
    "int8_matmul": "matmul",
    "int8_convolution": "convolution",
}


def choose_checkpoint(run: RunFolder, checkpoint_path: str | None) -> str:
    """Returns the folder of the weights to use.

    Args:
        run: the run's folder.
        checkpoint_path: str, a checkpoint folder of the user's choice; else
            the end of training's choice, the best or the newest is taken.
    Raises:
        UserError: there is none.
    """
    if checkpoint_path:
        if not os.path.isdir(checkpoint_path):
            raise UserError(
                f"--checkpoint_path={checkpoint_path}: no such folder; "
                f"checkpoints are in {run.checkpoints}"
            )
        return checkpoint_path
    final = os.path.join(run.checkpoints, "final")
    if os.path.isdir(final):
        return final
    for kind in ("best", "step"):
        folders = checkpoints.listing(run.checkpoints, kind)
        if folders:
            return folders[-1]
    raise UserError(
        f"{run.checkpoints} holds no checkpoint yet; train first, or wait "
        "for the first evaluation"
    )


def assign_weights(model, tensors: dict[str, np.ndarray], source: str) -> None:
    """Sets every weight of `model` from a checkpoint's tensors.

    Raises:
        UserError: a weight is missing or has another shape.
    """
    for variable in model.weights:
        value = tensors.get(f"model/{variable.path}")
        if value is None or value.shape != tuple(variable.shape):
            found = "missing" if value is None else f"of shape {value.shape}"
            raise UserError(
                f"{source}: tensor {variable.path} is {found}, expected "
                f"{tuple(variable.shape)}; it belongs to another model or "
                "vocabulary"
            )
        variable.assign(value)


def load_vocabulary(run: RunFolder, description: RunDescription) -> TextEncoder:
    """Returns a run's vocabulary.

    Raises:
        UserError: it is missing, damaged, or not the one of the description.
    """
    vocabulary = run.file(description.vocabulary)
    encoder = load_encoder(vocabulary)
    expected = description.settings.get("vocabulary_sha256")
    if expected != storage.sha256_of_bytes(encoder.to_bytes()):
        raise UserError(
            f"{vocabulary} is not the vocabulary that the run was trained "
            "with; restore the run's own vocabulary"
        )
    size = description.task.vocab_size
    if encoder.vocab_size != size:
        raise UserError(
            f"{vocabulary} has {encoder.vocab_size} entries, the run was "
            f"trained with {size}; restore the run's own vocabulary"
        )
    return encoder


def load(
    output_dir: str,
    checkpoint_path: str | None = None,
    decode_hparams: str | None = None,
    dtype: str = "float32",
    log: Callable[[str], None] | None = None,
    lanes: int = 1,
) -> BatchPredictor:
    """Loads a trained run for prediction.

    Args:
        output_dir: str, the run's folder.
        checkpoint_path: str, a checkpoint folder; by default the best.
        decode_hparams: str, e.g. "beam_size=4,alpha=0.6"; None = the run's.
        dtype: str, Keras dtype policy of the computation; or "int8": large
            matrices in 8 bits and all else float32, on x86 processors, by the
            products that are faster here; "int8_matmul", "int8_convolution":
            by those, see `QuantizedWeights`.
        log: called with lines such as which weights were taken. Without it
            nothing is said, but for a damaged checkpoint: a UserWarning.
        lanes: int, batches that `predict` decodes at once.
    Returns:
        The model's predictor, see `predictors`; call it with a list of
        strings, or of what else the model takes.
    Raises:
        UserError: no run there, or damaged files.
    """
    run = RunFolder(output_dir)
    description = run.describe()
    encoder = load_vocabulary(run, description)
    if decode_hparams is None:
        decode_hparams = description.settings.get("decode_hparams", "")
    options = SearchOptions.parse(decode_hparams)
    folder = choose_checkpoint(run, checkpoint_path)
    folder, tensors, state = _read_or_fall_back(
        run, folder, checkpoint_path, log or warnings.warn
    )
    _check_size(description, tensors, folder)
    quantized = None
    if dtype in _IN_8_BITS:
        _check_quantized_products()
        quantized, dtype = QuantizedWeights(_IN_8_BITS[dtype]), "float32"
    model = build(
        description.model, description.hparams, description.task, dtype
    )
    if log:
        log(f"weights of step {state['step']} from {folder}")
    weights = checkpoints.evaluated_weights(tensors)
    assign_weights(model, weights, folder)
    return predictors.create(
        model, encoder, description.hparams, options, lanes, quantized
    )


def _check_quantized_products() -> None:
    """Raises UserError where no matrices in 8 bits can be multiplied."""
    if not has_quantized_products():
        raise UserError(
            "int8: this TensorFlow multiplies no matrices in 8 bits, which "
            "that for x86 processors does; choose float32 or bfloat16"
        )


def _check_size(description, tensors: dict[str, np.ndarray], source) -> None:
    """Raises UserError if the model is larger than a checkpoint's tensors.

    Before the model is built: sizes read from a file could ask for more
    memory than there is.
    """
    count = MODELS.get(description.model).least_parameters
    needed = count(description.hparams, description.task)
    held = sum(value.size for value in tensors.values())
    if needed > held:
        raise UserError(
            f"{source}: {held:,} numbers, but the run's hparams make a model "
            f"of {needed:,}; it belongs to another model or vocabulary"
        )


def _read_or_fall_back(run, folder, asked, log):
    """Returns (folder, tensors, state) of a checkpoint that reads whole."""
    try:
        return folder, *checkpoints.read(folder)
    except checkpoints.DamagedCheckpointError as error:
        if asked:
            raise
        log(f"{error}; trying the newest one that is whole")
        found = checkpoints.read_newest(run.checkpoints, log)
        if found is None:
            raise
        return found

"""Formats other than SavedModel, each written, compared and then published."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable

from t2t_lite.data import storage
from t2t_lite.errors import UserError
from t2t_lite.trainer import ctranslate2_model, keras_model, tflite_model
from t2t_lite.trainer.predictor import Predictor
from t2t_lite.trainer.predictors import require_text

_MODULES = {
    "ctranslate2": ctranslate2_model,
    "keras": keras_model,
    "tflite": tflite_model,
}
FORMATS = tuple(_MODULES)


def export(
    predictor: Predictor,
    name: str,
    folder: str,
    dtype: str,
    *,
    card: str = "",
    check: Callable = lambda reference, translate: None,
) -> None:
    """Writes a model in a format.

    Args:
        predictor: Predictor in float32.
        name: str, one of FORMATS.
        folder: str, the model's; it must not exist, and appears whole.
        dtype: str, one of the format's DTYPES.
        card: str, the model's card, Markdown.
        check: called before the folder gets its name with a Predictor that
            searches as the format does, and the function from sentences to
            sentences of what was written; may raise.
    Raises:
        UserError: the folder exists, or the format has no such dtype, model
            or search.
    """
    require_text(predictor, f"--format={name}")
    module = _MODULES[name]
    if dtype not in module.DTYPES:
        raise UserError(
            f"--target_dtype={dtype}: --format={name} has "
            f"{', '.join(module.DTYPES)}"
        )
    if os.path.exists(folder):
        raise UserError(f"{folder} exists; give another --export_dir")
    temporary = f"{folder}.{os.getpid()}.tmp"
    try:
        module.write(predictor, temporary, dtype)
        if card:
            storage.write_text(os.path.join(temporary, "MODEL_CARD.md"), card)
        reference = _searching_as(predictor, name)
        check(reference, module.translator(temporary, reference))
        os.rename(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _searching_as(predictor: Predictor, name: str) -> Predictor:
    if name != "ctranslate2":
        return predictor
    # Its length penalty is length^alpha, its results are ranked by score.
    options = dataclasses.replace(predictor.options, length_offset=0.0, mbr=0.0)
    return Predictor(
        predictor.model, predictor.encoder, predictor.hparams, options
    )

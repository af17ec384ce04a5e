"""A run's model in Keras' own format, to go on with in Python.

    import keras, t2t_lite
    model = keras.saving.load_model("RUN/keras/model.keras")

It takes and returns ids and logits, as the model's class says; the vocabulary
lies beside it.
"""

from __future__ import annotations

import os

from t2t_lite.trainer.predictor import Predictor

DTYPES = ("float32",)
MODEL_FILE = "model.keras"


def write(predictor: Predictor, folder: str, dtype: str = "float32") -> None:
    """Writes `model.keras` and the run's vocabulary.

    Args:
        predictor: Predictor in float32.
        folder: str, made here.
        dtype: str, one of DTYPES.
    """
    del dtype  # there is one
    os.makedirs(folder)
    predictor.model.save(os.path.join(folder, MODEL_FILE))
    encoder = predictor.encoder
    encoder.save(os.path.join(folder, encoder.file_name))


def translator(folder: str, predictor: Predictor):
    """Returns a function from sentences to sentences of what was written.

    Args:
        folder: str, from `write`.
        predictor: the Predictor whose vocabulary and search it has.
    """
    # What `keras.saving.load_model` does, but for choosing the class.
    original = predictor.model
    model = type(original).from_config(original.get_config())
    model.build_from_config(original.get_build_config())
    model.load_weights(os.path.join(folder, MODEL_FILE))
    return Predictor(
        model, predictor.encoder, predictor.hparams, predictor.options
    )

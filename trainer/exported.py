"""An exported SavedModel as a function of sentences, as a Predictor is one.

model = Exported("runs/ende/export/1")
model.translate(["He slept."], num_results=3)
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_text  # noqa: F401 (registers the tokenizer's operations)

from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.trainer.exporting import defaults_of, versions
from t2t_lite.trainer.predictor import Translation, text_tensor, translations
from t2t_lite.trainer.wishes import request_values

_SIGNATURE = "translate"


class Exported:
    """The `translate` signature of a version that the exporter wrote.

    Its graph is run as it is: load only a SavedModel that you trust.

    Args:
        folder: str, a version's folder, with its saved_model.pb.
    Raises:
        UserError: no SavedModel is there, it cannot be read, or it is not
            the exporter's.
    """

    def __init__(self, folder: str):
        _check_folder(folder)
        try:
            self._model = tf.saved_model.load(folder)
            self._translate = self._model.signatures[_SIGNATURE]
            self._defaults = defaults_of(folder, _SIGNATURE)
        except KeyError:
            there = ", ".join(sorted(self._model.signatures))
            raise UserError(
                f"{folder}: no signature {_SIGNATURE!r}, but {there}; give a "
                "version that t2t_lite_exporter wrote of a model from text to "
                "text"
            ) from None
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise UserError(
                f"{folder}: not a whole SavedModel ({error}); export it again"
            ) from error
        _check_signature(folder, self._translate, self._defaults)
        self.options = _options(self._defaults)

    def defaults(self) -> dict[str, tf.Tensor]:
        """Returns what holds where nothing is asked for, by name."""
        return dict(self._defaults)

    def translate(
        self, texts: Sequence[str], **wishes: Any
    ) -> list[Translation]:
        """Translates texts as one batch, and says how.

        Args:
            texts, wishes: as for `Predictor.translate`; an older version may
                know fewer wishes.
        """
        if not texts:
            return []
        asked = {**wishes, "return_attention": True}
        values = request_values(self, len(texts), asked)
        return translations(
            self._translate(inputs=text_tensor(texts), **values)
        )


def _check_folder(folder: str) -> None:
    """Raises UserError where `folder` is no SavedModel's."""
    if os.path.isfile(os.path.join(folder, "saved_model.pb")):
        return
    if there := versions(folder):
        raise UserError(
            f"{folder}: holds versions; give one, e.g. "
            f"{os.path.join(folder, str(there[-1]))}"
        )
    raise UserError(
        f"{folder}: no saved_model.pb is there; give a version's folder, e.g. "
        "RUN/export/1"
    )


def _check_signature(folder: str, function, defaults: Mapping) -> None:
    """Raises UserError where the signature is another than the exporter's."""
    _, inputs = function.structured_input_signature
    dtype = inputs["inputs"].dtype if "inputs" in inputs else tf.string
    if dtype != tf.string:
        raise UserError(
            f"{folder}: its inputs are {dtype.name}, no texts; give a version "
            "of a model from text to text"
        )
    # What has a default comes from no signature.
    fields = {
        field.name
        for field in dataclasses.fields(Translation)
        if field.default_factory is dataclasses.MISSING
    }
    missing = sorted(
        {"inputs", "return_attention", *defaults} - set(inputs)
        | set(inputs) - {"inputs", *defaults}
        | fields - set(function.structured_outputs)
    )
    if missing:
        raise UserError(
            f"{folder}: its signature {_SIGNATURE!r} is not the exporter's "
            f"({', '.join(missing)}); give a version that t2t_lite_exporter "
            "wrote"
        )


def _options(defaults: Mapping[str, tf.Tensor]) -> SearchOptions:
    """Returns the defaults as options; a `max_length` of 0 is none."""
    fields = {field.name for field in dataclasses.fields(SearchOptions)}
    values = {
        name: _plain(value.numpy()[0])
        for name, value in defaults.items()
        if name in fields
    }
    values["max_length"] = values.get("max_length") or None
    return SearchOptions(**values)


def _plain(value) -> int | float:
    """Returns a NumPy number as Python's, 0.6 for float32's 0.6."""
    plain = value.item()
    return float(str(value)) if isinstance(plain, float) else plain

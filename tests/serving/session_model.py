"""A SavedModel behind TensorFlow's session loader, as a server loads it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

# TensorFlow Serving links TF Text's ops; here they are registered by import.
import tensorflow_text  # noqa: F401


class RequestError(ValueError):
    """The request does not fit the signature."""


class SessionModel:
    """Loads a SavedModel into a session and runs its signatures.

    `tf.saved_model.load` succeeds on exports that a server refuses; this one
    uses what a server uses: the frozen-in graph, its restore and init ops.

    Args:
        saved_model_dir: str, the folder that holds saved_model.pb.
    """

    def __init__(self, saved_model_dir: str):
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            meta_graph = tf.compat.v1.saved_model.loader.load(
                self._session, ["serve"], str(saved_model_dir)
            )
        self.signatures = dict(meta_graph.signature_def)

    def definition(self, signature: str):
        """Returns a SignatureDef; raises RequestError if there is none."""
        definition = self.signatures.get(signature)
        if definition is None or not definition.outputs:
            raise RequestError(
                f'Serving signature name: "{signature}" not found in '
                "signature def"
            )
        return definition

    def predict(
        self, inputs: dict[str, np.ndarray], signature: str = "serving_default"
    ) -> dict[str, np.ndarray]:
        """Returns the signature's outputs by name.

        Args:
            inputs: arrays by name; strings as arrays of bytes.
            signature: str, the signature's key.
        Raises:
            RequestError: no such signature, other input names, or a shape or
                type that does not fit.
        """
        return self.run(self.filled(inputs, signature), signature)

    def run(
        self, inputs: dict[str, np.ndarray], signature: str
    ) -> dict[str, np.ndarray]:
        """Returns the outputs for all inputs; see `predict`."""
        definition = self.definition(signature)
        feeds = {
            definition.inputs[name].name: value
            for name, value in inputs.items()
        }
        fetches = {k: v.name for k, v in definition.outputs.items()}
        try:
            return self._session.run(fetches, feeds)
        except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
            raise RequestError(str(error)) from error

    def filled(
        self, inputs: dict[str, np.ndarray], signature: str
    ) -> dict[str, np.ndarray]:
        """Returns all inputs; a signature's defaults fill what is left out.

        Raises:
            RequestError: an input has no default, or is none.
        """
        definition = self.definition(signature)
        unknown = sorted(set(inputs) - set(definition.inputs))
        if unknown:
            raise RequestError(
                f"input does not match signature: {', '.join(unknown)}"
            )
        found = dict(inputs)
        for name, info in definition.inputs.items():
            if name in found:
                continue
            if name not in definition.defaults:
                raise RequestError(
                    f"Signature input alias: {name}(feed name: {info.name}) "
                    "not found in request"
                )
            found[name] = tf.make_ndarray(definition.defaults[name])
        return found

    def close(self) -> None:
        """Frees the session."""
        self._session.close()

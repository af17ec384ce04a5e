"""What an export offers under one name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from t2t_lite.trainer.turns import in_turns


class Signature(NamedTuple):
    """A function of named tensors, for clients of an export.

    Fields:
        function: from tensors by name to a dict of tensors.
        specs: TensorSpecs of its inputs by name.
        defaults: tensors by name, of inputs that a request may leave out.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    specs: Mapping[str, tf.TensorSpec]
    defaults: Mapping[str, tf.Tensor] = {}

    def traced(
        self, sizes: Callable[..., tf.Tensor] | None = None, budget: int = 0
    ) -> Any:
        """Returns a tf.function of the named inputs.

        The defaults go into a SavedModel, where a server finds them for
        inputs that a request leaves out.

        Args:
            sizes, budget: of rows and of a turn, see `in_turns`; by default all
                rows are taken at once.
        """
        function = self.function
        if sizes is not None:
            function = in_turns(function, self.specs, sizes, budget)
        parameters = [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=self.defaults.get(name, inspect.Parameter.empty),
            )
            for name in self.specs
        ]

        def call(*args, **kwargs):
            bound = call.__signature__.bind(*args, **kwargs)
            bound.apply_defaults()
            return function(**bound.arguments)

        call.__signature__ = inspect.Signature(parameters)
        return tf.function(
            call, input_signature=list(self.specs.values()), autograph=False
        )

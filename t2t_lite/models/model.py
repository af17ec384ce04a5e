"""What every model is: built from hyperparameters and a task."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from t2t_lite.hparams import HParams
from t2t_lite.task import SIDES, Task

Features = dict[str, tf.Tensor]


class Model(keras.Model):
    """A Keras model that the trainer can train.

    A subclass says what it takes, in `kinds`, and writes `call`. With
    `states` (what its `softmax.logits` takes) logits can be formed in parts;
    with the methods that `t2t_lite.trainer.predictors` names for its kinds it
    can be decoded and exported.

    What is to be minimised beside the loss of the targets, `call` and `states`
    add in training by Keras' `add_loss`: a sum over the batch, which is
    divided by its target tokens as the loss is.

    Args:
        hparams: of `hparams_class`.
        task: Task; or int, text to text with a vocabulary of that size.
        dtype: Keras dtype policy, e.g. "mixed_bfloat16".
        name: str.
    Attributes:
        hparams_class: the class of its hyperparameters.
        default_set: str, the set that `--model=<its name>` takes.
        kinds: pairs (inputs, targets) of kinds that it takes; see
            `t2t_lite.task`.
        packs: whether it keeps several examples of a row apart.
    Call arguments:
        features: dict of int32 tensors `(batch, length)`, those of the task;
            0 = padding. For packed rows of text also `inputs_segments`,
            `inputs_positions`, `targets_segments` and `targets_positions`.
        training: bool.
    Returns:
        Logits (batch, targets_length, task.num_targets); those at t predict
        targets[t].
    Raises:
        ValueError: it does not take such a task.
    """

    hparams_class: type[HParams]
    default_set: str
    kinds: tuple[tuple[str, str], ...] = (("text", "text"),)
    packs: bool = False

    def __init__(
        self,
        hparams: HParams,
        task: Task | int,
        dtype: Any = None,
        name: str | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.hparams = hparams
        self.task = Task(vocab_size=task) if isinstance(task, int) else task
        if not self.fits(self.task):
            raise ValueError(
                f"task: {type(self).__name__} takes "
                f"{_described(self.kinds)}, got {self.task.describe()}"
            )

    @classmethod
    def fits(cls, task: Task) -> bool:
        """Whether the model takes such a task."""
        return (task.inputs, task.targets) in cls.kinds

    @staticmethod
    def least_parameters(hparams: HParams, task: Task) -> int:
        """Returns the number of parameters, small ones not counted.

        It is known before anything of that size is made; 0 = nothing is.
        """
        del hparams, task
        return 0

    @classmethod
    def gives(cls, task: Task) -> str:
        """Returns what it gives a user of such a task.

        "text", "continuation", "label", "tags" or "blanks"; see
        `t2t_lite.trainer.predictors`.
        """
        return task.targets

    @property
    def answers(self) -> str:
        """What it gives a user, see `gives`."""
        return self.gives(self.task)

    @property
    def tables(self) -> dict[str, str]:
        """Weights of which each row is one id's, by path.

        Of "vocabulary" ids or of those of "labels": such a weight means
        something with the same ids alone. A run that starts from another one
        leaves it out where they differ.
        """
        return {}

    def prepared(self, features: Features, training: bool) -> Features:
        """Returns the features of a batch as `call` takes them.

        What a model makes of a batch itself, such as what it masks, it draws
        here; the loss is that of the targets that come out.

        Args:
            features: as they come from the data.
            training: bool, draw anew each time; else always the same.
        """
        del training
        return features

    def build_variables(self) -> None:
        """Creates every weight by one call on a row of padding."""
        features = {
            side: tf.zeros((1, max(2, self.task.unit(side))), tf.int32)
            for side in SIDES
        }
        self(self.prepared(features, training=False))

    def get_config(self) -> dict[str, Any]:
        return {
            "hparams": dataclasses.asdict(self.hparams),
            "task": self.task.to_json(),
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Model:
        return cls(
            cls.hparams_class(**config["hparams"]),
            Task.from_json(config["task"]),
            keras.saving.deserialize_keras_object(config["dtype"]),
            config["name"],
        )

    def get_build_config(self) -> dict[str, Any]:
        # Keras builds from what is not empty.
        return {"task": self.task.describe()}

    def build_from_config(self, config: dict[str, Any]) -> None:
        del config
        self.build_variables()


def _described(kinds: tuple[tuple[str, str], ...]) -> str:
    return " or ".join(f"{inputs} to {targets}" for inputs, targets in kinds)

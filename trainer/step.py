"""The train step: a pure function, and its thin shell around variables.

    gradients, sums = pure_gradients(parameters, features, seed)
    parameters, slots = pure_update(parameters, slots, gradients, tokens, ...)

Both are functions of tensors alone, so that XLA compiles them for any device
and a strategy can run them per replica. Gradients are summed over tokens,
replicas and accumulated batches, and divided once by the true number of
target tokens: N replicas with batch B / N equal one with batch B.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from t2t_lite import layers, losses
from t2t_lite.hparams import HParams
from t2t_lite.trainer import optimizers
from t2t_lite.trainer.measures import SUMS, num_correct

Features = dict[str, tf.Tensor]
_SCALE_INTERVAL = 2000
_FIRST_SCALE = 2.0**15
_REPLICA_STRIDE = 0x3779B1


class TrainStep:
    """Runs updates of a model's weights on batches.

    Args:
        model: built Keras model; `model(features, training)` gives logits of
            `features["targets"]`.
        hparams: optimizer, clipping and smoothing.
        strategy: where the model's variables live.
        xla: bool, compile gradients and update.
        seed: int, of every dropout mask.
        loss_scaling: bool, dynamic loss scale (float16).
    """

    def __init__(
        self,
        model: keras.Model,
        hparams: HParams,
        strategy: tf.distribute.Strategy,
        *,
        xla: bool,
        seed: int,
        loss_scaling: bool = False,
    ):
        self._model = model
        self._hparams = hparams
        self._strategy = strategy
        self._seed = seed
        self._loss_scaling = loss_scaling
        self._optimizer = optimizers.create(hparams)
        self.parameters = [v.value for v in model.trainable_variables]
        self._paths = [v.path for v in model.trainable_variables]
        self._others = model.non_trainable_variables
        with strategy.scope():
            self.slots = self._create_slots()
        self._apply = tf.function(
            self.pure_update, jit_compile=xla, autograph=False
        )
        self._xla = xla
        self._traced: dict[tuple[str, ...], Any] = {}

    def _create_slots(self) -> dict[str, tf.Variable]:
        slots = {}
        for path, parameter in zip(self._paths, self.parameters, strict=True):
            shape = tuple(parameter.shape)
            for name, value in self._optimizer.slots(shape).items():
                slots[f"{path}/{name}"] = tf.Variable(
                    value, trainable=False, name=name
                )
        if self._loss_scaling:
            for name, value in (("scale", _FIRST_SCALE), ("good_steps", 0.0)):
                slots[f"loss/{name}"] = tf.Variable(value, trainable=False)
        return slots

    def pure_gradients(
        self,
        parameters: list[tf.Tensor],
        others: list[tf.Tensor],
        features: Features,
        seed: tf.Tensor,
        scale: tf.Tensor,
    ) -> tuple[list[tf.Tensor], dict[str, tf.Tensor]]:
        """Returns gradients of the summed loss, times `scale`, and sums.

        Args:
            parameters: float32 values of the trainable variables.
            others: values of the non-trainable variables.
            features: the batch; `targets` int32, 0 = padding.
            seed: int32 (2,), of this batch's dropout masks.
            scale: float32 scalar, the loss scale.
        Returns:
            (float32 gradients, float32 sums over target tokens: `loss`,
            `nll` without smoothing, `tokens`, and `correct` predictions).
        """
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            with layers.seed_scope(seed):
                logits, _ = self._model.stateless_call(
                    parameters, others, features, training=True
                )
            loss, nll, tokens = losses.label_smoothed_cross_entropy(
                logits, features["targets"], self._hparams.label_smoothing
            )
            scaled = loss * scale
        gradients = tape.gradient(scaled, parameters)
        gradients = [
            tf.zeros_like(p) if g is None else tf.convert_to_tensor(g)
            for p, g in zip(parameters, gradients, strict=True)
        ]
        correct = num_correct(logits, features["targets"])
        values = (loss, nll, tokens, correct)
        sums = {
            name: tf.cast(value, tf.float32)
            for name, value in zip(SUMS, values, strict=True)
        }
        return gradients, sums

    def pure_update(
        self,
        parameters: list[tf.Tensor],
        slots: dict[str, tf.Tensor],
        gradients: list[tf.Tensor],
        tokens: tf.Tensor,
        step_rate: tf.Tensor,
    ) -> tuple[list[tf.Tensor], dict[str, tf.Tensor], tf.Tensor]:
        """Returns (new parameters, new slots, gradient norm).

        Args:
            parameters, slots: values before the update.
            gradients: summed over all replicas and accumulated batches.
            tokens: float32 scalar, target tokens that they were summed over.
            step_rate: float32 (2,), number of the update from 1, and its
                learning rate.
        """
        scale = slots.get("loss/scale", tf.constant(1.0))
        divisor = tf.maximum(tokens, 1.0) * scale
        gradients = [g / divisor for g in gradients]
        gradients, norm = optimizers.clip_by_global_norm(
            gradients, self._hparams.clip_grad_norm
        )
        new_parameters, new_slots = [], dict(slots)
        step, rate = tf.unstack(step_rate)
        for path, parameter, gradient in zip(
            self._paths, parameters, gradients, strict=True
        ):
            mine = {
                name: slots[f"{path}/{name}"]
                for name in self._optimizer.slots((1,) * parameter.shape.rank)
            }
            value, mine = self._optimizer.update(
                parameter, gradient, mine, step, rate
            )
            new_parameters.append(value)
            new_slots.update({f"{path}/{k}": v for k, v in mine.items()})
        if not self._loss_scaling:
            return new_parameters, new_slots, norm
        finite = tf.math.is_finite(norm)
        new_parameters = [
            tf.where(finite, new, old)
            for new, old in zip(new_parameters, parameters, strict=True)
        ]
        new_slots = {
            k: tf.where(finite, v, slots[k]) for k, v in new_slots.items()
        }
        new_slots.update(_next_scale(slots, finite))
        return new_parameters, new_slots, norm

    def update(
        self, batches: list[dict[str, np.ndarray]], step: int, rate: float
    ) -> dict[str, tf.Tensor]:
        """Makes update number `step` from the gradients of `batches`.

        Args:
            batches: one for each accumulated gradient; rows a multiple of
                the number of replicas.
            step: int, counted from 1.
            rate: float, learning rate.
        Returns:
            Float32 scalars: the sums of `SUMS` over all batches and
            replicas, and `gradient_norm` of the mean gradient.
        """
        step_rate = tf.constant([step, rate], tf.float32)
        first = (step - 1) * len(batches)
        if len(batches) == 1:
            result = self._whole(
                self._distribute(batches[0]),
                self._seed_tensor(first),
                step_rate,
            )
        else:
            total = None
            for micro, batch in enumerate(batches):
                features = self._distribute(batch)
                seed = self._seed_tensor(first + micro)
                total = (
                    self._partial(features, seed)
                    if total is None
                    else self._add(features, seed, total)
                )
            result = self._finish(total, step_rate)
        return {
            name: self._strategy.experimental_local_results(value)[0]
            for name, value in result.items()
        }

    def _seed_tensor(self, batch_index: int) -> tf.Tensor:
        return tf.constant([self._seed, batch_index], tf.int32)

    def _distribute(self, batch: dict[str, np.ndarray]) -> Features:
        features = {k: v for k, v in batch.items() if k != "example_ids"}
        replicas = self._strategy.num_replicas_in_sync
        if replicas == 1:
            return {k: tf.constant(v) for k, v in features.items()}

        def part(context):
            mine = context.replica_id_in_sync_group
            return {
                k: tf.constant(np.array_split(v, replicas)[mine])
                for k, v in features.items()
            }

        return self._strategy.experimental_distribute_values_from_function(part)

    def _gradients(self, parameters, others, features, seed, scale):
        """Calls `pure_gradients`, traced once for batches of any shape.

        Under XLA each shape is then compiled from that one trace.
        """
        names = tuple(sorted(features))
        if names not in self._traced:

            def specification(values):
                return [tf.TensorSpec(v.shape, v.dtype) for v in values]

            self._traced[names] = tf.function(
                self.pure_gradients,
                input_signature=[
                    specification(parameters),
                    specification(others),
                    {n: tf.TensorSpec([None, None], tf.int32) for n in names},
                    tf.TensorSpec([2], tf.int32),
                    tf.TensorSpec([], tf.float32),
                ],
                jit_compile=self._xla,
                autograph=False,
            )
        return self._traced[names](parameters, others, features, seed, scale)

    @functools.cached_property
    def _whole(self):
        def replica(features, seed, step_rate):
            gradients, sums = self._replica_gradients(features, seed)
            return self._replica_update(gradients, sums, step_rate)

        return self._outer(replica)

    @functools.cached_property
    def _partial(self):
        return self._outer(self._replica_gradients)

    @functools.cached_property
    def _add(self):
        def replica(features, seed, total):
            return tf.nest.map_structure(
                tf.add, total, self._replica_gradients(features, seed)
            )

        return self._outer(replica)

    @functools.cached_property
    def _finish(self):
        def replica(total, step_rate):
            return self._replica_update(*total, step_rate)

        return self._outer(replica)

    def _outer(self, replica):
        """Wraps a replica function in a strategy's run and a tf.function."""

        def run(*args):
            return self._strategy.run(replica, args=args)

        return tf.function(run, autograph=False, reduce_retracing=True)

    def _replica_gradients(self, features, seed):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        replica = tf.cast(replica, tf.int32)
        seed += tf.stack([replica * _REPLICA_STRIDE, 0])
        scale = tf.constant(1.0)
        if self._loss_scaling:
            scale = self.slots["loss/scale"].read_value()
        return self._gradients(
            [p.read_value() for p in self.parameters],
            [v.value.read_value() for v in self._others],
            features,
            seed,
            scale,
        )

    def _replica_update(self, gradients, sums, step_rate):
        context = tf.distribute.get_replica_context()
        if self._strategy.num_replicas_in_sync > 1:
            gradients, sums = context.all_reduce("SUM", [gradients, sums])
        parameters, slots, norm = self._apply(
            [p.read_value() for p in self.parameters],
            {k: v.read_value() for k, v in self.slots.items()},
            gradients,
            sums["tokens"],
            step_rate,
        )
        names = list(self.slots)
        variables = self.parameters + [self.slots[n] for n in names]
        values = parameters + [slots[n] for n in names]
        context.merge_call(_assign, args=(variables, values))
        return {**sums, "gradient_norm": norm}


def _assign(strategy, variables, values) -> None:
    for variable, value in zip(variables, values, strict=True):
        strategy.extended.update(
            variable, lambda v, x: v.assign(x), args=(value,), group=False
        )


def _next_scale(slots: dict, finite: tf.Tensor) -> dict[str, tf.Tensor]:
    """Doubles the loss scale after many good steps, halves it after a bad."""
    scale, good = slots["loss/scale"], slots["loss/good_steps"]
    good = tf.where(finite, good + 1.0, 0.0)
    grown = good >= _SCALE_INTERVAL
    scale = tf.where(
        finite, tf.where(grown, scale * 2, scale), tf.maximum(scale / 2, 1.0)
    )
    return {
        "loss/scale": scale,
        "loss/good_steps": tf.where(grown, 0.0, good),
    }

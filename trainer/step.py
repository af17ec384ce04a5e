"""The train step: a pure function, and its thin shell around variables.

    gradients, sums = pure_gradients(parameters, features, seed)
    parameters, slots = pure_update(parameters, slots, gradients, tokens, ...)

Both are functions of tensors alone, so that XLA compiles them for any device
and a strategy can run them per replica. Gradients are summed over tokens,
replicas and accumulated batches, and divided once by the true number of
target tokens: N replicas with batch B / N equal one with batch B.

A batch is cut by rows into replicas x splits x lanes equal parts: replicas are
devices, splits are taken in turn, and lanes run side by side on one device, a
CPU's cores each on its own. A part's dropout is a function of (seed, number of
the batch, number of the part): two devices, two lanes, and one device that
accumulates two parts, draw the same.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from t2t_lite.hparams import HParams
from t2t_lite.trainer import draws, guards, optimizers
from t2t_lite.trainer.averaging import EMA
from t2t_lite.trainer.feeding import rows_of_part
from t2t_lite.trainer.lanes import attributes_of, call_side_by_side
from t2t_lite.trainer.objective import Features, training_sums
from t2t_lite.trainer.tracing import AnyBatchFunction


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
        splits: int, parts of a batch that each replica takes in turn.
        lanes: int, parts of each of those that it takes side by side.
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
        splits: int = 1,
        lanes: int = 1,
    ):
        self._model = model
        self._hparams = hparams
        self._strategy = strategy
        self._splits, self._lanes, self._run_seed = splits, lanes, seed
        self._turns = splits * strategy.num_replicas_in_sync
        self._loss_scaling = loss_scaling
        variables = model.trainable_variables
        self.parameters = [v.value for v in variables]
        self.paths = [v.path for v in variables]
        self._optimizers = optimizers.of_parameters(hparams, variables)
        self._others = model.non_trainable_variables
        with strategy.scope():
            self.slots = self._create_slots()
        self._apply = tf.function(
            self.pure_update, jit_compile=xla, autograph=False
        )
        self._xla = xla
        self._traced: dict[tuple, Any] = {}

    def _create_slots(self) -> dict[str, tf.Variable]:
        slots = {}
        for path, parameter in zip(self.paths, self.parameters, strict=True):
            shape = tuple(parameter.shape)
            for name, value in self._optimizers[path].slots(shape).items():
                slots[f"{path}/{name}"] = tf.Variable(
                    value, trainable=False, name=name
                )
            if self._hparams.ema_decay:
                slots[f"{path}/{EMA}"] = tf.Variable(
                    parameter.numpy(), trainable=False, name=EMA
                )
        for name, value in guards.slots(self._loss_scaling).items():
            slots[name] = tf.Variable(value, trainable=False)
        return slots

    def pure_gradients(
        self,
        parameters: list[tf.Tensor],
        others: list[tf.Tensor],
        features: Features,
        seed: tf.Tensor,
        scale: tf.Tensor,
        alpha: float | None = None,
    ) -> tuple[list[tf.Tensor], dict[str, tf.Tensor]]:
        """Returns gradients of the summed loss, times `scale`, and sums.

        Args:
            parameters: float32 values of the trainable variables.
            others: values of the non-trainable variables.
            features: the batch; `targets` int32, 0 = padding.
            seed: int32 (2,) or (3,), of this batch's dropout (`draws`).
            scale: float32 scalar, the loss scale.
            alpha: float, R-Drop's; by default that of the hyperparameters.
        Returns:
            (float32 gradients, float32 sums over target tokens: `loss`,
            `nll` without smoothing, `tokens`, and `correct` predictions).
        """
        if alpha is None:
            alpha = self._hparams.rdrop_alpha
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            sums = training_sums(
                self._model,
                self._hparams,
                (parameters, others),
                features,
                seed,
                scale,
                alpha,
            )
            scaled = sums["loss"] * scale
        gradients = [
            tf.zeros_like(p) if g is None else tf.convert_to_tensor(g)
            for p, g in zip(
                parameters, tape.gradient(scaled, parameters), strict=True
            )
        ]
        return gradients, sums

    def pure_update(
        self,
        parameters: list[tf.Tensor],
        slots: dict[str, tf.Tensor],
        gradients: list[tf.Tensor],
        sums: dict[str, tf.Tensor],
        step_rate: tf.Tensor,
    ) -> tuple[list[tf.Tensor], dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        """Returns (new parameters, new slots, gradient norm, diverged).

        An update whose loss or gradients are not finite, or whose loss is a
        spike, changes nothing. It counts as diverged (1, else 0) unless only
        the loss scale was too high for the gradients.

        Args:
            parameters, slots: values before the update.
            gradients: summed over all replicas and accumulated batches.
            sums: float32 scalars over the same: `loss` and `tokens`.
            step_rate: float32 (2,), number of the update from 1, and its
                learning rate.
        """
        scale = slots.get("loss/scale", tf.constant(1.0))
        tokens = tf.maximum(sums["tokens"], 1.0)
        gradients = [g / (tokens * scale) for g in gradients]
        gradients, norm = optimizers.clip_by_global_norm(
            gradients, self._hparams.clip_grad_norm
        )
        loss = sums["loss"] / tokens
        finite = tf.math.is_finite(norm)
        diverged = ~tf.math.is_finite(loss) | guards.is_spike(slots, loss)
        if self._loss_scaling:
            new_scale = guards.next_scale(slots, finite)
            diverged |= ~finite & (scale <= 1.0)
        else:
            new_scale = {}
            diverged |= ~finite

        def updated():
            values, changed = self._optimized(
                parameters, slots, gradients, step_rate
            )
            changed |= guards.next_losses(slots, loss)
            return values, {**slots, **changed, **new_scale}

        def kept():
            return list(parameters), {**slots, **new_scale}

        values, new_slots = tf.cond(finite & ~diverged, updated, kept)
        return values, new_slots, norm, tf.cast(diverged, tf.float32)

    def _optimized(self, parameters, slots, gradients, step_rate):
        """Returns (new parameters, their new slots) of the optimizer."""
        step, rate = tf.unstack(step_rate)
        values, changed = [], {}
        for path, parameter, gradient in zip(
            self.paths, parameters, gradients, strict=True
        ):
            optimizer = self._optimizers[path]
            ones = (1,) * len(parameter.shape)
            own = {n: slots[f"{path}/{n}"] for n in optimizer.slots(ones)}
            value, own = optimizer.update(parameter, gradient, own, step, rate)
            values.append(value)
            changed |= {f"{path}/{k}": v for k, v in own.items()}
            if self._hparams.ema_decay:
                name = f"{path}/{EMA}"
                changed[name] = optimizers.moving_average(
                    slots[name], value, step, self._hparams.ema_decay
                )
        return values, changed

    def update(
        self,
        batches: list[dict[str, np.ndarray]],
        step: int,
        rate: float,
        first_batch: int | None = None,
        stop: bool = False,
    ) -> dict[str, tf.Tensor]:
        """Makes update number `step` from the gradients of `batches`.

        Args:
            batches: one for each accumulated gradient.
            step: int, counted from 1.
            rate: float, learning rate.
            first_batch: int, number of the first of `batches` among all of
                the run, which dropout depends on; by default the number that
                it has where every update has as many batches as this one.
            stop: bool, this process asks all to stop.
        Returns:
            Float32 scalars: the sums of `SUMS` over all batches and replicas,
            `gradient_norm` of the mean gradient, `diverged` (1 = the update
            was left out, see `pure_update`) and `stop`, above 0 if any
            process asked for it.
        """
        if first_batch is None:
            first_batch = (step - 1) * len(batches)
        step_rate = tf.constant([step, rate], tf.float32)
        stop = tf.constant(float(stop))
        alpha = self._begin(step)
        parts = [
            (self._distribute(batch, split), self._seed(number, split, step))
            for number, batch in enumerate(batches, first_batch)
            for split in range(self._splits)
        ]
        if len(parts) == 1:
            result = self._whole(*parts[0], step_rate, stop, alpha=alpha)
        else:
            total = self._partial(*parts[0], alpha=alpha)
            for features, seed in parts[1:]:
                total = self._add(features, seed, total, alpha=alpha)
            result = self._finish(total, step_rate, stop)
        return {
            name: self._strategy.experimental_local_results(value)[0]
            for name, value in result.items()
        }

    def _begin(self, step: int) -> float:
        """Returns R-Drop's alpha of an update: one of two, each traced."""
        before = self._hparams.rdrop_start_step
        if step == before + 1:
            guards.forget_losses(self.slots)
        return self._hparams.rdrop_alpha if step > before else 0.0

    def _seed(self, batch: int, split: int, step: int) -> tf.Tensor:
        first = (batch * self._turns + split) * self._lanes
        return draws.seed_of_part(self._hparams, self._run_seed, first, step)

    def _distribute(self, batch: dict[str, np.ndarray], split: int) -> Features:
        """Returns the part `split` of every replica's share of a batch."""
        features = {k: v for k, v in batch.items() if k != "example_ids"}

        def part(replica):
            turn = replica * self._splits + split
            return {
                k: tf.constant(rows_of_part(v, turn, self._turns, self._lanes))
                for k, v in features.items()
            }

        if self._strategy.num_replicas_in_sync == 1:
            return part(0)
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: part(context.replica_id_in_sync_group)
        )

    def _concrete_gradients(self, parameters, others, features, alpha):
        """Returns `pure_gradients`; XLA compiles each shape from one trace."""
        names = tuple(sorted(features))
        if (names, alpha) not in self._traced:

            def specification(values):
                return [tf.TensorSpec(v.shape, v.dtype) for v in values]

            def gradients_of(parameters, others, features, seed, scale):
                return self.pure_gradients(
                    parameters, others, features, seed, scale, alpha
                )

            self._traced[names, alpha] = tf.function(
                gradients_of,
                input_signature=[
                    specification(parameters),
                    specification(others),
                    {n: tf.TensorSpec([None, None], tf.int32) for n in names},
                    draws.specification(self._hparams),
                    tf.TensorSpec([], tf.float32),
                ],
                jit_compile=self._xla,
                autograph=False,
                experimental_attributes=attributes_of(self._lanes),
            ).get_concrete_function()
        return self._traced[names, alpha]

    @functools.cached_property
    def _whole(self):
        def replica(features, seed, step_rate, stop, alpha):
            gradients, sums = self._replica_gradients(features, seed, alpha)
            return self._replica_update(gradients, sums, step_rate, stop)

        return self._outer(replica)

    @functools.cached_property
    def _partial(self):
        return self._outer(self._replica_gradients)

    @functools.cached_property
    def _add(self):
        def replica(features, seed, total, alpha):
            return tf.nest.map_structure(
                tf.add, total, self._replica_gradients(features, seed, alpha)
            )

        return self._outer(replica)

    @functools.cached_property
    def _finish(self):
        def replica(total, step_rate, stop):
            return self._replica_update(*total, step_rate, stop)

        return self._outer(replica)

    def _outer(self, replica):
        """Wraps a replica function in a strategy's run and a tf.function."""

        def run(*args, **fixed):
            return self._strategy.run(
                functools.partial(replica, **fixed), args=args
            )

        if self._strategy.num_replicas_in_sync == 1:
            return AnyBatchFunction(run)
        return tf.function(run, autograph=False, reduce_retracing=True)

    def _replica_gradients(self, features, seed, alpha):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        replica = tf.cast(replica, tf.int32)
        seed = draws.parts_on(seed, replica * self._splits * self._lanes)
        scale = tf.constant(1.0)
        if self._loss_scaling:
            scale = self.slots["loss/scale"].read_value()
        parameters = [p.read_value() for p in self.parameters]
        others = [v.value.read_value() for v in self._others]
        parts = {k: tf.split(v, self._lanes) for k, v in features.items()}
        calls = []
        for lane in range(self._lanes):
            mine = {name: part[lane] for name, part in parts.items()}
            own_seed = draws.parts_on(seed, lane)
            calls.append((parameters, others, mine, own_seed, scale))
        function = self._concrete_gradients(parameters, others, features, alpha)
        results = call_side_by_side(function, calls)
        return tf.nest.map_structure(lambda *parts: tf.add_n(parts), *results)

    def _replica_update(self, gradients, sums, step_rate, stop):
        context = tf.distribute.get_replica_context()
        sums = {**sums, "stop": stop}
        if self._strategy.num_replicas_in_sync > 1:
            # Copies, which lie on the replica's device: an argument handed
            # through lies nowhere, and could not be sent from there.
            mine = tf.nest.map_structure(tf.identity, [gradients, sums])
            gradients, sums = context.all_reduce("SUM", mine)
        parameters, slots, norm, diverged = self._apply(
            [p.read_value() for p in self.parameters],
            {k: v.read_value() for k, v in self.slots.items()},
            gradients,
            {name: sums[name] for name in ("loss", "tokens")},
            step_rate,
        )
        names = list(self.slots)
        variables = self.parameters + [self.slots[n] for n in names]
        values = parameters + [slots[n] for n in names]
        context.merge_call(_assign, args=(variables, values))
        return {**sums, "gradient_norm": norm, "diverged": diverged}


def _assign(strategy, variables, values) -> None:
    for variable, value in zip(variables, values, strict=True):
        strategy.extended.update(
            variable, lambda v, x: v.assign(x), args=(value,), group=False
        )

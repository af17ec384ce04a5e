"""Optimizers as pure functions, so that a step is one function of tensors.

An optimizer has `slots(parameter)`, the initial state of one parameter, and
`update(parameter, gradient, slots, step, rate)`, which returns the new
parameter and its new slots. Nothing here holds a variable.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import tensorflow as tf

from t2t_lite.hparams import HParams

Slots = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam with bias correction and optional decoupled weight decay.

    `m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;`
    `p -= rate * (sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps) + decay p)`

    Decay spares parameters of rank 1 (biases and norms).

    Reference: Kingma and Ba 2015, section 2's reordered form; Loshchilov and
    Hutter 2019 for the decoupled decay.
    """

    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float = 0.0

    def slots(self, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Returns zeros for the two moments of a parameter of `shape`."""
        return {
            "m": np.zeros(shape, np.float32),
            "v": np.zeros(shape, np.float32),
        }

    def update(
        self,
        parameter: tf.Tensor,
        gradient: tf.Tensor,
        slots: Slots,
        step: tf.Tensor,
        rate: tf.Tensor,
    ) -> tuple[tf.Tensor, Slots]:
        """Returns (new parameter, new slots); `step` float32, 1 at first."""
        m = slots["m"] + (gradient - slots["m"]) * (1 - self.beta1)
        v = slots["v"] + (tf.square(gradient) - slots["v"]) * (1 - self.beta2)
        scale = tf.sqrt(1 - self.beta2**step) / (1 - self.beta1**step)
        change = scale * m / (tf.sqrt(v) + self.epsilon)
        if self.weight_decay and len(parameter.shape) > 1:
            change += self.weight_decay * parameter
        return parameter - rate * change, {"m": m, "v": v}


@dataclasses.dataclass(frozen=True)
class Adafactor:
    """Adafactor without momentum.

    Second moments of a matrix are kept as row and column means; the update is
    clipped to a root mean square of `clip_threshold` and scaled by
    `min(rate, step^-0.5) * max(epsilon2, rms(parameter))`.

    Reference: Shazeer and Stern 2018, algorithm 4; the constants and the
    decay `1 - step^-0.8` are those of keras.optimizers.Adafactor.
    """

    decay: float = -0.8
    epsilon1: float = 1e-30
    epsilon2: float = 1e-3
    clip_threshold: float = 1.0

    def slots(self, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Returns zeros for the row, column or full second moments."""
        if len(shape) < 2:
            return {"v": np.zeros(shape, np.float32)}
        return {
            "row": np.zeros(shape[:-1], np.float32),
            "column": np.zeros((*shape[:-2], shape[-1]), np.float32),
        }

    def update(
        self,
        parameter: tf.Tensor,
        gradient: tf.Tensor,
        slots: Slots,
        step: tf.Tensor,
        rate: tf.Tensor,
    ) -> tuple[tf.Tensor, Slots]:
        """Returns (new parameter, new slots); `step` float32, 1 at first."""
        beta2 = 1 - tf.pow(step, self.decay)
        square = tf.square(gradient) + self.epsilon1
        new: Slots = {}

        def blend(name, value):
            new[name] = beta2 * slots[name] + (1 - beta2) * value
            return new[name]

        if len(parameter.shape) < 2:
            second = blend("v", square)
        else:
            row = blend("row", tf.reduce_mean(square, -1))
            column = blend("column", tf.reduce_mean(square, -2))
            mean = tf.reduce_mean(row, -1, keepdims=True)
            second = (row / mean)[..., None] * column[..., None, :]
        change = gradient * tf.math.rsqrt(second)
        change /= tf.maximum(1.0, _rms(change) / self.clip_threshold)
        rate = tf.minimum(rate, tf.math.rsqrt(step))
        rate *= tf.maximum(self.epsilon2, _rms(parameter))
        return parameter - rate * change, new


@dataclasses.dataclass(frozen=True)
class Adadelta:
    """Adadelta: steps as large as the mean of those before, per parameter.

    `a = rho a + (1 - rho) g^2;  d = sqrt(e + eps) / sqrt(a + eps) g;`
    `e = rho e + (1 - rho) d^2;  p -= rate d`

    Reference: Zeiler 2012, algorithm 1, where rate is 1; rho and eps are those
    of Bahdanau et al. 2015.
    """

    rho: float = 0.95
    epsilon: float = 1e-6

    def slots(self, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Returns zeros for the means of squared gradients and of steps."""
        return {
            "gradient": np.zeros(shape, np.float32),
            "step": np.zeros(shape, np.float32),
        }

    def update(
        self,
        parameter: tf.Tensor,
        gradient: tf.Tensor,
        slots: Slots,
        step: tf.Tensor,
        rate: tf.Tensor,
    ) -> tuple[tf.Tensor, Slots]:
        """Returns (new parameter, new slots)."""
        del step

        def mean(before, value):
            return before + (tf.square(value) - before) * (1 - self.rho)

        gradients = mean(slots["gradient"], gradient)
        change = gradient * tf.math.rsqrt(gradients + self.epsilon)
        change *= tf.sqrt(slots["step"] + self.epsilon)
        steps = mean(slots["step"], change)
        return parameter - rate * change, {"gradient": gradients, "step": steps}


@dataclasses.dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent: `p -= rate g`."""

    def slots(self, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Returns nothing: there is no state."""
        del shape
        return {}

    def update(
        self,
        parameter: tf.Tensor,
        gradient: tf.Tensor,
        slots: Slots,
        step: tf.Tensor,
        rate: tf.Tensor,
    ) -> tuple[tf.Tensor, Slots]:
        """Returns (new parameter, no slots)."""
        del slots, step
        return parameter - rate * gradient, {}


@dataclasses.dataclass(frozen=True)
class Muon:
    """Muon: momentum whose singular values are all drawn to 1.

    `m = mu m + g;  p -= rate * (0.2 sqrt(n) U(g + mu m) + decay p)`

    where U makes a matrix nearly orthogonal by five steps of the
    Newton-Schulz iteration `x = a x + b (x x') x + c (x x')^2 x`, in float32.
    A matrix whose long side is a multiple of its short side n goes in square
    blocks of n: queries, keys and values of a fused kernel each by themselves.
    With 0.2 sqrt(n) a change's root mean square is about that of Adam's, so
    that Adam's learning rates do. It is for matrices between hidden states;
    what else a model has (embeddings, biases, norms) belongs to Adam.

    Reference: Jordan et al. 2024, Muon, whose a, b and c these are; Liu et al.
    2025, Muon is Scalable for LLM Training, section 2.2, for the 0.2 and the
    decay. Blocks: Khaled et al. 2025, MuonBP.
    """

    momentum: float = 0.95
    weight_decay: float = 0.0
    constants: tuple[float, float, float] = (3.4445, -4.7750, 2.0315)
    iterations: int = 5

    def slots(self, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Returns zeros for the momentum of a matrix of `shape`."""
        return {"momentum": np.zeros(shape, np.float32)}

    def update(
        self,
        parameter: tf.Tensor,
        gradient: tf.Tensor,
        slots: Slots,
        step: tf.Tensor,
        rate: tf.Tensor,
    ) -> tuple[tf.Tensor, Slots]:
        """Returns (new parameter, new slots) of a float32 matrix."""
        del step
        momentum = self.momentum * slots["momentum"] + gradient
        change = self._orthogonal(gradient + self.momentum * momentum)
        if self.weight_decay:
            change += self.weight_decay * parameter
        return parameter - rate * change, {"momentum": momentum}

    def _orthogonal(self, matrix: tf.Tensor) -> tf.Tensor:
        """Returns the change of a matrix, block by block."""
        short, long = sorted(matrix.shape)
        tall = matrix.shape[0] > matrix.shape[1]
        wide = tf.transpose(matrix) if tall else matrix
        side = short if long % short == 0 else long
        blocks = tf.transpose(
            tf.reshape(wide, (short, long // side, side)), (1, 0, 2)
        )
        blocks /= tf.norm(blocks, axis=(-2, -1), keepdims=True) + 1e-7
        a, b, c = self.constants
        for _ in range(self.iterations):
            square = tf.matmul(blocks, blocks, transpose_b=True)
            factor = b * square + c * tf.matmul(square, square)
            blocks = a * blocks + tf.matmul(factor, blocks)
        wide = tf.reshape(tf.transpose(blocks, (1, 0, 2)), (short, long))
        change = tf.transpose(wide) if tall else wide
        return 0.2 * math.sqrt(side) * change


def _rms(x: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.reduce_mean(tf.square(x)))


def create(
    hparams: HParams, path: str, shape: tuple[int, ...]
) -> Adam | Adafactor | Adadelta | Muon | Sgd:
    """Returns the optimizer that `hparams.optimizer` names, of a parameter.

    Args:
        hparams: names it and holds its constants.
        path: str, the parameter's. With "muon", matrices named kernel are its
            own, and all else is Adam's.
        shape: of the parameter.
    """
    others = {"adafactor": Adafactor, "adadelta": Adadelta, "sgd": Sgd}
    if hparams.optimizer in others:
        return others[hparams.optimizer]()
    decay = 0.0 if hparams.optimizer == "adam" else hparams.weight_decay
    if hparams.optimizer == "muon" and _is_hidden_matrix(path, shape):
        return Muon(weight_decay=decay)
    return Adam(
        hparams.adam_beta1, hparams.adam_beta2, hparams.adam_epsilon, decay
    )


def of_parameters(hparams: HParams, parameters: list) -> dict:
    """Returns the optimizer of each variable by its path; see `create`."""
    return {v.path: create(hparams, v.path, tuple(v.shape)) for v in parameters}


def _is_hidden_matrix(path: str, shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and min(shape) > 1 and path.endswith("kernel")


def moving_average(
    average: tf.Tensor, value: tf.Tensor, step: tf.Tensor, decay: float
) -> tf.Tensor:
    """Returns `d average + (1 - d) value`, d = min(decay, (1 + t) / (10 + t)).

    Args:
        average: float32 tensor, before the update.
        value: float32 tensor, the weight after it.
        step: float32 scalar t, 1 at the first update: early on the average
            follows the weights closely.
        decay: float in [0, 1).
    Reference: Polyak and Juditsky 1992; the warm-up is that of TensorFlow's
    ExponentialMovingAverage.
    """
    decay = tf.minimum(decay, (1.0 + step) / (10.0 + step))
    return average + (1.0 - decay) * (value - average)


def clip_by_global_norm(
    gradients: list[tf.Tensor], norm: float | None
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Scales gradients so that their global norm is at most `norm`.

    Returns:
        (gradients, float32 global norm before clipping).
    """
    total = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(g)) for g in gradients]))
    if norm is None:
        return gradients, total
    scale = tf.minimum(1.0, norm / tf.maximum(total, 1e-12))
    return [g * scale for g in gradients], total

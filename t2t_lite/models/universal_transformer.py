"""The Universal Transformer: one layer, as often as it takes; and its sets."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.hparams import require, require_choice
from t2t_lite.layers.position import KINDS
from t2t_lite.models.transformer import Transformer
from t2t_lite.models.transformer_hparams import TransformerHParams
from t2t_lite.models.transformer_parts import (
    attention_parameters,
    feed_forward_parameters,
)
from t2t_lite.models.transformer_sets import (
    transformer_base,
    transformer_base_paper,
    transformer_tiny,
)
from t2t_lite.registry import HPARAMS, MODELS
from t2t_lite.task import Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class UniversalTransformerHParams(TransformerHParams):
    """Hyperparameters of `UniversalTransformer` (T2T's names).

    Fields beside those of `TransformerHParams`, of which num_hidden_layers
    (num_encoder_layers, num_decoder_layers) are the steps that the one layer
    is applied for; with "act" the most:
        recurrence_type: "basic", a fixed depth; or "act", adaptive computation
            time: each position halts for itself.
        step_timing_signal_type: how a step is told its number: "learned", or
            "sinusoid", of the same kind as the positions.
        act_epsilon: probability that may be left when a position halts.
        act_loss_weight: cost of a step of a position, added to the loss, in
            nats.
        act_halting_bias_init: 1 = a position's first step is its last one
            with a probability of 0.73.
    """

    recurrence_type: str = "basic"
    step_timing_signal_type: str = "learned"
    act_epsilon: float = 0.01
    act_loss_weight: float = 0.01
    act_halting_bias_init: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        require_choice(
            "recurrence_type", self.recurrence_type, ("basic", "act")
        )
        require_choice(
            "step_timing_signal_type",
            self.step_timing_signal_type,
            ("learned", "sinusoid"),
        )
        require(
            self.step_timing_signal_type == "learned"
            or self.position != "learned",
            "step_timing_signal_type",
            "learned, as position is",
            self.step_timing_signal_type,
        )
        require(
            self.position in KINDS,
            "position",
            f"one of {', '.join(KINDS)}: positions are added at every step",
            self.position,
        )
        require(
            self.local_attention_radius is None,
            "local_attention_radius",
            "none",
            self.local_attention_radius,
        )
        epsilon, weight = self.act_epsilon, self.act_loss_weight
        require(0 < epsilon < 1, "act_epsilon", "a share in (0, 1)", epsilon)
        require(weight >= 0, "act_loss_weight", "a number of 0 or more", weight)


@MODELS.register("universal_transformer")
@keras.saving.register_keras_serializable(package="t2t_lite")
class UniversalTransformer(Transformer):
    """Transformer whose encoder and decoder have one layer each, repeated.

    Positions and the step's number are told anew at every step. With
    recurrence_type "act" each position halts for itself, and the loss has
    act_loss_weight times the sum of all positions' ponder times (N + R, see
    `layers.DepthRecurrence`) of inputs and targets on top. Decoding is the
    Transformer's, cache and all, and gives the numbers of a call, halting or
    not; see `layers.UniversalDecoder`.

    Args:
        hparams: UniversalTransformerHParams.
        task: Task, text to text; or int, the vocabulary's true size.
        dtype: Keras dtype policy.
    Call arguments and returns: those of `Transformer`.
    Reference: Dehghani et al. 2019. T = num_hidden_layers.
    """

    hparams_class = UniversalTransformerHParams
    default_set = "universal_transformer_base"

    def __init__(
        self,
        hparams: UniversalTransformerHParams,
        task: Task | int,
        dtype: Any = None,
        name: str = "universal_transformer",
    ):
        super().__init__(hparams, task, dtype, name)

    @staticmethod
    def least_parameters(hparams: TransformerHParams, task: Task) -> int:
        h = hparams
        attention = attention_parameters(h)
        tables = {"all": 1, "target_softmax": 2, "none": 3}
        rows = tables[h.shared_embedding] * task.vocab_size
        return (
            3 * attention
            + 2 * feed_forward_parameters(h)
            + rows * h.hidden_size
        )

    def _encoder(self, name: str = "encoder") -> layers.UniversalEncoder:
        h = self.hparams
        return layers.UniversalEncoder(
            self._config(),
            self._recurrence(h.num_encoder_layers or h.num_hidden_layers),
            recompute=h.recompute,
            dtype=self.dtype_policy,
            name=name,
        )

    def _decoder(self, memory: bool = True) -> layers.UniversalDecoder:
        del memory  # there always is one
        h = self.hparams
        return layers.UniversalDecoder(
            self._config(),
            self._recurrence(h.num_decoder_layers or h.num_hidden_layers),
            recompute=h.recompute,
            dtype=self.dtype_policy,
            name="decoder",
        )

    def _recurrence(self, steps: int) -> dict[str, Any]:
        h = self.hparams
        learned = h.step_timing_signal_type == "learned"
        return {
            "num_steps": steps,
            "timing": "learned" if learned else h.position,
            "epsilon": h.act_epsilon if h.recurrence_type == "act" else None,
            "halting_bias": h.act_halting_bias_init,
        }

    def _run_encoder(self, embedded, mask, training) -> tf.Tensor:
        x, places, real = embedded
        states, took = self.encoder(
            self.dropout(x, training=training),
            places,
            attention_mask=mask,
            training=training,
        )
        self._pay(took, real, training)
        return states

    def _run_decoder(self, embedded, states, **options) -> Any:
        x, places, real = embedded
        training = options["training"]
        x = self.dropout(x, training=training)
        states, took, *weights = self.decoder(x, states, places, **options)
        self._pay(took, real, training)
        return (states, *weights) if weights else states

    def _run_step(self, embedded, memory, cache, masks):
        return self.decoder.step(*embedded, memory, cache, *masks[:2])

    def _pay(self, took: tf.Tensor, real: tf.Tensor, training: bool) -> None:
        """Adds the cost of the steps that real positions took to the loss."""
        h = self.hparams
        if training and h.recurrence_type == "act":
            steps = tf.reduce_sum(took * tf.cast(real, tf.float32))
            self.add_loss(h.act_loss_weight * steps)


def _universal(transformer: TransformerHParams, **changes: Any):
    """Returns a Transformer's hyperparameters with some of our own."""
    values = dataclasses.asdict(transformer)
    return UniversalTransformerHParams(**(values | changes))


@HPARAMS.register("universal_transformer_base")
def universal_transformer_base() -> UniversalTransformerHParams:
    """Tensor2Tensor's base: 6 steps of one layer of 1024, 16 heads."""
    return _universal(
        transformer_base(),
        hidden_size=1024,
        filter_size=4096,
        num_heads=16,
        layer_prepostprocess_dropout=0.3,
    )


@HPARAMS.register("universal_transformer_base_paper")
def universal_transformer_base_paper() -> UniversalTransformerHParams:
    """The paper's base: post-norm, sinusoids for positions and steps."""
    return _universal(
        transformer_base_paper(),
        hidden_size=1024,
        filter_size=4096,
        num_heads=16,
        layer_prepostprocess_dropout=0.3,
        step_timing_signal_type="sinusoid",
    )


@HPARAMS.register("universal_transformer_small")
def universal_transformer_small() -> UniversalTransformerHParams:
    """Tensor2Tensor's small: 6 steps of one layer of 512."""
    return _universal(transformer_base())


@HPARAMS.register("universal_transformer_tiny")
def universal_transformer_tiny() -> UniversalTransformerHParams:
    """Tensor2Tensor's tiny: 8 steps of one layer of 128."""
    return _universal(transformer_tiny(), num_hidden_layers=8)


@HPARAMS.register("universal_transformer_test")
def universal_transformer_test() -> UniversalTransformerHParams:
    """For tests: up to 2 steps of one layer of 16, halting."""
    return _universal(
        transformer_tiny(),
        hidden_size=16,
        filter_size=32,
        num_heads=2,
        num_hidden_layers=2,
        batch_size=256,
        recurrence_type="act",
    )


@HPARAMS.register("adaptive_universal_transformer_base")
def adaptive_universal_transformer_base() -> UniversalTransformerHParams:
    """The base with adaptive computation time: up to 12 steps."""
    return dataclasses.replace(
        universal_transformer_base(),
        recurrence_type="act",
        num_hidden_layers=12,
    )


@HPARAMS.register("adaptive_universal_transformer_small")
def adaptive_universal_transformer_small() -> UniversalTransformerHParams:
    """The small one with adaptive computation time: up to 12 steps."""
    return dataclasses.replace(
        universal_transformer_small(),
        recurrence_type="act",
        num_hidden_layers=12,
    )


@HPARAMS.register("adaptive_universal_transformer_tiny")
def adaptive_universal_transformer_tiny() -> UniversalTransformerHParams:
    """The tiny one with adaptive computation time: up to 4 steps."""
    return dataclasses.replace(
        universal_transformer_tiny(),
        recurrence_type="act",
        num_hidden_layers=4,
    )

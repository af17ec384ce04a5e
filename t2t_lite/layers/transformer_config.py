"""What the Transformer's encoder and decoder have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from t2t_lite.layers._math import check_choice, check_positive, check_rate
from t2t_lite.layers.attention import MultiHeadAttention
from t2t_lite.layers.attention_variant import PLAIN, AttentionVariant
from t2t_lite.layers.distances import AttentionPositions
from t2t_lite.layers.feed_forward import ACTIVATIONS, FeedForward
from t2t_lite.layers.residual import Residual


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Sizes and rates of the Transformer's layers.

    Args:
        hidden_size: int, size of the states (d_model).
        filter_size: int, inner size of the feed-forward network (d_ff).
        num_heads: int.
        key_head_size: int or None for hidden_size / num_heads (d_k).
        value_head_size: int or None for hidden_size / num_heads (d_v).
        activation: "relu", "gelu" or "swiglu".
        norm: "pre" or "post", where the layer norm stands.
        attention_dropout: float, on the attention weights.
        relu_dropout: float, inside the feed-forward network.
        residual_dropout: float, on every sublayer's output.
        attention_bias: bool; off, as in the paper's parameter counts.
        feed_forward_bias: bool.
        epsilon: float, of the layer norms.
        variant: `AttentionVariant`, or a dict of its fields: positions and
            radius of the self-attention, which is causal in the decoder
            whatever `causal` says, and the heads of keys and values of all
            attention.

    Raises:
        ValueError: a field is outside its range.
    """

    hidden_size: int
    filter_size: int
    num_heads: int
    key_head_size: int | None = None
    value_head_size: int | None = None
    activation: str = "relu"
    norm: str = "pre"
    attention_dropout: float = 0.0
    relu_dropout: float = 0.0
    residual_dropout: float = 0.0
    attention_bias: bool = False
    feed_forward_bias: bool = True
    epsilon: float = 1e-6
    variant: AttentionVariant | dict[str, Any] = PLAIN

    def __post_init__(self) -> None:
        object.__setattr__(self, "variant", AttentionVariant.of(self.variant))
        check_positive(
            hidden_size=self.hidden_size,
            filter_size=self.filter_size,
            num_heads=self.num_heads,
        )
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("norm", self.norm, ("pre", "post"))
        for name in ("attention_dropout", "relu_dropout", "residual_dropout"):
            check_rate(name, getattr(self, name))

    @classmethod
    def of(cls, config: TransformerConfig | dict[str, Any]):
        """Returns `config`, made from a dict if it is one."""
        return config if isinstance(config, cls) else cls(**config)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a dict that `of` reads."""
        return dataclasses.asdict(self)


def make_attention(
    config: TransformerConfig, projection: str, causal: bool = False, **kwargs
) -> MultiHeadAttention:
    """Returns the attention that `config` describes; kwargs are Keras'."""
    if projection == "self":
        variant = config.variant.of_stack(causal)
    else:
        variant = config.variant.of_memory()
    return MultiHeadAttention(
        config.hidden_size,
        config.num_heads,
        key_head_size=config.key_head_size,
        value_head_size=config.value_head_size,
        dropout=config.attention_dropout,
        use_bias=config.attention_bias,
        projection=projection,
        variant=variant,
        **kwargs,
    )


def share_positions(blocks: Sequence[Any]) -> AttentionPositions | None:
    """Makes the self-attention of several layers know positions by one layer.

    Args:
        blocks: layers with a `self_attention`, not built yet.

    Returns:
        That layer, to be built before them; None where each has its own.
    """
    first = blocks[0].self_attention
    if not first.variant.is_shared_by_layers:
        return None
    positions = first.make_positions()
    for block in blocks:
        block.self_attention.positions = positions
    return positions


def make_feed_forward(config: TransformerConfig, **kwargs) -> FeedForward:
    """Returns the feed-forward network that `config` describes."""
    return FeedForward(
        config.hidden_size,
        config.filter_size,
        activation=config.activation,
        dropout=config.relu_dropout,
        use_bias=config.feed_forward_bias,
        **kwargs,
    )


def make_residual(config: TransformerConfig, **kwargs) -> Residual:
    """Returns the residual connection that `config` describes."""
    return Residual(
        config.norm,
        dropout=config.residual_dropout,
        epsilon=config.epsilon,
        **kwargs,
    )

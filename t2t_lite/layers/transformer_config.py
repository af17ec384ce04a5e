"""What the Transformer's encoder and decoder have in common."""

from __future__ import annotations

import dataclasses
from typing import Any

from t2t_lite.layers._math import check_choice, check_positive, check_rate
from t2t_lite.layers.attention import MultiHeadAttention
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

    def __post_init__(self) -> None:
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
    config: TransformerConfig, projection: str, **kwargs
) -> MultiHeadAttention:
    """Returns the attention that `config` describes; kwargs are Keras'."""
    return MultiHeadAttention(
        config.hidden_size,
        config.num_heads,
        key_head_size=config.key_head_size,
        value_head_size=config.value_head_size,
        dropout=config.attention_dropout,
        use_bias=config.attention_bias,
        projection=projection,
        **kwargs,
    )


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

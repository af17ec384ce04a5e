"""What attention may do otherwise than the paper's."""

from __future__ import annotations

import dataclasses
from typing import Any

from t2t_lite.layers._math import check_choice, check_positive
from t2t_lite.layers.bucket_bias import BucketBias, check_buckets
from t2t_lite.layers.distances import AttentionPositions
from t2t_lite.layers.linear_bias import LinearBias
from t2t_lite.layers.relative_positions import RelativePositions
from t2t_lite.layers.rotary import RotaryPositions, check_base

POSITIONS = ("none", "relative", "t5_bias", "rotary", "alibi")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttentionVariant:
    """How attention knows positions, how far it sees, which heads share keys.

    The default is the attention of Vaswani et al. 2017, section 3.2.2. All
    that follows goes together.

    Args:
        position: "none", or how self-attention knows positions by itself:
            "relative" (`RelativePositions`: learned vectors of clipped
            distances), "t5_bias" (`BucketBias`: a learned number for each head
            and bucket of distances), "rotary" (`RotaryPositions`: queries and
            keys turned in proportion to their positions), or "alibi"
            (`LinearBias`: logits that fall with the distance).
        max_relative_position: int, of "relative": where distances are clipped.
        relative_attention_num_buckets: int, of "t5_bias"; even, at least 4.
        relative_attention_max_distance: int, of "t5_bias", above half the
            buckets: all from there on share one.
        rotary_base: float above 1, of "rotary".
        local_attention_radius: int or None for all: self-attention sees the
            keys at most so many positions away, on both sides of the query or,
            if causal, before it. Computed in blocks, at a cost in proportion
            to the length; the result is that of all keys with the others
            masked.
        num_key_value_heads: int or None for num_heads, of which it is a
            divisor: heads of keys and values, each shared by as many heads of
            queries, in their order. 1 is multi-query attention.
        causal: bool, whether self-attention sees no key after the query,
            whatever the mask. The decoder's attention is.

    Raises:
        ValueError: a field is outside its range.

    Reference: Shaw et al. 2018; Raffel et al. 2020, section 2.1; Su et al.
    2021; Press et al. 2022; Vaswani et al. 2017, section 4 (restricted
    self-attention, with local_attention_radius = r/2); Shazeer 2019 and
    Ainslie et al. 2023 (num_key_value_heads = G).
    """

    position: str = "none"
    max_relative_position: int = 20
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    rotary_base: float = 10000.0
    local_attention_radius: int | None = None
    num_key_value_heads: int | None = None
    causal: bool = False

    def __post_init__(self) -> None:
        check_choice("position", self.position, POSITIONS)
        check_positive(max_relative_position=self.max_relative_position)
        check_buckets(
            self.relative_attention_num_buckets,
            self.relative_attention_max_distance,
        )
        check_base(self.rotary_base)
        for name in ("local_attention_radius", "num_key_value_heads"):
            value = getattr(self, name)
            if value is not None:
                check_positive(**{name: value})

    @classmethod
    def of(cls, variant: AttentionVariant | dict[str, Any] | None):
        """Returns `variant`, made from a dict or from None."""
        return variant if isinstance(variant, cls) else cls(**(variant or {}))

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a dict that `of` reads."""
        return dataclasses.asdict(self)

    @property
    def reach(self) -> tuple[int | None, bool]:
        """(The radius that is seen or None, whether only backwards)."""
        return self.local_attention_radius, self.causal

    @property
    def is_shared_by_layers(self) -> bool:
        """Whether one stack's layers have their positions' weights in common.

        T5's have; relative positions are each layer's own, as in their paper.
        """
        return self.position == "t5_bias"

    def of_memory(self) -> AttentionVariant:
        """Returns what of it holds for attention to another sequence."""
        return AttentionVariant(num_key_value_heads=self.num_key_value_heads)

    def of_stack(self, causal: bool) -> AttentionVariant:
        """Returns the same, for the encoder's or the decoder's self-attention.

        The default stays the default: its causal mask is the decoder's, which
        makes it once for all layers.

        Args:
            causal: bool.
        """
        plain = dataclasses.replace(self, causal=False)
        if plain == PLAIN:
            return PLAIN
        return dataclasses.replace(self, causal=causal)

    def check(
        self, num_heads: int, key_head_size: int, projection: str
    ) -> None:
        """Raises ValueError unless such an attention can be this variant."""
        if self.position == "rotary" and key_head_size % 2:
            raise ValueError(
                "key_head_size must be even for position='rotary', got "
                f"{key_head_size}."
            )
        if num_heads % (self.num_key_value_heads or num_heads):
            raise ValueError(
                f"num_key_value_heads must be a divisor of num_heads="
                f"{num_heads}, got {self.num_key_value_heads}."
            )
        if projection != "self" and self != self.of_memory():
            raise ValueError(
                "position, local_attention_radius and causal are for "
                f"projection='self', got projection={projection!r} and "
                f"{self}."
            )

    def positions(
        self, num_heads: int, head_sizes: tuple[int, int], **kwargs
    ) -> AttentionPositions:
        """Returns the layer that knows positions; kwargs are Keras'.

        Args:
            num_heads: int.
            head_sizes: (key_head_size, value_head_size).
        """
        if self.position == "relative":
            return RelativePositions(
                self.max_relative_position, *head_sizes, **kwargs
            )
        if self.position == "t5_bias":
            return BucketBias(
                num_heads,
                self.relative_attention_num_buckets,
                self.relative_attention_max_distance,
                self.causal,
                **kwargs,
            )
        if self.position == "rotary":
            return RotaryPositions(self.rotary_base, **kwargs)
        if self.position == "alibi":
            return LinearBias(num_heads, **kwargs)
        return AttentionPositions(**kwargs)


PLAIN = AttentionVariant()

"""The sizes and choices of a Transformer."""

from __future__ import annotations

import dataclasses

from t2t_lite.hparams import HParams, require, require_choice
from t2t_lite.layers.attention_variant import POSITIONS
from t2t_lite.layers.position import KINDS

_RATES = (
    "layer_prepostprocess_dropout",
    "attention_dropout",
    "relu_dropout",
    "word_dropout",
)
TARGET_SPACES = 32  # as many as Tensor2Tensor's table has


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerHParams(HParams):
    """Hyperparameters of `Transformer`; the defaults are T2T's base.

    Fields beside those of `HParams`:
        hidden_size, filter_size, num_heads: sizes of every layer.
        num_hidden_layers: layers of encoder and decoder alike, unless
            num_encoder_layers or num_decoder_layers say otherwise.
        key_head_size, value_head_size: sizes of one head's query and key, and
            value; none = hidden_size / num_heads.
        activation: "relu", "gelu" or "swiglu".
        norm: "pre" (T2T) or "post" (the paper).
        layer_prepostprocess_dropout: on embeddings and every residual branch.
        attention_dropout, relu_dropout: on weights, inside the feed-forward.
        word_dropout: share of the tokens, of inputs and of targets fed back,
            of which training hides the whole embedding (Sennrich et al. 2016);
            positions stay, the other embeddings are scaled up.
        attention_bias: biases in the attention's projections.
        position: what tells positions apart. Added to the embeddings, a kind
            of `layers.PositionEncoding`: "sinusoid_t2t", "sinusoid_paper",
            "sinusoid_marian" or "learned". Or known to self-attention alone,
            with nothing added, see `layers.AttentionVariant`: "relative"
            (Shaw et al. 2018; T2T's self_attention_type=dot_product_relative
            with pos=none), "t5_bias", "rotary", "alibi". Or "none".
        max_relative_position: of position=relative, where distances are
            clipped.
        relative_attention_num_buckets, relative_attention_max_distance: of
            position=t5_bias: numbers of a head, even and at least 4, and the
            distance from which all share the last.
        rotary_base: of position=rotary.
        local_attention_radius: positions that self-attention sees on each
            side, in the decoder before the query alone; none = all. With any
            position.
        num_key_value_heads: heads of keys and values in all attention, each
            shared by as many heads of queries; a divisor of num_heads, 1 =
            multi-query attention; none = num_heads.
        shared_embedding: "all" (source, target and softmax are one table),
            "target_softmax" or "none".
        embedding_scale: where sqrt(hidden_size) goes: "lookup", "softmax" or
            "none".
        recompute: every layer keeps only its inputs and is computed again in
            the backward pass: less memory, the same updates, one forward pass
            more.
        target_space_id: the row, of a trained table of 32, that is added to
            every input's embedding: Tensor2Tensor's embedding of the kind of
            targets, by which a model of several problems tells them apart;
            none = no such table.
    """

    hidden_size: int = 512
    filter_size: int = 2048
    num_heads: int = 8
    num_hidden_layers: int = 6
    num_encoder_layers: int | None = None
    num_decoder_layers: int | None = None
    key_head_size: int | None = None
    value_head_size: int | None = None
    activation: str = "relu"
    norm: str = "pre"
    layer_prepostprocess_dropout: float = 0.1
    attention_dropout: float = 0.1
    relu_dropout: float = 0.1
    word_dropout: float = 0.0
    attention_bias: bool = False
    position: str = "sinusoid_t2t"
    max_relative_position: int = 20
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    rotary_base: float = 10000.0
    local_attention_radius: int | None = None
    num_key_value_heads: int | None = None
    shared_embedding: str = "all"
    embedding_scale: str = "lookup"
    recompute: bool = False
    target_space_id: int | None = None

    def __post_init__(self):
        super().__post_init__()
        for name in ("hidden_size", "filter_size", "num_heads"):
            value = getattr(self, name)
            require(value > 0, name, "an int above 0", value)
        require(
            self.hidden_size % 2 == 0,
            "hidden_size",
            "an even number",
            self.hidden_size,
        )
        if self.key_head_size is None or self.value_head_size is None:
            require(
                self.hidden_size % self.num_heads == 0,
                "num_heads",
                f"a divisor of hidden_size={self.hidden_size}",
                self.num_heads,
            )
        for name in _RATES:
            value = getattr(self, name)
            require(0 <= value < 1, name, "a rate in [0, 1)", value)
        for name in (
            "num_hidden_layers",
            "num_encoder_layers",
            "num_decoder_layers",
            "key_head_size",
            "value_head_size",
            "max_relative_position",
            "local_attention_radius",
            "num_key_value_heads",
        ):
            value = getattr(self, name)
            require(value is None or value > 0, name, "an int above 0", value)
        require(
            self.target_space_id is None
            or 0 <= self.target_space_id < TARGET_SPACES,
            "target_space_id",
            f"an int from 0 to {TARGET_SPACES - 1}, or none",
            self.target_space_id,
        )
        require_choice(
            "activation", self.activation, ("relu", "gelu", "swiglu")
        )
        require_choice("norm", self.norm, ("pre", "post"))
        require_choice("position", self.position, (*KINDS, *POSITIONS))
        require_choice(
            "shared_embedding",
            self.shared_embedding,
            ("all", "target_softmax", "none"),
        )
        require_choice(
            "embedding_scale",
            self.embedding_scale,
            ("lookup", "softmax", "none"),
        )
        self._check_variant()

    def _check_variant(self) -> None:
        """Checks what `layers.AttentionVariant` takes."""
        buckets = self.relative_attention_num_buckets
        require(
            buckets >= 4 and buckets % 2 == 0,
            "relative_attention_num_buckets",
            "an even int of 4 or more",
            buckets,
        )
        require(
            self.relative_attention_max_distance > buckets // 2,
            "relative_attention_max_distance",
            f"an int above half of relative_attention_num_buckets={buckets}",
            self.relative_attention_max_distance,
        )
        require(
            self.rotary_base > 1,
            "rotary_base",
            "a number above 1",
            self.rotary_base,
        )
        shared = self.num_key_value_heads
        require(
            shared is None or self.num_heads % shared == 0,
            "num_key_value_heads",
            f"a divisor of num_heads={self.num_heads}",
            shared,
        )
        head_size = self.key_head_size or self.hidden_size // self.num_heads
        require(
            self.position != "rotary" or head_size % 2 == 0,
            "key_head_size",
            "an even number with position=rotary",
            head_size,
        )

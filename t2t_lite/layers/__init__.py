"""Layers of the Transformer; everything here is plain Keras."""

from t2t_lite.layers.attention import MultiHeadAttention
from t2t_lite.layers.decoder import Decoder
from t2t_lite.layers.decoder_layer import DecoderLayer
from t2t_lite.layers.depth_recurrence import DepthRecurrence
from t2t_lite.layers.dropout import Dropout
from t2t_lite.layers.embedding import SharedEmbedding
from t2t_lite.layers.encoder import Encoder
from t2t_lite.layers.encoder_layer import EncoderLayer
from t2t_lite.layers.feed_forward import FeedForward
from t2t_lite.layers.freezing import (
    frozen_weights,
    held_weights,
    rows_of_products,
)
from t2t_lite.layers.log_mel import LogMel
from t2t_lite.layers.masks import (
    causal_mask,
    combine,
    padding_mask,
    segment_mask,
)
from t2t_lite.layers.norm import LayerNorm
from t2t_lite.layers.position import PositionEncoding
from t2t_lite.layers.residual import Residual
from t2t_lite.layers.seeds import draws_of, seed_scope, uniform_draws
from t2t_lite.layers.transformer_config import TransformerConfig
from t2t_lite.layers.universal_decoder import UniversalDecoder
from t2t_lite.layers.universal_encoder import UniversalEncoder

__all__ = [
    "Decoder",
    "DecoderLayer",
    "DepthRecurrence",
    "Dropout",
    "Encoder",
    "EncoderLayer",
    "FeedForward",
    "LayerNorm",
    "LogMel",
    "MultiHeadAttention",
    "PositionEncoding",
    "Residual",
    "SharedEmbedding",
    "TransformerConfig",
    "UniversalDecoder",
    "UniversalEncoder",
    "causal_mask",
    "combine",
    "draws_of",
    "frozen_weights",
    "held_weights",
    "padding_mask",
    "rows_of_products",
    "seed_scope",
    "segment_mask",
    "uniform_draws",
]

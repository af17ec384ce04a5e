"""Layers of sequence models; everything here is plain Keras."""

from t2t_lite.layers.attention import MultiHeadAttention
from t2t_lite.layers.attention_variant import AttentionVariant
from t2t_lite.layers.bahdanau_decoder import BahdanauDecoder
from t2t_lite.layers.context_vector_attention import ContextVectorAttention
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
from t2t_lite.layers.hierarchical_attention import HierarchicalAttention
from t2t_lite.layers.log_mel import LogMel
from t2t_lite.layers.luong_decoder import LuongDecoder
from t2t_lite.layers.masks import (
    causal_mask,
    combine,
    padding_mask,
    segment_mask,
)
from t2t_lite.layers.norm import LayerNorm
from t2t_lite.layers.one_thread import one_thread_each
from t2t_lite.layers.position import PositionEncoding
from t2t_lite.layers.quantized_products import has_quantized_products
from t2t_lite.layers.quantizing import QuantizedWeights
from t2t_lite.layers.recurrent import Recurrent
from t2t_lite.layers.recurrent_cell import RecurrentCell
from t2t_lite.layers.recurrent_encoder import RecurrentEncoder
from t2t_lite.layers.residual import Residual
from t2t_lite.layers.seeds import (
    draws_of,
    seed_scope,
    share_of_rates,
    uniform_draws,
)
from t2t_lite.layers.seq2seq_attention import Seq2SeqAttention
from t2t_lite.layers.structured_self_attention import (
    StructuredSelfAttention,
    redundancy_penalty,
)
from t2t_lite.layers.transformer_config import TransformerConfig
from t2t_lite.layers.universal_decoder import UniversalDecoder
from t2t_lite.layers.universal_encoder import UniversalEncoder

__all__ = [
    "AttentionVariant",
    "BahdanauDecoder",
    "ContextVectorAttention",
    "Decoder",
    "DecoderLayer",
    "DepthRecurrence",
    "Dropout",
    "Encoder",
    "EncoderLayer",
    "FeedForward",
    "HierarchicalAttention",
    "LayerNorm",
    "LogMel",
    "LuongDecoder",
    "MultiHeadAttention",
    "PositionEncoding",
    "QuantizedWeights",
    "Recurrent",
    "RecurrentCell",
    "RecurrentEncoder",
    "Residual",
    "Seq2SeqAttention",
    "SharedEmbedding",
    "StructuredSelfAttention",
    "TransformerConfig",
    "UniversalDecoder",
    "UniversalEncoder",
    "causal_mask",
    "combine",
    "draws_of",
    "frozen_weights",
    "has_quantized_products",
    "held_weights",
    "one_thread_each",
    "padding_mask",
    "redundancy_penalty",
    "rows_of_products",
    "seed_scope",
    "segment_mask",
    "share_of_rates",
    "uniform_draws",
]

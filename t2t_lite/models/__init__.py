"""Models; importing this package registers them and their hparams sets."""

from t2t_lite.models import rnn_attention_sets, transformer_sets
from t2t_lite.models.rnn_attention import RnnAttention
from t2t_lite.models.rnn_attention_hparams import RnnAttentionHParams
from t2t_lite.models.transformer import Transformer, TransformerHParams

__all__ = [
    "RnnAttention",
    "RnnAttentionHParams",
    "Transformer",
    "TransformerHParams",
    "rnn_attention_sets",
    "transformer_sets",
]

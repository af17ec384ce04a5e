"""Models; importing this package registers them and their hparams sets."""

from t2t_lite.models import rnn_attention_sets, transformer_sets
from t2t_lite.models.model import Model
from t2t_lite.models.rnn_attention import RnnAttention
from t2t_lite.models.rnn_attention_hparams import RnnAttentionHParams
from t2t_lite.models.speech_transformer import SpeechTransformer
from t2t_lite.models.transformer import Transformer, TransformerHParams
from t2t_lite.models.transformer_encoder import TransformerEncoder
from t2t_lite.models.transformer_lm import TransformerLM
from t2t_lite.models.universal_transformer import UniversalTransformer
from t2t_lite.models.vit import VisionTransformer

__all__ = [
    "Model",
    "RnnAttention",
    "RnnAttentionHParams",
    "SpeechTransformer",
    "Transformer",
    "TransformerEncoder",
    "TransformerHParams",
    "TransformerLM",
    "UniversalTransformer",
    "VisionTransformer",
    "rnn_attention_sets",
    "transformer_sets",
]

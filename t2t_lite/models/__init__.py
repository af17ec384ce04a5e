"""Models; importing this package registers them and their hparams sets."""

from t2t_lite.models import transformer_sets
from t2t_lite.models.transformer import Transformer, TransformerHParams

__all__ = ["Transformer", "TransformerHParams", "transformer_sets"]

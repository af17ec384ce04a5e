"""Data: vocabularies, prepared folders, and batches by step.

Nothing here imports TensorFlow before it is needed.
"""

from t2t_lite.data.batching import TrainBatches, eval_batches
from t2t_lite.data.bucketing import (
    BucketPlan,
    BucketShape,
    plan_buckets,
)
from t2t_lite.data.columns import Columns
from t2t_lite.data.preparing import prepare, prepared_folder
from t2t_lite.data.records import PreparedData, Split, open_prepared
from t2t_lite.data.row_planning import plan_packing
from t2t_lite.data.sentencepiece_training import train_sentencepiece
from t2t_lite.data.subword_training import train_subwords
from t2t_lite.data.subwords import SubwordEncoder
from t2t_lite.data.text_encoder import (
    EOS_ID,
    PAD_ID,
    UNK_ID,
    VOCAB_KINDS,
    ByteEncoder,
    SentencePieceEncoder,
    TextEncoder,
    append_eos,
    load_encoder,
)

__all__ = [
    "EOS_ID",
    "PAD_ID",
    "UNK_ID",
    "VOCAB_KINDS",
    "BucketPlan",
    "BucketShape",
    "ByteEncoder",
    "Columns",
    "PreparedData",
    "SentencePieceEncoder",
    "Split",
    "SubwordEncoder",
    "TextEncoder",
    "TrainBatches",
    "append_eos",
    "eval_batches",
    "load_encoder",
    "open_prepared",
    "plan_buckets",
    "plan_packing",
    "prepare",
    "prepared_folder",
    "train_sentencepiece",
    "train_subwords",
]

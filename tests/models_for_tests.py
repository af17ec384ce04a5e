"""A model small enough to trace in seconds, and batches for it."""

import dataclasses

import numpy as np

from t2t_lite.data.sentencepiece_training import sentencepiece_of_words
from t2t_lite.data.text_encoder import SentencePieceEncoder
from t2t_lite.models.resolve import build, model_of
from t2t_lite.models.rnn_attention import RnnAttentionHParams
from t2t_lite.models.transformer import TransformerHParams

VOCAB = 23
_NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
_COLOURS = ["red", "green", "blue", "black", "white", "brown", "grey"]
# Fields of the hparams for each variant of attention, for 4 heads.
VARIANTS = {
    "none": {"position": "none"},
    "relative": {"position": "relative", "max_relative_position": 3},
    "t5_bias": {
        "position": "t5_bias",
        "relative_attention_num_buckets": 6,
        "relative_attention_max_distance": 5,
    },
    "rotary": {"position": "rotary"},
    "alibi": {"position": "alibi"},
    "local": {"local_attention_radius": 2},
    "grouped": {"num_key_value_heads": 2},
    "rotary, local, multi-query": {
        "position": "rotary",
        "local_attention_radius": 3,
        "num_key_value_heads": 1,
    },
}
WORDS = [*_NUMBERS, *_COLOURS, "big", "small", "old", "new", "dog"]


_TRAINING = {
    "learning_rate_schedule": "constant",
    "learning_rate_constant": 0.01,
    "vocab_kind": "byte",
    "batch_size": 256,
    "max_shapes": 2,
    "max_length": 32,
}


def tiny_hparams(**changes) -> TransformerHParams:
    """Returns one layer of 16 without dropout."""
    values = {
        "hidden_size": 16,
        "filter_size": 32,
        "num_heads": 2,
        "num_hidden_layers": 1,
        "layer_prepostprocess_dropout": 0.0,
        "attention_dropout": 0.0,
        "relu_dropout": 0.0,
    }
    return dataclasses.replace(
        TransformerHParams(), **(values | _TRAINING | changes)
    )


def tiny_rnn_hparams(**changes) -> RnnAttentionHParams:
    """Returns one layer of 12 without dropout."""
    values = {"hidden_size": 12, "embedding_size": 8, "maxout_size": 6}
    return dataclasses.replace(
        RnnAttentionHParams(), **(values | _TRAINING | changes)
    )


def tiny_model(hparams, seed=0, dtype="float32"):
    """Returns a built model whose weights depend on `seed` alone."""
    model = build(model_of(hparams), hparams, VOCAB, dtype)
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        value = rng.normal(size=tuple(variable.shape)) * 0.3
        variable.assign(value.astype("float32"))
    return model


def word_encoder() -> SentencePieceEncoder:
    """Returns a vocabulary of `WORDS`; `VOCAB` ids, without bytes."""
    return sentencepiece_of_words(WORDS)


def random_batch(rows, length, seed=0, ragged=True):
    """Returns inputs and targets that end in 1 and are padded with 0."""
    rng = np.random.default_rng(seed)
    batch = {}
    for name in ("inputs", "targets"):
        ids = rng.integers(3, VOCAB, (rows, length)).astype(np.int32)
        for row in ids:
            end = rng.integers(2, length) if ragged else length - 1
            row[end] = 1
            row[end + 1 :] = 0
        batch[name] = ids
    return batch

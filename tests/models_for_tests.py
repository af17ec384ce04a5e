"""A model small enough to trace in seconds, and batches for it."""

import dataclasses

import numpy as np

from t2t_lite.models.resolve import build
from t2t_lite.models.transformer import TransformerHParams

VOCAB = 23


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
        "learning_rate_schedule": "constant",
        "learning_rate_constant": 0.01,
        "vocab_kind": "byte",
        "batch_size": 256,
        "max_shapes": 2,
        "max_length": 32,
    }
    return dataclasses.replace(TransformerHParams(), **(values | changes))


def tiny_model(hparams, seed=0, dtype="float32"):
    """Returns a built model whose weights depend on `seed` alone."""
    model = build("transformer", hparams, VOCAB, dtype)
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        value = rng.normal(size=tuple(variable.shape)) * 0.3
        variable.assign(value.astype("float32"))
    return model


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

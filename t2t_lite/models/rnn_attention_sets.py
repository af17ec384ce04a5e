"""Hyperparameter sets of recurrent models with attention, by name."""

from __future__ import annotations

import dataclasses

from t2t_lite.models.rnn_attention_hparams import RnnAttentionHParams
from t2t_lite.registry import HPARAMS


@HPARAMS.register("rnn_attention_bahdanau")
def rnn_attention_bahdanau() -> RnnAttentionHParams:
    """Bahdanau et al. 2015's RNNsearch: GRUs of 1000, concat, maxout 500."""
    return RnnAttentionHParams(
        initializer="gaussian",
        max_length=50,
        batch_size=80 * 30,  # sentences, of some 30 tokens each
        optimizer="adadelta",
        learning_rate_schedule="constant",
        learning_rate_constant=1.0,
        clip_grad_norm=1.0,
        label_smoothing=0.0,
    )


@HPARAMS.register("rnn_attention_luong")
def rnn_attention_luong() -> RnnAttentionHParams:
    """Luong et al. 2015's best: 4 LSTMs of 1000, general, local-p, D = 10.

    The learning rate is halved every epoch after the eighth; an epoch of 4.5
    million pairs has 35,000 updates.
    """
    return RnnAttentionHParams(
        architecture="luong",
        cell="lstm",
        embedding_size=1000,
        num_hidden_layers=4,
        bidirectional=False,
        score="general",
        alignment="local-p",
        window=10,
        input_feeding=True,
        dropout=0.2,
        initializer="uniform",
        max_length=50,
        batch_size=128 * 30,  # sentences, of some 30 tokens each
        optimizer="sgd",
        learning_rate_schedule="constant*exp_decay",
        learning_rate_constant=1.0,
        learning_rate_warmup_steps=280_000,
        learning_rate_decay_steps=35_000,
        learning_rate_decay_rate=0.5,
        clip_grad_norm=5.0,
        label_smoothing=0.0,
    )


@HPARAMS.register("rnn_attention_tiny")
def rnn_attention_tiny() -> RnnAttentionHParams:
    """RNNsearch with states of 128, for tests and small tasks."""
    return dataclasses.replace(
        RnnAttentionHParams(),
        embedding_size=64,
        hidden_size=128,
        maxout_size=64,
        clip_grad_norm=1.0,
        label_smoothing=0.0,
    )

"""Hyperparameter sets of the Transformer, by name."""

from __future__ import annotations

import dataclasses

from t2t_lite.models.transformer import TransformerHParams
from t2t_lite.registry import HPARAMS


@HPARAMS.register("transformer_base")
def transformer_base() -> TransformerHParams:
    """Tensor2Tensor's base: pre-norm, 6 layers of 512, 8 heads."""
    return TransformerHParams()


@HPARAMS.register("transformer_big")
def transformer_big() -> TransformerHParams:
    """Tensor2Tensor's big: 6 layers of 1024, 16 heads, dropout 0.3."""
    return dataclasses.replace(
        transformer_base(),
        hidden_size=1024,
        filter_size=4096,
        num_heads=16,
        layer_prepostprocess_dropout=0.3,
        batch_size=2048,
    )


@HPARAMS.register("transformer_base_single_gpu")
def transformer_base_single_gpu() -> TransformerHParams:
    """Tensor2Tensor's base for one device: 1024 tokens, longer warm-up."""
    return dataclasses.replace(
        transformer_base(),
        batch_size=1024,
        learning_rate_schedule="constant*linear_warmup*rsqrt_decay",
        learning_rate_constant=0.1,
        learning_rate_warmup_steps=16000,
    )


@HPARAMS.register("transformer_big_single_gpu")
def transformer_big_single_gpu() -> TransformerHParams:
    """Tensor2Tensor's big for one device: dropout 0.1, longer warm-up."""
    return dataclasses.replace(
        transformer_big(),
        layer_prepostprocess_dropout=0.1,
        learning_rate_warmup_steps=16000,
    )


@HPARAMS.register("transformer_small")
def transformer_small() -> TransformerHParams:
    """Tensor2Tensor's small: 2 layers of 256, 4 heads."""
    return dataclasses.replace(
        transformer_base(),
        hidden_size=256,
        filter_size=1024,
        num_heads=4,
        num_hidden_layers=2,
    )


@HPARAMS.register("transformer_tiny")
def transformer_tiny() -> TransformerHParams:
    """Tensor2Tensor's tiny: 2 layers of 128, 4 heads."""
    return dataclasses.replace(
        transformer_base(),
        hidden_size=128,
        filter_size=512,
        num_heads=4,
        num_hidden_layers=2,
    )


@HPARAMS.register("transformer_relative")
def transformer_relative() -> TransformerHParams:
    """Tensor2Tensor's relative: base with relative positions alone."""
    return dataclasses.replace(
        transformer_base(), position="relative", max_relative_position=20
    )


@HPARAMS.register("transformer_relative_tiny")
def transformer_relative_tiny() -> TransformerHParams:
    """Tensor2Tensor's relative_tiny: tiny with relative positions alone."""
    return dataclasses.replace(
        transformer_tiny(), position="relative", max_relative_position=20
    )


@HPARAMS.register("transformer_base_paper")
def transformer_base_paper() -> TransformerHParams:
    """The paper's base: post-norm, residual dropout alone, warm-up 4000."""
    return dataclasses.replace(
        transformer_base(),
        norm="post",
        position="sinusoid_paper",
        attention_dropout=0.0,
        relu_dropout=0.0,
        adam_beta2=0.98,
        batch_size=25000,
        learning_rate_constant=1.0,
        learning_rate_warmup_steps=4000,
    )


@HPARAMS.register("transformer_big_paper")
def transformer_big_paper() -> TransformerHParams:
    """The paper's big: post-norm, 6 layers of 1024, dropout 0.3."""
    return dataclasses.replace(
        transformer_base_paper(),
        hidden_size=1024,
        filter_size=4096,
        num_heads=16,
        layer_prepostprocess_dropout=0.3,
    )


@HPARAMS.register("transformer_multi30k_paper")
def transformer_multi30k_paper() -> TransformerHParams:
    """Wu et al. 2021's Transformer-Tiny for Multi30k: post-norm, 9,712 BPE."""
    return TransformerHParams(
        hidden_size=128,
        filter_size=256,
        num_heads=4,
        num_hidden_layers=4,
        norm="post",
        attention_bias=True,
        layer_prepostprocess_dropout=0.3,
        attention_dropout=0.0,
        relu_dropout=0.0,
        vocab_kind="bpe",
        vocab_size=9712,
        batch_size=4096,
        accumulate_steps=2,
        adam_beta2=0.98,
        adam_epsilon=1e-8,
        clip_grad_norm=25.0,
        learning_rate_schedule="constant*linear_warmup*rsqrt_normalized_decay",
        learning_rate_constant=0.005,
        learning_rate_warmup_steps=2000,
    )


@HPARAMS.register("transformer_multi30k_ema")
def transformer_multi30k_ema() -> TransformerHParams:
    """That of Wu et al., judged and exported by its weights' moving average."""
    return dataclasses.replace(transformer_multi30k_paper(), ema_decay=0.999)


@HPARAMS.register("transformer_multi30k")
def transformer_multi30k() -> TransformerHParams:
    """For some 30,000 pairs: pre-norm, 4 layers of 192, dropout that rises."""
    return dataclasses.replace(
        transformer_multi30k_ema(),
        hidden_size=192,
        filter_size=384,
        norm="pre",
        layer_prepostprocess_dropout=0.3,
        word_dropout=0.1,
        dropout_warmup_steps=8000,
        dropout_warmup_start=0.33,
        vocab_size=5000,
        batch_size=2048,
        accumulate_steps=1,
        learning_rate_schedule="constant*linear_warmup*single_cycle_cos_decay",
        learning_rate_constant=0.0025,
        learning_rate_warmup_steps=1000,
    )

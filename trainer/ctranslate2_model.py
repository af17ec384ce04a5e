"""A run's model in CTranslate2's format, for whoever serves with it.

CTranslate2 is an optional package: `pip install ".[ctranslate2]"`. What it
decodes is our own search's with `length_offset=0`, but where padding has a
share of P, which it hardly has in a trained model, and where ours goes on after
it has `beam_size` finished outputs, for which CTranslate2 has `patience`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from t2t_lite.data.text_encoder import (
    EOS_ID,
    PAD_ID,
    UNK_ID,
    SentencePieceEncoder,
)
from t2t_lite.errors import UserError
from t2t_lite.layers.position import sinusoids
from t2t_lite.models.transformer import Transformer

_ACTIVATIONS = {"relu": "RELU", "gelu": "GELUTanh"}
DTYPES = ("float32", "bfloat16", "float16", "int8")
# CTranslate2 ends a search with so many times `beam_size` finished outputs,
# ours where no other can be better. On Multi30k's test with a beam of 5, 966
# of 1,000 outputs were the same with 1, 999 with 1.5, and all with 2.
_PATIENCE = 2.0


def write(predictor, folder: str, dtype: str = "float32") -> None:
    """Writes a model that `ctranslate2.Translator` loads.

    Sentences go in and out as pieces of the run's SentencePiece model, which
    is copied beside it as `vocab.model`; the end mark of a source is the
    model's own to add.

    Args:
        predictor: a Predictor of a `transformer`.
        folder: str, made here.
        dtype: str, one of DTYPES, of the stored weights.
    Raises:
        UserError: CTranslate2 is not installed or has no such model.
    """
    _check(predictor)
    spec = _specification(predictor)
    _fill(spec, predictor)
    tokens = _tokens(predictor.encoder)
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.unk_token, spec.config.eos_token = (
        tokens[UNK_ID],
        tokens[EOS_ID],
    )
    spec.config.bos_token = spec.config.decoder_start_token = tokens[PAD_ID]
    spec.config.add_source_eos = True
    norm = predictor.model.decoder.blocks[0].self_residual.layer_norm
    spec.config.layer_norm_epsilon = norm.epsilon
    spec.validate()
    spec.optimize(quantization=dtype if dtype != "float32" else None)
    os.makedirs(folder)
    spec.save(folder)
    encoder = predictor.encoder
    encoder.save(os.path.join(folder, encoder.file_name))


def _specification(predictor):
    """Returns CTranslate2's description of such a model, without weights."""
    try:
        from ctranslate2.specs import common_spec, transformer_spec
    except ImportError as error:
        raise UserError(
            "--format=ctranslate2 needs CTranslate2: pip install ctranslate2"
        ) from error
    model, hparams = predictor.model, predictor.hparams
    shared = hparams.num_key_value_heads
    options = {
        "pre_norm": hparams.norm == "pre",
        "activation": getattr(
            common_spec.Activation, _ACTIVATIONS[hparams.activation]
        ),
        "relative_position": hparams.position == "relative",
        "relative_attention_bias": hparams.position == "t5_bias",
        "num_heads_kv": None if shared == hparams.num_heads else shared,
    }
    if hparams.position == "rotary":
        # Of all numbers of a head, whose halves are turned against each other.
        options |= {"rotary_dim": 0, "rotary_interleave": False}
        options["rotary_base"] = hparams.rotary_base
    encoder = transformer_spec.TransformerEncoderSpec(
        model.encoder.num_layers, hparams.num_heads, **options
    )
    if hparams.position == "rotary":
        del encoder.position_encodings  # which the decoder's has not
    decoder = transformer_spec.TransformerDecoderSpec(
        model.decoder.num_layers, hparams.num_heads, **options
    )
    return transformer_spec.TransformerSpec(encoder, decoder)


def translator(folder: str, predictor, compute_type: str = "default"):
    """Returns a function from sentences to sentences of what was written.

    Args:
        folder: str, from `write`.
        predictor: the Predictor, whose search options hold as far as
            CTranslate2 has them: beam size, alpha, most ids.
        compute_type: str, CTranslate2's; by default that of the weights.
    """
    import ctranslate2

    model = ctranslate2.Translator(folder, compute_type=compute_type)
    encoder, options = predictor.encoder, predictor.options
    ids_of = {token: i for i, token in enumerate(_tokens(encoder))}

    def several(texts: Sequence[str]) -> list[str]:
        found = [""] * len(texts)
        for index, text in enumerate(texts):
            ids = encoder.encode(text)[: predictor.max_input_length - 1]
            if not text.strip():
                continue
            longest = math.ceil(options.max_ratio * (len(ids) + 1))
            longest += options.extra_length
            result = model.translate_batch(
                [[encoder.piece(i) for i in ids]],
                beam_size=options.beam_size,
                patience=_PATIENCE,
                length_penalty=options.alpha,
                min_decoding_length=0,
                max_decoding_length=longest,
            )[0]
            found[index] = encoder.decode(
                [ids_of[piece] for piece in result.hypotheses[0]]
            )
        return found

    return several


def _check(predictor) -> None:
    """Raises UserError where CTranslate2 has no such model."""
    hparams = predictor.hparams
    if type(predictor.model) is not Transformer:
        raise UserError(
            "--format=ctranslate2: it has no model such as "
            f"{type(predictor.model).__name__}; use --format=saved_model"
        )
    if not isinstance(predictor.encoder, SentencePieceEncoder):
        raise UserError("--format=ctranslate2 needs a SentencePiece vocabulary")
    reasons = {
        "activation": hparams.activation not in _ACTIVATIONS,
        "key_head_size": hparams.key_head_size is not None,
        "value_head_size": hparams.value_head_size is not None,
        "embedding_scale": hparams.embedding_scale == "softmax",
        "position": hparams.position == "alibi",
        "local_attention_radius": hparams.local_attention_radius is not None,
        "target_space_id": hparams.target_space_id is not None,
    }
    for name, wrong in reasons.items():
        if wrong:
            raise UserError(
                f"--format=ctranslate2: it has no model with {name}="
                f"{getattr(hparams, name)}; use --format=saved_model"
            )


def _tokens(encoder: SentencePieceEncoder) -> list[str]:
    return [encoder.piece(index) for index in range(encoder.vocab_size)]


def _array(variable: Any) -> np.ndarray:
    return np.asarray(variable.value.numpy(), np.float32)


def _fill(spec, predictor) -> None:
    """Copies every weight."""
    model, hparams = predictor.model, predictor.hparams
    scaled = hparams.embedding_scale == "lookup"
    sides = (
        (spec.encoder, model.encoder, model.source_embedding),
        (spec.decoder, model.decoder, model.target_embedding),
    )
    for side, stack, table in sides:
        embeddings = side.embeddings
        if isinstance(embeddings, list):
            embeddings = embeddings[0]
        weights = _array(table.embeddings)
        # Padding, which is the decoder's first input, is looked up as zeros.
        weights[PAD_ID] = 0.0
        embeddings.weight = weights
        side.scale_embeddings = scaled
        if hasattr(side, "position_encodings"):
            encodings = _positions(model, side, spec)
            side.position_encodings.encodings = encodings
        if stack.final_norm is not None:
            _norm(side.layer_norm, stack.final_norm)
        for theirs, ours in zip(side.layer, stack.blocks, strict=True):
            _layer(theirs, ours)
    projection = spec.decoder.projection
    projection.weight = _array(model.softmax.embeddings)
    bias = np.zeros(len(projection.weight), np.float32)
    bias[PAD_ID] = -1e9  # padding is never produced
    projection.bias = bias


def _positions(model, side, spec) -> np.ndarray:
    layer = (
        model.source_position if side is spec.encoder else model.target_position
    )
    length = max(2048, 2 * model.hparams.max_length)
    if layer is None:  # without any, it would add sinusoids of its own
        return np.zeros([length, model.hparams.hidden_size], np.float32)
    if layer.kind == "learned":
        return _array(layer.embeddings)
    places = np.arange(length, dtype=np.int32)[None]
    return sinusoids(places, layer.hidden_size, layer.kind)[0].numpy()


def _norm(theirs, ours) -> None:
    theirs.gamma, theirs.beta = _array(ours.scale), _array(ours.bias)


def _layer(theirs, ours) -> None:
    """Copies a layer; norms lie in the residuals around its parts."""
    decodes = hasattr(ours, "memory_attention")
    residual = ours.self_residual if decodes else ours.attention_residual
    _attention(theirs.self_attention, ours.self_attention, [0, 1])
    _distances(theirs.self_attention, ours.self_attention)
    _norm(theirs.self_attention.layer_norm, residual.layer_norm)
    if decodes:
        _attention(theirs.attention, ours.memory_attention, [0, 1, 2])
        _norm(theirs.attention.layer_norm, ours.memory_residual.layer_norm)
    _norm(theirs.ffn.layer_norm, ours.feed_forward_residual.layer_norm)
    for name, place in (("filter", "linear_0"), ("output", "linear_1")):
        _linear(getattr(theirs.ffn, place), ours.feed_forward, name, True)


def _attention(theirs, ours, places) -> None:
    names = (
        ("query_key_value", "output")
        if len(places) == 2
        else ("query", "key_value", "output")
    )
    for place, name in zip(places, names, strict=True):
        _linear(theirs.linear[place], ours, name, ours.use_bias)


def _distances(theirs, ours) -> None:
    """Copies what a self-attention has learned of distances."""
    positions, variant = ours.positions, ours.variant
    if variant.position == "relative":
        theirs.relative_position_keys = _array(positions.key_embeddings)
        theirs.relative_position_values = _array(positions.value_embeddings)
    elif variant.position == "t5_bias":
        most = variant.relative_attention_max_distance
        theirs.relative_attention_bias = _array(positions.embeddings)
        theirs.relative_attention_max_distance = np.int32(most)


def _linear(theirs, ours, name: str, bias: bool) -> None:
    theirs.weight = _array(getattr(ours, f"{name}_kernel")).T.copy()
    if bias:
        theirs.bias = _array(getattr(ours, f"{name}_bias"))
    elif hasattr(theirs, "bias"):
        theirs.bias = np.zeros(len(theirs.weight), np.float32)

"""Tensor2Tensor's hyperparameters as ours: mapped, left out, or refused.

`hparams.json` of a Tensor2Tensor run holds a value for everything that any of
its models may have. What decides what a Transformer computes is mapped, or it
must be what our Transformer does; what decides how it is trained is mapped
where we have it and named where not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from t2t_lite import hparams as hp
from t2t_lite.data import untrusted
from t2t_lite.errors import UserError
from t2t_lite.models.transformer_hparams import TransformerHParams

Values = Mapping[str, Any]

_SAME = {
    "hidden_size": "hidden_size",
    "filter_size": "filter_size",
    "num_heads": "num_heads",
    "num_hidden_layers": "num_hidden_layers",
    "layer_prepostprocess_dropout": "layer_prepostprocess_dropout",
    "attention_dropout": "attention_dropout",
    "relu_dropout": "relu_dropout",
    "batch_size": "batch_size",
    "label_smoothing": "label_smoothing",
    "optimizer_adam_beta1": "adam_beta1",
    "optimizer_adam_beta2": "adam_beta2",
    "optimizer_adam_epsilon": "adam_epsilon",
    "learning_rate_warmup_steps": "learning_rate_warmup_steps",
    "learning_rate_decay_steps": "learning_rate_decay_steps",
    "learning_rate_decay_rate": "learning_rate_decay_rate",
}
# 0 stands for none there.
_ZERO_IS_NONE = {
    "num_encoder_layers": "num_encoder_layers",
    "num_decoder_layers": "num_decoder_layers",
    "clip_grad_norm": "clip_grad_norm",
}
_CHANNELS = {
    "attention_key_channels": "key_head_size",
    "attention_value_channels": "value_head_size",
}
# What must be there, for without it the model is not known.
_REQUIRED = (
    "hidden_size",
    "filter_size",
    "num_heads",
    "num_hidden_layers",
    "layer_preprocess_sequence",
    "layer_postprocess_sequence",
    "multiply_embedding_mode",
    "shared_embedding_and_softmax_weights",
    "norm_type",
    "norm_epsilon",
    "pos",
    "ffn_layer",
)
_NORMS = {("n", "da"): "pre", ("none", "dan"): "post", ("", "dan"): "post"}
# What our Transformer does, and so the only values there may be.
_ONLY: dict[str, tuple] = {
    "norm_type": ("layer",),
    "norm_epsilon": (1e-6,),
    "pos": ("timing",),
    "ffn_layer": ("dense_relu_dense", "conv_hidden_relu"),
    "self_attention_type": ("dot_product",),
    "proximity_bias": (False,),
    "prepend_mode": ("none",),
    "symbol_modality_skip_top": (False,),
    "input_modalities": ("default",),
    "target_modality": ("default",),
    "bottom": ({},),
    "top": ({},),
    "modality": ({},),
    "name": ({},),
    "causal_decoder_self_attention": (True,),
    "unidirectional_encoder": (False,),
    "attention_variables_3d": (False,),
    "hard_attention_k": (0,),
    "num_area_layers": (0,),
    "nbr_decoder_problems": (1,),
    "split_targets_chunk_length": (0,),
    "weight_dtype": ("float32",),
}
# What changes how a model is trained, and the value that does not.
_TRAINING: dict[str, tuple] = {
    "weight_decay": (0,),
    "weight_noise": (0,),
    "grad_noise_scale": (0,),
    "symbol_dropout": (0,),
    "scheduled_sampling_prob": (0,),
    "min_length": (0,),
    "max_input_seq_length": (0,),
    "max_target_seq_length": (0,),
    "split_to_length": (0,),
    "attention_dropout_broadcast_dims": ("",),
    "relu_dropout_broadcast_dims": ("",),
    "layer_prepostprocess_dropout_broadcast_dims": ("",),
}
# Looked at where the embeddings, the vocabulary or the batches are.
_READ = (
    "shared_embedding",
    "symbol_modality_num_shards",
    "use_fixed_batch_size",
    "use_target_space_embedding",
    "vocab_divisor",
)
_ADAMS = ("Adam", "adam", "TrueAdam", "true_adam")
# Those of the same formula; two others share but the name.
_FACTORS = frozenset(hp.SCHEDULE_FACTORS) - {
    "cosdecay",
    "multi_cycle_cos_decay",
}
_NOAM = "constant*linear_warmup*rsqrt_decay*rsqrt_hidden_size"
# 5000, and 0.002 with Adam: its "legacy" learning rate.
_NOAM_FACTOR = 10.0


@dataclasses.dataclass(frozen=True)
class Converted:
    """What became of Tensor2Tensor's hyperparameters.

    Fields:
        hparams: ours; the vocabulary and the target space are not in them.
        mapped: (name and value there, name and value here).
        fixed: name=value each: what our Transformer does, and no other value
            would be taken.
        lost: name=value each: training goes on without them.
        left_out: name=value each: without a counterpart, and without a part
            in what this model computes.
    """

    hparams: TransformerHParams
    mapped: list[tuple[str, str]]
    fixed: list[str]
    lost: list[str]
    left_out: list[str]


def read(path: str) -> dict[str, Any]:
    """Returns the values of a Tensor2Tensor `hparams.json`.

    Raises:
        UserError: it is missing, or no JSON object.
    """
    try:
        values = untrusted.read_json(path)
        if not isinstance(values, dict):
            raise ValueError("it is no JSON object")
    except OSError as error:
        raise UserError(
            f"--t2t_hparams={path}: {error.strerror.lower()}; give the "
            "hparams.json that Tensor2Tensor wrote into the run's folder"
        ) from error
    except ValueError as error:
        raise UserError(
            f"--t2t_hparams={path} is damaged ({error}); give the "
            "hparams.json that Tensor2Tensor wrote into the run's folder"
        ) from error
    return values


def convert(values: Values, overrides: str = "") -> Converted:
    """Returns ours for Tensor2Tensor's hyperparameters.

    Args:
        values: as `read` returns them.
        overrides: str, of ours, "a=1,b=x"; what they decide may be anything
            there, as far as it is a matter of training.
    Raises:
        UserError: one is missing, of a wrong type or of a kind that our
            Transformer does not have; or an override is wrong.
    """
    for name in _REQUIRED:
        if name not in values:
            raise UserError(
                f"hparam {name} is missing: without it the model is not known; "
                "give the whole hparams.json by --t2t_hparams"
            )
    for name, allowed in _ONLY.items():
        if name in values and not _is_one_of(values[name], allowed):
            raise UserError(
                f"hparam {name}={values[name]!r:.80} is a feature that is "
                "missing here, where it is "
                f"{' or '.join(map(repr, allowed))}: this model cannot be "
                "imported"
            )
    try:
        chosen = set(hp.split_overrides(overrides))
        ours = _ours(values, chosen)
        made = dataclasses.replace(
            TransformerHParams(vocab_kind="subwords"),
            **{name: value for _, name, value in ours if name not in chosen},
        )
        made = hp.override(made, overrides)
    except UserError as error:
        raise UserError(f"{error} (of Tensor2Tensor's hparams)") from error
    return _sorted_out(values, ours, made)


def _sorted_out(values: Values, ours, made: TransformerHParams) -> Converted:
    """Tells what became of every value."""
    told = {n: f"{shown(n)}={value!r:.60}" for n, value in values.items()}
    used = {name for name, *_ in ours}
    rest = sorted(values.keys() - used)
    fixed = [n for n in rest if n in _ONLY or n in _READ]
    lost = [
        n
        for n in rest
        if n in _TRAINING and not _is_one_of(values[n], _TRAINING[n])
    ]
    return Converted(
        made,
        [
            (told[name], f"{mine}={_word(getattr(made, mine))}")
            for name, mine, _ in ours
            if name in values
        ],
        [told[n] for n in fixed],
        [told[n] for n in lost],
        [told[n] for n in rest if n not in {*fixed, *lost}],
    )


def _ours(values: Values, chosen: set[str]) -> list[tuple[str, str, Any]]:
    """Returns (name there, name here, value here) of what is mapped."""
    found = [(n, ours, values[n]) for n, ours in _SAME.items() if n in values]
    found += [
        (n, ours, values[n] or None)
        for n, ours in _ZERO_IS_NONE.items()
        if n in values
    ]
    for name, ours in _CHANNELS.items():
        channels, heads = _number(values, name), _number(values, "num_heads")
        if channels and (heads < 1 or channels % heads):
            raise UserError(
                f"hparam {name}: expected a multiple of num_heads={heads}, got "
                f"{channels}"
            )
        if name in values:
            size = int(channels // heads) if channels else None
            found.append((name, ours, size))
    norm = (
        str(values["layer_preprocess_sequence"]),
        str(values["layer_postprocess_sequence"]),
    )
    if norm not in _NORMS:
        raise UserError(
            f"hparams layer_preprocess_sequence={norm[0]!r:.40} and "
            f"layer_postprocess_sequence={norm[1]!r:.40}: expected 'n' and "
            "'da', or 'none' and 'dan'; another order is missing here"
        )
    scaled = values["multiply_embedding_mode"] == "sqrt_depth"
    shared = values["shared_embedding_and_softmax_weights"]
    if not shared and values.get("shared_embedding"):
        raise UserError(
            "hparam shared_embedding=True without "
            "shared_embedding_and_softmax_weights is a feature that is missing "
            "here: this model cannot be imported"
        )
    found += [
        ("layer_preprocess_sequence", "norm", _NORMS[norm]),
        ("layer_postprocess_sequence", "norm", _NORMS[norm]),
        ("pos", "position", "sinusoid_t2t"),
        ("ffn_layer", "activation", "relu"),
        (
            "multiply_embedding_mode",
            "embedding_scale",
            "lookup" if scaled else "none",
        ),
        (
            "shared_embedding_and_softmax_weights",
            "shared_embedding",
            "all" if shared else "none",
        ),
    ]
    return found + _training(values, chosen)


def _training(values: Values, chosen: set[str]) -> list[tuple[str, str, Any]]:
    """Returns what is mapped of the batches, the optimizer and the rate."""
    found = []
    if "max_length" in values:
        # 0 stands for the batch's size there.
        longest = values["max_length"] or values.get("batch_size")
        found.append(("max_length", "max_length", longest))
    if values.get("use_fixed_batch_size") and "batch_size" not in chosen:
        raise UserError(
            "hparam use_fixed_batch_size=True: batch_size counts sentences "
            'there and tokens here; say how many by --hparams="batch_size=4096"'
        )
    if "optimizer" not in chosen and "optimizer" in values:
        if values["optimizer"] not in _ADAMS:
            raise UserError(
                f"hparam optimizer={values['optimizer']!r:.40}: its state is "
                "not read here; choose what training goes on with by "
                '--hparams="optimizer=adam"'
            )
        found.append(("optimizer", "optimizer", "adam"))
    if "learning_rate_schedule" not in chosen:
        found += _learning_rate(values)
    return found


def _learning_rate(values: Values) -> list[tuple[str, str, Any]]:
    schedule = values.get("learning_rate_schedule", "legacy")
    mend = (
        "is missing here; choose what training goes on with by "
        '--hparams="learning_rate_schedule=constant,'
        'learning_rate_constant=0.0001"'
    )
    if schedule == "legacy":
        scheme = values.get("learning_rate_decay_scheme")
        if scheme != "noam":
            raise UserError(
                f"hparam learning_rate_decay_scheme={scheme!r:.40} {mend}"
            )
        rate = _number(values, "learning_rate") * _NOAM_FACTOR
        return [
            (
                "learning_rate_decay_scheme",
                "learning_rate_schedule",
                _NOAM,
            ),
            ("learning_rate", "learning_rate_constant", rate),
        ]
    factors = [f.strip() for f in str(schedule).split("*") if f.strip()]
    unknown = [f for f in factors if f not in _FACTORS]
    if "exp_decay" in factors and values.get("learning_rate_decay_staircase"):
        unknown.append("exp_decay by learning_rate_decay_staircase")
    if unknown or not factors:
        raise UserError(
            f"hparam learning_rate_schedule={schedule!r:.80}: "
            f"{', '.join(unknown)} {mend}"
        )
    name = "learning_rate_schedule"
    found: list[tuple[str, str, Any]] = [(name, name, "*".join(factors))]
    if "constant" in factors:
        name = "learning_rate_constant"
        found.append((name, name, _number(values, name)))
    return found


def shown(name: str) -> str:
    """Returns a name that somebody else has chosen, fit for a terminal."""
    return name[:200] if name.isprintable() else ascii(name)[:200]


def _word(value: Any) -> str:
    return "none" if value is None else str(value)


def _number(values: Values, name: str) -> int | float:
    """Returns a number, 0 without one."""
    value = values.get(name, 0)
    if type(value) not in (int, float):
        raise UserError(f"hparam {name}: expected a number, got {value!r:.80}")
    return value


def _is_one_of(value: Any, allowed: tuple) -> bool:
    """Returns whether a value is allowed; True is no 1 here, but 0.0 is 0."""
    return any(
        value == one and isinstance(value, bool) == isinstance(one, bool)
        for one in allowed
    )

"""Hyperparameters: frozen dataclasses, typed overrides, JSON in and out."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from t2t_lite.errors import UserError, closest

T = TypeVar("T")

# What a run may change where it goes on: they decide how much memory a step
# needs, not what it computes.
MEMORY_ONLY = frozenset({"recompute", "softmax_chunk"})

_WORDS = {"true": True, "1": True, "yes": True}
_WORDS |= {"false": False, "0": False, "no": False}
_LARGEST_INT = 2**31 - 1  # TensorFlow's sizes and steps are int32


def require(condition: bool, name: str, expected: str, value: Any) -> None:
    """Raises UserError unless `condition` holds for the hparam `name`."""
    if not condition:
        raise UserError(
            f"hparam {name}: expected {expected}, got {value!r:.200}"
        )


def require_choice(name: str, value: Any, choices: tuple) -> None:
    """Raises UserError unless `value` is one of `choices`."""
    if value not in choices:
        raise UserError(
            f"hparam {name}: expected one of {', '.join(choices)}, got "
            f"{value!r:.200}{closest(str(value)[:200], choices)}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class HParams:
    """What every model's training needs; models add fields of their own.

    Fields (Tensor2Tensor's names and units):
        vocab_kind: "unigram" or "bpe" (SentencePiece), "subwords"
            (Tensor2Tensor's), or "byte".
        vocab_size: pieces of the vocabulary, joint for both languages.
        subword_samples: random segmentations of each training example into
            pieces (subword regularisation), prepared once and each shown in
            turn; none = the most likely one alone.
        subword_alpha: of "bpe" the share of merges left out (BPE dropout), of
            "unigram" the power of a segmentation's probability.
        batch_size: tokens per batch and device, counted on the longer side.
        max_length: longest training example, in tokens per side.
        max_shapes: most distinct batch shapes (each is compiled once).
        pack: several examples in a row, kept apart by segment masks: a tenth
            of the padding or less, in 1 to 3 shapes, with longer rows.
        accumulate_steps: batches whose gradients make one update.
        tokens_per_update: tokens of one update over all devices, on the
            longer side; none = batch_size * devices * accumulate_steps when
            the run begins. What the devices cannot hold at batch_size each is
            accumulated, so that it stays the same on other devices.
        optimizer: "adam", "adamw", "muon" (Jordan et al. 2024), "adafactor",
            "adadelta" or "sgd".
        adam_beta1, adam_beta2, adam_epsilon: Adam's constants.
        weight_decay: decoupled decay per unit of learning rate ("adamw" and
            "muon").
        clip_grad_norm: global norm to clip to; none = no clipping.
        learning_rate_schedule: factors joined by "*"; see trainer.schedules.
        learning_rate_constant: the schedule's "constant".
        learning_rate_warmup_steps: updates of linear warm-up.
        learning_rate_decay_steps: updates of the decaying factors.
        learning_rate_decay_rate: base of "exp_decay".
        label_smoothing: mass taken from the target and spread over the rest.
        dropout_warmup_steps: updates over which every rate of dropout rises
            in a line to what it is said to be (curriculum dropout, Morerio et
            al. 2017): learning is quicker before there is anything to learn by
            heart. 0 = the whole rate from the first.
        dropout_warmup_start: share of the rates at the first of those.
        ema_decay: decay per update of the exponential moving average of the
            weights, which is what is evaluated and exported; 0 = none.
        rdrop_alpha: weight of R-Drop (Wu et al. 2021): every batch is passed
            twice with other dropout, and the two predictions are drawn
            together; doubles the cost of a step. 0 = none, 5 = the paper's for
            translation.
        rdrop_start_step: updates without R-Drop at first, which cost half:
            two predictions of a model that knows nothing are alike anyway.
        softmax_chunk: target tokens whose logits are held at once: the loss
            and its gradient are formed so many tokens at a time, with the same
            result and less memory. none = all tokens of a batch.
    """

    vocab_kind: str = "unigram"
    vocab_size: int = 32768
    subword_samples: int | None = None
    subword_alpha: float = 0.1
    batch_size: int = 4096
    max_length: int = 256
    max_shapes: int = 8
    pack: bool = False
    accumulate_steps: int = 1
    tokens_per_update: int | None = None
    optimizer: str = "adam"
    adam_beta1: float = 0.9
    adam_beta2: float = 0.997
    adam_epsilon: float = 1e-9
    weight_decay: float = 0.0
    clip_grad_norm: float | None = None
    learning_rate_schedule: str = (
        "constant*linear_warmup*rsqrt_decay*rsqrt_hidden_size"
    )
    learning_rate_constant: float = 2.0
    learning_rate_warmup_steps: int = 8000
    learning_rate_decay_steps: int = 5000
    learning_rate_decay_rate: float = 1.0
    label_smoothing: float = 0.1
    dropout_warmup_steps: int = 0
    dropout_warmup_start: float = 0.0
    ema_decay: float = 0.0
    rdrop_alpha: float = 0.0
    rdrop_start_step: int = 0
    softmax_chunk: int | None = None

    def __post_init__(self):
        for name, value in vars(self).items():
            _check_type(self, name, value)
        require_choice("vocab_kind", self.vocab_kind, VOCAB_KINDS)
        require_choice("optimizer", self.optimizer, OPTIMIZERS)
        for name in _POSITIVE:
            value = getattr(self, name)
            require(value > 0, name, "a number above 0", value)
        for name in _SHARES:
            value = getattr(self, name)
            require(0 <= value < 1, name, "a number in [0, 1)", value)
        for name in (
            "clip_grad_norm",
            "tokens_per_update",
            "subword_samples",
            "softmax_chunk",
        ):
            value = getattr(self, name)
            positive = value is None or value > 0
            require(positive, name, "a number above 0, or none", value)
        require(
            0 < self.subword_alpha <= 1,
            "subword_alpha",
            "a number above 0, at most 1",
            self.subword_alpha,
        )
        require(
            self.subword_samples is None
            or self.vocab_kind in ("unigram", "bpe"),
            "subword_samples",
            f"none with vocab_kind={self.vocab_kind}, which cuts texts in one "
            "way only",
            self.subword_samples,
        )
        for name in (
            "weight_decay",
            "dropout_warmup_steps",
            "rdrop_alpha",
            "rdrop_start_step",
        ):
            value = getattr(self, name)
            require(value >= 0, name, "a number of 0 or more", value)
        for factor in self.learning_rate_schedule.split("*"):
            require_choice("learning_rate_schedule", factor, SCHEDULE_FACTORS)


VOCAB_KINDS = ("unigram", "bpe", "subwords", "byte")
OPTIMIZERS = ("adam", "adamw", "muon", "adafactor", "adadelta", "sgd")
SCHEDULE_FACTORS = (
    "constant",
    "linear_warmup",
    "linear_decay",
    "cosdecay",
    "single_cycle_cos_decay",
    "multi_cycle_cos_decay",
    "rsqrt_decay",
    "rsqrt_normalized_decay",
    "exp_decay",
    "rsqrt_hidden_size",
)
_SHARES = (
    "label_smoothing",
    "adam_beta1",
    "adam_beta2",
    "dropout_warmup_start",
    "ema_decay",
)
_POSITIVE = (
    "vocab_size",
    "batch_size",
    "max_length",
    "max_shapes",
    "accumulate_steps",
    "adam_epsilon",
    "learning_rate_constant",
    "learning_rate_warmup_steps",
    "learning_rate_decay_steps",
    "learning_rate_decay_rate",
)


@functools.cache
def field_types(cls: type) -> Mapping[str, Any]:
    """Returns {field name: resolved type} of a dataclass, resolved once."""
    hints = typing.get_type_hints(cls)
    types_of = {f.name: hints[f.name] for f in dataclasses.fields(cls)}
    return types.MappingProxyType(types_of)


def _accepted(hint: Any) -> tuple[type, ...]:
    if isinstance(hint, types.UnionType):
        return tuple(typing.get_args(hint))
    return (hint,)


def _check_type(instance: Any, name: str, value: Any) -> None:
    accepted = _accepted(field_types(type(instance))[name])
    ok = isinstance(value, accepted) and (
        not isinstance(value, bool) or bool in accepted
    )
    if isinstance(value, int):
        most = f"at most {_LARGEST_INT} in size"
        require(abs(value) <= _LARGEST_INT, name, most, value)
    if isinstance(value, float):
        require(math.isfinite(value), name, "a finite number", value)
    if float in accepted and type(value) is int:
        object.__setattr__(instance, name, float(value))
        ok = True
    words = " or ".join(
        "none" if t is type(None) else t.__name__ for t in accepted
    )
    require(ok, name, words, value)
    if isinstance(value, float):
        require(math.isfinite(value), name, "a finite number", value)


def parse_value(name: str, text: str, hint: Any) -> Any:
    """Parses `text` as the field type `hint`.

    Raises:
        UserError: the text is no value of that type.
    """
    accepted = _accepted(hint)
    if type(None) in accepted and text.lower() == "none":
        return None
    for kind in accepted:
        if kind is bool and text.lower() in _WORDS:
            return _WORDS[text.lower()]
        if kind is str:
            return text
        if kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    expected = " or ".join(
        "none" if t is type(None) else t.__name__ for t in accepted
    )
    raise UserError(f"hparam {name}: expected {expected}, got {text!r:.200}")


def split_overrides(text: str) -> dict[str, str]:
    """Splits "a=1,b=x" into {"a": "1", "b": "x"}.

    Raises:
        UserError: a part has no "=", or a name is given twice.
    """
    result: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            raise UserError(f"{part!r:.200} is not of the form name=value")
        if name.strip() in result:
            raise UserError(f"{name.strip()!r:.200} is given twice")
        result[name.strip()] = value.strip()
    return result


def override(hparams: T, text: str) -> T:
    """Returns `hparams` with the typed overrides of "a=1,b=x" applied.

    Raises:
        UserError: an unknown name (the closest is given) or a wrong value.
    """
    kinds = field_types(type(hparams))
    values = {}
    for name, value in split_overrides(text).items():
        if name not in kinds:
            raise UserError(
                f"unknown hparam {name!r:.200}{closest(name[:200], kinds)}"
            )
        values[name] = parse_value(name, value, kinds[name])
    return dataclasses.replace(hparams, **values)


def changed_fields(hparams: Any) -> set[str]:
    """Returns the fields that differ from those of their class."""
    usual = type(hparams)()
    return {k for k, v in vars(hparams).items() if v != getattr(usual, k)}


def replace_known(hparams: T, values: Mapping[str, Any]) -> T:
    """Returns `hparams` with those of `values` that it has as fields."""
    kinds = field_types(type(hparams))
    return dataclasses.replace(
        hparams, **{k: v for k, v in values.items() if k in kinds}
    )


def to_json(hparams: Any) -> str:
    """Returns the fields as a JSON object, one field a line."""
    return json.dumps(dataclasses.asdict(hparams), indent=2)


def from_dict(cls: type[T], values: Mapping[str, Any], source: str) -> T:
    """Builds `cls` from a JSON object's fields.

    Args:
        cls: a dataclass of hparams.
        values: field values; missing fields keep their defaults.
        source: str, the file that messages name.
    Raises:
        UserError: no JSON object, an unknown field or a value of the wrong
            type.
    """
    kinds = field_types(cls)
    if not isinstance(values, Mapping):
        raise UserError(
            f"{source}: expected the hparams as an object, got {values!r:.80}"
        )
    for name in values:
        if name not in kinds:
            raise UserError(
                f"{source}: unknown hparam {name!r:.200}"
                f"{closest(str(name)[:200], kinds)}"
            )
    try:
        return cls(**values)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None

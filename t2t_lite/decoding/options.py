"""What a user may choose about the search, validated and parsed."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from t2t_lite.errors import UserError, closest
from t2t_lite.hparams import field_types, parse_value, split_overrides

MAX_ALPHA = 7.0  # 65,536 ** alpha stays finite in float32
MAX_LENGTH_OFFSET = 1000.0
MAX_BEAM_SIZE = 1024  # memory grows with it
MAX_EXTRA_LENGTH = 1 << 16  # a search ends in the end
_MAX_INT = 2**31 - 1
_MAX_DIGITS = 10
MAX_GROUPS = 64
_RANGES = {
    "beam_size": (1, MAX_BEAM_SIZE),
    "extra_length": (0, MAX_EXTRA_LENGTH),
    "min_length": (0, MAX_EXTRA_LENGTH),
    "max_length": (1, MAX_EXTRA_LENGTH),
    "num_results": (1, MAX_BEAM_SIZE),
    "num_groups": (1, MAX_GROUPS),
    "no_repeat_ngram": (0, MAX_EXTRA_LENGTH),
    "top_k": (0, _MAX_INT),
    "seed": (0, _MAX_INT),
    "eos_id": (0, _MAX_INT),
    "pad_id": (0, _MAX_INT),
    "max_input_length": (1, _MAX_INT),
    "batch_size": (1, _MAX_INT),
}
_MAY_BE_NONE = ("max_input_length", "max_length")
# Bounds; the last says whether the lower one itself is allowed.
_NUMBERS = {
    "alpha": (0.0, MAX_ALPHA, True),
    "length_offset": (0.0, MAX_LENGTH_OFFSET, True),
    "min_ratio": (0.0, 100.0, True),
    "max_ratio": (0.0, 100.0, True),
    "diversity": (0.0, 1e6, True),
    "repetition_penalty": (0.0, 1e6, False),
    "temperature": (0.0, 1e6, True),
    "top_p": (0.0, 1.0, False),
    "mbr": (0.0, 1e6, True),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How outputs are searched for (Tensor2Tensor's --decode_hparams).

    Fields:
        beam_size: hypotheses kept per sentence, to 1,024; 1 = greedy.
        alpha: exponent of the length penalty, which divides an output's
            log-probability: `((o + length) / (o + 1))**alpha`, o being the
            `length_offset`, the length counting the end mark; 0 (none) to 7.
        length_offset: 5 is GNMT's penalty; 0 is `length**alpha`, as Marian,
            fairseq and CTranslate2 have it. To 1,000.
        extra_length: ids, end mark included, that an output may be longer
            than `max_ratio` times its input (end mark included), to 65,536.
        max_ratio: see `extra_length`; 0 to 100.
        max_length: most ids of an output, end mark included. None = only as
            above.
        min_length, min_ratio: least ids of an output, end mark included; and
            the same as a share of the input's.
        num_results: outputs per sentence, at most `beam_size` where searched.
        num_groups: diverse groups that share the beam; divides `beam_size`.
        diversity: taken off a token's log-probability for each earlier group
            that chose it in the same step.
        no_repeat_ngram: n-grams of this size come once at most; 0 = freely.
        repetition_penalty: divides the logits above 0 of ids that were said
            before and multiplies those below; 1 = none.
        temperature: 0 = search; above 0, `num_results` samples of
            softmax(logits / temperature).
        top_k: most probable ids that are sampled from; 0 = all.
        top_p: the fewest ids that have this probability together are sampled
            from; 1 = all.
        seed: of the samples.
        mbr: above 0, the outputs are ranked by the BLEU that they promise
            against all `beam_size` hypotheses (or samples), each of which
            weighs exp(mbr * score); 0 = by score.
        eos_id: the end mark.
        pad_id: fills results after the end mark, is the first id fed to the
            decoder, and is never produced.
        max_input_length: longest input in ids, end mark included; longer ones
            are cut by the caller. None = as long as in training.
        batch_size: input tokens decoded at a time.

    Raises:
        UserError: a field is of the wrong type or out of range.
    """

    beam_size: int = 4
    alpha: float = 0.6
    length_offset: float = 5.0
    extra_length: int = 50
    max_ratio: float = 1.0
    max_length: int | None = None
    min_length: int = 0
    min_ratio: float = 0.0
    num_results: int = 1
    num_groups: int = 1
    diversity: float = 0.5
    no_repeat_ngram: int = 0
    repetition_penalty: float = 1.0
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    mbr: float = 0.0
    eos_id: int = 1
    pad_id: int = 0
    max_input_length: int | None = None
    batch_size: int = 4096

    def __post_init__(self):
        for name, (least, most, included) in _NUMBERS.items():
            self._check_number(name, least, most, included)
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if name in _MAY_BE_NONE and value is None:
                continue
            _require(
                type(value) is int and least <= value,
                name,
                f"an integer of at least {least}",
                value,
            )
            _require(
                value <= most, name, f"an integer of at most {most}", value
            )
        self._check_together()

    def _check_number(self, name, least, most, included) -> None:
        value = getattr(self, name)
        if type(value) is int:
            value = float(value)
            object.__setattr__(self, name, value)
        _require(
            isinstance(value, float)
            and math.isfinite(value)
            and least <= value <= most
            and (included or value > least),
            name,
            f"a number from {least:g} to {most:g}"
            if included
            else f"a number above {least:g}, at most {most:g}",
            value,
        )

    def _check_together(self) -> None:
        _require(
            self.temperature > 0 or self.num_results <= self.beam_size,
            "num_results",
            f"at most beam_size={self.beam_size}",
            self.num_results,
        )
        _require(
            self.beam_size % self.num_groups == 0,
            "num_groups",
            f"a divisor of beam_size={self.beam_size}",
            self.num_groups,
        )
        _require(
            self.eos_id != self.pad_id,
            "eos_id",
            f"another id than pad_id={self.pad_id}",
            self.eos_id,
        )

    @classmethod
    def parse(cls, text: str) -> SearchOptions:
        """Parses "beam_size=4,alpha=0.6"; "" gives the defaults.

        The names are the fields' but for the ids, which the vocabulary
        decides, and Tensor2Tensor's `return_beams`: true returns all beams,
        false one, a number that many.

        Raises:
            UserError: an unknown name (the closest is given), a name given
                twice or a wrong value.
        """
        kinds = dict(field_types(cls))
        del kinds["eos_id"], kinds["pad_id"]
        names = [*kinds, "return_beams"]
        values: dict[str, Any] = {}
        try:
            parts = split_overrides(text)
            for name, value in parts.items():
                if name not in names:
                    raise UserError(
                        f"unknown option {name!r:.200}"
                        f"{closest(name[:200], names)}; "
                        f"there are {', '.join(names)}"
                    )
                if name in kinds:
                    values[name] = parse_value(name, value, kinds[name])
        except UserError as error:
            message = str(error).removeprefix("hparam ")
            raise UserError(f"decode_hparams: {message}") from None
        if "return_beams" in parts:
            if "num_results" in parts:
                raise UserError(
                    "decode_hparams: return_beams and num_results are two "
                    "names of one option; give one"
                )
            values["num_results"] = _parse_return_beams(
                parts["return_beams"], values.get("beam_size", cls.beam_size)
            )
        return cls(**values)


def _require(condition: bool, name: str, expected: str, value: Any) -> None:
    if not condition:
        raise UserError(
            f"decode_hparams: {name}: expected {expected}, got {value!r:.200}"
        )


def _parse_return_beams(text: str, beam_size: int) -> int:
    if text.lower() in ("true", "yes"):
        return beam_size
    if text.lower() in ("false", "no"):
        return 1
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
        return int(text)
    raise UserError(
        "decode_hparams: return_beams: expected true, false or a number of "
        f"outputs, got {text!r:.200}"
    )

"""What a user may choose about the search, validated and parsed."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from t2t_lite.errors import UserError, closest
from t2t_lite.hparams import field_types, parse_value, split_overrides

MAX_ALPHA = 10.0  # ((5 + length) / 6) ** alpha stays finite in float32
MAX_BEAM_SIZE = 1024  # memory grows with it
MAX_EXTRA_LENGTH = 1 << 16  # a search ends in the end
_MAX_INT = 2**31 - 1
_MAX_DIGITS = 10
_RANGES = {
    "beam_size": (1, MAX_BEAM_SIZE),
    "extra_length": (0, MAX_EXTRA_LENGTH),
    "num_results": (1, MAX_BEAM_SIZE),
    "eos_id": (0, _MAX_INT),
    "pad_id": (0, _MAX_INT),
    "max_input_length": (1, _MAX_INT),
    "batch_size": (1, _MAX_INT),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How outputs are searched for (Tensor2Tensor's --decode_hparams).

    Fields:
        beam_size: hypotheses kept per sentence, to 1,024; 1 = greedy.
        alpha: exponent of GNMT's length penalty `((5 + length) / 6)**alpha`,
            0 (none) to 10; the length counts the end mark.
        extra_length: ids, end mark included, that an output may be longer
            than its input (end mark included), to 65,536.
        num_results: outputs per sentence, at most `beam_size`.
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
    extra_length: int = 50
    num_results: int = 1
    eos_id: int = 1
    pad_id: int = 0
    max_input_length: int | None = None
    batch_size: int = 4096

    def __post_init__(self):
        if type(self.alpha) is int:
            object.__setattr__(self, "alpha", float(self.alpha))
        _require(
            isinstance(self.alpha, float)
            and math.isfinite(self.alpha)
            and 0 <= self.alpha <= MAX_ALPHA,
            "alpha",
            f"a number from 0 to {MAX_ALPHA:g}",
            self.alpha,
        )
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if name == "max_input_length" and value is None:
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
        _require(
            self.num_results <= self.beam_size,
            "num_results",
            f"at most beam_size={self.beam_size}",
            self.num_results,
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
        kinds = field_types(cls)
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

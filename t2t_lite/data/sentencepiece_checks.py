"""What a SentencePiece model must be before native code may read it.

TensorFlow Text's operation trusts the compiled normalisation rules of a model
and reads outside of them where they are wrong, which ends the process; our
own models have none (`identity`), so a model with rules is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from t2t_lite.errors import UserError

NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3  # ModelProto.SentencePiece.Type
_KINDS = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}


def parse(model: bytes, name: str) -> Any:
    """Returns the `ModelProto` of a serialised model.

    Raises:
        UserError: it is no SentencePiece model; names `name`.
    """
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    try:
        if not model:
            raise ValueError("an empty file, which protobuf takes")
        return sentencepiece_model_pb2.ModelProto.FromString(model)
    except (DecodeError, ValueError) as error:
        raise damaged(name) from error


def check_special_ids(proto: Any, expected: Sequence[int], name: str) -> None:
    """Raises UserError unless padding, end and unknown have these ids."""
    spec = proto.trainer_spec
    ids: dict[tuple[int, str], int] = {}
    unknown = -1
    try:
        for index, piece in enumerate(proto.pieces):
            ids.setdefault((piece.type, piece.piece), index)
            if piece.type == _UNKNOWN:
                unknown = index
        padding = ids.get((_CONTROL, spec.pad_piece), -1)
        found = (padding, ids.get((_CONTROL, spec.eos_piece), -1), unknown)
    except UnicodeDecodeError as error:
        raise damaged(name) from error
    if found != tuple(expected):
        raise UserError(
            f"{name} has the padding, end and unknown ids {found}; they"
            f" must be {tuple(expected)}: train it with"
            " pad_id=0, eos_id=1, unk_id=2, bos_id=-1"
        )


def check(proto: Any, name: str) -> None:
    """Checks what native code takes for granted.

    Raises:
        UserError: a piece is no text or has no number as its score, or there
            are normalisation rules.
    """
    for rules in (proto.normalizer_spec, proto.denormalizer_spec):
        if rules.precompiled_charsmap:
            raise UserError(
                f"{name} has normalisation rules, which are not read; train"
                " it with normalization_rule_name=identity"
            )
    try:
        texts = [piece.piece for piece in proto.pieces]
        unknown = proto.trainer_spec.unk_surface
    except UnicodeDecodeError as error:
        raise damaged(name) from error
    # Some versions of protobuf give what is no UTF-8 as bytes.
    right = all(
        isinstance(text, str) and text and "\0" not in text
        for text in (*texts, unknown)
    )
    if not right or not all(math.isfinite(p.score) for p in proto.pieces):
        raise damaged(name)


def kind_of(proto: Any) -> str:
    """Returns "unigram", "bpe", "word" or "char"."""
    return _KINDS[proto.trainer_spec.model_type]


def damaged(name: str) -> UserError:
    """Returns the error of a model that cannot be read."""
    return UserError(
        f"{name} is damaged or no SentencePiece model; restore it from a copy"
        " or prepare the data again"
    )

"""SentencePiece vocabularies: trained, quiet and deterministic, or given."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable

from t2t_lite.data.text_encoder import (
    EOS_ID,
    NUM_SPECIAL_IDS,
    PAD_ID,
    SENTENCEPIECE_KINDS,
    SPACE,
    UNK_ID,
    SentencePieceEncoder,
)
from t2t_lite.errors import UserError

# The model depends on the number of threads (the order of its sums), so it is
# a constant and not the number of cores.
_NUM_THREADS = 4
# One character in ten thousand may be spelled in bytes: all of an alphabet is
# covered, the noise of web corpora takes no ids.
_CHARACTER_COVERAGE = 0.9999
# Longer lines are cut for training: sentencepiece would leave them out.
_MAX_LINE_LENGTH = 1 << 14


def train_sentencepiece(
    lines: Iterable[str],
    kind: str,
    vocab_size: int,
    log: Callable[[str], None] = print,
) -> SentencePieceEncoder:
    """Trains a SentencePiece vocabulary; equal lines give an equal model.

    Text is not normalised (`identity`), so that quotes, umlauts and case come
    back as they were; digits are split; uncovered characters become bytes.

    Args:
        lines: texts without line ends.
        kind: "unigram" or "bpe".
        vocab_size: int, number of ids wanted, specials and bytes included. A
            corpus too small for it gets the largest possible vocabulary, which
            is logged; `encoder.vocab_size` is the real size.
        log: called with each message.
    Raises:
        UserError: `vocab_size` is no sensible number or too small for the
            corpus' characters, or the corpus is empty.
    """
    if kind not in SENTENCEPIECE_KINDS:
        raise ValueError(f"kind must be in {SENTENCEPIECE_KINDS}, not {kind!r}")
    if not NUM_SPECIAL_IDS < vocab_size < 1 << 31:
        raise UserError(
            f"vocab_size={vocab_size} makes no sense: give a number between"
            f" {NUM_SPECIAL_IDS + 1} and {(1 << 31) - 1}"
        )
    kept = [line[:_MAX_LINE_LENGTH] for line in lines if line.strip()]
    if not kept:
        raise UserError(
            "the training split holds no text: no vocabulary can be trained"
        )
    try:
        return _train(kept, kind, vocab_size)
    except RuntimeError as error:
        largest = _largest_size(error, vocab_size)
    log(
        f"vocab_size={vocab_size} is too large for this corpus of"
        f" {len(kept):,} lines: training the largest possible, {largest}"
    )
    return _train(kept, kind, largest)


def sentencepiece_of_words(words: Iterable[str]) -> SentencePieceEncoder:
    """Returns the vocabulary of given words, without bytes: no other has an id.

    Args:
        words: texts without spaces; each gets the next id, from 3 on.
    """
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto()
    for text, kind in (("<pad>", 3), ("</s>", 3), ("<unk>", 2)):
        proto.pieces.add(piece=text, score=0.0, type=kind)
    for word in words:
        proto.pieces.add(piece=SPACE + word, score=-1.0, type=1)
    spec = proto.trainer_spec
    spec.model_type = 1
    spec.pad_id, spec.eos_id, spec.unk_id = PAD_ID, EOS_ID, UNK_ID
    spec.bos_id = -1
    spec.pad_piece, spec.eos_piece, spec.unk_piece = "<pad>", "</s>", "<unk>"
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = True
    return SentencePieceEncoder(proto.SerializeToString())


def _train(lines: list[str], kind: str, vocab_size: int):
    """Returns the encoder trained by the sentencepiece package."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type=kind,
        vocab_size=vocab_size,
        pad_id=PAD_ID,
        eos_id=EOS_ID,
        unk_id=UNK_ID,
        bos_id=-1,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        character_coverage=_CHARACTER_COVERAGE,
        max_sentence_length=4 * _MAX_LINE_LENGTH,
        num_threads=_NUM_THREADS,
        minloglevel=2,
    )
    return SentencePieceEncoder(model.getvalue())


def _largest_size(error: RuntimeError, vocab_size: int) -> int:
    """Returns the largest possible size that `error` states.

    Raises:
        UserError: the size is too small, not too large.
        RuntimeError: `error` itself, if it is about something else.
    """
    small = re.search(r"smaller than required_chars\. \d+ vs (\d+)", str(error))
    if small:
        raise UserError(
            f"vocab_size={vocab_size} is too small for this corpus: its"
            f" characters, 256 bytes and 3 special ids need at least"
            f" {small[1]}; raise vocab_size or use vocab_kind=byte"
        ) from error
    large = re.search(r"Please set it to a value <= (\d+)", str(error))
    if not large:
        raise error
    return int(large[1])

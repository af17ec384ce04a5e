"""Text to ids and back: SentencePiece, Tensor2Tensor's subwords, UTF-8 bytes.

All encoders agree on padding 0 and end of sequence 1; unknown is 2, where there
is such an id. There is no begin id: a decoder's first input is the padding id.
"""

from __future__ import annotations

import abc
import functools
import json
import os
import re
from collections.abc import Iterable, Sequence

import numpy as np

from t2t_lite.data import storage, untrusted
from t2t_lite.errors import UserError, closest

PAD_ID = 0
EOS_ID = 1
UNK_ID = 2
NUM_SPECIAL_IDS = 3
SPACE = "\u2581"  # SentencePiece's mark of a space

SENTENCEPIECE_KINDS = ("unigram", "bpe")
VOCAB_KINDS = (*SENTENCEPIECE_KINDS, "subwords", "byte")
SENTENCEPIECE_FILE = "vocab.model"
BYTE_FILE = "vocab.bytes.json"
SUBWORDS_FILE = "vocab.subwords"
VOCABULARY_FILES = (SENTENCEPIECE_FILE, BYTE_FILE, SUBWORDS_FILE)
MAX_VOCABULARY_BYTES = 1 << 26
_SPACE_BYTE = NUM_SPECIAL_IDS + ord(" ")


class TextEncoder(abc.ABC):
    """A vocabulary: text to ids without end-of-sequence, and ids to text.

    Attributes:
        kind: str, one of `VOCAB_KINDS`.
        file_name: str, the name of its file in a folder.
        vocab_size: int, number of ids, specials included.
        unk_id: int, the id of unknown text; None if all text has ids.
    """

    kind: str
    file_name: str
    vocab_size: int
    unk_id: int | None = UNK_ID

    @abc.abstractmethod
    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Returns one int32 array `(length,)` per text, without EOS."""

    @abc.abstractmethod
    def decode_batch(self, ids: Iterable[Iterable[int]]) -> list[str]:
        """Returns the texts of rows of ids.

        A row ends at its first EOS; padding is skipped.
        """

    @abc.abstractmethod
    def to_bytes(self) -> bytes:
        """Returns the content of the vocabulary's file."""

    @abc.abstractmethod
    def graph_tokenizer(self):
        """Returns a `tf.Module` that does the same inside a graph.

        `tokenize(texts)`: string tensor `(batch,)` to a RaggedTensor int32
        `(batch, None)` without EOS. `detokenize(ids)`: int32 tensor
        `(batch, length)`, each row ended by EOS or padded with 0, to a string
        tensor `(batch,)`. `tokens(ids)` and `surfaces(texts)`: what single ids
        are, and stand for. `unk_id`: as the encoder's.
        """

    @abc.abstractmethod
    def word_starts(self, ids: np.ndarray) -> np.ndarray:
        """Returns where a word begins, bool of the shape of `ids`.

        Words are what spaces part. A `graph_tokenizer` has the same for
        int32 `(batch, length)`.
        """

    def encode(self, text: str) -> np.ndarray:
        """Returns the ids of one text, int32 `(length,)`, without EOS."""
        return self.encode_batch([text])[0]

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of `ids` up to the first EOS; skips padding."""
        return self.decode_batch([ids])[0]

    def save(self, path: str) -> None:
        """Writes the vocabulary's file, whole or not at all."""
        storage.write_bytes(path, self.to_bytes())


class SentencePieceEncoder(TextEncoder):
    """A SentencePiece model; unknown characters fall back to their bytes.

    Runs of spaces become one space and outer spaces go; U+2581, SentencePiece's
    own mark of a space, becomes a space. All else comes back unchanged.

    Args:
        model: bytes, a serialised SentencePiece model whose padding, end and
            unknown ids are 0, 1 and 2, without a begin id.
        name: str, what error messages call it (a path).
    Raises:
        UserError: `model` is damaged, has other special ids, or normalises
            text.
    """

    file_name = SENTENCEPIECE_FILE

    def __init__(self, model: bytes, name: str = "the SentencePiece model"):
        import sentencepiece

        from t2t_lite.data import sentencepiece_checks as checks

        self._model = model
        proto = checks.parse(model, name)
        checks.check_special_ids(proto, (PAD_ID, EOS_ID, UNK_ID), name)
        checks.check(proto, name)
        try:
            self._processor = sentencepiece.SentencePieceProcessor(
                model_proto=model
            )
        except RuntimeError as error:
            raise checks.damaged(name) from error
        self.kind = checks.kind_of(proto)
        self.vocab_size = self._processor.vocab_size()

    def encode_batch(self, texts):
        rows = self._processor.encode(
            [valid_text(text) for text in texts], out_type=int, num_threads=1
        )
        return [np.array(row, np.int32) for row in rows]

    def word_starts(self, ids):
        return self._starts[ids]

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        pieces = [self.piece(index) for index in range(self.vocab_size)]
        return np.array([piece.startswith(SPACE) for piece in pieces])

    def words(self, text: str) -> list[str]:
        """Returns the words of a text, each with U+2581 for the space before.

        No piece of a model that was trained to split at spaces spans two.
        """
        normalized = self._processor.normalize(valid_text(text))
        return re.findall(f"{SPACE}[^{SPACE}]*|[^{SPACE}]+", normalized)

    def pieces(self) -> tuple[dict[str, float], dict[str, int]]:
        """Returns (scores, ids) of the pieces, specials and bytes left out."""
        from t2t_lite.data import sentencepiece_checks as checks

        proto = checks.parse(self._model, "the SentencePiece model")
        found = [
            (index, entry)
            for index, entry in enumerate(proto.pieces)
            if entry.type == checks.NORMAL
        ]
        return (
            {entry.piece: entry.score for _, entry in found},
            {entry.piece: index for index, entry in found},
        )

    def decode_batch(self, ids):
        rows = [ids_of_text(row) for row in ids]
        return self._processor.decode(rows, num_threads=1) if rows else []

    def to_bytes(self):
        return self._model

    def graph_tokenizer(self):
        from t2t_lite.data import graph_tokenizers

        return graph_tokenizers.SentencePieceGraphTokenizer(self._model)

    def piece(self, index: int) -> str:
        """Returns the text form of one id, as SentencePiece prints it."""
        return self._processor.id_to_piece(int(index))


class ByteEncoder(TextEncoder):
    """UTF-8 bytes: byte `b` is id `b + 3`; 259 ids, no training.

    Bytes that are no UTF-8 decode to U+FFFD.
    """

    kind = "byte"
    file_name = BYTE_FILE
    vocab_size = NUM_SPECIAL_IDS + 256

    def encode_batch(self, texts):
        return [
            np.frombuffer(valid_text(text).encode(), np.uint8).astype(np.int32)
            + np.int32(NUM_SPECIAL_IDS)
            for text in texts
        ]

    def decode_batch(self, ids):
        return [_text_of_byte_ids(ids_of_text(row)) for row in ids]

    def word_starts(self, ids):
        inside = (ids >= NUM_SPECIAL_IDS) & (ids != _SPACE_BYTE)
        before = np.concatenate([[False], inside[:-1]])
        return inside & ~before

    def to_bytes(self):
        content = {"kind": self.kind, "vocab_size": self.vocab_size}
        return (json.dumps(content) + "\n").encode()

    def graph_tokenizer(self):
        from t2t_lite.data import graph_tokenizers

        return graph_tokenizers.ByteGraphTokenizer()


def load_encoder(path: str) -> TextEncoder:
    """Returns the encoder saved at `path`.

    Args:
        path: str, a SentencePiece model (`.model`), Tensor2Tensor's subwords
            (`.subwords`), `vocab.bytes.json`, or a folder that holds
            `vocab.model`, `vocab.bytes.json` or `vocab.subwords`.
    Raises:
        UserError: the file is missing, damaged, of another kind or larger
            than 64 MiB.
    """
    if os.path.isdir(path):
        path = _vocabulary_in(path)
    try:
        content = untrusted.read_file(path, MAX_VOCABULARY_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot read the vocabulary {path}: {reason}; prepare the"
            " data first or give the right folder"
        ) from error
    if path.endswith(".json"):
        return _byte_encoder(content, path)
    if path.endswith(".subwords"):
        from t2t_lite.data.subwords import SubwordEncoder

        return SubwordEncoder(content, f"the vocabulary {path}")
    return SentencePieceEncoder(content, f"the vocabulary {path}")


def check_vocab_kind(kind: str) -> None:
    """Raises UserError unless `kind` is one of `VOCAB_KINDS`."""
    if kind not in VOCAB_KINDS:
        raise UserError(
            f"unknown vocab_kind {kind!r}{closest(kind, VOCAB_KINDS)}; known"
            f" are {', '.join(VOCAB_KINDS)}"
        )


def append_eos(ids: np.ndarray) -> np.ndarray:
    """Returns `ids` with EOS at the end, int32 `(length + 1,)`."""
    return np.append(ids, np.int32(EOS_ID)).astype(np.int32, copy=False)


def _vocabulary_in(folder: str) -> str:
    for name in VOCABULARY_FILES:
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    raise UserError(
        f"{folder} holds neither {' nor '.join(VOCABULARY_FILES)}; prepare"
        " the data first or give the right folder"
    )


def _byte_encoder(content: bytes, path: str) -> ByteEncoder:
    encoder = ByteEncoder()
    expected = json.loads(encoder.to_bytes())
    try:
        intact = untrusted.parse_json(content) == expected
    except ValueError:
        intact = False
    if not intact:
        raise UserError(
            f"the vocabulary {path} is damaged; restore it from a copy or"
            " prepare the data again"
        )
    return encoder


def valid_text(text: str) -> str:
    """Returns `text` with lone surrogates, which no UTF-8 has, as '?'."""
    if untrusted.is_valid_text(text):
        return text
    return text.encode("utf-8", "replace").decode()


def ids_of_text(ids: Iterable[int]) -> list[int]:
    """Returns a row's ids before its first EOS, without padding."""
    row = [int(i) for i in ids]
    if EOS_ID in row:
        row = row[: row.index(EOS_ID)]
    return [i for i in row if i != PAD_ID]


def _text_of_byte_ids(ids: list[int]) -> str:
    """Returns the text of byte ids; specials vanish."""
    return bytes(
        i - NUM_SPECIAL_IDS for i in ids if i >= NUM_SPECIAL_IDS
    ).decode("utf-8", "replace")

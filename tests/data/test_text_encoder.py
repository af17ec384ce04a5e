import os
import subprocess
import sys

import numpy as np
import pytest

from t2t_lite.data import (
    EOS_ID,
    PAD_ID,
    ByteEncoder,
    SentencePieceEncoder,
    append_eos,
    load_encoder,
    train_sentencepiece,
)
from t2t_lite.data.text_encoder import check_vocab_kind
from t2t_lite.errors import UserError
from tests.data.fake import FakeProblem, quiet

TEXTS = [
    "",
    "eine Katze",
    "Größe „Zitat“ “x” 12,345.67",
    "日本語 🙂 Ωμέγα",
    "tab\tnew\nline\x00\x01\x7f",
    "\u00a0no-break\u2028sep e\u0301 ﬁ …",
    "<pad> </s> <unk> <0x41> ⁇",
    "a" * 300,
]


def _lines():
    return [
        text
        for example in FakeProblem(500).examples("train")
        for text in example.values()
    ]


@pytest.fixture(scope="module", params=["unigram", "bpe", "byte"])
def encoder(request):
    if request.param == "byte":
        return ByteEncoder()
    return train_sentencepiece(_lines(), request.param, 310, quiet)


def test_text_comes_back_unchanged(encoder):
    assert encoder.decode_batch(encoder.encode_batch(TEXTS)) == TEXTS


def test_ids_are_int32_in_range_and_never_special(encoder):
    for ids in encoder.encode_batch(TEXTS):
        assert ids.dtype == np.int32
        assert ((ids > 2) & (ids < encoder.vocab_size)).all()


def test_decode_stops_at_eos_and_skips_padding(encoder):
    ids = encoder.encode("eine Katze")
    row = [PAD_ID, *ids, PAD_ID, EOS_ID, *ids]
    assert encoder.decode(row) == "eine Katze"
    assert encoder.decode([]) == ""
    assert encoder.decode_batch([]) == []


def test_lone_surrogate_becomes_a_question_mark(encoder):
    assert encoder.decode(encoder.encode("a\ud800b")) == "a?b"


def test_save_and_load(encoder, tmp_path):
    path = tmp_path / encoder.file_name
    encoder.save(str(path))
    assert os.listdir(tmp_path) == [encoder.file_name]
    for name in (path, tmp_path):
        again = load_encoder(str(name))
        assert again.kind == encoder.kind
        assert again.vocab_size == encoder.vocab_size
        assert again.to_bytes() == encoder.to_bytes()


def test_graph_form_gives_the_same_ids_and_texts(encoder):
    import tensorflow as tf

    tokenizer = encoder.graph_tokenizer()
    ids = encoder.encode_batch(TEXTS)
    ragged = tf.function(tokenizer.tokenize)(tf.constant(TEXTS))
    assert ragged.dtype == tf.int32
    assert ragged.to_list() == [row.tolist() for row in ids]
    rows = tf.ragged.constant([append_eos(row).tolist() for row in ids])
    padded = tf.pad(rows.to_tensor(), [[0, 0], [0, 2]])
    texts = tf.function(tokenizer.detokenize)(tf.cast(padded, tf.int32))
    assert [text.decode() for text in texts.numpy()] == TEXTS


def test_graph_form_takes_a_batch_of_empty_texts(encoder):
    import tensorflow as tf

    tokenizer = encoder.graph_tokenizer()
    rows = tokenizer.tokenize(tf.constant(["", ""])).to_list()
    assert rows == [[], []]


def test_graph_form_decodes_any_ids_like_python(encoder):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    ids = rng.integers(0, encoder.vocab_size, (300, 12)).astype(np.int32)
    tokenizer = encoder.graph_tokenizer()
    texts = tokenizer.detokenize(tf.constant(ids))
    assert [t.decode() for t in texts.numpy()] == encoder.decode_batch(ids)


def test_byte_ids():
    assert ByteEncoder.vocab_size == 259
    assert ByteEncoder().encode("aß").tolist() == [100, 198, 162]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_training_is_deterministic_over_processes(kind):
    program = (
        "import hashlib, sys\n"
        "from tests.data.test_text_encoder import _lines\n"
        "from t2t_lite.data import train_sentencepiece\n"
        f"model = train_sentencepiece(_lines(), {kind!r}, 310).to_bytes()\n"
        "print(hashlib.sha256(model).hexdigest())"
    )
    results = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
        )
        for _ in range(2)
    ]
    assert results[0].stdout == results[1].stdout
    assert results[0].stderr == ""


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_too_large_vocabulary_becomes_the_largest_possible(kind):
    said = []
    encoder = train_sentencepiece(_lines(), kind, 20000, said.append)
    assert 259 < encoder.vocab_size < 20000
    assert said == [
        "vocab_size=20000 is too large for this corpus of 1,000 lines:"
        f" training the largest possible, {encoder.vocab_size}"
    ]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_too_small_vocabulary(kind):
    with pytest.raises(
        UserError,
        match=r"vocab_size=100 is too small for this corpus: .* need at least",
    ) as error:
        train_sentencepiece(_lines(), kind, 100, quiet)
    least = int(str(error.value).split("at least ")[1].split(";")[0])
    assert train_sentencepiece(_lines(), kind, least).vocab_size == least
    with pytest.raises(UserError, match="is too small for this corpus"):
        train_sentencepiece(_lines(), kind, least - 1)


@pytest.mark.parametrize("size", [-1, 0, 3, 1 << 31])
def test_senseless_vocabulary_size(size):
    with pytest.raises(UserError, match=f"vocab_size={size} makes no sense"):
        train_sentencepiece(_lines(), "bpe", size)


def test_very_long_line_is_used():
    encoder = train_sentencepiece(["ab " * 50000], "bpe", 270, quiet)
    assert encoder.encode("ab ab").size == 2


def test_empty_corpus():
    with pytest.raises(UserError, match="holds no text"):
        train_sentencepiece(["", " "], "bpe", 300, quiet)


@pytest.mark.parametrize("content", [b"", b"garbage", b"{}", b"[1]"])
def test_damaged_vocabulary(tmp_path, content):
    for name in ("vocab.model", "vocab.bytes.json"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"{name} is damaged") as error:
            load_encoder(str(path))
        assert "prepare the data again" in str(error.value)


def test_truncated_vocabulary(tmp_path):
    model = train_sentencepiece(_lines(), "bpe", 310, quiet).to_bytes()
    path = tmp_path / "vocab.model"
    path.write_bytes(model[: len(model) // 2])
    with pytest.raises(UserError, match=r"vocab\.model is damaged"):
        load_encoder(str(path))


def test_missing_vocabulary(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the vocabulary .*x\.m"):
        load_encoder(str(tmp_path / "x.model"))
    with pytest.raises(UserError, match=r"holds neither vocab\.model nor"):
        load_encoder(str(tmp_path))


def test_model_with_other_special_ids():
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_lines()),
        model_writer=model,
        vocab_size=60,
        minloglevel=2,
    )
    with pytest.raises(UserError, match=r"unknown ids \(-1, 2, 0\); they must"):
        SentencePieceEncoder(model.getvalue())


def test_unknown_kind():
    with pytest.raises(UserError, match=r"'bbe' .did you mean 'bpe'"):
        check_vocab_kind("bbe")

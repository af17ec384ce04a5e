"""Tensor2Tensor's subwords, against its algorithm written down once more."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.data import SubwordEncoder, append_eos, load_encoder
from t2t_lite.data import subword_tokens as tokens
from t2t_lite.errors import UserError
from tests import t2t_files, t2t_text
from tests.selection import few
from tests.t2t_text import NASTY

ENTRIES = t2t_files.ENTRIES
VOCABULARIES = (
    t2t_files.REAL_VOCABULARY,
    "vocab.translate_ende_wmt32k.32768.subwords",
)


@pytest.fixture(scope="module")
def encoder():
    return SubwordEncoder.of_entries(ENTRIES)


@pytest.fixture(scope="module")
def graph(encoder):
    return encoder.graph_tokenizer()


def test_letters_and_digits_are_what_unicode_says():
    """`str.isalnum`, which is used, and the categories, which are meant."""
    characters = map(chr, range(0x110000))
    assert all(c.isalnum() == t2t_text.is_word(c) for c in characters)


@pytest.mark.parametrize("text", NASTY)
def test_tokens(text):
    assert tokens.split(text) == t2t_text.tokenize(text)
    assert tokens.join(tokens.split(text)) == text


def test_tensor2tensors_own_example():
    text = "Dude - that's so cool."
    words = ["Dude", " - ", "that", "'", "s", "so", "cool", "."]
    assert tokens.split(text) == words


def test_a_written_token():
    alphabet = tokens.ESCAPING | set("ab\n")
    assert tokens.escape("a_b\\\né", alphabet) == "a\\ub\\\\\\10;\\233;_"
    assert tokens.unescape("a\\ub\\\\\\10;\\233;_c_") == ["a_b\\\né", "c"]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("\\", "\\"),
        ("\\a", "\\a"),
        ("\\12", "\\12"),
        ("\\\\\\u", "\\_"),
        ("\\;", "\\;"),
        ("\\000065;", "A"),
        ("\\0;", "\0"),
        ("\\1114111;", "\U0010ffff"),
        ("\\1114112;", "\u3013"),
        (f"\\{'9' * 99};", "\u3013"),
        ("\\55296;", "\ufffd"),
    ],
)
def test_what_escapes_what(written, text):
    """In Python and in a graph; T2T has half a character for the last."""
    assert tokens.unescape(f"{written}_") == [text]
    entries = [*ENTRIES, written]
    found = SubwordEncoder.of_entries(entries)
    ids = [len(entries) - 1]
    assert found.decode(ids) == text
    tokenizer = found.graph_tokenizer()
    texts = tokenizer.detokenize(tf.constant([ids]))
    assert texts.numpy()[0].decode() == text


def test_ids_are_tensor2tensors(encoder):
    for text, ids in zip(NASTY, encoder.encode_batch(NASTY), strict=True):
        assert ids.dtype == np.int32
        assert ids.tolist() == t2t_text.encode(text, ENTRIES)
        assert encoder.decode(ids) == text == t2t_text.decode(ids, ENTRIES)


def test_the_longest_entry_is_taken(encoder):
    pieces = [encoder.piece(i) for i in encoder.encode("the sleeping dog.")]
    assert pieces == ["the_", "sle", "e", "p", "ing_", "dog_", "._"]


def test_of_equal_entries_the_last_counts():
    twice = SubwordEncoder.of_entries([*ENTRIES, "the_"])
    assert twice.encode("the").tolist() == [len(ENTRIES)]
    assert twice.decode([ENTRIES.index("the_")]) == "the"


def test_an_empty_entry_is_no_text():
    padded = SubwordEncoder.of_entries([*ENTRIES, "", ""])
    assert padded.vocab_size == len(ENTRIES) + 2
    assert padded.encode("the dog").tolist() == [
        ENTRIES.index("the_"),
        ENTRIES.index("dog_"),
    ]
    assert padded.decode([ENTRIES.index("the_"), len(ENTRIES)]) == "the"


def test_no_entry_reaches_over_two_tokens():
    """`the_dog_` stands in no written token, but in two side by side."""
    joined = SubwordEncoder.of_entries([*ENTRIES, "the_dog_"])
    ids = [ENTRIES.index("the_"), ENTRIES.index("dog_")]
    assert joined.encode("the dog").tolist() == ids
    graph = joined.graph_tokenizer()
    assert graph.tokenize(tf.constant(["the dog"])).to_list() == [ids]


def test_decode_stops_at_the_end_and_skips_padding(encoder):
    ids = encoder.encode("the dog").tolist()
    assert encoder.decode([0, *ids, 0, 1, *ids]) == "the dog"
    assert encoder.decode_batch([]) == []
    assert encoder.decode([]) == ""


def test_half_characters_are_replaced(encoder):
    assert encoder.decode(encoder.encode("a\ud800b")) == "a?b"


def test_a_file(encoder, tmp_path):
    path = tmp_path / encoder.file_name
    encoder.save(str(path))
    for name in (path, tmp_path):
        again = load_encoder(str(name))
        assert again.kind == "subwords"
        assert again.entries == encoder.entries
        assert again.to_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "lines",
    [
        "'<pad>'\n'<EOS>'\n'a'\n",
        "<pad>\n<EOS>\na  \n",
        "'<pad>_'\n'<EOS>_'\n'a'\n",
        '"<pad>"\n"<EOS>"\n"a"\n',
        "'<pad>'\r\n'<EOS>'\r\n'a'\r\n",
        "'<pad>'\n'<EOS>'\n'a'\n'''\n'\"'\n'\x0b'\n'\u2028 '\n'\r'\n",
    ],
)
def test_a_file_is_read_as_tensor2tensor_read_it(tmp_path, lines):
    path = tmp_path / "v.subwords"
    singles = "".join(f"'{c}'\n" for c in dict.fromkeys("<pad>_EOS\\u;" + " "))
    digits = "".join(f"'{d}'\n" for d in range(10))
    content = lines + singles + digits + "'\u2028'\n"
    path.write_bytes(content.encode())
    found = load_encoder(str(path))
    assert list(found.entries) == t2t_text.read(str(path))
    assert found.to_bytes() == content.encode()


def _without(character):
    return [e for e in ENTRIES if e != character]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no .subwords vocabulary of Tensor2Tensor, or damaged"),
        (b"'<pad>'\n", "begins with ['<pad>'], not with"),
        (b"'a'\n'b'\n", "begins with ['a', 'b'], not with"),
        (b"'<pad>'\n'<EOS>'\n'a'", "its last line has no end"),
        (b"'<pad>'\n'<EOS>'\n'\xff'\n", "byte 18 is no UTF-8"),
        (b"'<pad>'\n'<EOS>'\n'a'\n", "no entry for the character '0' alone"),
        (
            "".join(f"'{e}'\n" for e in _without("d")).encode(),
            "no entry for the character 'd' alone",
        ),
        (
            "".join(f"'{e}'\n" for e in [*ENTRIES, "a" * 257]).encode(),
            "has 257 characters, at most 256 are read",
        ),
        (b"'<pad>'\n'<EOS>'\n" + b"a\n" * (1 << 21), "at most 4,194,304 are"),
    ],
)
def test_what_is_no_vocabulary(tmp_path, content, message):
    path = tmp_path / "v.subwords"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        load_encoder(str(path))
    assert message in str(error.value)
    assert "v.subwords" in str(error.value)


def test_the_graph_gives_the_same_ids(encoder, graph):
    ids = [row.tolist() for row in encoder.encode_batch(NASTY)]
    found = graph.tokenize(tf.constant(NASTY))
    assert found.dtype == tf.int32
    assert found.to_list() == ids
    for text, row in zip(NASTY, ids, strict=True):
        assert graph.tokenize(tf.constant([text])).to_list() == [row]


def test_the_graph_takes_empty_batches(graph):
    assert graph.tokenize(tf.constant([], tf.string)).to_list() == []
    assert graph.tokenize(tf.constant(["", ""])).to_list() == [[], []]
    ends = tf.constant([[1, 5], [0, 1]])
    assert graph.detokenize(ends).numpy().tolist() == [b"", b""]
    assert graph.surfaces(tf.constant([""])).to_list() == [[]]


def test_the_graph_gives_the_texts(encoder, graph):
    rows = [append_eos(row).tolist() for row in encoder.encode_batch(NASTY)]
    padded = tf.ragged.constant(rows, tf.int32).to_tensor()
    texts = graph.detokenize(tf.pad(padded, [[0, 0], [0, 2]]))
    assert [text.decode() for text in texts.numpy()] == NASTY


def test_the_graph_decodes_any_ids_like_python(encoder, graph):
    rng = np.random.default_rng(0)
    escaping = [i for i, e in enumerate(ENTRIES) if set(e) <= set("\\u_;019")]
    for choice in (range(encoder.vocab_size), escaping):
        ids = rng.choice(choice, (2000, 9)).astype(np.int32)
        texts = [t.decode() for t in graph.detokenize(ids).numpy()]
        assert texts == encoder.decode_batch(ids)


def test_bytes_that_are_no_text(encoder, graph):
    wrong = [b"a\xffb", b"\xe2\x82", b"\xed\xa0\x80"]
    texts = [text.decode("utf-8", "replace") for text in wrong]
    ids = [row.tolist() for row in encoder.encode_batch(texts)]
    assert graph.tokenize(tf.constant(wrong)).to_list() == ids


def test_tokens_and_what_they_stand_for(encoder, graph):
    texts = tf.constant(["the é  dog_", "a"])
    ids = graph.tokenize(texts)
    names = graph.tokens(ids.to_tensor())
    first = [b"the_", b"\\", b"2", b"3", b"3", b";", b"_"]
    assert names[0].numpy().tolist()[:7] == first
    assert names[1].numpy().tolist()[2:] == [b""] * (names.shape[1] - 2)
    parts = graph.surfaces(texts)
    assert parts.row_lengths().numpy().tolist() == [len(r) for r in ids]
    assert parts[0].numpy().tolist()[:2] == [b"the", "é".encode()]
    assert parts[0].numpy().tolist()[-4:] == [b"dog", b"_", b"_", b""]
    assert encoder.unk_id is None
    assert graph.unk_id is None


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.parametrize("language", few(["de", "en"]))
def test_real_vocabularies_on_all_of_multi30k(name, language):
    path = str(t2t_files.real() / name)
    encoder = load_encoder(path)
    entries = t2t_text.read(path)
    assert list(encoder.entries) == entries
    texts = t2t_files.multi30k(language) + NASTY
    ids = encoder.encode_batch(texts)
    assert encoder.decode_batch(ids) == texts
    tables = t2t_text.tables(entries)
    for text, row in zip(texts, ids, strict=True):
        assert row.tolist() == t2t_text.encode(text, entries, *tables)
    graph = encoder.graph_tokenizer()
    for start in range(0, len(texts), 2048):
        some = slice(start, start + 2048)
        rows = [row.tolist() for row in ids[some]]
        assert graph.tokenize(tf.constant(texts[some])).to_list() == rows
        padded = tf.ragged.constant(rows, tf.int32, ragged_rank=1).to_tensor()
        decoded = graph.detokenize(padded).numpy()
        assert [text.decode() for text in decoded] == texts[some]

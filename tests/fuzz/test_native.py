"""Vocabularies and checkpoints: what native code reads."""

import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2

from t2t_lite.data.sentencepiece_training import train_sentencepiece
from t2t_lite.data.text_encoder import ByteEncoder, load_encoder
from t2t_lite.errors import UserError
from t2t_lite.trainer import checkpoints
from tests.data.fake import quiet
from tests.fuzz import child, counting, crafted_index, mutations

LINES = ["the small dog sleeps", "the dog eats a bone", "42 cats"] * 50
TENSORS = {
    "model/a": np.arange(600, dtype=np.float32).reshape(20, 30),
    "model/b": np.float32(2.0),
    "model/long/name/of/a/kernel": np.linspace(0, 1, 999, dtype=np.float32),
    "optimizer/a/m": np.ones((20, 30), np.float32),
}
FILES = ("state.json", "tensors.index", "tensors.data-00000-of-00001")


@pytest.fixture(scope="module")
def models():
    """Serialised models by kind."""
    return {
        kind: train_sentencepiece(LINES, kind, size, quiet).to_bytes()
        for kind, size in (("bpe", 300), ("unigram", 276))
    }


def _charsmap(units, text=b"abc\0"):
    trie = b"".join(unit.to_bytes(4, "little") for unit in units)
    return len(trie).to_bytes(4, "little") + trie + text


# What a field may hold that protobuf accepts: (path, values).
CHARSMAPS = [
    b"a",
    b"\xff" * 64,
    b"\x10\0\0\0" + b"\xff" * 1024,
    _charsmap([0x0FFFFF7F] * 256),
    _charsmap([0xFFFFFF7F] * 256),
    _charsmap([0] * 256, b"abc"),
]
EDITS = {
    "normalizer_spec.precompiled_charsmap": CHARSMAPS,
    "denormalizer_spec.precompiled_charsmap": CHARSMAPS,
    "normalizer_spec.escape_whitespaces": [False],
    "normalizer_spec.remove_extra_whitespaces": [False],
    "trainer_spec.model_type": [1, 2, 3, 4],
    "trainer_spec.byte_fallback": [False],
    "trainer_spec.unk_surface": ["\n" * 9999, "\0"],
    "trainer_spec.unk_piece": ["", "<pad>"],
    "trainer_spec.pad_piece": ["", "</s>"],
    "trainer_spec.treat_whitespace_as_suffix": [True],
}
PIECES = {
    "piece": ["", "\0", "a\0b", "a" * 100_000, "<0x00>", "<0xFFFF>", "\u2581"],
    "score": [float("nan"), float("inf"), -float("inf"), 1e38, -1e38],
    "type": [1, 2, 3, 4, 5, 6],
}


def _with_field(model, edit):
    path, value = edit
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    spec, field = path.split(".")
    setattr(getattr(proto, spec), field, value)
    return proto.SerializeToString()


def _with_pieces(model, edit):
    start, count, (field, value) = edit
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    for index in range(start, min(start + count, len(proto.pieces))):
        setattr(proto.pieces[index], field, value)
    return proto.SerializeToString()


def _choices(table):
    return st.sampled_from(
        [(key, value) for key, values in table.items() for value in values]
    )


def _models(model):
    """Draws models that protobuf accepts, and such as it does not."""
    pieces = st.tuples(
        st.integers(0, 275), st.sampled_from([1, 20, 300]), _choices(PIECES)
    )
    return st.one_of(
        _choices(EDITS).map(lambda edit: _with_field(model, edit)),
        pieces.map(lambda edit: _with_pieces(model, edit)),
        mutations.mangled(model),
    )


def test_vocabularies(models, tmp_path):
    (tmp_path / "good").write_bytes(models["bpe"])
    strategy = st.sampled_from(sorted(models)).flatmap(
        lambda kind: _models(models[kind])
    )
    inputs = counting.collected("vocabularies", strategy)
    # Whatever was drawn, those that end TensorFlow Text's process are there.
    for kind in sorted(models):
        inputs += [_with_field(models[kind], e) for e in _edits(EDITS)]
        inputs.append(_with_pieces(models[kind], (270, 1, ("piece", "\0"))))
    for number, content in enumerate(inputs):
        (tmp_path / f"{number:05d}").write_bytes(content)
    answers = child.answers("vocabulary", tmp_path, len(inputs))
    wrong = [a for a in answers if a.split()[0] not in ("ok", "UserError")]
    assert not wrong
    assert sum(answer == "ok" for answer in answers) < len(answers) / 2


def _edits(table):
    return [(key, value) for key, values in table.items() for value in values]


def test_byte_vocabularies(tmp_path):
    path = tmp_path / "vocab.bytes.json"
    good = ByteEncoder().to_bytes()
    mutants = st.one_of(
        mutations.mangled(good),
        mutations.edited(json.loads(good)).map(mutations.as_json),
        mutations.odd_values().map(mutations.as_json),
    )

    def attempt(content):
        path.write_bytes(content)
        try:
            assert load_encoder(str(path)).vocab_size == 259
        except UserError as error:
            counting.check_message(error)

    counting.run("byte vocabularies", attempt, mutants)


@pytest.fixture(scope="module")
def good_checkpoint(tmp_path_factory):
    """A folder with the checkpoint `good`, and its tensors as NumPy's."""
    root = tmp_path_factory.mktemp("checkpoints")
    state = {"step": 7, "best": [[1.5, 7]], "stopping_best": None}
    checkpoints.write(str(root / "good"), TENSORS, state)
    np.savez(root / "original.npz", **TENSORS)
    return root


def test_checkpoints(good_checkpoint):
    root = good_checkpoint
    contents = {name: (root / "good" / name).read_bytes() for name in FILES}
    strategy = st.sampled_from(FILES).flatmap(
        lambda name: st.tuples(st.just(name), mutations.mangled(contents[name]))
    )
    states = mutations.edited(json.loads(contents[FILES[0]])).map(
        lambda state: (FILES[0], mutations.as_json(state))
    )
    inputs = counting.collected(
        "checkpoints", st.one_of(strategy, strategy, strategy, states)
    )
    crafted = crafted_index.indexes().map(lambda index: (FILES[1], index))
    inputs += counting.collected("crafted indexes", crafted)
    for number, (name, content) in enumerate(inputs):
        folder = root / f"{number:05d}"
        shutil.copytree(root / "good", folder)
        (folder / name).write_bytes(content)
    answers = child.answers("checkpoint", root, len(inputs))
    damaged = [answer for answer in answers if answer != "ok"]
    assert len(damaged) > len(inputs) / 2
    for answer in damaged:
        assert answer.startswith("UserError checkpoint ")
        assert "is damaged (" in answer


def test_an_index_of_many_blocks(tmp_path):
    """What is not damaged is read, however large and whatever its types."""
    folder = str(tmp_path / "step-00000001")
    tensors = {
        f"model/{i:04d}{'/layer' * 20}": np.full([i % 3], i, kind)
        for i in range(3000)
        for kind in [(np.float32, np.int64, np.bool_, np.float16)[i % 4]]
    }
    checkpoints.write(folder, tensors, {"step": 1})
    size = os.path.getsize(os.path.join(folder, "tensors.index"))
    assert size > 1 << 18  # TensorFlow begins another block there
    found, _ = checkpoints.read(folder)
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value)


def test_missing_parts_of_a_checkpoint(good_checkpoint, tmp_path):
    for name in FILES:
        folder = tmp_path / name
        shutil.copytree(good_checkpoint / "good", folder)
        os.remove(folder / name)
        with pytest.raises(checkpoints.DamagedCheckpointError):
            checkpoints.read(str(folder))

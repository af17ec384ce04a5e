"""Vocabularies that are trained, against the algorithm written once more."""

import collections
import os

import pytest

from t2t_lite.data import (
    SubwordEncoder,
    prepare,
    train_subwords,
)
from t2t_lite.errors import UserError
from tests import t2t_files, t2t_text
from tests.data.fake import FakeProblem, quiet

LINES = [
    text
    for example in FakeProblem(300).examples("train")
    for text in example.values()
] + ["a_b\\c", "  two  spaces ", "“Straßenbahn” und Straßen 4.2"]
RESERVED = ["<pad>", "<EOS>"]


def trained(lines, wanted, least=1, most=1e3):
    """Tensor2Tensor's build_to_target_size, with its counts from lines."""
    counts = collections.Counter(
        token for line in lines for token in t2t_text.tokenize(line)
    )
    middle = (least + most) // 2
    here = of_count(counts, max(1, middle))
    if abs(len(here) - wanted) * 100 < wanted or least >= most or middle < 2:
        return here
    if len(here) > wanted:
        other = trained(lines, wanted, middle + 1, most)
    else:
        other = trained(lines, wanted, least, middle - 1)
    closer = abs(len(other) - wanted) < abs(len(here) - wanted)
    return other if closer else here


def of_count(counts, least):
    """Tensor2Tensor's build_from_token_counts, four rounds."""
    alphabet = {c for text in [*counts, *RESERVED] for c in text}
    alphabet |= set("\\_u;0123456789")
    entries = list(alphabet)
    for _ in range(4):
        seen = collections.defaultdict(int)
        for token, count in counts.items():
            word = t2t_text.written(token, alphabet)
            start = 0
            while start < len(word):
                for end in range(start + 1, len(word) + 1):
                    seen[word[start:end]] += count
                start += max(
                    len(e) for e in entries if e and word.startswith(e, start)
                )
        found = []
        for length in range(max(map(len, seen)), 0, -1):
            for text in [t for t in seen if len(t) == length]:
                if seen[text] < least:
                    continue
                if text not in alphabet:
                    found.append((seen[text], text))
                for end in range(1, length):
                    seen[text[:end]] -= seen[text]
        found += [(seen.get(c, 0), c) for c in alphabet]
        entries = RESERVED + [text for _, text in sorted(found, reverse=True)]
    return entries


@pytest.mark.parametrize("wanted", [60, 75, 90])
def test_it_is_tensor2tensors_vocabulary(wanted):
    said = []
    encoder = train_subwords(LINES, wanted, said.append)
    assert list(encoder.entries) == trained(LINES, wanted)
    assert f"vocabulary of {encoder.vocab_size} subwords" in said[0]
    assert f"({wanted} wanted)" in said[0]
    assert encoder.decode_batch(encoder.encode_batch(LINES)) == LINES


def test_words_of_the_corpus_become_entries():
    encoder = train_subwords(["the cat sat"] * 50, 32, quiet)
    assert len(encoder.encode("the cat sat")) == 3


def test_no_text_and_no_size():
    with pytest.raises(UserError, match="holds no text"):
        train_subwords(["", " "], 100, quiet)
    for size in (-1, 0, 23, 1 << 31):
        with pytest.raises(UserError, match=f"vocab_size={size} makes no"):
            train_subwords(LINES, size, quiet)


def test_a_long_token_takes_no_long_time():
    encoder = train_subwords(["ab" * 500], 40, quiet)
    assert max(map(len, encoder.entries)) < 128


def test_a_problem_is_prepared_with_a_trained_vocabulary(tmp_path):
    problem = FakeProblem(200)
    data = prepare(problem, "subwords", 80, str(tmp_path), log=quiet)
    assert data.folder == str(tmp_path / "fake-subwords80")
    assert os.path.isfile(os.path.join(data.folder, "vocab.subwords"))
    assert data.encoder.kind == "subwords"
    first = next(problem.examples("train"))
    row = data.split("train").load().row("inputs", 0)
    assert data.encoder.decode(row) == first["inputs"]
    data.check()


def _given(folder, name, encoder):
    """Returns a problem whose vocabulary is a file of this name."""
    problem = FakeProblem(50)
    problem.vocab_file = str(folder / name)
    encoder.save(problem.vocab_file)
    return problem


def test_a_problem_is_prepared_with_a_vocabulary_there_is(tmp_path):
    encoder = SubwordEncoder.of_entries(t2t_files.ENTRIES)
    other = SubwordEncoder.of_entries([*t2t_files.ENTRIES, "x"])
    problem = _given(tmp_path, "a.subwords", encoder)
    size, said = encoder.vocab_size, []

    def prepared(problem, size):
        return prepare(problem, "subwords", size, str(tmp_path), log=quiet)

    data = prepare(problem, "subwords", size, str(tmp_path), log=said.append)
    assert data.encoder.to_bytes() == encoder.to_bytes()
    assert not any("training the vocabulary" in line for line in said)
    digest = data.manifest["vocabulary"]
    name = f"fake-subwords{size}-{digest[:8]}"
    assert data.folder == str(tmp_path / name)
    assert prepared(problem, size).data_hash == data.data_hash
    others = _given(tmp_path, "b.subwords", other)
    assert prepared(others, other.vocab_size).data_hash != data.data_hash
    plain = prepared(FakeProblem(50), size)
    assert plain.folder != data.folder
    # A folder that says it is of another vocabulary is not taken.
    os.rename(data.folder, f"{data.folder}.old")
    os.rename(plain.folder, data.folder)
    with pytest.raises(UserError, match="vocabulary is None there"):
        prepared(problem, size)

import collections
import itertools
import math
import random

import numpy as np
import pytest

from t2t_lite.data import open_prepared, prepare
from t2t_lite.data.sentencepiece_training import train_sentencepiece
from t2t_lite.data.subword_sampling import (
    SamplingEncoder,
    SubwordSampling,
    drop_merges,
    sample_unigram,
)
from t2t_lite.data.text_encoder import ByteEncoder
from t2t_lite.errors import UserError
from tests.data.fake import FakeProblem, quiet

LINES = ["die Katze läuft über die Straße", "der Kater lauft", "eine Strasse"]
TEXTS = [*LINES, "  zwei   Räume ", "日本 Katze", "", "a\tb ▁c"]


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def encoder(request):
    return train_sentencepiece(LINES * 3, request.param, 320, quiet)


def test_a_segmentation_is_another_spelling_of_the_text(encoder):
    sampler = SamplingEncoder(encoder, 0.5, seed=1)
    plain = encoder.decode_batch(encoder.encode_batch(TEXTS))
    seen = collections.defaultdict(set)
    for _ in range(20):
        rows = sampler.encode_batch(TEXTS)
        assert encoder.decode_batch(rows) == plain
        for text, row in zip(TEXTS, rows, strict=True):
            assert row.dtype == np.int32
            seen[text].add(tuple(row))
    assert len(seen[LINES[0]]) > 2


def test_the_limit_of_alpha_is_the_plain_segmentation():
    bpe = train_sentencepiece(LINES * 3, "bpe", 320, quiet)
    never = SamplingEncoder(bpe, 1e-12, seed=1)
    always = SamplingEncoder(bpe, 1.0, seed=1)
    for text in TEXTS:
        np.testing.assert_array_equal(
            never.encode_batch([text])[0], bpe.encode(text)
        )
    assert len(always.encode_batch(["die"])[0]) == len("▁die")


def test_draws_are_a_function_of_the_seed(encoder):
    def drawn(seed):
        sampler = SamplingEncoder(encoder, 0.3, seed)
        rows = [
            r.tolist() for _ in range(4) for r in sampler.encode_batch(LINES)
        ]
        return list(itertools.chain(*rows))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_unigram_draws_by_probability():
    scores = {"a": -1.0, "b": -2.0, "c": -1.5, "ab": -2.0, "bc": -2.5}
    scores["abc"] = -4.0
    alpha = 0.7
    expected = {}
    for cuts in itertools.product([0, 1], repeat=2):
        parts = [""]
        for character, cut in zip("abc", (*cuts, 0), strict=True):
            parts[-1] += character
            parts += [""] if cut else []
        if all(part in scores for part in parts):
            mass = math.exp(alpha * sum(scores[p] for p in parts))
            expected[tuple(parts)] = mass
    total = sum(expected.values())
    rng, draws = random.Random(0), 20_000
    counts = collections.Counter(
        tuple(sample_unigram("abc", scores, alpha, rng)) for _ in range(draws)
    )
    assert counts.keys() == expected.keys()
    for parts, mass in expected.items():
        assert counts[parts] / draws == pytest.approx(mass / total, abs=0.015)


def test_bpe_leaves_out_merges_by_probability():
    scores = {"ab": -1.0, "bc": -2.0, "abc": -3.0}
    rng, draws, p = random.Random(0), 20_000, 0.3
    counts = collections.Counter(
        tuple(drop_merges("abc", scores, p, rng)) for _ in range(draws)
    )
    kept = 1 - p
    expected = {
        ("a", "b", "c"): p * p,
        ("ab", "c"): kept * p,
        ("a", "bc"): p * kept * p,  # "a" + "bc" is a merge as well
        ("abc",): kept * kept + p * kept * kept,
    }
    for parts, probability in expected.items():
        assert counts[parts] / draws == pytest.approx(probability, abs=0.015)


def test_prepared_data_hold_every_example_in_each_sample(tmp_path):
    problem, sampling = FakeProblem(300), SubwordSampling(3, 0.2)

    def prepared(folder, sampling=sampling):
        return prepare(
            problem, "bpe", 300, str(folder), log=quiet, sampling=sampling
        )

    data = prepared(tmp_path / "a")
    assert data.folder.endswith("/fake-bpe300-sampled3x0.2")
    split = data.split("train")
    assert split.num_examples == 900
    assert data.split("validation").num_examples == 50
    examples = list(problem.examples("train"))
    decoded = data.encoder.decode_batch(
        split.load().row("targets", i) for i in range(900)
    )
    assert decoded == [e["targets"] for e in examples] * 3
    rows = [tuple(split.load().row("targets", i)) for i in range(900)]
    assert rows[:300] != rows[300:600] != rows[600:]
    assert split.texts("targets") == decoded
    data.check()

    again = prepared(tmp_path / "b")
    assert again.data_hash == data.data_hash
    assert open_prepared(data.folder).split("train").num_examples == 900
    plain = prepared(tmp_path / "a", None)
    assert plain.folder != data.folder
    assert plain.split("train").num_examples == 300


def test_what_cannot_be_sampled_is_refused():
    with pytest.raises(UserError, match="subword_samples=0: expected"):
        SubwordSampling(0, 0.1)
    with pytest.raises(UserError, match=r"subword_alpha=1\.5: expected"):
        SubwordSampling(4, 1.5)
    with pytest.raises(UserError, match="one way only"):
        SamplingEncoder(ByteEncoder(), 0.1, 0)

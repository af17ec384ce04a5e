"""How little of the batches is padding, on the lengths of a real corpus."""

import gzip
import pathlib

import numpy as np
import pytest

from t2t_lite.data import (
    append_eos,
    plan_buckets,
    plan_packing,
    train_sentencepiece,
)
from tests.data.fake import quiet

MULTI30K = pathlib.Path(__file__).parents[2].parent / "shared/data/multi30k"
pytestmark = pytest.mark.skipif(
    not MULTI30K.is_dir(), reason=f"no Multi30k in {MULTI30K}"
)


@pytest.fixture(scope="module", params=[4000, 8000])
def lengths(request):
    lines = []
    for language in ("en", "de"):
        with gzip.open(MULTI30K / f"train.{language}.gz", "rt") as file:
            lines.append(file.read().split("\n")[:-1])
    text = lines[0] + lines[1]
    encoder = train_sentencepiece(text, "bpe", request.param, quiet)
    assert encoder.vocab_size == request.param
    return {
        name: np.array([len(append_eos(r)) for r in encoder.encode_batch(side)])
        for name, side in zip(("inputs", "targets"), lines, strict=True)
    }


def test_one_example_in_a_row(lengths):
    plans = [plan_buckets(lengths, 4096, 256, n) for n in (4, 8, 16)]
    assert [plan.dropped for plan in plans] == [0, 0, 0]
    assert plans[0].padding_share < 0.235
    assert plans[1].padding_share < 0.15
    assert plans[2].padding_share < 0.105


@pytest.mark.parametrize("batch_tokens", [1536, 2048, 2560, 4096])
@pytest.mark.parametrize("max_shapes", [1, 8])
def test_several_examples_in_a_row(lengths, batch_tokens, max_shapes):
    plan = plan_packing(lengths, batch_tokens, 100, max_shapes)
    assert plan.dropped == 0
    assert len(plan.shapes) <= min(max_shapes, 3)
    assert plan.padding_share < (0.025 if max_shapes == 8 else 0.05)
    longest = max(s.targets_length for s in plan.shapes)
    assert longest < 1.6 * lengths["targets"].max()

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.models.resolve import build, resolve
from t2t_lite.registry import HPARAMS
from tests.models_for_tests import (
    VOCAB,
    random_batch,
    tiny_hparams,
    tiny_model,
)

VARIANTS = [
    {},
    {"norm": "post", "position": "sinusoid_paper"},
    {"position": "learned", "shared_embedding": "none"},
    {"shared_embedding": "target_softmax", "embedding_scale": "softmax"},
    {"activation": "swiglu", "key_head_size": 4, "value_head_size": 12},
]


@pytest.mark.parametrize("changes", VARIANTS)
def test_cached_decoding_equals_the_full_forward(changes):
    model = tiny_model(tiny_hparams(num_hidden_layers=2, **changes))
    batch = random_batch(3, 6)
    full = model(batch).numpy()
    beams = 2
    context = model.encode(tf.constant(batch["inputs"]))
    cache = model.init_cache(3, beams)
    ids = tf.zeros([3, beams], tf.int32)
    for index in range(6):
        mine = np.tile(np.eye(beams, dtype=bool), [3, 1, index + 1])
        logits, cache = model.decode_step(
            ids, tf.constant(index), cache, context, mine
        )
        for beam in range(beams):
            np.testing.assert_allclose(
                logits.rough[:, beam], full[:, index], rtol=1e-4, atol=1e-4
            )
        ids = tf.repeat(batch["targets"][:, index : index + 1], beams, axis=1)


def test_causality():
    model = tiny_model(tiny_hparams())
    batch = random_batch(2, 6, ragged=False)
    before = model(batch).numpy()
    batch["targets"][:, 3] = 5
    after = model(batch).numpy()
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-5)
    assert np.abs(after[:, 4:] - before[:, 4:]).max() > 1e-3


def test_padding_changes_nothing():
    model = tiny_model(tiny_hparams())
    batch = random_batch(3, 6)
    wide = {k: np.pad(v, [[0, 0], [0, 4]]) for k, v in batch.items()}
    np.testing.assert_allclose(
        model(wide).numpy()[:, :6], model(batch).numpy(), atol=1e-5
    )


def test_packed_rows_equal_plain_ones():
    model = tiny_model(tiny_hparams())
    plain = random_batch(2, 5, ragged=False)
    packed = {k: v.reshape(1, 10) for k, v in plain.items()}
    segments = np.repeat([[1, 2]], 5, axis=1).astype(np.int32)
    positions = np.tile(np.arange(5, dtype=np.int32), 2)[None]
    for side in ("inputs", "targets"):
        packed[f"{side}_segments"] = segments
        packed[f"{side}_positions"] = positions
    np.testing.assert_allclose(
        model(packed).numpy().reshape(2, 5, VOCAB),
        model(plain).numpy(),
        atol=1e-5,
    )


def test_bfloat16_is_close_and_weights_stay_float32():
    hparams = tiny_hparams()
    exact = tiny_model(hparams)(random_batch(2, 5)).numpy()
    model = tiny_model(hparams, dtype="mixed_bfloat16")
    logits = model(random_batch(2, 5))
    assert logits.dtype == tf.bfloat16
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    difference = np.abs(tf.cast(logits, tf.float32).numpy() - exact)
    assert difference.max() < 0.15 * np.abs(exact).max()


# Exact counts with all embeddings shared.
@pytest.mark.parametrize(
    ("name", "vocab_size", "count"),
    [
        ("transformer_base_paper", 37_000, 63_045_632),
        ("transformer_big_paper", 37_000, 214_171_648),
        ("transformer_multi30k_paper", 9_712, 2_568_192),
    ],
)
def test_the_papers_parameter_counts(name, vocab_size, count):
    model = build(*resolve(name), vocab_size, "float32")
    found = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert found == count


SMALL = [
    name
    for name in HPARAMS.names()
    if name.startswith("transformer_")
    and "big" not in name
    and "base" not in name
]


@pytest.mark.parametrize("name", SMALL)
def test_small_sets_build_and_predict(name):
    model = build(*resolve(name), 50, "float32")
    batch = random_batch(2, 4)
    assert model(batch).shape == (2, 4, 50)

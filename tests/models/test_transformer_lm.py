import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.decoding.search import Request, SearchOptions, beam_search
from t2t_lite.models.resolve import build, resolve
from t2t_lite.task import Task
from tests.models.small import VOCAB, features_of, small_model

CASE = "language model"
VARIANTS = [
    {"num_hidden_layers": 2},
    {"norm": "post", "position": "learned", "attention_bias": True},
    {"shared_embedding": "none", "embedding_scale": "none"},
]


def model_of(**changes):
    return small_model(CASE, **changes)


def test_causality():
    model = model_of(num_hidden_layers=2)
    batch = features_of(CASE)
    before = model(batch).numpy()
    batch["targets"][:, 3] = 5
    after = model(batch).numpy()
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-5)
    assert np.abs(after[0, 4:] - before[0, 4:]).max() > 1e-3


def test_padding_changes_nothing():
    model, batch = model_of(), features_of(CASE)
    wide = {k: np.pad(v, [[0, 0], [0, 4]]) for k, v in batch.items()}
    np.testing.assert_allclose(
        model(wide).numpy()[:, :7], model(batch).numpy(), atol=1e-5
    )
    np.testing.assert_allclose(
        model.sentence_vectors(wide["targets"]),
        model.sentence_vectors(batch["targets"]),
        atol=1e-5,
    )


def test_packed_rows_equal_plain_ones():
    model = model_of()
    plain = features_of(CASE, rows=2)["targets"]
    packed = {
        "targets": plain.reshape(1, 14),
        "targets_segments": np.repeat([[1, 2]], 7, axis=1).astype(np.int32),
        "targets_positions": np.tile(np.arange(7, dtype=np.int32), 2)[None],
    }
    packed["targets_segments"] *= packed["targets"] != 0
    found = model(packed).numpy().reshape(2, 7, VOCAB)
    real = plain != 0
    expected = model({"targets": plain}).numpy()
    np.testing.assert_allclose(found[real], expected[real], atol=1e-5)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_cached_steps_equal_the_full_forward(changes):
    """Of two hypotheses each, which descend from one another's places."""
    model = model_of(**changes)
    rng = np.random.default_rng(5)
    texts = rng.integers(3, VOCAB, (3, 2, 6)).astype(np.int32)
    texts[:, 1, :2] = texts[:, 0, :2]  # the second left the first at 2
    cache = model.init_cache(3, 2)
    context = model.encode(tf.constant(texts[:, 0]))
    ids = tf.zeros([3, 2], tf.int32)
    ancestors = np.zeros((3, 2, 0), bool)
    full = model({"targets": texts.reshape(6, 6)}).numpy()
    full = full.reshape(3, 2, 6, VOCAB)
    for index in range(6):
        ancestors = np.concatenate(
            [ancestors, np.tile(np.eye(2, dtype=bool), [3, 1, 1])], axis=2
        )
        if index < 2:  # what both say is kept where the first one is
            ancestors[:, 1, 2 * index :] = ancestors[:, 0, 2 * index :]
            seen = ancestors.copy()
            seen[:, 1, 2 * index :] = [False, True]
        else:
            seen = ancestors
        logits, cache = model.decode_step(
            ids, tf.constant(index), cache, context, seen
        )
        np.testing.assert_allclose(
            logits.rough, full[:, :, index], rtol=1e-4, atol=1e-4
        )
        ids = tf.constant(texts[:, :, index])


@pytest.mark.parametrize("beams", [1, 4])
def test_the_search_gives_the_probability_of_the_full_forward(beams):
    model = model_of(num_hidden_layers=2)
    lengths = tf.fill([3], 6)
    options = SearchOptions(beam_size=beams, alpha=0.0, num_results=beams)
    prefix = tf.constant([[5, 9], [7, 0], [0, 0]])
    found = beam_search(
        model.decode_step,
        model.init_cache(3, beams),
        model.encode(prefix),
        Request.of(options, lengths, prefix=prefix).checked(),
    )
    ids = found.ids.numpy().reshape(3 * beams, -1)
    log_probs = tf.nn.log_softmax(model({"targets": ids})).numpy()
    chosen = np.take_along_axis(log_probs, ids[..., None], axis=2)[..., 0]
    total = np.where(ids == 0, 0.0, chosen).sum(axis=1)
    np.testing.assert_allclose(
        found.scores, total.reshape(3, beams), rtol=1e-4, atol=1e-4
    )
    assert found.ids[0, 0, :2].numpy().tolist() == [5, 9]
    assert found.ids[1, 0, 0] == 7


def test_learned_positions_end_somewhere():
    """What is past the last one is read all the same."""
    model = model_of(position="learned", max_length=4)
    batch = features_of(CASE)
    logits = model(batch).numpy()
    assert np.isfinite(logits).all()
    short = {"targets": batch["targets"][:, :4]}
    np.testing.assert_allclose(logits[:, :4], model(short), atol=1e-5)


def parameters(name, vocab_size, layers):
    """Counts those of a set; its layers are alike, so two are made."""
    task = Task(inputs="none", vocab_size=vocab_size)
    model, hparams = resolve(name)
    counts = [
        build(
            model,
            dataclasses.replace(hparams, num_hidden_layers=number),
            task,
            "float32",
        ).count_params()
        for number in (1, 2)
    ]
    return counts[0] + (layers - 1) * (counts[1] - counts[0])


def test_the_papers_parameter_count():
    """GPT's "117M": 12 layers, 40,478 entries, 512 positions.

    As released: 116,534,784, the softmax being the embedding.
    """
    assert parameters("transformer_lm_gpt", 40_478, 12) == 116_534_784

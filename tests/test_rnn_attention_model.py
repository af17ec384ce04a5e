import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from t2t_lite import hparams as hp
from t2t_lite.decoding.search import Request, SearchOptions, beam_search
from t2t_lite.errors import UserError
from t2t_lite.models.resolve import build, resolve
from t2t_lite.models.rnn_attention import RnnAttention
from t2t_lite.models.rnn_attention_hparams import RnnAttentionHParams
from t2t_lite.registry import HPARAMS
from t2t_lite.task import Task
from tests.models_for_tests import (
    VOCAB,
    random_batch,
    tiny_model,
    tiny_rnn_hparams,
)

LUONG = {"architecture": "luong", "cell": "lstm", "num_hidden_layers": 2}
VARIANTS = {
    "bahdanau": {},
    "bahdanau stacked": {"cell": "lstm", "num_hidden_layers": 2},
    "local-m": {"alignment": "local-m", "window": 1},
    "local-p": {"alignment": "local-p", "window": 2, "alignment_size": 5},
    "location": {"score": "location"},
    "no attention": {"use_attention": False},
    "luong": {**LUONG, "bidirectional": False, "score": "dot"},
    "luong fed": {**LUONG, "score": "general", "input_feeding": True},
    "luong, no attention": {**LUONG, "use_attention": False},
    "one table": {"embedding_size": 6, "shared_embedding": "all"},
    "two tables": {"embedding_size": 6, "shared_embedding": "target_softmax"},
}
ATTENTIVE = [name for name in VARIANTS if "no attention" not in name]


def model_of(name, **options):
    return tiny_model(tiny_rnn_hparams(**VARIANTS[name]), **options)


@pytest.mark.parametrize("name", VARIANTS)
def test_decoding_step_by_step_equals_the_full_forward(name):
    model = model_of(name)
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


@pytest.mark.parametrize("name", ["local-m", "no attention", "luong fed"])
@pytest.mark.parametrize("beams", [1, 4])
def test_a_searchs_scores_are_the_models(name, beams):
    """Of every result: states have moved with their hypotheses."""
    model = model_of(name)
    inputs = tf.constant(random_batch(3, 6)["inputs"])
    options = SearchOptions(beam_size=beams, num_results=beams, alpha=0.0)

    @tf.function
    def search(inputs):
        return beam_search(
            model.decode_step,
            model.init_cache(3, beams),
            model.encode(inputs),
            Request.of(options, [6, 3, 5]).checked(),
        )

    found = search(inputs)
    for place in range(beams):
        ids = found.ids[:, place]
        logits = model({"inputs": inputs, "targets": ids})
        chosen = tf.gather(tf.nn.log_softmax(logits), ids, batch_dims=2)
        total = tf.reduce_sum(tf.where(ids == 0, 0.0, chosen), axis=1)
        np.testing.assert_allclose(found.scores[:, place], total, rtol=1e-4)
    assert len({tuple(row) for row in found.ids.numpy()[0]}) == beams


@pytest.mark.parametrize("name", VARIANTS)
def test_causality(name):
    model = model_of(name)
    batch = random_batch(2, 6, ragged=False)
    before = model(batch).numpy()
    batch["targets"][:, 3] = 5
    after = model(batch).numpy()
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-5)
    assert np.abs(after[:, 4:] - before[:, 4:]).max() > 1e-3


@pytest.mark.parametrize("name", VARIANTS)
def test_padding_changes_nothing(name):
    model = model_of(name)
    batch = random_batch(3, 6)
    wide = {k: np.pad(v, [[0, 0], [0, 4]]) for k, v in batch.items()}
    np.testing.assert_allclose(
        model(wide).numpy()[:, :6], model(batch).numpy(), atol=1e-5
    )
    np.testing.assert_allclose(
        model.sentence_vectors(wide["inputs"]),
        model.sentence_vectors(batch["inputs"]),
        atol=1e-5,
    )


@pytest.mark.parametrize("name", ATTENTIVE)
def test_attention_is_that_of_the_forward_pass(name):
    model = model_of(name)
    batch = random_batch(3, 6)
    weights = model.attention(batch["inputs"], batch["targets"]).numpy()
    assert weights.shape == (3, 6, 6)
    real = batch["inputs"] != 0
    assert not weights[np.broadcast_to(~real[:, None], weights.shape)].any()
    total = weights.sum(-1)
    if "local" not in name:
        np.testing.assert_allclose(total, 1.0, atol=1e-5)
    assert (total < 1 + 1e-5).all()


def test_without_attention_nothing_is_looked_at():
    model = model_of("no attention")
    batch = random_batch(3, 6)
    weights = model.attention(batch["inputs"], batch["targets"])
    np.testing.assert_array_equal(weights, np.zeros((3, 6, 6)))
    context = model.encode(batch["inputs"])
    assert list(context) == ["first"]  # nothing as long as the input
    for state in tf.nest.flatten(context):
        assert state.shape == (3, 12)


@pytest.mark.parametrize("name", ["bahdanau", "luong fed"])
def test_bfloat16_is_close_and_weights_stay_float32(name):
    exact = model_of(name)(random_batch(2, 5)).numpy()
    model = model_of(name, dtype="mixed_bfloat16")
    logits = model(random_batch(2, 5))
    assert logits.dtype == tf.bfloat16
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    difference = np.abs(tf.cast(logits, tf.float32).numpy() - exact)
    assert difference.max() < 0.15 * np.abs(exact).max()


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_are_as_many_as_counted(name):
    model = model_of(name)
    found = sum(
        int(np.prod(v.shape))
        for v in model.trainable_variables
        if not v.path.endswith("_bias")
    )
    assert found == RnnAttention.least_parameters(model.hparams, model.task)


def test_the_papers_parameter_counts():
    """Bahdanau's from the appendix' matrices; Luong's from the equations."""
    n, m, p, maxout, v = 1000, 620, 1000, 500, 30_000
    encoder = 2 * 3 * (n * m + n * n)
    decoder = 3 * (n * m + n * n + n * 2 * n) + n * n  # and W_s
    alignment = p * n + p * 2 * n + p
    output = 2 * maxout * (n + m + 2 * n) + v * maxout
    _, hparams = resolve("rnn_attention_bahdanau")
    found = RnnAttention.least_parameters(hparams, Task(vocab_size=v))
    assert found == encoder + decoder + alignment + output + 2 * v * m
    stack = 4 * 4 * (n * n + n * n)
    tables = 3 * 50_000 * n
    own = 4 * n * n + n * n + 2 * n * n + n * n + n
    _, hparams = resolve("rnn_attention_luong")
    found = RnnAttention.least_parameters(hparams, Task(vocab_size=50_000))
    # Input feeding; general; W_c; W_p and v_p.
    assert found == 2 * stack + tables + own


@pytest.mark.parametrize(
    "name", [n for n in HPARAMS.names() if n.startswith("rnn_attention_")]
)
def test_sets_build_and_predict(name):
    """All but the tiny one with small sizes in place of the papers'."""
    model, hparams = resolve(name)
    if "tiny" not in name:
        small = {"hidden_size": 16, "embedding_size": 8, "maxout_size": 8}
        hparams = dataclasses.replace(hparams, **small)
    built = build(model, hparams, 50, "float32")
    assert built(random_batch(2, 4)).shape == (2, 4, 50)


def test_the_default_set_is_bahdanaus():
    assert resolve("rnn_attention")[1] == resolve("rnn_attention_bahdanau")[1]


@pytest.mark.parametrize("name", ["bahdanau", "luong fed", "one table"])
def test_config_round_trip(name):
    model = model_of(name)
    config = json.loads(json.dumps(model.get_config()))
    copy = RnnAttention.from_config(config)
    copy.build_from_config(model.get_build_config())
    copy.set_weights(model.get_weights())
    batch = random_batch(2, 5)
    np.testing.assert_array_equal(copy(batch), model(batch))
    assert copy.get_config() == model.get_config()


def test_nothing_in_nothing_out():
    """A batch of no sentence, and targets of no id, as requests may have."""
    for name in ("bahdanau", "luong fed"):
        model = model_of(name)
        none = tf.zeros([0, 0], tf.int32)
        assert model({"inputs": none, "targets": none}).shape == (0, 0, VOCAB)
        two = tf.constant([[4, 1], [1, 0]])
        empty = tf.zeros([2, 0], tf.int32)
        assert model.attention(two, empty).shape == (2, 0, 2)


def test_dropout_is_on_in_training_alone():
    model = tiny_model(tiny_rnn_hparams(dropout=0.5, num_hidden_layers=2))
    batch = random_batch(2, 5)
    keras.utils.set_random_seed(1)
    assert np.any(model(batch, training=True) != model(batch))
    np.testing.assert_array_equal(model(batch), model(batch))


def test_gaussian_start_is_bahdanaus():
    hparams = tiny_rnn_hparams(initializer="gaussian", hidden_size=64)
    model = build("rnn_attention", hparams, 500, "float32")
    named = {v.path: v.numpy() for v in model.trainable_variables}
    seen = set()
    for path, value in named.items():
        if path.endswith("_bias") or path.endswith("attention/score_kernel"):
            assert not value.any()
        elif path.endswith(("state_kernel", "candidate_kernel")):
            square = value[:, :64]
            np.testing.assert_allclose(square @ square.T, np.eye(64), atol=1e-4)
        else:
            deviation = 0.001 if "/attention/" in path else 0.01
            assert value.std() == pytest.approx(deviation, rel=0.1)
            seen.add(deviation)
    assert seen == {0.001, 0.01}
    # v = 0: every state of the source is looked at alike.
    batch = random_batch(2, 6)
    weights = model.attention(batch["inputs"], batch["targets"]).numpy()
    real = batch["inputs"] != 0
    expected = (real / real.sum(1, keepdims=True))[:, None]
    expected = np.broadcast_to(expected, weights.shape)
    np.testing.assert_allclose(weights, expected, rtol=1e-5)


def test_uniform_start_is_luongs():
    hparams = tiny_rnn_hparams(initializer="uniform", hidden_size=64)
    model = build("rnn_attention", hparams, 500, "float32")
    for variable in model.trainable_variables:
        value = variable.numpy()
        assert np.abs(value).max() <= 0.1
        if value.size > 999:
            assert np.abs(value).max() > 0.099


def test_packed_rows_are_refused():
    model = model_of("bahdanau")
    batch = random_batch(2, 5)
    with pytest.raises(ValueError, match="rnn_attention cannot take packed"):
        model.states({**batch, "inputs_segments": batch["inputs"]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pack=true", "pack: expected false, for a state runs on over"),
        ("cell=rnn", "cell: expected one of gru, lstm, got 'rnn'"),
        ("architecture=loung", r"bahdanau, luong, .*did you mean 'luong'"),
        ("score=dot", "score: expected general, concat or location with bid"),
        ("alignment=local-m", "window: expected an int above 0 with align"),
        ("window=3", "window: expected none with alignment=global, got 3"),
        ("window=0,alignment=local-p", "window: expected an int above 0"),
        ("alignment=local-p*,window=1", "one of global, local-m, local-p, got"),
        ("input_feeding=true", "input_feeding: expected false but for archi"),
        ("shared_embedding=all", "expected none with embedding_size=620 and"),
        ("dropout=1", r"dropout: expected a rate in \[0, 1\), got 1"),
        ("hidden_size=0", "hidden_size: expected an int above 0, got 0"),
        ("initializer=zeros", "initializer: expected one of glorot, gaussian"),
        ("hiden_size=4", "unknown hparam 'hiden_size' .*'hidden_size'"),
    ],
)
def test_hparams_that_cannot_be_are_named(text, message):
    with pytest.raises(UserError, match=message):
        hp.override(RnnAttentionHParams(), text)


def test_hparams_that_go_together():
    found = hp.override(
        RnnAttentionHParams(),
        "architecture=luong,input_feeding=true,bidirectional=false,score=dot,"
        "alignment=local-m,window=4,hidden_size=64,embedding_size=64,"
        "shared_embedding=all",
    )
    assert found.output_size == found.memory_size == 64
    assert dataclasses.replace(found, use_attention=True) == found
    values = json.loads(hp.to_json(found))
    assert hp.from_dict(RnnAttentionHParams, values, "x.json") == found

"""The Transformer with every variant of attention that its hparams name."""

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite import hparams as hp
from t2t_lite.decoding.options import SearchOptions
from t2t_lite.decoding.search import Cache, Request, beam_search, most_beams
from t2t_lite.errors import UserError
from t2t_lite.layers import frozen_weights, held_weights
from t2t_lite.models.transformer import Transformer, TransformerHParams
from t2t_lite.task import Task
from tests.layers.test_freezing import loop_bodies, loop_graph, nodes_of
from tests.models_for_tests import (
    VARIANTS,
    VOCAB,
    random_batch,
    tiny_hparams,
    tiny_model,
)
from tests.selection import few

each_variant = pytest.mark.parametrize("name", VARIANTS)


def make(name, dtype="float32", **changes):
    hparams = tiny_hparams(
        num_hidden_layers=2, num_heads=4, **VARIANTS[name], **changes
    )
    return tiny_model(hparams, dtype=dtype)


@each_variant
def test_causality_and_padding(name):
    model = make(name)
    batch = random_batch(2, 6, ragged=False)
    before = model(batch).numpy()
    wide = {k: np.pad(v, [[0, 0], [0, 4]]) for k, v in batch.items()}
    np.testing.assert_allclose(model(wide)[:, :6], before, atol=1e-4)
    batch["targets"][:, 3] = 5
    after = model(batch).numpy()
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-5)
    assert np.abs(after[:, 4:] - before[:, 4:]).max() > 1e-3


@each_variant
def test_packed_rows_equal_plain_ones(name):
    model = make(name)
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
        atol=1e-4,
    )


@pytest.mark.parametrize(
    "name",
    few(
        ["rotary, local, multi-query", "relative", "none", "t5_bias", "alibi"],
        always=(0, 1),
    ),
)
def test_the_search_finds_what_the_full_forward_finds(name):
    """Beams that go on from each other; no step has a cache in the second."""
    model = make(name)
    inputs = tf.constant(random_batch(3, 6)["inputs"])
    options = SearchOptions(beam_size=3, num_results=3, extra_length=4)
    request = Request.of(options, tf.constant([8, 8, 5])).checked()

    def cached():
        return beam_search(
            model.decode_step,
            model.init_cache(3, most_beams(request)),
            model.encode(inputs),
            request,
        )

    def uncached():
        beams = most_beams(request)
        return beam_search(
            _full_step(model),
            Cache(moved=tf.zeros([3, beams, 0], tf.int32)),
            {"inputs": inputs},
            request,
        )

    expected = _in_graph(uncached)
    assert len({tuple(row) for row in expected.ids.numpy()[0]}) == 3
    for scope in (None, frozen_weights, held_weights):
        found = _in_graph(cached, scope)
        np.testing.assert_array_equal(found.ids, expected.ids)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3)


def _in_graph(function, scope=None):
    @tf.function(autograph=False)
    def run():
        if scope is None:
            return function()
        with scope():
            return function()

    return run()


def _full_step(model):
    """A step that has every hypothesis' ids and computes all of them again."""

    def step(ids, index, cache, context, ancestors):
        del index, ancestors
        history = tf.concat([cache.moved, ids[..., None]], axis=2)
        rows, beams, length = tf.unstack(tf.shape(history))
        targets = tf.reshape(history, [rows * beams, length])
        # The model shifts its targets; the last one is not looked at.
        targets = tf.pad(targets[:, 1:], [[0, 0], [0, 1]])
        inputs = tf.repeat(context["inputs"], beams, axis=0)
        logits = model({"inputs": inputs, "targets": targets})[:, -1]
        logits = tf.reshape(logits, [rows, beams, VOCAB])
        return logits, Cache(moved=history)

    return step


@each_variant
@pytest.mark.parametrize("scope", [frozen_weights, held_weights])
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16"])
def test_frozen_and_held_weights_are_the_layers(name, scope, dtype):
    model = make(name, dtype, attention_bias=True)
    batch = random_batch(3, 6, ragged=False)
    expected = _in_graph(lambda: model(batch))
    found = _in_graph(lambda: model(batch), scope)
    np.testing.assert_allclose(
        tf.cast(found, tf.float32),
        tf.cast(expected, tf.float32),
        rtol=0.05,
        atol=0.15,
    )


@each_variant
def test_a_loop_reads_no_weight_that_is_frozen_or_held(name):
    model = make(name, "bfloat16")
    graph_def = loop_graph(model, frozen_weights)
    assert not nodes_of(graph_def, "ReadVariableOp")
    products = {node.name for node in nodes_of(graph_def, "MatMul")}
    added_to = {
        node.input[0].split(":")[0] for node in nodes_of(graph_def, "BiasAdd")
    }
    assert products <= added_to
    for body in loop_bodies(loop_graph(model, held_weights)):
        assert not [n for n in body.node_def if n.op == "ReadVariableOp"]


@each_variant
def test_numbers_of_parameters(name):
    """Known before the model is made: all but biases and norms."""
    for norm in ("pre", "post"):
        model = make(name, norm=norm)
        counted = sum(
            int(np.prod(v.shape))
            for v in model.trainable_variables
            if v.name not in ("scale", "bias") and not v.name.endswith("_bias")
        )
        least = Transformer.least_parameters(model.hparams, model.task)
        assert least == counted


def test_grouped_heads_have_fewer_parameters():
    """Of h query heads and g others: h + g in place of 2 h."""
    counts = {
        shared: Transformer.least_parameters(
            TransformerHParams(num_key_value_heads=shared),
            Task(vocab_size=1000),
        )
        for shared in (None, 8, 2, 1)
    }
    assert counts[None] == counts[8]
    # 6 encoder and 12 decoder attentions of 512, with heads of 64 + 64.
    for shared in (2, 1):
        saved = 18 * 512 * (8 - shared) * 128
        assert counts[8] - counts[shared] == saved


@each_variant
def test_configuration_and_weights_of_a_saved_model(name, tmp_path):
    model = make(name)
    path = str(tmp_path / "model.keras")
    model.save(path)
    copy = Transformer.from_config(model.get_config())
    copy.build_from_config(model.get_build_config())
    copy.load_weights(path)
    batch = random_batch(2, 5)
    np.testing.assert_array_equal(copy(batch), model(batch))
    assert copy.hparams == model.hparams


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("position=rotory", "position: expected one of .*'rotary'"),
        (
            "position=rotary,key_head_size=5,value_head_size=5",
            "key_head_size: expected an even number with position=rotary, got",
        ),
        (
            "position=rotary,num_heads=170,hidden_size=510",
            "key_head_size: expected an even number .* got 3",
        ),
        ("rotary_base=1", "rotary_base: expected a number above 1, got 1.0"),
        ("max_relative_position=0", "position: expected an int above 0, got 0"),
        (
            "relative_attention_num_buckets=7",
            "num_buckets: expected an even int of 4 or more, got 7",
        ),
        (
            "relative_attention_max_distance=16",
            "max_distance: expected an int above half of .*=32, got 16",
        ),
        ("local_attention_radius=0", "radius: expected an int above 0, got 0"),
        (
            "num_key_value_heads=3",
            "num_key_value_heads: expected a divisor of num_heads=8, got 3",
        ),
        ("num_key_value_heads=-1", "heads: expected an int above 0, got -1"),
    ],
)
def test_hparams_refuse(text, message):
    with pytest.raises(UserError, match=message):
        hp.override(TransformerHParams(), text)


def test_hparams_take_every_variant_as_text():
    text = "position=t5_bias,local_attention_radius=16,num_key_value_heads=2"
    found = hp.override(TransformerHParams(), text)
    assert found.position == "t5_bias"
    assert found.local_attention_radius == 16
    assert hp.override(found, "local_attention_radius=none") == hp.override(
        TransformerHParams(), "position=t5_bias,num_key_value_heads=2"
    )


def test_files_of_earlier_versions_name_no_variant():
    """hparams.json without the fields is the plain model."""
    values = {"hidden_size": 16, "num_heads": 2, "position": "learned"}
    found = hp.from_dict(TransformerHParams, values, "hparams.json")
    assert found == TransformerHParams(**values)
    assert found.local_attention_radius is None


def test_the_default_model_is_the_plain_one():
    """The same names and shapes, and no position of its own."""
    model = tiny_model(tiny_hparams())
    assert not [v for v in model.weights if "positions" in v.path]
    attention = model.decoder.blocks[0].self_attention
    assert attention.query_key_value_kernel.shape == (16, 48)

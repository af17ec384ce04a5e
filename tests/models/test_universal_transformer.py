import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.decoding.search import Request, SearchOptions, beam_search
from t2t_lite.errors import UserError
from t2t_lite.models.resolve import build, resolve
from t2t_lite.models.transformer import TransformerHParams
from t2t_lite.trainer.step import TrainStep
from tests.models.small import VOCAB, features_of, small_hparams, small_model

CASES = ("universal", "adaptive")
VARIANTS = [
    ("universal", {"num_hidden_layers": 3}),
    ("universal", {"norm": "post", "step_timing_signal_type": "sinusoid"}),
    ("universal", {"position": "learned", "shared_embedding": "none"}),
    ("adaptive", {"num_hidden_layers": 4, "act_epsilon": 0.2}),
    ("adaptive", {"norm": "post", "num_decoder_layers": 3}),
]


def ponder(model, batch):
    """Returns how long encoder and decoder took at each position."""
    found = []
    for layer in (model.encoder, model.decoder):
        call = layer.call

        def watched(*arguments, call=call, **options):
            result = call(*arguments, **options)
            found.append(result[1].numpy())
            return result

        layer.call = watched
    model(batch)
    for layer in (model.encoder, model.decoder):
        del layer.call
    return found


@pytest.mark.parametrize(("case", "changes"), VARIANTS, ids=str)
def test_cached_decoding_equals_the_full_forward(case, changes):
    model = small_model(case, **changes)
    batch = features_of(case, rows=3)
    full = model(batch).numpy()
    context = model.encode(tf.constant(batch["inputs"]))
    cache = model.init_cache(3, 2)
    ids = tf.zeros([3, 2], tf.int32)
    for index in range(7):
        mine = np.tile(np.eye(2, dtype=bool), [3, 1, index + 1])
        logits, cache = model.decode_step(
            ids, tf.constant(index), cache, context, mine
        )
        for beam in range(2):
            np.testing.assert_allclose(
                logits.rough[:, beam], full[:, index], rtol=1e-3, atol=1e-3
            )
        ids = tf.repeat(batch["targets"][:, index : index + 1], 2, axis=1)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("beams", [1, 3])
def test_the_search_gives_the_probability_of_the_full_forward(case, beams):
    model = small_model(case)
    inputs = features_of(case, rows=3)["inputs"]
    options = SearchOptions(beam_size=beams, alpha=0.0, num_results=beams)
    found = beam_search(
        model.decode_step,
        model.init_cache(3, beams),
        model.encode(tf.constant(inputs)),
        Request.of(options, tf.fill([3], 6)).checked(),
    )
    ids = found.ids.numpy().reshape(3 * beams, -1)
    features = {"inputs": np.repeat(inputs, beams, axis=0), "targets": ids}
    log_probs = tf.nn.log_softmax(model(features)).numpy()
    chosen = np.take_along_axis(log_probs, ids[..., None], axis=2)[..., 0]
    total = np.where(ids == 0, 0.0, chosen).sum(axis=1)
    np.testing.assert_allclose(
        found.scores, total.reshape(3, beams), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("case", CASES)
def test_causality_and_padding(case):
    model = small_model(case)
    batch = features_of(case)
    before = model(batch).numpy()
    wide = {k: np.pad(v, [[0, 0], [0, 4]]) for k, v in batch.items()}
    np.testing.assert_allclose(model(wide)[:, :7], before, atol=1e-4)
    batch["targets"][:, 3] = 5
    after = model(batch).numpy()
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-5)
    assert np.abs(after[0, 4:] - before[0, 4:]).max() > 1e-3


@pytest.mark.parametrize("case", CASES)
def test_packed_rows_equal_plain_ones(case):
    model = small_model(case)
    plain = features_of(case, rows=2)
    packed = {k: v.reshape(1, 14) for k, v in plain.items()}
    for side in ("inputs", "targets"):
        segments = np.repeat([[1, 2]], 7, axis=1) * (packed[side] != 0)
        packed[f"{side}_segments"] = segments.astype(np.int32)
        positions = np.tile(np.arange(7, dtype=np.int32), 2)[None]
        packed[f"{side}_positions"] = positions
    real = plain["targets"] != 0
    np.testing.assert_allclose(
        model(packed).numpy().reshape(2, 7, VOCAB)[real],
        model(plain).numpy()[real],
        atol=1e-4,
    )


def test_positions_halt_for_themselves():
    model = small_model("adaptive", num_hidden_layers=4)
    encoder, decoder = ponder(model, features_of("adaptive"))
    for took in (encoder, decoder):
        assert took.min() > 1.0
        assert took.max() <= 5.0
        assert len(set(np.ceil(took).flat)) > 1


def sums_of(batch, **changes):
    """Returns the sums of a training step before its update."""
    _, hparams = small_hparams("adaptive", **changes)
    model = small_model("adaptive", **changes)
    strategy = tf.distribute.get_strategy()
    step = TrainStep(model, hparams, strategy, xla=False, seed=1)
    found = step.update([batch], 1, 0.01)
    return {name: float(value) for name, value in found.items()}


def test_the_loss_has_the_cost_of_real_positions_on_top():
    batch = features_of("adaptive")
    free = sums_of(batch, act_loss_weight=0.0)
    paid = sums_of(batch, act_loss_weight=0.5)
    assert free["nll"] == pytest.approx(paid["nll"], rel=1e-5)
    took = ponder(small_model("adaptive"), batch)
    cost = sum(
        (steps * (batch[side] != 0)).sum()
        for steps, side in zip(took, ("inputs", "targets"), strict=True)
    )
    assert paid["loss"] - free["loss"] == pytest.approx(0.5 * cost, rel=1e-3)
    wide = {k: np.pad(v, [[0, 0], [0, 3]]) for k, v in batch.items()}
    assert sums_of(wide, act_loss_weight=0.5)["loss"] == pytest.approx(
        paid["loss"], rel=1e-4
    )
    twice = sums_of(batch, act_loss_weight=0.5, rdrop_alpha=1.0)
    assert twice["loss"] == pytest.approx(paid["loss"], rel=1e-4)


def test_the_cost_shortens_thinking():
    batch = features_of("adaptive")
    steps = {}
    for weight in (0.0, 2.0):
        changes = {"act_loss_weight": weight, "num_hidden_layers": 4}
        _, hparams = small_hparams("adaptive", **changes)
        model = small_model("adaptive", **changes)
        step = TrainStep(
            model, hparams, tf.distribute.get_strategy(), xla=False, seed=1
        )
        for number in range(1, 16):
            step.update([batch], number, 1.0)
        steps[weight] = np.mean([each.mean() for each in ponder(model, batch)])
    assert steps[2.0] < steps[0.0] - 0.3


def test_sets_are_tensor2tensors():
    model, base = resolve("universal_transformer")
    assert (model, base.num_hidden_layers) == ("universal_transformer", 6)
    assert (base.hidden_size, base.num_heads) == (1024, 16)
    _, adaptive = resolve("adaptive_universal_transformer_base")
    assert dataclasses.replace(
        adaptive, recurrence_type="basic", num_hidden_layers=6
    ) == (base)
    name, tiny = resolve("universal_transformer_tiny")
    assert isinstance(tiny, TransformerHParams)
    found = build(name, tiny, 50, "float32")
    # One layer of each side, a final norm each, 8 steps each, the embedding.
    size, filters = 128, 512
    attention, norm = 4 * size**2, 2 * size
    feed_forward = 2 * size * filters + size + filters
    encoder = attention + feed_forward + 2 * norm
    decoder = 2 * attention + feed_forward + 3 * norm
    assert found.count_params() == (
        encoder + decoder + 2 * norm + 2 * 8 * size + 50 * size
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recurrence_type": "akt"}, "recurrence_type: expected one of basic"),
        ({"act_epsilon": 0.0}, "act_epsilon: expected a share in .0, 1."),
        ({"act_loss_weight": -1.0}, "act_loss_weight: expected a number of 0"),
        (
            {"position": "learned", "step_timing_signal_type": "sinusoid"},
            "step_timing_signal_type: expected learned, as position is",
        ),
    ],
)
def test_wrong_hyperparameters_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        small_hparams("adaptive", **changes)

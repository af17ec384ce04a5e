import re

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.trainer import draws, guards, strategies
from t2t_lite.trainer.averaging import averaged_weights
from t2t_lite.trainer.step import TrainStep
from tests.models_for_tests import random_batch, tiny_hparams, tiny_model
from tests.selection import few


def _train(
    batches,
    steps=2,
    strategy=None,
    xla=False,
    dropout=0.0,
    dtype="float32",
    options=None,
    **changes,
):
    """Returns (weights after `steps` updates on the same batches, sums)."""
    hparams = tiny_hparams(layer_prepostprocess_dropout=dropout, **changes)
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        model = tiny_model(hparams, dtype=dtype)
    step = TrainStep(
        model,
        hparams,
        strategy,
        xla=xla,
        **{"seed": 1, **(options or {})},
    )
    for number in range(1, steps + 1):
        sums = step.update(batches, number, 0.01)
    weights = [v.numpy() for v in model.trainable_variables]
    return weights, {k: float(v) for k, v in sums.items()}, step


def _assert_same(first, second, **tolerance):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


def _halves(batch):
    return [
        {k: v[:4] for k, v in batch.items()},
        {k: v[4:] for k, v in batch.items()},
    ]


def test_accumulated_equals_the_whole_batch():
    batch = random_batch(8, 7)
    whole, sums, _ = _train([batch])
    parts, part_sums, _ = _train(_halves(batch))
    _assert_same(whole, parts, rtol=1e-4, atol=1e-5)
    for name in ("loss", "tokens", "gradient_norm"):
        assert part_sums[name] == pytest.approx(sums[name], rel=1e-4)


def test_mirrored_equals_one_device():
    batch = random_batch(8, 7)
    one, sums, _ = _train([batch])
    strategy, _ = strategies.create_strategy("mirrored")
    two, two_sums, _ = _train([batch], strategy=strategy)
    _assert_same(one, two, rtol=1e-4, atol=1e-5)
    assert two_sums["loss"] == pytest.approx(sums["loss"], rel=1e-4)
    accumulated, _, _ = _train(_halves(batch), strategy=strategy)
    _assert_same(one, accumulated, rtol=1e-4, atol=1e-5)


def test_xla_equals_the_graph():
    batch = random_batch(4, 6)
    graph, _, _ = _train([batch], dropout=0.3)
    compiled, _, _ = _train([batch], dropout=0.3, xla=True)
    _assert_same(graph, compiled, rtol=1e-3, atol=1e-4)


def test_dropout_is_a_function_of_seed_and_step():
    batch = random_batch(4, 6)
    first, _, _ = _train([batch], dropout=0.3)
    again, _, _ = _train([batch], dropout=0.3)
    other, _, _ = _train([batch], dropout=0.3, options={"seed": 2})
    _assert_same(first, again, rtol=0, atol=0)
    assert any(
        np.abs(a - b).max() > 1e-4 for a, b in zip(first, other, strict=True)
    )


def test_sums_count_target_tokens():
    batch = random_batch(4, 6)
    _, sums, _ = _train([batch], steps=1)
    assert sums["tokens"] == np.sum(batch["targets"] != 0)
    assert 0 <= sums["correct"] <= sums["tokens"]
    assert sums["loss"] > 0


def test_loss_scale_halves_and_skips_on_overflow():
    batch = random_batch(4, 6)
    weights, sums, step = _train(
        [batch], dtype="mixed_float16", options={"loss_scaling": True}
    )
    assert np.isfinite(sums["loss"])
    assert 2.0**8 <= float(step.slots["loss/scale"]) <= 2.0**15
    step.slots["loss/scale"].assign(2.0**120)
    step.update([batch], 3, 0.01)
    assert float(step.slots["loss/scale"]) == 2.0**119
    for before, after in zip(weights, step.parameters, strict=True):
        np.testing.assert_array_equal(before, after.numpy())


# What an XLA module has where it waits for the host or calls it.
HOST = re.compile(
    r"infeed|outfeed|send|recv|callback|HostCompute|S\(5\)", re.IGNORECASE
)


def _packed(batch):
    """Two rows in one, and nothing else changed."""
    rows, length = batch["inputs"].shape
    result = {}
    for name, ids in batch.items():
        segments = np.tile(np.repeat([1, 2], length), (rows // 2, 1))
        result[name] = ids.reshape(rows // 2, 2 * length)
        result[f"{name}_segments"] = segments * (result[name] != 0)
        result[f"{name}_positions"] = np.tile(np.arange(length), (rows // 2, 2))
    return {k: v.astype(np.int32) for k, v in result.items()}


def test_packed_rows_give_the_same_update():
    batch = random_batch(8, 7)
    alone, sums, _ = _train([batch])
    packed, packed_sums, _ = _train([_packed(batch)])
    _assert_same(alone, packed, rtol=1e-4, atol=1e-5)
    for name in ("loss", "nll", "tokens", "correct", "gradient_norm"):
        assert packed_sums[name] == pytest.approx(sums[name], rel=1e-4)


def _module(function, *arguments):
    """Returns the HLO of a function, compiled for a GPU."""
    text = tf.function(function, jit_compile=True).experimental_get_compiler_ir(
        *arguments
    )(stage="hlo", platform_name="GPU")
    assert text.startswith("HloModule")
    assert text.count("ENTRY ") == 1
    return text


@pytest.mark.parametrize(
    ("precision", "changes", "pack"),
    [
        ("float32", {}, False),
        ("bfloat16", {"rdrop_alpha": 5.0}, False),
        ("bfloat16", {"ema_decay": 0.9, "optimizer": "adafactor"}, True),
        ("float16", {"clip_grad_norm": 1.0}, False),
    ],
)
def test_step_lowers_for_gpu_without_one(precision, changes, pack):
    """The pure functions become one XLA module each for the GPU platform."""
    hparams = tiny_hparams(layer_prepostprocess_dropout=0.1, **changes)
    model = tiny_model(hparams, dtype=strategies.policy_name(precision))
    step = TrainStep(
        model,
        hparams,
        tf.distribute.get_strategy(),
        xla=True,
        seed=1,
        loss_scaling=precision == "float16",
    )
    batch = random_batch(4, 6)
    batch = {
        k: tf.constant(v)
        for k, v in (_packed(batch) if pack else batch).items()
    }
    parameters = [tf.constant(p) for p in step.parameters]
    gradients = _module(
        lambda *arguments: step.pure_gradients(*arguments),
        parameters,
        [tf.constant(v.value) for v in model.non_trainable_variables],
        batch,
        tf.constant([1, 2]),
        tf.constant(1.0),
    )
    update = _module(
        step.pure_update,
        parameters,
        {k: tf.constant(v) for k, v in step.slots.items()},
        [tf.zeros_like(p) for p in parameters],
        {"loss": tf.constant(9.0), "tokens": tf.constant(9.0)},
        tf.constant([1.0, 0.1]),
    )
    for text in (gradients, update):
        assert not HOST.search(text), HOST.search(text)
    short = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
    products = re.findall(r"= (\w+)\[[^=]*? dot\(", gradients)
    assert products
    assert set(products) == {short[precision]}


def test_moving_average_follows_the_weights():
    batch = random_batch(4, 6)
    after, _, step = _train([batch], steps=1, ema_decay=0.5)
    start = [v.numpy() for v in tiny_model(tiny_hparams()).trainable_variables]
    paths = [v.path for v in step._model.trainable_variables]
    for path, old, new in zip(paths, start, after, strict=True):
        decay = 2 / 11  # (1 + t) / (10 + t) at t = 1
        np.testing.assert_allclose(
            step.slots[f"{path}/ema"].numpy(),
            decay * old + (1 - decay) * new,
            rtol=1e-5,
            atol=1e-6,
        )
    with averaged_weights(step):
        for path, parameter in zip(paths, step.parameters, strict=True):
            np.testing.assert_array_equal(
                parameter.numpy(), step.slots[f"{path}/ema"].numpy()
            )
    _assert_same(after, [p.numpy() for p in step.parameters], rtol=0)


def test_rdrop_begins_after_its_start_step():
    batch = random_batch(8, 7)
    both = {"dropout": 0.3, "rdrop_alpha": 5.0}
    plain, _, _ = _train([batch], steps=3, dropout=0.3)
    late, _, _ = _train([batch], steps=3, rdrop_start_step=3, **both)
    _assert_same(plain, late, rtol=0, atol=0)
    begun, sums, _ = _train([batch], steps=4, rdrop_start_step=3, **both)
    without, plain_sums, _ = _train([batch], steps=4, dropout=0.3)
    assert sums["loss"] > plain_sums["loss"]  # the divergences come on top
    assert sums["tokens"] == plain_sums["tokens"]
    assert any((a != b).any() for a, b in zip(begun, without, strict=True))


@pytest.mark.parametrize("recompute", few([True, False]))
def test_dropout_rises_from_none_to_its_rate(recompute):
    batch = random_batch(8, 7)
    rising = {
        "dropout": 0.3,
        "dropout_warmup_steps": 1,
        "recompute": recompute,
        "options": {"lanes": 2},
    }
    lanes = {"options": {"lanes": 2}}
    first, _, _ = _train([batch], steps=1, **rising)
    without, _, _ = _train([batch], steps=1, **lanes)
    _assert_same(first, without, rtol=1e-5, atol=1e-6)
    at_once, _, _ = _train(
        [batch], steps=1, **{**rising, "dropout_warmup_start": 0.999}
    )
    whole, _, _ = _train([batch], steps=1, dropout=0.3, **lanes)
    _assert_same(at_once, whole, rtol=1e-5, atol=1e-6)
    second, _, _ = _train([batch], steps=2, **rising)
    still, _, _ = _train([batch], steps=2, **lanes)
    assert any((a != b).any() for a, b in zip(second, still, strict=True))


@pytest.mark.parametrize(
    ("step", "share"), [(1, 0.2), (2, 0.4), (4, 0.8), (5, 1.0), (9, 1.0)]
)
def test_share_of_dropout_rises_in_a_line(step, share):
    hparams = tiny_hparams(dropout_warmup_steps=4, dropout_warmup_start=0.2)
    assert draws.share_of_dropout(hparams, step) == pytest.approx(share)


@pytest.mark.parametrize(("start", "left_out"), [(3, 0), (0, 1)])
def test_a_loss_may_jump_where_rdrop_begins_alone(start, left_out):
    hparams = tiny_hparams(
        layer_prepostprocess_dropout=0.3,
        rdrop_alpha=500.0,
        rdrop_start_step=start,
    )
    strategy = tf.distribute.get_strategy()
    step = TrainStep(tiny_model(hparams), hparams, strategy, xla=False, seed=1)
    for name, value in {"mean": 3.0, "variance": 0.0, "updates": 999}.items():
        step.slots[f"divergence/{name}"].assign(value)
    sums = step.update([random_batch(8, 7)], 4, 0.01)
    assert sums["loss"] / sums["tokens"] > 3.0 + guards.SPIKE_NATS
    assert sums["diverged"] == left_out


@pytest.mark.parametrize("lanes", few([2, 1]))
def test_rdrop_without_dropout_is_the_plain_update(lanes):
    batch = random_batch(8, 7)
    plain, sums, _ = _train([batch])
    drawn, drawn_sums, _ = _train(
        [batch], rdrop_alpha=5.0, options={"lanes": lanes}
    )
    _assert_same(plain, drawn, rtol=1e-4, atol=1e-5)
    for name in ("loss", "nll", "tokens", "correct"):
        assert drawn_sums[name] == pytest.approx(sums[name], rel=1e-4)

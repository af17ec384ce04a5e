import math

import pytest

from t2t_lite.hparams import SCHEDULE_FACTORS
from t2t_lite.models.transformer import TransformerHParams
from t2t_lite.models.transformer_sets import (
    transformer_base,
    transformer_base_paper,
    transformer_base_single_gpu,
    transformer_big,
)
from t2t_lite.trainer import schedules
from t2t_lite.trainer.schedules import learning_rate


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (1, 1.7469e-7),
        (1000, 1.7469e-4),
        (4000, 6.9877e-4),
        (20000, 3.1250e-4),
    ],
)
def test_paper(step, rate):
    hparams = transformer_base_paper()
    assert learning_rate(hparams, step, 100_000) == pytest.approx(
        rate, rel=1e-4
    )


@pytest.mark.parametrize(
    ("hidden", "warmup", "peak"),
    [(512, 8000, 4.9411e-4), (256, 4000, 9.8821e-4)],
)
def test_paper_peaks(hidden, warmup, peak):
    hparams = TransformerHParams(
        hidden_size=hidden,
        learning_rate_constant=1.0,
        learning_rate_warmup_steps=warmup,
    )
    rates = [learning_rate(hparams, s, 10**5) for s in range(1, 3 * warmup)]
    assert max(rates) == pytest.approx(peak, rel=1e-4)
    assert rates.index(max(rates)) == warmup - 1


def test_tensor2tensor_peaks():
    base, big = transformer_base(), transformer_big()
    assert learning_rate(base, 8000, 10**5) == pytest.approx(9.88e-4, rel=1e-3)
    assert learning_rate(big, 8000, 10**5) == pytest.approx(6.99e-4, rel=1e-3)
    single = transformer_base_single_gpu()
    assert learning_rate(single, 16000, 10**5) == pytest.approx(
        0.1 / math.sqrt(16000)
    )


def _factor(name, step, total=1000):
    hparams = TransformerHParams(
        learning_rate_schedule=name,
        learning_rate_constant=3.0,
        learning_rate_warmup_steps=100,
        learning_rate_decay_steps=200,
        learning_rate_decay_rate=0.5,
    )
    return learning_rate(hparams, step, total)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("constant", {1: 3, 500: 3}),
        ("linear_warmup", {1: 0.01, 50: 0.5, 100: 1, 500: 1}),
        ("linear_decay", {1: 1, 800: 1, 900: 0.5, 1000: 0}),
        ("cosdecay", {50: 0.5, 100: 0.5, 200: 0.0}),
        ("single_cycle_cos_decay", {1: 1, 100: 1, 550: 0.5, 1000: 0}),
        ("multi_cycle_cos_decay", {100: 1, 200: 0.5, 300: 1, 400: 0.5}),
        ("rsqrt_decay", {1: 0.1, 100: 0.1, 400: 0.05}),
        ("rsqrt_normalized_decay", {1: 1, 100: 1, 400: 0.5}),
        ("exp_decay", {100: 1, 300: 0.5, 500: 0.25}),
        ("rsqrt_hidden_size", {1: 512**-0.5}),
    ],
)
def test_every_factor(name, values):
    for step, value in values.items():
        assert _factor(name, step) == pytest.approx(value, abs=1e-9)


def test_factors_multiply_and_all_are_known():
    product = _factor("constant*linear_warmup", 50)
    assert product == pytest.approx(1.5)
    assert set(schedules._FACTORS) == set(SCHEDULE_FACTORS)

import pytest
import tensorflow as tf

from t2t_lite.trainer import strategies


@pytest.fixture(autouse=True)
def _on_a_cpu(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])


@pytest.mark.parametrize(
    ("unit", "speed", "value"),
    [
        ("AMX", 5.6, "bfloat16"),
        ("AVX512_BF16", 1.7, "bfloat16"),
        ("AVX512_BF16", 0.7, "float32"),
        (None, None, "float32"),
    ],
)
def test_auto_takes_bfloat16_where_it_is_faster(
    monkeypatch, unit, speed, value
):
    monkeypatch.setattr(strategies, "bfloat16_unit", lambda: unit)
    monkeypatch.setattr(strategies, "bfloat16_speed", lambda: speed)
    choice = strategies.choose_precision("auto")
    assert choice.value == value
    assert (unit or "does not multiply bfloat16") in choice.reason
    if speed:
        assert f"{speed:.1f} times as fast" in choice.reason


def test_what_is_asked_for_is_not_measured(monkeypatch):
    monkeypatch.setattr(strategies, "bfloat16_speed", None)
    for name in ("float32", "bfloat16"):
        assert strategies.choose_precision(name).value == name


def test_a_run_that_goes_on_keeps_what_it_began_with(monkeypatch):
    monkeypatch.setattr(strategies, "bfloat16_unit", lambda: "AMX")
    monkeypatch.setattr(strategies, "bfloat16_speed", lambda: 5.0)
    assert strategies.choose_precision("auto", "float32").value == "float32"
    assert strategies.choose_precision("auto", 7).value == "bfloat16"
    assert (
        strategies.choose_precision("bfloat16", "float32").value == "bfloat16"
    )


def test_speed_of_bfloat16_is_a_ratio():
    assert 0.01 < strategies.bfloat16_speed() < 100

import dataclasses
import json

import pytest

from t2t_lite import hparams as hp
from t2t_lite.errors import UserError
from t2t_lite.models.resolve import resolve
from t2t_lite.models.transformer import TransformerHParams
from t2t_lite.registry import HPARAMS


def test_override_parses_by_field_type():
    got = hp.override(
        TransformerHParams(),
        "num_heads=4, hidden_size=64,label_smoothing=0,pack=true,"
        "clip_grad_norm=none,key_head_size=8",
    )
    assert (got.num_heads, got.hidden_size) == (4, 64)
    assert got.label_smoothing == 0.0
    assert isinstance(got.label_smoothing, float)
    assert got.pack is True
    assert got.clip_grad_norm is None
    assert got.key_head_size == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num_head=4", r"unknown hparam 'num_head' .*'num_heads'"),
        ("num_heads=four", "num_heads: expected int, got 'four'"),
        ("num_heads=7", "num_heads: expected a divisor of hidden_size=512"),
        ("num_heads", "'num_heads' is not of the form name=value"),
        ("num_heads=4,num_heads=8", "'num_heads' is given twice"),
        ("optimizer=adan", "optimizer: expected one of adam.*'adam'"),
        ("learning_rate_schedule=constant*wrmup", "learning_rate_schedule"),
        ("label_smoothing=1.5", r"label_smoothing: expected a number in"),
        (
            "dropout_warmup_steps=-1",
            "dropout_warmup_steps: expected a number of",
        ),
        (
            "dropout_warmup_start=1",
            r"dropout_warmup_start: expected a number in",
        ),
        ("pack=maybe", "pack: expected bool, got 'maybe'"),
        ("clip_grad_norm=-1", "clip_grad_norm: expected a number above 0"),
        ("learning_rate_constant=inf", "constant: expected a finite number"),
        ("weight_decay=nan", "weight_decay: expected a finite number, got nan"),
        ("attention_dropout=1", "attention_dropout: expected a rate in"),
        ("target_space_id=32", "expected an int from 0 to 31, or none, got"),
        ("target_space_id=-1", "expected an int from 0 to 31, or none, got"),
        (
            "vocab_kind=subwords,subword_samples=2",
            "subword_samples: expected none with vocab_kind=subwords",
        ),
    ],
)
def test_override_refuses(text, message):
    with pytest.raises(UserError, match=message):
        hp.override(TransformerHParams(), text)


def test_json_round_trip():
    hparams = hp.override(TransformerHParams(), "clip_grad_norm=1,pack=1")
    values = json.loads(hp.to_json(hparams))
    assert hp.from_dict(TransformerHParams, values, "x.json") == hparams


def test_from_dict_names_the_file():
    with pytest.raises(UserError, match=r"x\.json: unknown hparam 'num_hads'"):
        hp.from_dict(TransformerHParams, {"num_hads": 3}, "x.json")
    with pytest.raises(UserError, match=r"x\.json: hparam num_heads"):
        hp.from_dict(TransformerHParams, {"num_heads": "3"}, "x.json")


# The table of Tensor2Tensor's sets: hidden, filter, heads, layers, residual
# dropout, tokens per device.
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("transformer_base", (512, 2048, 8, 6, 0.1, 4096)),
        ("transformer_big", (1024, 4096, 16, 6, 0.3, 2048)),
        ("transformer_base_single_gpu", (512, 2048, 8, 6, 0.1, 1024)),
        ("transformer_big_single_gpu", (1024, 4096, 16, 6, 0.1, 2048)),
        ("transformer_small", (256, 1024, 4, 2, 0.1, 4096)),
        ("transformer_tiny", (128, 512, 4, 2, 0.1, 4096)),
    ],
)
def test_tensor2tensor_sets(name, values):
    model, hparams = resolve(name)
    assert model == "transformer"
    found = (
        hparams.hidden_size,
        hparams.filter_size,
        hparams.num_heads,
        hparams.num_hidden_layers,
        hparams.layer_prepostprocess_dropout,
        hparams.batch_size,
    )
    assert found == values
    assert hparams.attention_dropout == hparams.relu_dropout == 0.1
    assert (hparams.norm, hparams.adam_beta2) == ("pre", 0.997)
    assert hparams.max_length == 256
    assert hparams.clip_grad_norm is None


def test_every_set_validates_and_has_a_model():
    for name in HPARAMS.names():
        assert dataclasses.is_dataclass(resolve(name)[1])


def test_resolve_suggests():
    with pytest.raises(UserError, match=r"'transformer_bse' .*transformer_b"):
        resolve("transformer_bse")
    with pytest.raises(UserError, match="unknown hparams set 'transformr'"):
        resolve("transformer", "transformr")


def test_resolve_takes_a_model_with_a_set():
    name, hparams = resolve("transformer", "transformer_small")
    assert (name, hparams.hidden_size) == ("transformer", 256)

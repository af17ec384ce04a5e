"""Tensor2Tensor's hyperparameters: mapped, refused by name, or named."""

import json

import pytest

from t2t_lite.errors import UserError
from t2t_lite.models.transformer_sets import transformer_base
from t2t_lite.trainer import t2t_hparams
from t2t_lite.trainer.schedules import learning_rate
from tests import t2t_files
from tests.t2t_files import HPARAMS

# What T2T's transformer_base has of what is mapped.
BASE = HPARAMS | {
    "hidden_size": 512,
    "filter_size": 2048,
    "num_heads": 8,
    "num_hidden_layers": 6,
    "num_decoder_layers": 0,
    "layer_prepostprocess_dropout": 0.1,
    "attention_dropout": 0.1,
    "relu_dropout": 0.1,
    "batch_size": 4096,
    "max_length": 256,
    "optimizer_adam_beta2": 0.997,
    "learning_rate": 0.2,
    "learning_rate_warmup_steps": 8000,
}
NAMED = {
    "learning_rate_schedule": "constant*linear_warmup*rsqrt_decay*"
    "rsqrt_hidden_size",
    "learning_rate_constant": 2.0,
}


@pytest.mark.parametrize("more", [{}, NAMED])
def test_tensor2tensors_base_is_ours(more):
    """But for the kind of vocabulary, which is theirs."""
    found = t2t_hparams.convert(BASE | more, "vocab_kind=unigram").hparams
    assert found == transformer_base()


def test_the_noam_rate():
    """5000 * 0.002 * rate * size^-0.5 * min(s w^-1.5, s^-0.5), update s."""
    made = t2t_hparams.convert(BASE).hparams
    for step in (1, 100, 8000, 20_000):
        least = min(step * 8000**-1.5, step**-0.5)
        expected = 5000 * 0.002 * 0.2 * 512**-0.5 * least
        assert learning_rate(made, step, 10**6) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"num_encoder_layers": 4}, "num_encoder_layers", 4),
        ({"num_encoder_layers": 0}, "num_encoder_layers", None),
        ({"clip_grad_norm": 2}, "clip_grad_norm", 2.0),
        ({"clip_grad_norm": 0.0}, "clip_grad_norm", None),
        ({"attention_key_channels": 256}, "key_head_size", 32),
        ({"attention_value_channels": 1024}, "value_head_size", 128),
        ({"max_length": 0}, "max_length", 4096),
        ({"multiply_embedding_mode": "none"}, "embedding_scale", "none"),
        ({"ffn_layer": "conv_hidden_relu"}, "activation", "relu"),
        ({"optimizer": "true_adam"}, "optimizer", "adam"),
        (
            {"shared_embedding_and_softmax_weights": False},
            "shared_embedding",
            "none",
        ),
        (
            {
                "layer_preprocess_sequence": "none",
                "layer_postprocess_sequence": "dan",
            },
            "norm",
            "post",
        ),
        (
            {
                "learning_rate_schedule": "linear_warmup * rsqrt_decay",
                "learning_rate_constant": 0,
            },
            "learning_rate_schedule",
            "linear_warmup*rsqrt_decay",
        ),
    ],
)
def test_what_is_mapped(changes, field, value):
    found = t2t_hparams.convert(BASE | changes)
    assert getattr(found.hparams, field) == value
    shown = "none" if value is None else value
    assert f"{field}={shown}" in [here for _, here in found.mapped]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("norm_type", "batch"),
        ("norm_epsilon", 1e-5),
        ("pos", "emb"),
        ("ffn_layer", "sru"),
        ("self_attention_type", "dot_product_relative"),
        ("proximity_bias", True),
        ("prepend_mode", "prepend_inputs_full_attention"),
        ("symbol_modality_skip_top", True),
        ("target_modality", "symbol:ctc"),
        ("bottom", {"inputs": "x"}),
        ("causal_decoder_self_attention", False),
        ("unidirectional_encoder", True),
        ("attention_variables_3d", True),
        ("hard_attention_k", 3),
        ("num_area_layers", 1),
        ("weight_dtype", "bfloat16"),
        ("layer_postprocess_sequence", "dna"),
        ("shared_embedding", True),
        ("norm_type", 3),
    ],
)
def test_features_that_are_missing_here_are_refused_by_name(name, value):
    values = BASE | {name: value}
    if name == "shared_embedding":
        values["shared_embedding_and_softmax_weights"] = False
    with pytest.raises(UserError) as error:
        t2t_hparams.convert(values)
    assert f"{name}={value!r}" in str(error.value)
    assert "missing here" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "override", "message"),
    [
        (
            {"optimizer": "Adafactor"},
            "optimizer=adafactor",
            "optimizer='Adafactor': its state is not read here",
        ),
        (
            {"learning_rate_decay_scheme": "exp10k"},
            "learning_rate_schedule=constant",
            "learning_rate_decay_scheme='exp10k' is missing here",
        ),
        (
            {"learning_rate_schedule": "constant*cosdecay"},
            "learning_rate_schedule=constant",
            "learning_rate_schedule='constant*cosdecay': cosdecay is missing",
        ),
        (
            {
                "learning_rate_schedule": "constant*exp_decay",
                "learning_rate_constant": 1,
                "learning_rate_decay_staircase": True,
            },
            "learning_rate_schedule=constant",
            "exp_decay by learning_rate_decay_staircase is missing here",
        ),
        (
            {"use_fixed_batch_size": True},
            "batch_size=4096",
            "use_fixed_batch_size=True: batch_size counts sentences",
        ),
    ],
)
def test_a_training_that_is_missing_here_has_to_be_chosen(
    changes, override, message
):
    with pytest.raises(UserError) as error:
        t2t_hparams.convert(BASE | changes)
    assert message in str(error.value)
    assert "--hparams=" in str(error.value)
    made = t2t_hparams.convert(BASE | changes, override).hparams
    name, _, value = override.partition("=")
    assert str(getattr(made, name)) == value


@pytest.mark.parametrize("name", t2t_hparams._REQUIRED)
def test_what_decides_the_model_must_be_there(name):
    values = {k: v for k, v in BASE.items() if k != name}
    with pytest.raises(UserError, match=f"hparam {name} is missing"):
        t2t_hparams.convert(values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", "512"),
        ("hidden_size", None),
        ("hidden_size", -2),
        ("num_heads", []),
        ("num_hidden_layers", 2.5),
        ("attention_key_channels", "x"),
        ("attention_key_channels", 9),
        ("learning_rate", "fast"),
        ("learning_rate", True),
        ("batch_size", {}),
        ("label_smoothing", 1.0),
        ("learning_rate_schedule", 3),
        ("optimizer", ["adam"]),
        ("layer_preprocess_sequence", []),
        ("max_length", "long"),
    ],
)
def test_values_of_a_wrong_type_are_refused_by_name(name, value):
    with pytest.raises(UserError) as error:
        t2t_hparams.convert(BASE | {name: value})
    assert len(str(error.value).splitlines()) == 1
    assert name in str(error.value) or "key_head_size" in str(error.value)


def test_everything_is_named_once():
    values = BASE | {
        "weight_decay": 0.1,
        "initializer_gain": 1.0,
        "something_new": [1],
    }
    found = t2t_hparams.convert(values)
    assert found.lost == ["weight_decay=0.1"]
    assert "initializer_gain=1.0" in found.left_out
    assert "something_new=[1]" in found.left_out
    assert "norm_epsilon=1e-06" in found.fixed
    named = [there for there, _ in found.mapped]
    named += found.fixed + found.lost + found.left_out
    names = [name.partition("=")[0] for name in named]
    assert sorted(names) == sorted(values)


def test_the_real_hparams():
    path = t2t_files.real() / "hparams.json"
    values = t2t_hparams.read(str(path))
    found = t2t_hparams.convert(values)
    sizes = ("hidden_size", "filter_size", "num_heads", "num_hidden_layers")
    assert [getattr(found.hparams, n) for n in sizes] == [16, 8, 2, 2]
    assert found.hparams.adam_beta2 == 0.98
    assert found.hparams.norm == "pre"
    assert found.lost == []
    named = len(found.mapped) + len(found.fixed) + len(found.left_out)
    assert named == len(values)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff", b"NaN"])
def test_a_damaged_file(tmp_path, content):
    path = tmp_path / "hparams.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"hparams.json is damaged \("):
        t2t_hparams.read(str(path))
    path.unlink()
    with pytest.raises(UserError, match="no such file or directory; give"):
        t2t_hparams.read(str(path))


def test_a_good_file(tmp_path):
    path = tmp_path / "hparams.json"
    path.write_text(json.dumps(BASE))
    assert t2t_hparams.read(str(path)) == BASE

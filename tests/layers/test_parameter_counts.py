"""Table 3 of Vaswani et al. 2017, to the parameter."""

import keras
import pytest

from t2t_lite.layers import (
    Decoder,
    Encoder,
    SharedEmbedding,
    TransformerConfig,
)

VOCAB_SIZE = 37_000
BASE = {
    "hidden_size": 512,
    "filter_size": 2048,
    "num_heads": 8,
    "norm": "post",
}


@pytest.fixture(autouse=True)
def forget_the_variables_without_values():
    yield
    keras.utils.clear_session()


def count(num_layers, **fields):
    """Counts the parameters without making their values."""
    config = TransformerConfig(**{**BASE, **fields})
    layers = (
        SharedEmbedding(VOCAB_SIZE, config.hidden_size),
        Encoder(config, num_layers),
        Decoder(config, num_layers),
    )
    with keras.StatelessScope(initialize_variables=False):
        for layer in layers:
            layer.build((None, None, config.hidden_size))
    return sum(layer.count_params() for layer in layers)


@pytest.mark.parametrize(
    ("expected", "num_layers", "fields"),
    [
        (63_045_632, 6, {}),
        (63_045_632, 6, {"num_heads": 1}),
        (63_045_632, 6, {"num_heads": 32}),
        (55_967_744, 6, {"key_head_size": 16}),
        (58_327_040, 6, {"key_head_size": 32}),
        (33_644_544, 2, {}),
        (48_345_088, 4, {}),
        (77_746_176, 8, {}),
        (
            26_816_512,
            6,
            {"hidden_size": 256, "key_head_size": 32, "value_head_size": 32},
        ),
        (
            163_815_424,
            6,
            {"hidden_size": 1024, "key_head_size": 128, "value_head_size": 128},
        ),
        (50_450_432, 6, {"filter_size": 1024}),
        (88_236_032, 6, {"filter_size": 4096}),
        (
            214_171_648,
            6,
            {"hidden_size": 1024, "filter_size": 4096, "num_heads": 16},
        ),
    ],
)
def test_table_3(expected, num_layers, fields):
    assert count(num_layers, **fields) == expected

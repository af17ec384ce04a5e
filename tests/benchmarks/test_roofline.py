import pytest

from t2t_lite.models.resolve import resolve
from t2t_lite.task import Task


@pytest.mark.parametrize("name", ["transformer_base", "transformer_big"])
@pytest.mark.parametrize("length", [32, 256])
def test_operations_are_the_matrix_products(name, length):
    """The kernels' operations are those that train_speed.py counts."""
    import roofline

    shape = roofline.shape_of(name, 4096, length)
    kernels = roofline.kernels_of(shape)
    total = sum(kernel.flops for kernel in kernels)
    assert total == pytest.approx(shape.matmul_flops, rel=1e-12)


@pytest.mark.parametrize("name", ["transformer_base", "transformer_big"])
def test_weights_are_the_models(name):
    """Norms and biases, which the bound leaves out, are below 1%."""
    import roofline

    from t2t_lite.models.transformer import Transformer

    _, hparams = resolve(name)
    least = Transformer.least_parameters(
        hparams, Task(vocab_size=roofline.VOCAB)
    )
    found = roofline.parameters_of(roofline.shape_of(name, 4096, 32))
    assert found == least


def test_a_kernel_takes_the_longer_of_both():
    import roofline

    card = roofline.Card("literal", 100.0, 10.0)
    assert roofline.Kernels("", 200.0, 10.0).seconds(card) == 2.0
    assert roofline.Kernels("", 200.0, 50.0).seconds(card) == 5.0


def test_bytes_of_a_literal_product():
    import roofline

    found = roofline._products("", 5, 2, 3, 4)
    assert found.flops == 4 * 3 * (2 * 5 * 2 * 3)
    assert found.moved == 4 * 3 * 2 * (5 * 2 + 2 * 3 + 5 * 3)


def test_no_step_passes_the_card():
    import roofline

    shape = roofline.shape_of("transformer_big", 8192, 64)
    bound = roofline.bound_of(shape, roofline.H100)
    seconds = bound["milliseconds"] / 1e3
    assert seconds > shape.matmul_flops / roofline.H100.flops
    moved = bound["bytes_per_target_token"] * bound["target_tokens"]
    assert seconds > moved / roofline.H100.bandwidth
    assert bound["share_of_peak"] < 1
    assert sum(bound["shares"].values()) == pytest.approx(1)
    rate = bound["target_tokens_per_second"]
    assert rate == pytest.approx(8192 / seconds)

"""Which of the two products of 8 bits is taken."""

import pytest

from t2t_lite.layers import has_quantized_products, quantized_products


@pytest.mark.skipif(
    not has_quantized_products(),
    reason="TensorFlow multiplies in 8 bits with oneDNN alone, on x86",
)
def test_the_faster_products_are_taken(monkeypatch):
    measure = quantized_products.fastest.__wrapped__  # anew each time
    monkeypatch.setattr(quantized_products, "_FASTER", 0.0)
    assert measure() == "convolution"
    monkeypatch.setattr(quantized_products, "_FASTER", 1e9)
    assert measure() == "matmul"

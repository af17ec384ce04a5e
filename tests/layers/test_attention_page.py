"""The examples of docs/attention.md, as they stand there."""

import pathlib
import re

import numpy as np

PAGE = pathlib.Path(__file__).parents[2] / "docs/attention.md"


def test_the_examples_run():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2
    names: dict = {}
    for block in blocks:
        exec(block, names)
    ids = np.array([[3, 4, 5, 0], [7, 0, 0, 0]], "int32")
    answer, weights = names["explained"].predict(ids, verbose=0)
    assert answer.shape == (2, 1)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-6)
    assert not weights[ids == 0].any()
    names["classifier"].fit(ids, np.array([0.0, 1.0]), verbose=0)
    assert names["context"].shape == (2, 1, 32)

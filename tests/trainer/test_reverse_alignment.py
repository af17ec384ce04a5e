"""A decoder that reverses its input looks at it from the end to the start."""

import numpy as np
import pytest

from t2t_lite import problems
from t2t_lite.trainer.training import Training
from tests.models_for_tests import tiny_rnn_hparams
from tests.trainer.conftest import make_setup

TEXTS = ["123456", "987650", "1357", "02468", "776655"]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    """Of a short training on reversed digits, 4 to 6 of them."""
    folder = tmp_path_factory.mktemp("reverse")
    hparams = tiny_rnn_hparams(
        hidden_size=48,
        embedding_size=24,
        maxout_size=24,
        batch_size=512,
        clip_grad_norm=1.0,
        label_smoothing=0.0,
        learning_rate_constant=0.005,
    )
    options = {"digits": 6, "train_examples": 4000, "eval_examples": 50}
    problem = problems.create("algorithmic_reverse", options, str(folder))
    setup = make_setup(
        folder, hparams, problem=problem, train_steps=300, eval_interval=300
    )
    Training(setup).run()
    yield setup.predictor
    setup.close()


def test_it_has_learned_to_reverse(predictor):
    assert predictor(TEXTS) == [text[::-1] for text in TEXTS]


def test_its_alignment_is_anti_diagonal(predictor):
    """Output digit i looks at input digit n - 1 - i more than at all others."""
    for text, found in zip(TEXTS, predictor.translate(TEXTS), strict=True):
        count = len(text)
        weights = found.attention[:count]  # the last row is the end mark's
        np.testing.assert_allclose(found.attention.sum(1), 1.0, atol=1e-5)
        looked_at = np.diagonal(weights[:, :count][:, ::-1])
        np.testing.assert_array_equal(weights.argmax(1), np.arange(count)[::-1])
        assert looked_at.min() > 0.5

"""The end of a run: who judges the weights."""

import pytest

from t2t_lite.trainer import inference
from t2t_lite.trainer.finishing import finish
from t2t_lite.trainer.judging import Judge
from t2t_lite.trainer.training import Training
from tests.selection import few
from tests.trainer.conftest import make_setup


@pytest.mark.parametrize(
    ("precision", "loads"), few([("bfloat16", 1), ("float32", 0)])
)
def test_weights_are_judged_in_float32_as_they_are_loaded(
    tmp_path, monkeypatch, precision, loads
):
    """A run in float32 needs no second model for it."""
    setup = make_setup(tmp_path, precision=precision, export=False)
    step = Training(setup).run().step
    calls, load = [], inference.load

    def counted(*arguments, **options):
        calls.append(arguments)
        return load(*arguments, **options)

    monkeypatch.setattr(inference, "load", counted)
    found = finish(setup, step)
    assert len(calls) == loads
    loaded = Judge(setup.problem, load(setup.run.path))
    for split in ("validation", "test"):
        batches = setup.batches_of(split)
        expected = loaded(setup.data.split(split), batches).scores
        assert found[split]["nll"] == pytest.approx(expected["nll"], abs=1e-5)
    setup.close()

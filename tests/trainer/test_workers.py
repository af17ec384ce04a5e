import os

import pytest
import tensorflow as tf

from t2t_lite.errors import UserError
from t2t_lite.trainer import setup as setups
from t2t_lite.trainer.interruption import Interrupted
from t2t_lite.trainer.training import Training
from t2t_lite.trainer.workers import Workers, interleaved
from tests.trainer.conftest import make_setup


class _Second(Workers):
    """Worker 1 of 2; the other one always answers the same."""

    @classmethod
    def of(cls, strategy):
        return cls(strategy, 1, 2)

    def gather(self, value):
        return [value, value]


def test_shares_come_back_in_order():
    strategy = tf.distribute.get_strategy()
    items = list(range(7))
    parts = [Workers(strategy, i, 3).mine(items) for i in range(3)]
    assert parts == [[0, 3, 6], [1, 4], [2, 5]]
    assert interleaved(parts) == items
    assert interleaved([[], []]) == []


def test_one_process_shares_with_nobody():
    workers = Workers.of(tf.distribute.get_strategy())
    assert (workers.index, workers.count, workers.chief) == (0, 1, True)
    assert workers.share(lambda: 5) == [5]


def test_an_interrupted_share_interrupts_all():
    workers = _Second.of(tf.distribute.get_strategy())

    def work():
        raise Interrupted(15)

    with pytest.raises(Interrupted, match="SIGTERM") as stop:
        workers.share(work)
    assert stop.value.signal == 15


def test_only_the_chief_writes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(setups, "Workers", _Second)
    setup = make_setup(tmp_path)
    assert Training(setup).run().step == 4
    setup.close()
    assert os.listdir(tmp_path) == ["data"]
    assert capsys.readouterr().out == ""


def test_workers_must_find_the_same_checkpoint(tmp_path, monkeypatch):
    class Elsewhere(_Second):
        def gather(self, value):
            return [4, value] if isinstance(value, int) else [value, value]

    monkeypatch.setattr(setups, "Workers", Elsewhere)
    with pytest.raises(UserError, match="checkpoints of steps 4, 0; it must"):
        Training(make_setup(tmp_path)).run()

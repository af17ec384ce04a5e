"""What a kill leaves in a run folder, and what the next start does with it."""

import json
import os

from t2t_lite.trainer import checkpoints
from t2t_lite.trainer.reporting import Reporter
from t2t_lite.trainer.run_folder import RunFolder
from t2t_lite.trainer.training import Training
from tests.trainer.conftest import make_setup


def test_leftovers_of_writing_are_removed(tmp_path):
    make_setup(tmp_path)
    run = tmp_path / "run"
    for name in (".results.json.7-a.tmp", ".curves.png.7-a.tmp"):
        (run / name).write_text("half")
    make_setup(tmp_path)
    assert not list(run.glob(".*.tmp"))


def test_a_run_killed_before_its_description_goes_on(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / ".hparams.json.7-a.tmp").write_text("{")
    make_setup(tmp_path)
    assert RunFolder(str(run)).exists()


def test_a_run_killed_before_its_vocabulary_goes_on(tmp_path):
    setup = make_setup(tmp_path)
    vocabulary = setup.run.file(setup.run.describe().vocabulary)
    os.remove(vocabulary)
    make_setup(tmp_path)
    assert os.path.exists(vocabulary)


def test_a_run_killed_before_it_removed_the_oldest_goes_on(tmp_path):
    options = {"train_steps": 2, "eval_interval": 1, "keep_last": 1}
    setup = make_setup(tmp_path, **options)
    Training(setup).run()
    root = setup.run.checkpoints
    newest = checkpoints.path(root, 2)
    checkpoints.write(checkpoints.path(root, 1), *checkpoints.read(newest))
    os.makedirs(f"{checkpoints.path(root, 0)}.old.tmp-7")
    Training(make_setup(tmp_path, **options)).run()
    assert checkpoints.listing(root) == [newest]
    assert not [name for name in os.listdir(root) if ".tmp-" in name]


def test_a_test_that_is_taken_again_is_recorded_once(tmp_path):
    reporter = Reporter(RunFolder(str(tmp_path)))
    reporter.open(0, 0)
    for kind in ("validation", "test"):
        reporter.record(2, kind, {"bleu": 1.0})
    reporter.forget(2, "test")
    reporter.record(2, "test", {"bleu": 1.0})
    reporter.close()
    text = (tmp_path / "metrics.jsonl").read_text()
    rows = [json.loads(line)["kind"] for line in text.splitlines()]
    assert rows == ["validation", "test"]


def test_a_finished_run_keeps_its_test_when_started_again(tmp_path):
    reporter = Reporter(RunFolder(str(tmp_path)))
    reporter.open(0, 0)
    for kind in ("train", "validation", "test"):
        reporter.record(2, kind, {"bleu": 1.0})
    reporter.record(3, "train", {"bleu": 1.0})
    reporter.close()
    before = (tmp_path / "metrics.jsonl").read_text().splitlines()
    again = Reporter(RunFolder(str(tmp_path)))
    again.open(2, 2)
    again.close()
    after = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert after == before[:3]

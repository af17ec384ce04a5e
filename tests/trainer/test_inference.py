import errno
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import t2t_lite
from t2t_lite.errors import UserError
from t2t_lite.trainer import exporting
from tests.serving import capi
from tests.serving.server import serve

SENTENCES = ["12345", "9", "", "  ", "7 1", "ü€"]


@pytest.fixture(scope="module")
def predictor(finished_run):
    return t2t_lite.load(str(finished_run))


@pytest.fixture(scope="module")
def expected(predictor):
    return [p.outputs[0] for p in predictor.predict_batch(SENTENCES)]


def test_empty_inputs_give_empty_outputs(predictor):
    found = predictor.predict(["", "  ", "\t"])
    assert [p.outputs[0] for p in found] == ["", "", ""]
    assert [p.scores[0] for p in found] == [0.0, 0.0, 0.0]
    assert predictor([]) == []


def test_long_inputs_are_cut_and_marked(predictor):
    found = predictor.predict(["1" * 100_000, "12"])
    assert [p.truncated for p in found] == [True, False]
    assert predictor.truncation_note == "input cut to 32 tokens"


def test_order_is_kept(predictor):
    texts = ["1", "22222", "333", "4444", ""]
    single = [predictor(text) for text in texts]
    assert predictor(texts) == single


def test_saved_model_gives_the_same_text(finished_run, predictor):
    exporting.check_export(
        str(finished_run / "export" / "1"), predictor, SENTENCES
    )


@pytest.fixture
def greedy(finished_run):
    return t2t_lite.load(
        str(finished_run), decode_hparams="beam_size=1,extra_length=4"
    )


def test_export_does_not_overwrite_and_leaves_nothing(
    finished_run, greedy, tmp_path
):
    shutil.copytree(finished_run / "export" / "1", tmp_path / "1")
    assert exporting.export(greedy, str(tmp_path)) == str(tmp_path / "2")
    with pytest.raises(UserError, match="--version=1 exists"):
        exporting.export(greedy, str(tmp_path), version=1)
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]


def test_export_removes_unfinished_versions_alone(
    predictor, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "writing-course").mkdir(parents=True)
    (tmp_path / "models" / "writing-3-77").mkdir()
    seen = []

    def full(module, folder, signatures):
        seen.append(folder)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exporting.tf.saved_model, "save", full)
    with pytest.raises(OSError, match="No space"):
        exporting.export(predictor, "models")
    assert os.listdir(tmp_path / "models") == ["writing-course"]
    assert os.path.dirname(seen[0]) == str(tmp_path / "models")


def test_the_same_export_is_kept(finished_run, predictor, tmp_path):
    first = str(tmp_path / "1")
    shutil.copytree(finished_run / "export" / "1", first)
    changed = os.stat(first).st_mtime_ns
    assert exporting.export(predictor, str(tmp_path)) == first
    assert exporting.export(predictor, str(tmp_path), version=1) == first
    assert os.listdir(tmp_path) == ["1"]
    assert os.stat(first).st_mtime_ns == changed


def test_an_export_that_answers_otherwise_is_not_left(
    predictor, tmp_path, monkeypatch
):
    class Wrong:
        def __init__(self, outputs):
            self.outputs = outputs

    monkeypatch.setattr(
        predictor, "predict_batch", lambda texts: [Wrong(["?"])] * len(texts)
    )
    with pytest.raises(RuntimeError, match="do not use it"):
        exporting.export(predictor, str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_saved_model_loads_with_tensorflow_alone(finished_run, expected):
    """A fresh process that cannot import t2t_lite or Keras layers of ours."""
    program = f"""
import sys
sys.modules["t2t_lite"] = None
import tensorflow as tf
import tensorflow_text
model = tf.saved_model.load({str(finished_run / "export" / "1")!r})
out = model.signatures["serving_default"](inputs=tf.constant({SENTENCES!r}))
sys.stdout.buffer.write(b"\\x00".join(out["outputs"].numpy()))
"""
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        cwd="/",
    )
    texts = [t.decode("utf-8", "replace") for t in found.stdout.split(b"\x00")]
    assert texts == expected


def test_saved_model_cli_runs_it(finished_run):
    program = (
        "import sys, tensorflow_text\n"
        "from tensorflow.python.tools import saved_model_cli\n"
        "saved_model_cli.main()"
    )
    found = subprocess.run(
        [
            *(sys.executable, "-c", program, "run", "--tag_set=serve"),
            f"--dir={finished_run / 'export' / '1'}",
            "--signature_def=serving_default",
            "--input_exprs=inputs=['', '']",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert "Result for output key outputs:\n[b'' b'']" in found.stdout
    assert "Result for output key scores:\n[0. 0.]" in found.stdout


def test_saved_model_runs_through_the_c_api(finished_run, expected):
    found = capi.run(str(finished_run / "export" / "1"), SENTENCES)
    texts = [
        t if isinstance(t, str) else t.decode("utf-8", "replace")
        for t in found["outputs"]
    ]
    assert texts == expected
    assert len(found["scores"]) == len(SENTENCES)


@pytest.fixture(scope="module")
def server(finished_run):
    """It loads the export by TensorFlow's session loader."""
    folder = str(finished_run / "export" / "1")
    with serve(folder, name="reverse") as running:
        yield running


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_query_asks_the_served_model(server, expected, protocol):
    texts = [s for s in SENTENCES if s.strip()]
    wanted = [e for e, s in zip(expected, SENTENCES, strict=True) if s.strip()]
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "t2t_lite.trainer.cli.query",
            f"--server={getattr(server, protocol)}",
            f"--protocol={protocol}",
            "--model_name=reverse",
            *(f"--text={text}" for text in texts),
        ],
        capture_output=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr.decode()
    lines = found.stdout.decode("utf-8", "replace").split("\n")[:-1]
    assert len(lines) == len(texts)
    if all(text.isprintable() for text in wanted):
        assert lines == wanted


def test_checkpoints_of_another_model_are_refused(finished_run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(finished_run, copy)
    text = (copy / "hparams.json").read_text()
    (copy / "hparams.json").write_text(
        text.replace('"filter_size": 32', '"filter_size": 64')
    )
    with pytest.raises(UserError, match="belongs to another model"):
        t2t_lite.load(str(copy))


def test_damaged_weights_fall_back_to_a_whole_checkpoint(
    finished_run, tmp_path
):
    copy = tmp_path / "run"
    shutil.copytree(finished_run, copy)
    final = copy / "checkpoints" / "final"
    os.truncate(final / "tensors.data-00000-of-00001", 10)
    lines = []
    predictor = t2t_lite.load(str(copy), log=lines.append)
    assert "final is damaged" in lines[0]
    assert np.isfinite(predictor.predict(["12"])[0].scores[0])
    with pytest.warns(UserWarning, match="final is damaged"):
        t2t_lite.load(str(copy))
    with pytest.raises(UserError, match="final is damaged"):
        t2t_lite.load(str(copy), checkpoint_path=str(final))


def test_no_run_is_named(tmp_path):
    with pytest.raises(UserError, match="no run is here"):
        t2t_lite.load(str(tmp_path))

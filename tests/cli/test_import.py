"""t2t_lite_import: a run folder that decodes, trains on and is exported."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import t2t_lite
from t2t_lite.trainer import checkpoints, exporting
from t2t_lite.trainer.cli import decode, export, import_run, train
from tests import t2t_files
from tests.serving.session_model import SessionModel
from tests.t2t_files import HPARAMS, STEP
from tests.t2t_text import NASTY

PAIRS = ["the small dog.", "the dog sleeps.", "a cat.", "the cat sleeps."] * 5


def _one_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


@pytest.fixture
def source(tmp_path):
    """The folder of a small checkpoint, hparams and vocabulary."""
    t2t_files.write(tmp_path / "t2t", t2t_files.tensors(HPARAMS))
    return tmp_path / "t2t"


def _flags(source, output):
    return [
        "--from=t2t",
        f"--checkpoint_path={source}",
        f"--vocabulary={source / 'v.subwords'}",
        f"--output_dir={output}",
    ]


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A run folder made by the command itself, and what it printed."""
    folder = tmp_path_factory.mktemp("import")
    t2t_files.write(folder / "t2t", t2t_files.tensors(HPARAMS))
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "t2t_lite.trainer.cli.import_run",
            *_flags(folder / "t2t", folder / "run"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return folder / "run", finished.stdout


def test_what_is_printed(imported):
    run, printed = imported
    assert (run / "import.log").read_text() in printed
    for line in (
        "target space  8, the only row of its table that was trained",
        f"optimizer     Adam's moments of update {STEP}",
        "body/target_space_embedding/kernel",
        "(q, k, v)/kernel",
        "shared/(weights_0, weights_1, weights_2)",
        "losses_avg/problem_0/total_loss  running means for summaries",
        "left out: initializer='uniform_unit_scaling'",
        "t2t_lite_trainer --output_dir=",
    ):
        assert line in printed


def test_it_is_a_run_folder(imported):
    run, _ = imported
    names = ["checkpoints", "hparams.json", "import.log", "vocab.subwords"]
    assert sorted(os.listdir(run)) == names
    assert os.listdir(run / "checkpoints") == ["step-00000007"]
    described = json.loads((run / "hparams.json").read_text())
    assert described["problem"] == "translate_files"
    assert described["data_hash"] == ""
    assert described["hparams"]["target_space_id"] == 8
    assert described["hparams"]["vocab_kind"] == "subwords"


def test_it_decodes(imported, run_command, tmp_path):
    run, _ = imported
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("the dog\n\nthe cat sleeps\n")
    status, _, error = run_command(
        decode,
        "decode",
        f"--output_dir={run}",
        f"--decode_from_file={source}",
        f"--decode_to_file={target}",
        "--decode_hparams=beam_size=2,extra_length=3",
    )
    assert status == 0, error
    assert target.read_text().count("\n") == 3


@pytest.fixture(scope="module")
def exported(imported, tmp_path_factory):
    """A version of the imported run, and the run's predictor."""
    predictor = t2t_lite.load(
        str(imported[0]), decode_hparams="beam_size=2,extra_length=3"
    )
    root = tmp_path_factory.mktemp("export")
    return exporting.export(predictor, str(root)), predictor


def test_its_export_has_the_tokenizer_inside(exported):
    """The same ids as Python gives, and the same texts."""
    folder, predictor = exported
    model = SessionModel(folder)
    texts = np.array([text.encode() for text in NASTY], object)
    found = model.predict({"inputs": texts}, "translate")
    shown = [[token for token in row if token] for row in found["input_tokens"]]
    encoder = predictor.encoder
    longest = predictor.max_input_length - 1
    assert shown == [
        [encoder.piece(i).encode() for i in ids[:longest]] + [b"<EOS>"]
        for ids in encoder.encode_batch(NASTY)
    ]
    answers = model.predict({"inputs": texts})["outputs"]
    expected = [p.outputs[0] for p in predictor.predict_batch(NASTY)]
    assert [text.decode() for text in answers] == expected
    model.close()


def test_its_export_needs_no_operations_of_others(exported):
    """It is loaded where TensorFlow Text was never imported."""
    program = (
        "import sys, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "answer = model.signatures['serving_default']("
        "inputs=tf.constant(['the dog']))\n"
        "assert 'tensorflow_text' not in sys.modules\n"
        "print(answer['outputs'].shape)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, exported[0]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.stdout == "(1,)\n", finished.stderr[-500:]


def test_the_exporter_takes_it(imported, run_command, tmp_path):
    """And the formats that have no such vocabulary are named."""
    status, _, error = run_command(
        export,
        "export",
        f"--output_dir={imported[0]}",
        "--format=ctranslate2",
        f"--export_dir={tmp_path / 'c'}",
    )
    assert status == 2
    assert "needs a SentencePiece vocabulary" in error
    assert os.listdir(tmp_path) == []
    status, _, error = run_command(
        export,
        "export",
        f"--output_dir={imported[0]}",
        "--format=keras",
        f"--export_dir={tmp_path / 'k'}",
    )
    assert status == 0, error
    names = {"model.keras", "vocab.subwords", "MODEL_CARD.md"}
    assert set(os.listdir(tmp_path / "k")) == names
    assert "data hash" not in (tmp_path / "k/MODEL_CARD.md").read_text()


@pytest.fixture
def pairs(tmp_path):
    """Flags of a few training pairs."""
    for name in ("a.en", "a.de"):
        (tmp_path / name).write_text("".join(f"{x}\n" for x in PAIRS))
    return [
        f"--train_source={tmp_path / 'a.en'}",
        f"--train_target={tmp_path / 'a.de'}",
        f"--data_dir={tmp_path / 'data'}",
        "--eval_interval=2",
        "--decode_hparams=beam_size=1,extra_length=2",
        "--noexport",
    ]


def test_training_goes_on_in_it(source, run_command, tmp_path, pairs):
    run = tmp_path / "run"
    status, _, error = run_command(
        import_run, "import_run", *_flags(source, run)
    )
    assert status == 0, error
    vocabulary = (run / "vocab.subwords").read_bytes()
    before = checkpoints.read(str(run / "checkpoints/step-00000007"))[0]
    on = [f"--output_dir={run}", "--mixed_precision=float32", *pairs]
    status, printed, error = run_command(
        train, "train", *on, f"--train_steps={STEP + 1}"
    )
    assert status == 0, error
    assert f"step-00000007: step {STEP}" in printed
    assert "training the vocabulary" not in printed
    assert (run / "vocab.subwords").read_bytes() == vocabulary
    described = json.loads((run / "hparams.json").read_text())
    assert described["settings"]["given_vocabulary"] is True
    assert len(described["data_hash"]) == 64
    after = checkpoints.read(str(run / "checkpoints/step-00000008"))[0]
    _check_adam(before, after)
    status, printed, error = run_command(
        train, "train", *on, f"--train_steps={STEP + 2}"
    )
    assert status == 0, error
    assert "step-00000008: step 8" in printed
    (tmp_path / "a.en").write_text("".join(f"{x}!\n" for x in PAIRS))
    other = [f"--data_dir={tmp_path / 'other'}"]
    status, _, error = run_command(
        train, "train", *on, *other, f"--train_steps={STEP + 5}"
    )
    assert status == 2
    assert "holds a run with data_hash" in error


def _check_adam(before, after):
    """Checks that an update is T2T's: its moments, its step and its rate.

    m' = b1 m + (1 - b1) g, so that g follows from both; and with it
    v' = b2 v + (1 - b2) g^2 and the weight's change, in TensorFlow's form.
    """
    path = "transformer/decoder/layer_0/memory_attention/query_kernel"
    names = (f"optimizer/{path}/m", f"optimizer/{path}/v", f"model/{path}")
    (m0, v0, p0), (m1, v1, p1) = (
        [arrays[name].astype("float64") for name in names]
        for arrays in (before, after)
    )
    gradient = (m1 - 0.9 * m0) / 0.1
    assert np.abs(gradient).max() > 1e-4
    np.testing.assert_allclose(
        v1, 0.98 * v0 + 0.02 * gradient**2, rtol=1e-3, atol=1e-6
    )
    step = STEP + 1
    rate = 10 * 0.1 * 8**-0.5 * min(step * 100**-1.5, step**-0.5)
    scale = (1 - 0.98**step) ** 0.5 / (1 - 0.9**step)
    change = rate * scale * m1 / (np.sqrt(v1) + 1e-9)
    np.testing.assert_allclose(p0 - p1, change, rtol=1e-3, atol=1e-6)


def test_training_begins_anew_without_the_optimizer(
    run_command, tmp_path, pairs
):
    arrays = t2t_files.tensors(HPARAMS, adam=False, space=False)
    t2t_files.write(tmp_path / "t2t", arrays)
    run = tmp_path / "run"
    status, printed, error = run_command(
        import_run, "import_run", *_flags(tmp_path / "t2t", run)
    )
    assert status == 0, error
    assert "without its state (the checkpoint has none)" in printed
    status, printed, error = run_command(
        train,
        "train",
        f"--output_dir={run}",
        *pairs,
        "--train_steps=1",
        "--log_interval=1",
    )
    assert status == 0, error
    assert "step 1/1" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--from is missing"),
        (["--from=fairseq"], "--from=fairseq: expected one of t2t"),
        (["--from=t2t"], "--checkpoint_path is missing"),
        (["--from=t2t", "--checkpoint_path=x"], "--output_dir is missing"),
        (
            ["--from=t2t", "--checkpoint_path=x", "--output_dir=run"],
            "no such checkpoint",
        ),
        (
            ["--from=t2t", "--checkpoint_path=.", "--output_dir=run"],
            "no readable 'checkpoint' that names the newest one",
        ),
        (["--target_space_id=32"], "--target_space_id=32"),
    ],
)
def test_mistakes_are_one_line(
    run_command, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    status, _, error = run_command(import_run, "import_run", *arguments)
    assert status == 2
    assert message in _one_line(error)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.ckpt-7.index", b"garbage", "is damaged, or no checkpoint"),
        ("model.ckpt-7.data-00000-of-00001", b"", "is damaged, or no"),
        ("v.subwords", b"'<pad>'\n'<EOS>'\n'a", "its last line has no end"),
        ("v.subwords", b"\0\0", "its last line has no end"),
        ("v.subwords", b"'<pad>'\n'<EOS>'\n\xff\n", "is no UTF-8"),
        ("hparams.json", b"{", "hparams.json is damaged (it is no JSON)"),
        ("hparams.json", b"{}", "hparam hidden_size is missing"),
        ("checkpoint", b'model_checkpoint_path: ".."\n', "names no checkpoint"),
        ("checkpoint", b"\xff", "no readable 'checkpoint'"),
        (
            "checkpoint",
            b'model_checkpoint_path: "/etc/passwd"\n',
            "no such checkpoint",
        ),
    ],
)
def test_damaged_files_leave_no_run(
    source, run_command, tmp_path, name, content, message
):
    (source / name).write_bytes(content)
    run = tmp_path / "run"
    status, _, error = run_command(
        import_run, "import_run", *_flags(source, run)
    )
    assert status == 2
    assert message in _one_line(error)
    assert os.listdir(tmp_path) == ["t2t"]


def test_a_vocabulary_of_another_size(source, run_command, tmp_path):
    path = source / "v.subwords"
    path.write_text(path.read_text() + "'dog'\n")
    status, printed, error = run_command(
        import_run, "import_run", *_flags(source, tmp_path / "run")
    )
    assert (status, printed) == (2, "")
    line = _one_line(error)
    size = len(t2t_files.ENTRIES)
    assert f"has {size + 1} entries, but the embeddings have {size}" in line
    assert f"v.subwords ({size + 1} entries) does not fit" in line
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_not_empty_stays_as_it_is(
    source, run_command, tmp_path
):
    run = tmp_path / "run"
    run.mkdir()
    (run / "mine.txt").write_text("x")
    status, _, error = run_command(
        import_run, "import_run", *_flags(source, run)
    )
    assert status == 2
    assert "something is there already" in _one_line(error)
    assert os.listdir(run) == ["mine.txt"]


def test_a_failure_in_the_middle_leaves_nothing(
    source, run_command, tmp_path, monkeypatch
):
    def full(*arguments):
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr(checkpoints, "write", full)
    status, _, error = run_command(
        import_run, "import_run", *_flags(source, tmp_path / "run")
    )
    assert status == 1
    assert "no space left on device" in error
    assert os.listdir(tmp_path) == ["t2t"]


def test_an_empty_folder_is_taken(source, run_command, tmp_path):
    (tmp_path / "run").mkdir()
    status, _, error = run_command(
        import_run, "import_run", *_flags(source, tmp_path / "run")
    )
    assert status == 0, error
    assert (tmp_path / "run/hparams.json").is_file()

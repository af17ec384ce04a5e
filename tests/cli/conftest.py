"""Runs a command in this process, as a shell would; and a small run."""

import io
import pathlib
import signal
import subprocess
import sys

import pytest
from absl import flags

from t2t_lite.trainer.cli import clients, command, query

EXAMPLE = pathlib.Path(__file__).parents[2] / "docs/examples/usr_dir"


@pytest.fixture
def run_command(monkeypatch, capsys):
    """Calls a command module; returns (exit status, stdout, stderr)."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(module, function, *arguments):
        values = flags.FlagValues()
        module._define(values)
        monkeypatch.setattr(sys, "argv", [module.__name__, *arguments])
        with pytest.raises(SystemExit) as stop:
            command.run(
                getattr(module, function),
                values,
                module.DESCRIPTION,
                module.EXAMPLES,
                arguments=getattr(module, "ARGUMENTS", ()),
            )
        printed = capsys.readouterr()
        return stop.value.code, printed.out, printed.err

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def ask(monkeypatch, capsys):
    """Runs t2t_lite_query in this process: (status, stdout, stderr)."""
    monkeypatch.setattr(clients, "_FIRST_WAIT", 0.01)

    def call(*arguments, stdin=b""):
        query.FLAGS.unparse_flags()
        for name in query.FLAGS:
            query.FLAGS[name].unparse()
        monkeypatch.setattr(sys, "argv", ["t2t_lite_query", *arguments])
        source = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", source)
        with pytest.raises(SystemExit) as stop:
            query.main()
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return call


@pytest.fixture(scope="session")
def user_run(tmp_path_factory):
    """A run of the documented example, through the command line."""
    folder = tmp_path_factory.mktemp("user")
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "t2t_lite.trainer.cli.train",
            f"--t2t_usr_dir={EXAMPLE}",
            "--problem=translate_upper_rev",
            "--model=transformer_nano",
            "--hparams=max_shapes=2",
            "--train_steps=4",
            "--eval_interval=2",
            "--eval_decode_examples=3",
            "--decode_hparams=beam_size=2,extra_length=3",
            f"--output_dir={folder / 'run'}",
            f"--data_dir={folder / 'data'}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "SavedModel: " in finished.stdout
    return folder / "run"


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Paths of two images of 28 x 28 and of two clips at 8,000 a second."""
    import numpy as np
    import tensorflow as tf

    from tests.trainer.test_sources import write_wav

    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    paths = {"image": [], "speech": []}
    for i in range(2):
        image = rng.integers(0, 256, (28, 28, 1), np.uint8)
        path = folder / f"{i}.png"
        path.write_bytes(tf.io.encode_png(image).numpy())
        paths["image"].append(str(path))
        path = folder / f"{i}.wav"
        write_wav(path, rng.integers(-9_000, 9_000, 700 + i), rate=8_000)
        paths["speech"].append(str(path))
    return paths

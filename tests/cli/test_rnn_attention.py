"""The recurrent model through the commands a user types."""

import pytest

from t2t_lite.trainer.cli import decode, train
from tests.selection import few

PROBLEM = ["--problem=algorithmic_reverse", "--train_examples=200"]
SMALL = "hidden_size=12,embedding_size=8,maxout_size=6,batch_size=256"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hparams=pack=true"], "hparam pack: expected false, for a state"),
        (["--hparams=score=dot"], "hparam score: expected general, concat or"),
        (
            ["--hparams=alignment=local-m"],
            "hparam window: expected an int above 0 with alignment=local-m",
        ),
        (["--recompute"], "--recompute with rnn_attention: unknown hparam"),
        (
            ["--hparams_set=transformer_tiny"],
            "is not for model 'rnn_att",
        ),
    ],
)
def test_mistakes_are_one_line(
    run_command, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    model = "--model=rnn_attention"
    status, _, error = run_command(train, "train", *PROBLEM, model, *arguments)
    assert status == 2
    (line,) = [line for line in error.splitlines() if line.strip()]
    assert message in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hparams", few(["", ",use_attention=false"]))
def test_it_trains_and_decodes(run_command, tmp_path, hparams):
    run = tmp_path / "run"
    status, output, error = run_command(
        train,
        "train",
        *PROBLEM,
        "--model=rnn_attention_tiny",
        f"--hparams={SMALL}{hparams}",
        "--eval_examples=10",
        "--train_steps=4",
        "--eval_interval=2",
        "--eval_decode_examples=4",
        "--decode_hparams=beam_size=2,extra_length=3",
        f"--output_dir={run}",
        f"--data_dir={tmp_path / 'data'}",
    )
    assert status == 0, error
    assert "SavedModel: " in output
    assert "test exact_match" in output
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("31415\n\n12\n")
    status, _, error = run_command(
        decode,
        "decode",
        f"--output_dir={run}",
        f"--decode_from_file={source}",
        f"--decode_to_file={target}",
    )
    assert status == 0, error
    lines = target.read_bytes().split(b"\n")
    assert len(lines) == 4
    assert lines[1] == b""

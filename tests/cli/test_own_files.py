"""The user's own labelled, tagged and plain texts, from file to decoder."""

import json

import pytest

from t2t_lite.trainer.cli import decode, train

COMMON = (
    "--hparams=vocab_kind=byte,max_shapes=1,batch_size=512",
    "--train_steps=1",
    "--average_last=0",
    "--noexport",
    "--decode_hparams=beam_size=1,extra_length=3",
    "--output_dir=run",
)
LABELLED = [f"{'even' if i % 2 == 0 else 'odd'}\tnumber {i}" for i in range(30)]
TAGGED = [
    line for i in range(30) for line in (f"Bob{i}\tB-PER", "sleeps\tO", "")
]
TEXTS = [f"line {i}" for i in range(30)]


@pytest.fixture
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("problem", "suffix", "lines", "model", "measures", "outputs"),
    [
        (
            "classify_files",
            "tsv",
            LABELLED,
            "transformer_encoder_tiny",
            {"accuracy"},
            {"even", "odd"},
        ),
        (
            "tag_files",
            "tags",
            TAGGED,
            "transformer_encoder_tiny",
            {"accuracy", "precision", "recall", "f1"},
            {f"{a} {b}" for a in ("B-PER", "O") for b in ("B-PER", "O")},
        ),
        pytest.param(
            "languagemodel_files",
            "text",
            TEXTS,
            "transformer_lm_tiny",
            {"nll", "nats_per_character", "word_perplexity"},
            None,
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_they_are_learned_tested_and_decoded(
    run_command, inside, problem, suffix, lines, model, measures, outputs
):
    (inside / "a").write_text("".join(f"{line}\n" for line in lines))
    status, output, error = run_command(
        train,
        "train",
        f"--problem={problem}",
        f"--train_{suffix}=a",
        f"--test_{suffix}=a",
        f"--model={model}",
        *COMMON,
    )
    assert status == 0, error
    assert "1 in 20 (at most 2,000), chosen by a checksum, are held" in output
    results = json.loads((inside / "run/results.json").read_text())
    for split in ("validation", "test"):
        assert measures <= set(results[split])
    (inside / "in.txt").write_text("two words\n")
    status, _, error = run_command(
        decode,
        "decode",
        "--output_dir=run",
        "--decode_from_file=in.txt",
        "--decode_to_file=out.txt",
    )
    assert status == 0, error
    (line,) = (inside / "out.txt").read_text().splitlines()
    assert outputs is None or line in outputs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--problem=classify_files"], "classify_files needs --train_tsv=<"),
        (
            ["--problem=tag_files", "--train_tags=no"],
            "/no: no such file; give a text file",
        ),
        (
            ["--problem=tag_files", "--train_tags=a"],
            "a, line 2: expected a word and, in the last column, its tag",
        ),
        (
            ["--problem=classify_files", "--train_tsv=a"],
            "a, line 1: expected label<TAB>text, got 'the O'",
        ),
    ],
)
def test_mistakes_are_one_line(run_command, inside, arguments, message):
    (inside / "a").write_text("the O\nword\n")
    status, _, error = run_command(
        train, "train", "--model=transformer_encoder_tiny", *arguments
    )
    assert status == 2
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (inside / "t2t_runs").exists()


def test_pairs_of_other_models_are_learned_too(run_command, inside):
    """A run's outputs are further pairs, and stay so when it goes on."""
    for name, words in (("a", "one two three"), ("b", "eins zwei drei")):
        (inside / name).write_text("".join(f"{w}\n" for w in words.split()))
    arguments = [
        "--problem=translate_files",
        *("--train_source=a", "--train_target=b"),
        *("--eval_source=a", "--eval_target=b"),
        "--model=transformer_tiny",
        *COMMON,
    ]
    status, output, error = run_command(train, "train", *arguments)
    assert status == 0, error
    assert " 3 training and 3 validation examples" in output
    status, _, error = run_command(
        decode,
        "decode",
        "--output_dir=run",
        "--decode_from_file=a",
        "--decode_to_file=made",
    )
    assert status == 0, error
    more = ["--more_source=a", "--more_target=made"]
    arguments = [a.replace("=run", "=student") for a in arguments]
    status, output, error = run_command(
        train, "train", *arguments, *more, "--vocab_file=run"
    )
    assert status == 0, error
    assert " 6 training and 3 validation examples" in output
    status, output, error = run_command(
        train, "train", "--output_dir=student", "--train_steps=2", *COMMON[2:4]
    )
    assert status == 0, error
    assert " 6 training and 3 validation examples" in output
    (inside / "made").unlink()
    status, _, error = run_command(
        train, "train", "--output_dir=student", "--train_steps=3"
    )
    assert status == 2
    assert "made: no such file; give a text file" in error

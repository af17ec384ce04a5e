"""A classifier that starts from a masked language model, by its commands."""

import json

import pytest

from t2t_lite.trainer.cli import datagen, decode, train
from tests.conformance.table import sentences

FLAGS = (
    "--train_steps=2",
    "--eval_interval=2",
    "--show_samples=1",
    "--noexport",
    "--mixed_precision=float32",
    "--xla=off",
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder with texts, and with labelled ones."""
    folder = tmp_path_factory.mktemp("source")
    lines = sentences(60)
    (folder / "texts.txt").write_text("\n".join(lines))
    labelled = [f"{'ab'[i % 2]}\t{line}" for i, line in enumerate(lines)]
    (folder / "labels.tsv").write_text("\n".join(labelled))
    return folder


def train_on(run_command, folder, problem, *flags):
    return run_command(
        train,
        "train",
        f"--problem={problem}",
        "--model=transformer_encoder_tiny",
        f"--data_dir={folder / 'data'}",
        *flags,
        *FLAGS,
    )


def pretrain_and_tune(run_command, source, folder):
    """Trains both; returns (their folders, the second's flags and output)."""
    pretrained, tuned = folder / "pretrained", folder / "tuned"
    status, _, error = train_on(
        run_command,
        folder,
        "languagemodel_files",
        f"--train_text={source / 'texts.txt'}",
        f"--output_dir={pretrained}",
        "--hparams=vocab_size=300",
    )
    assert status == 0, error
    flags = (
        f"--train_tsv={source / 'labels.tsv'}",
        f"--output_dir={tuned}",
        f"--vocab_file={pretrained}",
        f"--warm_start_from={pretrained}",
    )
    status, output, error = train_on(
        run_command, folder, "classify_files", *flags
    )
    assert status == 0, error
    return (pretrained, tuned), flags, output


def test_pretrain_and_fine_tune(run_command, source, tmp_path):
    folders, flags, output = pretrain_and_tune(run_command, source, tmp_path)
    words = [line.split()[:2] for line in output.splitlines()]
    assert ["transformer_encoder/embedding", "1"] in words
    assert ["labels/embeddings", "new:"] in words
    first, second = (
        json.loads((folder / "hparams.json").read_text()) for folder in folders
    )
    settings = first["settings"], second["settings"]
    assert len({each["vocabulary_sha256"] for each in settings}) == 1
    assert second["hparams"]["vocab_size"] == 300
    assert second["hparams"]["vocab_kind"] == "bpe"
    assert settings[1]["warm_start_from"].startswith(str(folders[0]))
    # The same command again goes on, and datagen finds the data there.
    status, output, error = train_on(
        run_command, tmp_path, "classify_files", *flags
    )
    assert status == 0, error
    assert f"--warm_start_from={folders[0]}: not looked at" in output
    status, output, error = run_command(
        datagen,
        "datagen",
        "--problem=classify_files",
        f"--data_dir={tmp_path / 'data'}",
        flags[0],
        f"--vocab_file={folders[0] / 'vocab.model'}",
    )
    assert status == 0, error
    assert "300 pieces" in output
    assert len(list((tmp_path / "data").iterdir())) == 2
    (tmp_path / "in.txt").write_text("one small dog\n")
    status, _, error = run_command(
        decode,
        "decode",
        f"--output_dir={folders[1]}",
        f"--decode_from_file={tmp_path / 'in.txt'}",
        f"--decode_to_file={tmp_path / 'out.txt'}",
    )
    assert status == 0, error
    assert (tmp_path / "out.txt").read_text() in ("a\n", "b\n")


def test_without_the_vocabulary_the_embeddings_are_left_out(
    run_command, source, task_run, tmp_path
):
    status, output, error = train_on(
        run_command,
        tmp_path,
        "classify_files",
        f"--train_tsv={source / 'labels.tsv'}",
        f"--output_dir={tmp_path / 'run'}",
        f"--warm_start_from={task_run('blanks')}",
        "--hparams=vocab_size=300",
    )
    assert status == 0, error
    (line,) = [x for x in output.splitlines() if "/embedding/" in x]
    assert "new: its vocabulary is another (--vocab_file takes a" in line


@pytest.mark.parametrize(
    ("problem", "flags", "said"),
    [
        (
            "classify_files",
            ["--vocab_file={task}", "--hparams=vocab_size=500"],
            "--hparams: vocab_size=500, but --vocab_file={task} has "
            "vocab_size=259; leave one out",
        ),
        (
            "classify_files",
            ["--vocab_file={source}"],
            "{source} holds neither vocab.model nor vocab.bytes.json",
        ),
        (
            "classify_files",
            ["--warm_start_from={source}"],
            "--warm_start_from={source}: neither a run's folder nor a check",
        ),
        (
            "image_mnist",
            ["--vocab_file={task}", "--model=vit_test"],
            "--vocab_file: problem image_mnist has no text; leave it out",
        ),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    run_command, source, task_run, tmp_path, problem, flags, said
):
    places = {"task": task_run("blanks"), "source": source}
    flags = [flag.format(**places) for flag in flags]
    if problem == "classify_files":
        flags.append(f"--train_tsv={source / 'labels.tsv'}")
    status, _, error = train_on(
        run_command,
        tmp_path,
        problem,
        f"--output_dir={tmp_path / 'run'}",
        *flags,
    )
    assert status == 2
    assert said.format(**places) in error.splitlines()[-1]
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []

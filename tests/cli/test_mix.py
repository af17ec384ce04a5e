"""A mix through the command line: trained, tested, exported and decoded."""

import json

import pytest

from t2t_lite.trainer.cli import decode, train

SMALL = (
    "--hparams=hidden_size=16,filter_size=32,num_heads=2,num_hidden_layers=1,"
    "batch_size=512,max_shapes=2,vocab_size=400"
)


@pytest.fixture
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("neg", "pos"):
        lines = "".join(f"a {name} film {i} .\n" for i in range(40))
        (tmp_path / f"rt-polarity.{name}").write_text(lines)
    return tmp_path


def test_translation_and_labels_learn_together(run_command, inside):
    status, output, error = run_command(
        train,
        "train",
        "--problem=mix",
        "--mix=translate_ende_phrasebook:2,sentiment_polarity:1",
        "--mix_examples=300",
        f"--source_dir={inside}",
        "--model=transformer_tiny",
        SMALL,
        "--train_steps=2",
        "--eval_interval=2",
        "--eval_decode_examples=9",
        "--decode_hparams=beam_size=1,extra_length=2",
        "--average_last=0",
        "--early_stopping_metric=sentiment_polarity.accuracy",
        "--output_dir=run",
    )
    assert status == 0, error
    assert "200 examples of translate_ende_phrasebook" in output
    assert "100 examples of sentiment_polarity" in output
    assert "validation mean" in output
    results = json.loads((inside / "run/results.json").read_text())
    for split in ("validation", "test"):
        scores = results[split]
        main = ("translate_ende_phrasebook.bleu", "sentiment_polarity.accuracy")
        assert scores["mean"] == pytest.approx(sum(scores[m] for m in main) / 2)
        assert not any(name.endswith("_ci") for name in scores)
    assert (inside / "run/export/1/saved_model.pb").exists()
    sources = (inside / "run/test.sources.txt").read_text().splitlines()
    assert len(sources) == 1000 + 8
    (inside / "in.txt").write_text("sentiment_polarity: a good film .\n")
    status, _, error = run_command(
        decode,
        "decode",
        "--output_dir=run",
        "--decode_from_file=in.txt",
        "--decode_to_file=out.txt",
    )
    assert status == 0, error
    assert len((inside / "out.txt").read_text().splitlines()) == 1


def test_a_language_model_is_judged_by_its_loss(run_command, inside):
    (inside / "text").write_text("".join(f"line {i}\n" for i in range(40)))
    status, output, error = run_command(
        train,
        "train",
        "--problem=mix",
        "--mix=algorithmic_addition:1,languagemodel_files:1",
        "--train_text=text",
        "--train_examples=40",
        "--eval_examples=5",
        "--model=transformer_tiny",
        f"{SMALL},vocab_kind=byte",
        "--train_steps=1",
        "--early_stopping_metric=languagemodel_files.nll",
        "--decode_hparams=beam_size=1,extra_length=2",
        "--average_last=0",
        "--noexport",
        "--output_dir=run",
    )
    assert status == 0, error
    assert "languagemodel_files.nll" in output
    scores = json.loads((inside / "run/results.json").read_text())["validation"]
    assert scores["languagemodel_files.nats_per_character"] > 0
    assert 0 < scores["mean"] < 100
    sources = (inside / "run/validation.sources.txt").read_text()
    assert "languagemodel_files" not in sources


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mix=image_mnist:1"], "image_mnist is image to label; problems of"),
        (["--mix=speech_digits:1"], "speech_digits is audio to text"),
        (["--mix=sentiment_polarty"], "did you mean 'sentiment_polarity'"),
        ([], "mix needs --mix=<problem>:<weight>"),
        (["--mix=algorithmic_sort", "--source_dir=x"], "--source_dir: none of"),
    ],
)
def test_mistakes_are_one_line(run_command, inside, arguments, message):
    status, _, error = run_command(
        train, "train", "--problem=mix", "--model=transformer_tiny", *arguments
    )
    assert status == 2
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (inside / "t2t_runs").exists()


def test_a_mix_is_no_task_of_another_model(run_command, inside):
    status, _, error = run_command(
        train,
        "train",
        "--problem=mix",
        "--mix=algorithmic_sort",
        "--model=transformer_encoder_tiny",
    )
    assert status == 2
    assert "problem mix is text to text" in error

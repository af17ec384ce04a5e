import pathlib

import pytest

from t2t_lite.trainer.cli import (
    average,
    datagen,
    export,
    train,
)

EXAMPLE = pathlib.Path(__file__).parents[2] / "docs/examples/usr_dir"
SMALL = (
    "--hparams=hidden_size=16,filter_size=32,num_heads=2,num_hidden_layers=1,"
    "batch_size=256,max_shapes=2,vocab_size=300"
)


@pytest.fixture
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _one_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


PHRASEBOOK = "--problem=translate_ende_phrasebook"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--problem is missing"),
        ([PHRASEBOOK], "--model is missing"),
        (["--problem=translate_end"], "did you mean 'translate_ende'"),
        ([PHRASEBOOK, "--model=transformer_tny"], "'transformer_tiny'"),
        (["--train_step=3"], "did you mean --train_steps?"),
        (["--train_steps=many"], "--train_steps"),
        (["--seed=-1"], "--seed=-1: -1 is not an integer in the range"),
        (
            [PHRASEBOOK, "--model=transformer_tiny", "--hparams=num_head=2"],
            "unknown hparam 'num_head' (did you mean 'num_heads'",
        ),
        (
            [PHRASEBOOK, "--model=transformer_tiny", "--train_steps=0"],
            "--train_steps=0: expected at least 1",
        ),
        (
            [PHRASEBOOK, "--model=transformer_tiny", "--train_source=a"],
            "has no option 'train_source'",
        ),
        (
            [
                PHRASEBOOK,
                "--model=transformer_tiny",
                "--decode_hparams=beam=3",
            ],
            "unknown option 'beam' (did you mean 'beam_size'",
        ),
    ],
)
def test_mistakes_are_one_line(run_command, inside, arguments, message):
    status, _, error = run_command(train, "train", *arguments)
    assert status == 2
    assert message in _one_line(error)
    assert list(inside.iterdir()) == []


def _files(folder, source, target):
    (folder / "a.en").write_bytes(source)
    (folder / "a.de").write_bytes(target)
    return [
        "--problem=translate_files",
        "--model=transformer_tiny",
        f"--train_source={folder / 'a.en'}",
        f"--train_target={folder / 'a.de'}",
    ]


@pytest.mark.parametrize(
    ("source", "target", "messages"),
    [
        (b"a\nb\nc\n", b"x\ny\n", ["3", "2", "a.en", "a.de"]),
        (b"", b"", ["empty"]),
        (b"a\n\xff\xfe\n", b"x\ny\n", ["UTF-8", "line 2"]),
    ],
)
def test_bad_files_are_refused(run_command, inside, source, target, messages):
    arguments = _files(inside, source, target)
    status, _, error = run_command(train, "train", *arguments)
    assert status == 2
    for message in messages:
        assert message in _one_line(error)
    assert not (inside / "t2t_runs").exists()


def test_unwritable_output_is_one_line(run_command, inside):
    (inside / "file").write_text("in the way")
    status, _, error = run_command(
        train,
        "train",
        "--problem=algorithmic_reverse",
        "--model=transformer_tiny",
        "--output_dir=file/run",
        SMALL,
        "--train_examples=50",
    )
    assert status in (1, 2)
    assert "file" in _one_line(error)


def test_registry_help_lists_everything(run_command, inside):
    status, output, _ = run_command(train, "train", "--registry_help")
    assert status == 0
    for name in (
        "translate_ende_multi30k",
        "algorithmic_sort",
        "transformer_big_single_gpu",
        "Hparams sets",
    ):
        assert name in output


def test_a_run_goes_on_by_its_folder_alone(run_command, user_run):
    """Its problem, model, hyperparameters and updates are those it has."""
    arguments = [
        f"--output_dir={user_run}",
        f"--t2t_usr_dir={EXAMPLE}",
        f"--data_dir={user_run.parent / 'data'}",
        "--eval_interval=2",
    ]
    status, output, error = run_command(train, "train", *arguments)
    assert status == 0, error
    assert "problem      translate_upper_rev" in output
    assert "nothing left to train: all 4 steps are done" in output
    status, _, error = run_command(
        train, "train", *arguments, "--hparams=num_heads=1"
    )
    assert status == 2
    assert "holds a run with num_heads=" in _one_line(error.splitlines()[-1])
    status, _, error = run_command(train, "train", *arguments, "--seed=3")
    assert status == 2
    assert "holds a run with seed=1, asked is 3" in error


def test_average_and_export(run_command, user_run, tmp_path):
    status, output, error = run_command(
        average, "average", f"--output_dir={user_run}", "--last=2"
    )
    assert status == 0, error
    assert "average of 2" in output
    averaged = user_run / "checkpoints" / "averaged"
    status, output, error = run_command(
        export,
        "export",
        f"--output_dir={user_run}",
        f"--t2t_usr_dir={EXAMPLE}",
        f"--checkpoint_path={averaged}",
        f"--export_dir={tmp_path}",
        "--version=7",
    )
    assert status == 0, error
    assert (tmp_path / "7" / "saved_model.pb").exists()
    status, _, error = run_command(
        export,
        "export",
        f"--output_dir={user_run}",
        f"--t2t_usr_dir={EXAMPLE}",
        f"--export_dir={tmp_path}",
        "--decode_hparams=beam_size=1",
        "--version=7",
    )
    assert status == 2
    assert "--version=7 exists" in error


def test_average_replaces_nothing_but_an_average(
    run_command, user_run, tmp_path
):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    arguments = [f"--output_dir={user_run}", f"--average_dir={mine}"]
    status, _, error = run_command(average, "average", *arguments)
    assert status == 2
    assert f"--average_dir={mine}: exists" in _one_line(error)
    assert (mine / "thesis.txt").read_text() == "years"
    own = user_run / "checkpoints" / "step-00000004"
    arguments = [f"--output_dir={user_run}", f"--average_dir={own}"]
    assert run_command(average, "average", *arguments)[0] == 2
    arguments = [f"--output_dir={user_run}", f"--average_dir={tmp_path}/new"]
    for _ in "first", "again":
        assert run_command(average, "average", *arguments)[0] == 0


def test_datagen_prepares(run_command, inside):
    arguments = [
        "--problem=algorithmic_addition",
        "--train_examples=100",
        "--eval_examples=10",
        "--data_dir=data",
    ]
    status, output, error = run_command(datagen, "datagen", *arguments)
    assert status == 0, error
    assert "100 examples" in output
    assert "data hash" in output
    order = [output.index(f"  {name} ") for name in ("train", "test")]
    assert order == sorted(order)
    (shard,) = inside.glob("data/*/train-*.gz")
    content = bytearray(shard.read_bytes())
    content[-9] ^= 1
    shard.write_bytes(content)
    status, _, error = run_command(datagen, "datagen", *arguments)
    assert status == 2
    assert "train-00000-of-00001.tfrecord.gz is damaged" in _one_line(error)


def test_base_trains_on_wmt_from_a_tfds_folder(run_command, inside):
    """transformer_base takes a step and an evaluation on WMT14's format."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def texts(count, first):
        pairs = [
            (f"the dog {i} sleeps", f"der Hund {i} schläft")
            for i in range(first, first + count)
        ]
        return tf.data.Dataset.from_tensor_slices(
            {"en": [p[0] for p in pairs], "de": [p[1] for p in pairs]}
        )

    tfds.dataset_builders.store_as_tfds_dataset(
        name="wmt14_translate",
        config="de-en",
        version="1.0.0",
        data_dir=inside / "tfds",
        features=tfds.features.Translation(languages=("de", "en")),
        split_datasets={
            "train": texts(60, 0),
            "validation": texts(4, 100),
            "test": texts(4, 200),
        },
    )
    status, output, error = run_command(
        train,
        "train",
        "--problem=translate_ende",
        "--model=transformer_base",
        f"--tfds_data_dir={inside / 'tfds'}",
        "--hparams=vocab_size=300,batch_size=128,max_shapes=1",
        "--train_steps=1",
        "--eval_decode_examples=2",
        "--decode_hparams=beam_size=1,extra_length=2",
        "--average_last=0",
        "--noexport",
    )
    assert status == 0, error
    assert "validation at step 1:" in output
    assert "test bleu" in output

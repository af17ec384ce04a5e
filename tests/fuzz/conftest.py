"""A small run and its vocabulary, which several parts of the suite share."""

import pytest

from t2t_lite.data.sentencepiece_training import train_sentencepiece
from t2t_lite.models.resolve import build
from t2t_lite.task import Task
from t2t_lite.trainer import checkpoints
from t2t_lite.trainer.run_folder import RunDescription, RunFolder
from tests.data.fake import quiet
from tests.models_for_tests import tiny_hparams

LINES = ["the small dog sleeps", "the dog eats a bone", "42 cats"] * 50
OPTIONS = "beam_size=2,extra_length=3"


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run folder with one checkpoint of random weights."""
    root = tmp_path_factory.mktemp("run")
    encoder = train_sentencepiece(LINES, "bpe", 300, quiet)
    encoder.save(str(root / "vocab.model"))
    hparams = tiny_hparams(vocab_kind="bpe", vocab_size=300)
    model = build("transformer", hparams, encoder.vocab_size, "float32")
    folder = RunFolder(str(root / "run"))
    description = RunDescription(
        problem="translate_files",
        problem_options={},
        model="transformer",
        hparams=hparams,
        task=Task(vocab_size=encoder.vocab_size),
        vocabulary="vocab.model",
        data_hash="0",
        settings={"decode_hparams": OPTIONS},
    )
    folder.begin(description, str(root / "vocab.model"))
    checkpoints.write(
        checkpoints.path(folder.checkpoints, 3),
        {f"model/{v.path}": v.numpy() for v in model.weights},
        {"step": 3},
    )
    return folder

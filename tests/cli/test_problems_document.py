"""docs/problems.md: its examples are short, and they train."""

import pathlib
import re
import subprocess
import sys

import pytest

from tests.selection import few

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "problems.md"
ROOT = DOCUMENT.parents[1]
EXAMPLES = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
MODELS = {
    "even_or_odd": "transformer_encoder_tiny",
    "languagemodel_counting": "transformer_lm_tiny",
}


def _name(example):
    return re.search(r'register\("(\w+)"', example)[1]


def test_one_of_each_kind_in_at_most_15_lines():
    assert {_name(example) for example in EXAMPLES} == set(MODELS)
    assert all(len(example.splitlines()) <= 15 for example in EXAMPLES)


@pytest.mark.parametrize(
    "example",
    few(EXAMPLES),
    ids=_name,
)
def test_it_trains_from_a_users_folder(example, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "problem.py").write_text(example)
    name = _name(example)
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "t2t_lite.trainer.cli.train",
            f"--t2t_usr_dir={folder}",
            f"--problem={name}",
            f"--model={MODELS[name]}",
            "--hparams=vocab_kind=byte,max_shapes=1,batch_size=512",
            "--train_steps=2",
            "--eval_interval=2",
            "--average_last=0",
            "--decode_hparams=beam_size=1,extra_length=2",
            f"--output_dir={tmp_path / 'run'}",
            f"--data_dir={tmp_path / 'data'}",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert ended.returncode == 0, ended.stderr
    assert "800 training and 100 validation examples" in ended.stdout
    assert (tmp_path / "run/export/1/saved_model.pb").exists()

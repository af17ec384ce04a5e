"""Variants of attention from the command line, and what docs/ say of them."""

import json
import pathlib
import re

import pytest

from t2t_lite.models.transformer import TransformerHParams
from t2t_lite.trainer.cli import decode, export, train

PAGE = pathlib.Path(__file__).parents[2] / "docs/attention_variants.md"
SMALL = (
    "hidden_size=16,filter_size=32,num_heads=4,num_hidden_layers=1,"
    "batch_size=256,max_shapes=2,pack=true"
)


def _blocks(language):
    """Returns the page's blocks of code in a language."""
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, PAGE.read_text(), re.DOTALL | re.MULTILINE)


def _flags(block):
    """Returns the arguments of the page's command."""
    command, *arguments = block.replace("\\\n", " ").split()
    assert command == "t2t_lite_trainer"
    return arguments


def test_the_documented_command(run_command, tmp_path, monkeypatch):
    """Trains and decodes; on a smaller model, in packed rows."""
    monkeypatch.chdir(tmp_path)
    (block,) = _blocks("sh")
    (hparams,) = [a for a in _flags(block) if a.startswith("--hparams=")]
    status, _, error = run_command(
        train,
        "train",
        "--problem=algorithmic_reverse",
        "--model=transformer_tiny",
        f"{hparams},{SMALL}",
        "--train_steps=2",
        "--train_examples=100",
        "--eval_examples=10",
        "--eval_decode_examples=2",
        "--decode_hparams=beam_size=2,extra_length=2",
        "--noexport",
        "--output_dir=run",
        "--data_dir=data",
    )
    assert status == 0, error
    stored = json.loads((tmp_path / "run" / "hparams.json").read_text())
    text = json.dumps(stored)
    assert '"position": "rotary"' in text
    assert '"local_attention_radius": 64' in text
    (tmp_path / "in.txt").write_text("123\n")
    status, _, error = run_command(
        *(decode, "decode", "--output_dir=run"),
        "--decode_from_file=in.txt",
        "--decode_to_file=out.txt",
    )
    assert status == 0, error
    assert len((tmp_path / "out.txt").read_text().splitlines()) == 1
    status, _, error = run_command(
        export, "export", "--output_dir=run", "--format=ctranslate2"
    )
    assert status == 2
    assert "--format=ctranslate2" in error.strip().splitlines()[-1]
    assert not (tmp_path / "run" / "ctranslate2").exists()


def test_the_documented_layer():
    (block,) = _blocks("python")
    names = {}
    exec(compile(block, str(PAGE), "exec"), names)
    assert names["states"].shape == (2, 4, 64)


def test_every_field_is_documented():
    text = PAGE.read_text()
    for name in (
        "position",
        "max_relative_position",
        "relative_attention_num_buckets",
        "relative_attention_max_distance",
        "rotary_base",
        "local_attention_radius",
        "num_key_value_heads",
    ):
        assert f"`{name}" in text
        assert name in TransformerHParams.__dataclass_fields__


@pytest.mark.parametrize(
    ("hparams", "message"),
    [
        ("position=rotory", "did you mean 'rotary'"),
        ("num_key_value_heads=3", "expected a divisor of num_heads=4, got 3"),
        ("position=rotary,key_head_size=7", "key_head_size: expected an even"),
    ],
)
def test_mistakes_are_one_line(
    run_command, tmp_path, monkeypatch, hparams, message
):
    monkeypatch.chdir(tmp_path)
    status, _, error = run_command(
        train,
        "train",
        "--problem=algorithmic_reverse",
        "--model=transformer_tiny",
        f"--hparams={hparams}",
    )
    assert status == 2
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []

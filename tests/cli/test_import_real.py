"""A checkpoint that Tensor2Tensor itself wrote, through the command."""

import t2t_lite
from t2t_lite.trainer.cli import import_run
from tests import t2t_files


def test_the_real_checkpoint(run_command, tmp_path):
    folder = t2t_files.real()
    run = tmp_path / "run"
    status, printed, error = run_command(
        import_run,
        "import_run",
        "--from=t2t",
        f"--checkpoint_path={folder}",
        f"--output_dir={run}",
        f"--vocabulary={folder / 'vocab.translate_ende_wmt8k.8192.subwords'}",
    )
    assert status == 0, error
    assert "139,200 parameters, pre-norm" in printed
    rows = [line.split() for line in printed.splitlines()]
    assert ["in", "all", "81", "139,200"] in rows
    found = t2t_lite.load(str(run), decode_hparams="beam_size=2")
    texts = ["A small dog sleeps.", "", "_\\ \U0001f600"]
    assert len(found(texts, extra_length=2)) == 3

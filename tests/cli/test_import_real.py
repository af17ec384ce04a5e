"""A checkpoint that Tensor2Tensor itself wrote, through the command."""

import tensorflow as tf

import t2t_lite
from t2t_lite.trainer import exporting
from t2t_lite.trainer.cli import import_run
from tests import t2t_files
from tests.t2t_text import NASTY


def test_the_real_checkpoint(run_command, tmp_path):
    """Imported and exported; the export's tokenizer on all of Multi30k."""
    folder = t2t_files.real()
    run = tmp_path / "run"
    status, printed, error = run_command(
        import_run,
        "import_run",
        "--from=t2t",
        f"--checkpoint_path={folder}",
        f"--output_dir={run}",
        f"--vocabulary={folder / t2t_files.REAL_VOCABULARY}",
    )
    assert status == 0, error
    assert "139,200 parameters, pre-norm" in printed
    rows = [line.split() for line in printed.splitlines()]
    assert ["in", "all", "81", "139,200"] in rows
    found = t2t_lite.load(str(run), decode_hparams="beam_size=2,extra_length=2")
    exported = tf.saved_model.load(exporting.export(found, str(tmp_path / "e")))
    for language in ("en", "de"):
        texts = t2t_files.multi30k(language) + NASTY
        rows = [row.tolist() for row in found.encoder.encode_batch(texts)]
        ids = exported.tokenizer.tokenize(tf.constant(texts))
        assert ids.to_list() == rows
        decoded = exported.tokenizer.detokenize(ids.to_tensor()).numpy()
        assert [text.decode() for text in decoded] == texts

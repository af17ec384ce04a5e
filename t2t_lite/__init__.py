"""Train, decode and serve Transformer sequence models on TensorFlow.

    import t2t_lite
    translate = t2t_lite.load("t2t_runs/my_run")
    translate(["The small dog sleeps."])

Layers are in `t2t_lite.layers`; importing this package alone does not load
TensorFlow. It sets `TF_ENABLE_ONEDNN_OPTS=1` on x86 processors, unless the
environment has it already.
"""

from __future__ import annotations

import os
import platform
from typing import Any

__version__ = "0.1.0"
__all__ = ["load"]

# TensorFlow multiplies with oneDNN by itself where an x86 processor has
# AVX512_VNNI or newer; on others oneDNN is faster than Eigen too. It is read
# when TensorFlow is loaded.
if platform.machine().lower() in ("x86_64", "amd64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def load(output_dir: str, **options: Any):
    """Loads a trained run: a callable from inputs to texts.

    Inputs are lists of str; of runs on images, of uint8 arrays (height, width,
    channels); of runs on speech, of int16 arrays (samples,), or what
    `predictor.source(path)` reads from a file. Outputs are translations,
    transcripts, continuations, labels, tags, or texts whose `<mask>`s are
    filled in; `predict` gives scores and details with them.

    Args:
        output_dir: str, the run's folder.
        **options: `checkpoint_path` (str), `decode_hparams` (str, e.g.
            "beam_size=4,alpha=0.6"), `dtype` (str), `log` (called with a line
            on which weights were taken; without it a damaged checkpoint that
            was passed over is a warning).
    Returns:
        A `BatchPredictor` of the run's kind, see `t2t_lite.trainer.predictors`:
        called with a list it returns a list of str.
    Raises:
        UserError: no run there, or damaged files.
    """
    from t2t_lite.trainer.inference import load as load_run

    return load_run(output_dir, **options)

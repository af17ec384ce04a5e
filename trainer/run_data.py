"""The prepared data of a run: with a vocabulary of its own, or a new one."""

from __future__ import annotations

from collections.abc import Callable

from t2t_lite.data.preparing import prepare
from t2t_lite.data.records import PreparedData
from t2t_lite.data.subword_sampling import sampling_of
from t2t_lite.hparams import HParams
from t2t_lite.trainer.inference import load_vocabulary
from t2t_lite.trainer.run_folder import RunFolder


def run_data(
    run: RunFolder,
    problem,
    hparams: HParams,
    data_dir: str,
    log: Callable[[str], None],
) -> tuple[PreparedData, bool]:
    """Returns (the prepared data, whether the run's vocabulary was given).

    A run under way whose vocabulary was not trained on its data, but given or
    come with its weights, keeps it.

    Args:
        run: the run's folder.
        problem, hparams, data_dir, log: as for `data.prepare`.
    """
    kind, size = hparams.vocab_kind, hparams.vocab_size
    if problem.vocab_file is None and run.is_under_way:
        description = run.describe()
        if description.settings.get("given_vocabulary"):
            encoder = load_vocabulary(run, description)
            kind, size = encoder.kind, encoder.vocab_size
            problem.vocab_file = run.file(description.vocabulary)
    data = prepare(
        problem, kind, size, data_dir, log=log, sampling=sampling_of(hparams)
    )
    return data, problem.vocab_file is not None

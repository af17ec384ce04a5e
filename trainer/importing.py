"""Writes what was imported as a run folder, whole or not at all.

The folder is an ordinary one: it decodes, exports, and training goes on in it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence

from t2t_lite.data import storage
from t2t_lite.errors import UserError
from t2t_lite.trainer import checkpoints, inference
from t2t_lite.trainer.progress import Progress
from t2t_lite.trainer.run_folder import RunDescription, RunFolder
from t2t_lite.trainer.t2t_import import Imported

LOG_FILE = "import.log"
_MODEL = "transformer"


def check_free(output_dir: str) -> str:
    """Returns the absolute path of a folder that is new or empty.

    Raises:
        UserError: something is there.
    """
    path = RunFolder(output_dir).path
    if os.path.lexists(path) and not (
        os.path.isdir(path) and not os.listdir(path)
    ):
        raise UserError(
            f"--output_dir={path}: something is there already; give a new "
            "folder"
        )
    return path


def write(
    imported: Imported,
    output_dir: str,
    problem,
    seed: int,
    log: Sequence[str] = (),
) -> RunFolder:
    """Writes the run folder, and loads it once as the decoder does.

    Args:
        imported: from `t2t_import.read`.
        output_dir: str, a new or empty folder.
        problem: Problem, what training goes on with.
        seed: int, of the data's order and of dropout.
        log: lines for `import.log`.
    Raises:
        UserError: the folder is there and not empty.
    """
    path = check_free(output_dir)
    with _appearing(path) as temporary:
        _fill(RunFolder(temporary), imported, problem, seed)
        storage.write_text(
            os.path.join(temporary, LOG_FILE),
            "".join(f"{line}\n" for line in log),
        )
        inference.load(temporary)
    return RunFolder(path)


def _fill(run: RunFolder, imported: Imported, problem, seed: int) -> None:
    encoder = imported.encoder
    description = RunDescription(
        problem=problem.name,
        problem_options=problem.options,
        model=_MODEL,
        hparams=imported.hparams,
        task=problem.task(encoder.vocab_size),
        vocabulary=encoder.file_name,
        data_hash="",  # of what training goes on with, once there is any
        settings={
            "seed": seed,
            "decode_hparams": "",
            "given_vocabulary": True,
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = os.path.join(folder, encoder.file_name)
        encoder.save(vocabulary)
        try:
            run.begin(description, vocabulary)
        finally:
            run.unlock()
    checkpoints.write(
        checkpoints.path(run.checkpoints, imported.step),
        imported.tensors,
        Progress(step=imported.step).to_state(),
    )


@contextlib.contextmanager
def _appearing(folder: str) -> Iterator[str]:
    """Yields a temporary folder beside `folder`; renames it at the end."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    temporary = f"{folder}.tmp-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        yield temporary
        os.rename(temporary, folder)  # over an empty one, too
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise

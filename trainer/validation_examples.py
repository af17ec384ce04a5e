"""A run's validation examples, for whoever judges its model once more."""

from __future__ import annotations

import os

from t2t_lite.data import manifest as manifests
from t2t_lite.data import untrusted
from t2t_lite.data.records import PreparedData, open_prepared
from t2t_lite.errors import UserError
from t2t_lite.trainer import run_texts
from t2t_lite.trainer.export_check import Examples
from t2t_lite.trainer.run_folder import RunFolder

_MOST = 500  # of those that are read from prepared data


def read(run: RunFolder, problem, data_dir: str) -> Examples:
    """Returns what a run's folder holds, else what is in its prepared data.

    A finished run keeps its validation split as text where texts went in and
    what came out was judged. Of images, speech and language models the
    prepared data have it; their first 500 examples are read.

    Args:
        run: the run's folder.
        problem: the run's.
        data_dir: str, folder of prepared data.
    Raises:
        UserError: neither is there; says so in a few words.
    """
    description = run.describe()
    if description.task.inputs == "text" and not problem.scored_by_loss:
        if run_texts.missing(run.path, "validation"):
            raise UserError(
                "the run is not over: its validation split was not decoded"
            )
        texts = run_texts.RunTexts.read(run.path, "validation")
        return Examples(texts.sources, texts.references)
    data = _prepared(data_dir, description.data_hash)
    if data is None:
        raise UserError(
            f"the run's prepared data are not in --data_dir={data_dir}"
        )
    split = data.split("validation")
    return Examples(split.sources(_MOST), split.texts("targets")[:_MOST])


def _prepared(data_dir: str, data_hash: str) -> PreparedData | None:
    """Returns the prepared data of that hash, or None."""
    root = os.path.expanduser(data_dir)
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else []:
        folder = os.path.join(root, name)
        if _hash_of(folder) == data_hash:
            return open_prepared(folder)
    return None


def _hash_of(folder: str) -> str | None:
    """Returns what a folder says that its hash is; it is checked later."""
    try:
        content = untrusted.read_json(
            os.path.join(folder, manifests.MANIFEST_FILE)
        )
        return content["data_hash"]
    except (OSError, ValueError, LookupError, TypeError):
        return None  # some other folder, or damaged data

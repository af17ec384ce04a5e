"""When a run saves, what it keeps, and on which thread it writes.

Evaluations save REGULAR checkpoints, of which the last are kept and averaged.
Between them a run saves by time and when it is asked to stop; such a
checkpoint goes as soon as a newer one is there, so that a run that was
disturbed keeps the same checkpoints as one that was not.
"""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Mapping

import numpy as np

from t2t_lite.trainer import checkpoints
from t2t_lite.trainer.progress import Progress


class Saver:
    """Writes the checkpoints of one run.

    Args:
        root: str, the folder of the checkpoints.
        regular_steps: (interval, last step) of regular checkpoints.
        keep_last: int, regular ones kept.
        seconds: float, time between saves; 0 = regular ones alone.
        asynchronous: bool, write on another thread while training goes on.
    """

    def __init__(
        self,
        root: str,
        regular_steps: tuple[int, int],
        keep_last: int,
        seconds: float,
        asynchronous: bool,
    ):
        self._root = root
        self._interval, self._last_step = regular_steps
        self._keep_last = keep_last
        self._seconds = seconds
        self._pool = (
            concurrent.futures.ThreadPoolExecutor(1) if asynchronous else None
        )
        self._writing: concurrent.futures.Future | None = None
        self._saved_at = time.monotonic()
        self.newest: str | None = None

    def is_regular(self, step: int) -> bool:
        """Returns whether the run evaluates and saves at `step` anyhow."""
        return step % self._interval == 0 or step == self._last_step

    @property
    def due(self) -> bool:
        """Whether it is time to save between regular checkpoints."""
        passed = time.monotonic() - self._saved_at
        return bool(self._seconds) and passed >= self._seconds

    def save(
        self, tensors: Mapping[str, np.ndarray], progress: Progress
    ) -> None:
        """Saves a checkpoint; returns early if it is written beside.

        Raises:
            OSError, tf.errors.OpError: this one, or the one before it, could
                not be written; older ones are as they were.
        """
        self.wait()
        folder = checkpoints.path(self._root, progress.step)
        state = progress.to_state()
        if self._pool is None:
            self._write(folder, tensors, state)
        else:
            self._writing = self._pool.submit(
                self._write, folder, tensors, state
            )
        self.newest = folder
        self._saved_at = time.monotonic()

    def note(self, progress: Progress) -> None:
        """Writes what changed in the progress into the newest checkpoint."""
        self.wait()
        checkpoints.write_state(self.newest, progress.to_state())

    def wait(self) -> None:
        """Waits for the checkpoint that is being written.

        Raises:
            OSError, tf.errors.OpError: it could not be written.
        """
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def close(self) -> None:
        """Waits for the writing thread to end."""
        if self._pool is not None:
            self._pool.shutdown()

    def clean(self) -> None:
        """Removes what a killed process left half written."""
        checkpoints.remove_leftovers(self._root)

    def prune(self) -> None:
        """Removes what is kept no longer, once `newest` has read whole."""
        if self.newest is not None:
            self._prune(self.newest)

    def _write(self, folder, tensors, state) -> None:
        checkpoints.write(folder, tensors, state)
        self._prune(folder)

    def _prune(self, newest: str) -> None:
        # Not the one of the highest step: that may be damaged and passed over.
        folders = checkpoints.listing(self._root)
        regular = [
            f for f in folders if self.is_regular(checkpoints.step_of(f))
        ]
        kept = {newest, *regular[-self._keep_last :]}
        for folder in folders:
            if folder not in kept:
                checkpoints.remove(folder)

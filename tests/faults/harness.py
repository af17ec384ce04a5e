"""Kills runs at random moments and compares what comes out.

A run is started, killed with SIGKILL after a random time, and started again
by the same command, until it ends; then it must equal a run that nobody
disturbed, tensor for tensor and row for row, and nothing may be left over.
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import random
import shutil
import time
from collections.abc import Callable

from tests.faults import runs

# Within it, the other workers of a killed one must have ended by themselves.
BOUND_SECONDS = 120.0
_LONGEST_RUN = 900.0


@dataclasses.dataclass
class Tally:
    """What happened.

    Fields:
        kills: number of SIGKILLs by (workers, phase).
        finished: runs that came to their end, by workers.
        differences: what was not as in the undisturbed run.
        left_over: files that should not be there.
        survivors: seconds until the other worker had ended, for each kill.
    """

    kills: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    finished: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    differences: list[str] = dataclasses.field(default_factory=list)
    left_over: list[str] = dataclasses.field(default_factory=list)
    survivors: list[float] = dataclasses.field(default_factory=list)

    @property
    def total_kills(self) -> int:
        """All SIGKILLs."""
        return sum(self.kills.values())


class Harness:
    """Runs that are killed, beside runs that are not.

    Args:
        folder: where everything happens; removed run by run.
        steps: int, updates of each run.
        seed: int, of the moments.
        log: called with a line about each event.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        steps: int,
        seed: int,
        log: Callable[[str], None],
    ):
        self.folder = folder
        self.steps = steps
        self.tally = Tally()
        self._random = random.Random(seed)
        self._log = log
        self._expected: dict[int, dict[str, str]] = {}
        self._seconds: dict[int, float] = {}
        self._runs = 0

    def disturb(self, workers: int, kills: int) -> None:
        """Makes one run that is killed up to `kills` times; compares it.

        Raises:
            RuntimeError: a start ended by itself and not well, or hung.
        """
        if workers not in self._expected:
            self._undisturbed(workers)
        place = self._new_place()
        command = self._command(place, workers)
        for _ in range(kills):
            if self._killed_start(command, workers, place / "log"):
                break
        else:
            self._whole_start(command, workers, place / "log")
        self.tally.finished[workers] += 1
        self._compare(place, workers)
        shutil.rmtree(place)

    def _undisturbed(self, workers: int) -> None:
        place = self._new_place()
        begin = time.monotonic()
        self._whole_start(self._command(place, workers), workers, place / "log")
        self._seconds[workers] = time.monotonic() - begin
        self._expected[workers] = runs.fingerprint(place / "run")
        left = runs.leftovers(place)
        if left:
            raise RuntimeError(f"an undisturbed run leaves {left}")
        self._log(
            f"undisturbed, {workers} worker(s): {self._seconds[workers]:.0f} s"
        )
        shutil.rmtree(place)

    def _new_place(self) -> pathlib.Path:
        self._runs += 1
        place = self.folder / f"run-{self._runs}"
        place.mkdir(parents=True)
        return place

    def _command(self, place: pathlib.Path, workers: int) -> list[str]:
        flags = ["--strategy=multi_worker"] if workers > 1 else []
        return runs.train_command(place, self.steps, *flags)

    def _whole_start(self, command, workers: int, log: pathlib.Path) -> None:
        processes = runs.Processes.start(command, workers, log)
        if not processes.wait(_LONGEST_RUN) or not processes.ended_well:
            processes.kill_all()
            raise RuntimeError(f"a start did not end well: {_tail(log)}")

    def _killed_start(self, command, workers: int, log: pathlib.Path) -> bool:
        """Starts and kills; returns whether the run had ended before."""
        size = log.stat().st_size if log.exists() else 0
        processes = runs.Processes.start(command, workers, log)
        delay = self._random.uniform(0.0, self._seconds[workers])
        victim = self._random.randrange(workers)
        if processes.wait(delay):
            if not processes.ended_well:
                raise RuntimeError(f"a start did not end well: {_tail(log)}")
            return True
        processes.kill(victim)
        begin = time.monotonic()
        phase = runs.phase(log, size)
        self.tally.kills[workers, phase] += 1
        if not processes.wait(BOUND_SECONDS):
            processes.kill_all()
            raise RuntimeError(
                f"after worker {victim} was killed, another still ran "
                f"{BOUND_SECONDS:.0f} s later: {_tail(log)}"
            )
        if workers > 1:
            self.tally.survivors.append(time.monotonic() - begin)
        self._log(
            f"kill {self.tally.total_kills}: worker {victim} of {workers} "
            f"after {delay:.1f} s, {phase}"
        )
        return False

    def _compare(self, place: pathlib.Path, workers: int) -> None:
        expected, found = (
            self._expected[workers],
            runs.fingerprint(place / "run"),
        )
        different = [
            name
            for name in sorted(expected.keys() | found.keys())
            if expected.get(name) != found.get(name)
        ]
        left = runs.leftovers(place)
        self.tally.differences += [f"{place.name}: {n}" for n in different]
        self.tally.left_over += [f"{place.name}: {n}" for n in left]
        self._log(
            f"{place.name} ended, {workers} worker(s): "
            + (f"DIFFERENT {different}" if different else "identical")
            + (f", left over: {left}" if left else "")
        )


def _tail(log: pathlib.Path) -> str:
    return log.read_text(errors="replace")[-2000:]

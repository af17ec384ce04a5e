"""Kills runs at random moments and compares what comes out.

A run is started, killed with SIGKILL after a random time, and started again
by the same command, until it ends; then it must equal a run that nobody
disturbed, tensor for tensor and row for row, and nothing may be left over.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import pathlib
import random
import shutil
import time
from collections.abc import Callable

from tests.faults import runs

# Within it, the other workers of a killed one must have ended by themselves.
BOUND_SECONDS = 120.0
_LONGEST_RUN = 900.0


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is run and killed.

    Fields:
        name: str.
        command: makes the command line for a folder.
        fingerprint: tells what a folder holds at the end.
        workers: int, processes.
    """

    name: str
    command: Callable[[pathlib.Path], list[str]]
    fingerprint: Callable[[pathlib.Path], dict[str, str]]
    workers: int = 1


@dataclasses.dataclass
class Tally:
    """What happened.

    Fields:
        kills: number of SIGKILLs by (kind, phase).
        finished: runs that came to their end, by kind.
        differences: what was not as in the undisturbed run.
        left_over: files that should not be there.
        survivors: seconds until the other worker had ended, for each kill.
        unexplained: kills in training after which the other worker did not
            say that one was lost.
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
    unexplained: list[str] = dataclasses.field(default_factory=list)

    @property
    def total_kills(self) -> int:
        """All SIGKILLs."""
        return sum(self.kills.values())

    @property
    def faults(self) -> list[str]:
        """All that should not have happened."""
        return [*self.differences, *self.left_over, *self.unexplained]


class Harness:
    """Runs that are killed, beside runs that are not.

    Args:
        folder: where everything happens; removed run by run.
        steps: int, updates of each training run.
        seed: int, of the moments.
        log: called with a line about each event.
        latest: float, when the last kill may come, as a share of the time
            that an undisturbed start takes.
        export: bool, whether the training runs end with an export.
    Attributes:
        tally: Tally.
        kinds: what can be disturbed, by name.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        steps: int,
        seed: int,
        log: Callable[[str], None],
        latest: float = 1.0,
        export: bool = True,
    ):
        self.folder = folder
        self._latest = latest
        self.tally = Tally()
        self._random = random.Random(seed)
        self._log = log
        self._expected: dict[str, dict[str, str]] = {}
        self._seconds: dict[str, float] = {}
        self._runs = 0
        end = "--export" if export else "--noexport"
        kinds = (
            Kind(
                "one worker",
                lambda place: runs.train_command(place, steps, end),
                lambda place: runs.fingerprint(place / "run"),
            ),
            Kind(
                "two workers",
                lambda place: runs.train_command(
                    place,
                    steps,
                    end,
                    "--strategy=multi_worker",
                    f"--worker_wait_secs={BOUND_SECONDS / 2:.0f}",
                ),
                lambda place: runs.fingerprint(place / "run"),
                workers=2,
            ),
            Kind(
                "datagen",
                runs.datagen_command,
                lambda place: runs.hashes(place / "data"),
            ),
            Kind(
                "exporter",
                lambda place: runs.export_command(place, self._finished_run()),
                lambda place: runs.exported(place / "export"),
            ),
        )
        self.kinds = {kind.name: kind for kind in kinds}

    def disturb(self, name: str, kills: int) -> None:
        """Makes one run that is killed up to `kills` times; compares it.

        Args:
            name: str, one of `kinds`.
            kills: int, at most.
        Raises:
            RuntimeError: a start ended by itself and not well, or hung.
        """
        kind = self.kinds[name]
        if name not in self._expected:
            self._undisturbed(kind)
        place = self._new_place()
        for _ in range(kills):
            if self._killed_start(kind, place):
                break
        else:
            self._whole_start(kind, place)
        self.tally.finished[name] += 1
        self._compare(kind, place)
        shutil.rmtree(place)

    def _undisturbed(self, kind: Kind) -> None:
        place = self._new_place()
        kind.command(place)  # makes what the command needs
        begin = time.monotonic()
        self._whole_start(kind, place)
        seconds = self._seconds[kind.name] = time.monotonic() - begin
        self._expected[kind.name] = kind.fingerprint(place)
        left = runs.leftovers(place)
        if left:
            raise RuntimeError(f"an undisturbed run leaves {left}")
        self._log(f"undisturbed, {kind.name}: {seconds:.0f} s")
        shutil.rmtree(place)

    @functools.cache  # noqa: B019 (a harness lives as long as its process)
    def _finished_run(self) -> pathlib.Path:
        """Returns a run to export."""
        place = self._new_place()
        self._whole_start(
            dataclasses.replace(
                self.kinds["one worker"],
                command=lambda place: runs.train_command(
                    place, 2, "--eval_interval=2", "--noexport"
                ),
            ),
            place,
        )
        return place / "run"

    def _new_place(self) -> pathlib.Path:
        self._runs += 1
        place = self.folder / f"run-{self._runs}"
        place.mkdir(parents=True)
        return place

    def _start(self, kind: Kind, place: pathlib.Path) -> runs.Processes:
        command = kind.command(place)
        return runs.Processes.start(command, kind.workers, place / "log")

    def _whole_start(self, kind: Kind, place: pathlib.Path) -> None:
        processes = self._start(kind, place)
        if not processes.wait(_LONGEST_RUN) or not processes.ended_well:
            processes.kill_all()
            raise RuntimeError(f"a start did not end well: {_tail(place)}")

    def _killed_start(self, kind: Kind, place: pathlib.Path) -> bool:
        """Starts and kills; returns whether the run had ended before."""
        log = place / "log"
        size = log.stat().st_size if log.exists() else 0
        processes = self._start(kind, place)
        longest = self._latest * self._seconds[kind.name]
        delay = self._random.uniform(0.0, longest)
        victim = self._random.randrange(kind.workers)
        if processes.wait(delay):
            if not processes.ended_well:
                raise RuntimeError(f"a start did not end well: {_tail(place)}")
            return True
        phase = runs.phase(log, size) if "worker" in kind.name else "at work"
        processes.kill(victim)
        begin = time.monotonic()
        self.tally.kills[kind.name, phase] += 1
        if not processes.wait(BOUND_SECONDS):
            processes.kill_all()
            raise RuntimeError(
                f"after worker {victim} was killed, another still ran "
                f"{BOUND_SECONDS:.0f} s later: {_tail(place)}"
            )
        number = self.tally.total_kills
        self._log(
            f"kill {number}: {kind.name}, number {victim}, after {delay:.1f} s,"
            f" {phase}"
        )
        if kind.workers > 1:
            self.tally.survivors.append(time.monotonic() - begin)
            if phase == "training" and "was lost" not in _tail(place):
                self.tally.unexplained.append(f"kill {number}: {_tail(place)}")
        return False

    def _compare(self, kind: Kind, place: pathlib.Path) -> None:
        expected, found = self._expected[kind.name], kind.fingerprint(place)
        different = [
            name
            for name in sorted(expected.keys() | found.keys())
            if expected.get(name) != found.get(name)
        ]
        left = runs.leftovers(place)
        self.tally.differences += [f"{place.name}: {n}" for n in different]
        self.tally.left_over += [f"{place.name}: {n}" for n in left]
        self._log(
            f"{place.name} ended, {kind.name}: "
            + (f"DIFFERENT {different}" if different else "identical")
            + (f", left over: {left}" if left else "")
        )


def _tail(place: pathlib.Path) -> str:
    return (place / "log").read_text(errors="replace")[-2000:]

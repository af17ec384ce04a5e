"""Trains a recipe with one seed, and counts its time over interruptions."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from t2t_lite.data import storage, untrusted
from t2t_lite.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[1]
_NOTE_SECONDS = 5.0
_IN_BRACES = re.compile(r"\{(\w+)\}")
_FLAGS_OF_SPEED = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")


class TrainerError(Exception):
    """The trainer ended before its run did.

    Args:
        status: int, its exit status, above 0.
    """

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True)
class Seed:
    """One run of a recipe.

    Fields:
        recipe: str, its name.
        flags: the recipe's flags of the trainer.
        seed: int.
        work: folder of runs and prepared data.
        source: folder of the problem's files; None = downloaded.
        places: what stands for a name in braces in a flag, and what is shown
            for it.
    """

    recipe: str
    flags: list[str]
    seed: int
    work: pathlib.Path
    source: pathlib.Path | None = None
    places: Mapping[str, tuple[str, str]] = dataclasses.field(
        default_factory=dict
    )

    @property
    def run(self) -> pathlib.Path:
        """The trainer's run folder."""
        return self.work / self.recipe / f"seed{self.seed}"

    @property
    def log(self) -> pathlib.Path:
        """What the trainer printed, of all starts."""
        return pathlib.Path(f"{self.run}.log")

    @property
    def data(self) -> pathlib.Path:
        """The folder of prepared data, which all runs share."""
        return self.work / "data"

    def arguments(self) -> list[str]:
        """Returns the trainer's arguments on this machine."""
        source = [f"--source_dir={self.source}"] if self.source else []
        return self._with(0, source, str(self.run), str(self.data))

    def shown(self) -> str:
        """Returns the trainer's command as a stranger would type it."""
        source = [f"--source_dir={self.source.name}"] if self.source else []
        words = self._with(1, source, self.shown_run, "data")
        return shlex.join(["t2t_lite_trainer", *words])

    @property
    def shown_run(self) -> str:
        """The run folder as a stranger would have it."""
        return f"runs/{self.recipe}/seed{self.seed}"

    def without_places(self, text: str) -> str:
        """Returns a text that does not say where this machine has its files."""
        for work in (str(self.work), os.path.relpath(self.work)):
            text = re.sub(rf"(?<![\w./-]){re.escape(work)}/", "", text)
        if self.source:
            text = text.replace(str(self.source), self.source.name)
        return text

    def _with(
        self, form: int, source: list[str], run: str, data: str
    ) -> list[str]:
        flags = [
            _IN_BRACES.sub(lambda found: self.places[found[1]][form], flag)
            for flag in self.flags
        ]
        places = [*source, f"--output_dir={run}", f"--data_dir={data}"]
        return [*flags, f"--seed={self.seed}", *places]


class Starts:
    """A journal of the times a run's trainer was started, beside its folder.

    Beside the time of the clock it notes the processor's, where the system
    tells (Linux): what other work on the machine does not change much. Where
    it is killed, what is lost is the time since the trainer's last line.

    Args:
        seed: the run.
    Raises:
        UserError: the journal is damaged, that of other flags, or missing
            beside a run.
    """

    def __init__(self, seed: Seed):
        self.path = f"{seed.run}.starts.json"
        self._flags = seed.flags
        self._begun = seed.run.exists()
        self._noted = self._begin = 0.0
        self.process: int | None = None  # the trainer's number
        self.rows: list[dict[str, Any]] = self._read()

    def _read(self) -> list[dict[str, Any]]:
        try:
            content = untrusted.read_json(self.path)
            flags, rows = content["flags"], content["starts"]
            sum(float(row["seconds"]) for row in rows)
        except FileNotFoundError:
            if self._begun:
                raise UserError(
                    f"{self.path} is missing, so that nobody knows how long "
                    "the run beside it took; remove that run"
                ) from None
            return []
        except (ValueError, TypeError, LookupError) as error:
            raise UserError(
                f"{self.path} is damaged ({error}); remove it and the run "
                "beside it"
            ) from error
        if flags != self._flags and not self._begun:
            return []  # its trainer came to nothing
        if flags != self._flags:
            raise UserError(
                f"{self.path} is of a run with the flags {shlex.join(flags)}; "
                "remove it and the run beside it, or give another --work_dir"
            )
        return rows

    def begin(self) -> None:
        """Opens a row for this start."""
        self._begin = time.monotonic()
        self.process = None
        self.rows.append({"seconds": 0.0, **checkout(), "machine": machine()})
        self._write()

    def note(self) -> None:
        """Notes the time since then; not more often than needed."""
        if time.monotonic() - self._noted >= _NOTE_SECONDS:
            self._write()

    def end(self) -> None:
        """Notes the whole time since then."""
        self._write()

    def _write(self) -> None:
        self._noted = time.monotonic()
        row = self.rows[-1]
        row["seconds"] = round(self._noted - self._begin, 1)
        row["cpu_seconds"] = _cpu_seconds(self.process)
        content = {"flags": self._flags, "starts": self.rows}
        storage.write_json(self.path, content)


def train(seed: Seed) -> list[dict[str, Any]]:
    """Trains to the end of the run; returns its starts.

    Raises:
        TrainerError: the trainer stopped before; the same call goes on.
        UserError: the folder holds a run of other flags.
    """
    seed.run.parent.mkdir(parents=True, exist_ok=True)
    starts = Starts(seed)
    if not (seed.run / "results.json").exists():
        starts.begin()
        status = _run_trainer(seed, starts)
        if status:
            raise TrainerError(
                f"{seed.recipe}, seed {seed.seed}: the trainer ended with "
                f"status {status}, its last lines say why; the same command "
                "goes on from there",
                status,
            )
    return starts.rows


def _run_trainer(seed: Seed, starts: Starts) -> int:
    path = os.environ.get("PYTHONPATH", "")
    process = subprocess.Popen(
        [sys.executable, "-m", "t2t_lite.trainer.cli.train", *seed.arguments()],
        # A pipe, so that the trainer ends when this process is killed.
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{path}"},
        start_new_session=True,  # Ctrl-C reaches it once: through us
    )
    starts.process = process.pid
    # A log is of one run: one that was removed had its own.
    mode = "a" if seed.run.exists() else "w"
    with _forwarding_to(process), open(seed.log, mode) as log:
        for line in process.stdout:
            print(line, end="", flush=True)
            print(line, end="", flush=True, file=log)
            starts.note()
        if hasattr(os, "waitid"):  # its times are there until it is waited for
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        starts.end()
        status = process.wait()
    return status if status >= 0 else 128 - status


def _cpu_seconds(process: int | None) -> float | None:
    """Returns what a process used of all cores; None where nobody tells."""
    try:
        with open(f"/proc/{process}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    # After the name: state is the third field of proc(5), utime the 14th.
    ticks = int(fields[14 - 3]) + int(fields[15 - 3])
    return round(ticks / os.sysconf("SC_CLK_TCK"), 1)


@contextlib.contextmanager
def _forwarding_to(process: subprocess.Popen) -> Iterator[None]:
    """Lets a request to stop reach the trainer, which saves the run."""

    def forward(number, frame):
        del frame
        process.send_signal(number)

    before = {
        number: signal.signal(number, forward)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def checkout() -> dict[str, Any]:
    """Returns the commit that is trained, and whether files differ from it.

    The documentation may differ: results are written into it. Without git
    both are None.
    """

    def git(*words):
        return subprocess.run(
            ["git", "-C", str(ROOT), *words],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        changes = git(
            *("status", "--porcelain", "--untracked-files=no"),
            *("--", ".", ":(exclude)docs"),
        )
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(changes)}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}


def machine() -> dict[str, Any]:
    """Returns the processor's name, its cores, and what makes it fast."""
    name, found = "unknown", set()
    if os.path.exists("/proc/cpuinfo"):  # Linux
        with open("/proc/cpuinfo") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    name = value.strip()
                elif key.strip() == "flags":
                    found = set(value.split())
    usable = getattr(os, "sched_getaffinity", None)  # Linux
    return {
        "cpu": name,
        "cores": len(usable(0)) if usable else os.cpu_count(),
        "flags": [flag for flag in _FLAGS_OF_SPEED if flag in found],
    }

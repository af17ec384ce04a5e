"""Processes that live and end together, with their output line by line.

Everything happens in the caller's thread: what the workers print, how they
end and the signals that come are looked at in turn. Linux ends the workers
where this process is itself killed.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.1
_TERMINATION_SECONDS = 10.0
_CHUNK = 1 << 16
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Workers:
    """One command in several processes, each with its own environment.

    Args:
        command: the command line; a path first.
        environments: the variables of each worker.
        grace_seconds: float, how long the others may go on after one failed.
    """

    def __init__(
        self,
        command: Sequence[str],
        environments: Sequence[Mapping[str, str]],
        grace_seconds: float,
    ):
        self._command = list(command)
        self._environments = environments
        self._grace = grace_seconds
        self._processes: list[subprocess.Popen] = []
        self._living: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._partial: dict[IO[bytes], bytes] = {}
        self._signals: list[int] = []
        self._forwarded = 0
        self._status = 0
        # When the next, harder way of ending the workers is due.
        self._deadline: float | None = None
        self._terminated = False

    def run(self) -> int:
        """Starts all and waits for all.

        Returns:
            int, 0, or the status of the first worker that failed: 128 + its
            number where a signal ended it.
        """
        old = {n: signal.signal(n, self._note) for n in _SIGNALS}
        try:
            for index in range(len(self._environments)):
                self._start(index)
            while self._living or self._selector.get_map():
                self._turn()
        finally:
            self._kill()
            self._selector.close()
            for number, handler in old.items():
                signal.signal(number, handler)
        return self._status

    def _turn(self) -> None:
        self._show_output(_POLL_SECONDS)
        self._forward_signals()
        self._notice_ends()
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._end_harder()

    def _start(self, index: int) -> None:
        parent = os.getpid()
        libc = ctypes.CDLL(None, use_errno=True)

        def follow() -> None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it ended before the line above
                os._exit(1)

        # In a group of its own a worker gets each Ctrl-C once, from here,
        # and takes its own children with it when it is killed.
        process = subprocess.Popen(
            self._command,
            env=dict(self._environments[index]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=follow,
        )
        self._processes.append(process)
        self._living.add(index)
        for pipe, target in (
            (process.stdout, sys.stdout),
            (process.stderr, sys.stderr),
        ):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, (index, target))

    def _note(self, number: int, frame: Any) -> None:
        del frame
        self._signals.append(number)

    def _show_output(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            self._read(key.fileobj)

    def _read(self, pipe: IO[bytes]) -> bool:
        """Shows whole lines; returns whether there may be more to read."""
        data = pipe.read(_CHUNK)
        if data is None:
            return False
        if not data:
            self._close(pipe)
            return False
        *lines, rest = (self._partial.pop(pipe, b"") + data).split(b"\n")
        if rest:
            self._partial[pipe] = rest
        self._print(pipe, lines)
        return True

    def _close(self, pipe: IO[bytes]) -> None:
        rest = self._partial.pop(pipe, b"")
        if rest:
            self._print(pipe, [rest])
        self._selector.unregister(pipe)
        pipe.close()

    def _print(self, pipe: IO[bytes], lines: list[bytes]) -> None:
        index, target = self._selector.get_key(pipe).data
        prefix = b"[%d] " % index
        target.buffer.write(b"".join(prefix + x + b"\n" for x in lines))
        target.buffer.flush()

    def _say(self, line: str) -> None:
        print(f"t2t_lite_launch: {line}", file=sys.stderr, flush=True)

    def _forward_signals(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            self._send(number)
            self._forwarded += 1
            # The first one lets them save, however long that takes.
            if self._forwarded == 2:
                self._start_clock()

    def _send(self, number: int) -> None:
        for index in self._living:
            self._processes[index].send_signal(number)

    def _notice_ends(self) -> None:
        for index in sorted(self._living):
            code = self._processes[index].poll()
            if code is None:
                continue
            self._living.discard(index)
            _kill_group(self._processes[index].pid)
            if code and not self._status:
                self._notice_failure(index, code)
        if not self._living:
            # Whatever else holds these pipes has left the worker's group.
            for key in list(self._selector.get_map().values()):
                while self._read(key.fileobj):
                    continue
                if not key.fileobj.closed:
                    self._close(key.fileobj)

    def _notice_failure(self, index: int, code: int) -> None:
        self._status = code if code > 0 else 128 - code
        how = f"failed with status {code}"
        if code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        others = f"; the others have {self._grace:g} seconds to end"
        # After a signal they end anyhow, and one of them may still be saving.
        if self._forwarded or not self._living:
            others = ""
        else:
            self._start_clock()
        self._say(f"worker {index} {how}{others}")

    def _start_clock(self) -> None:
        if self._deadline is None:
            self._deadline = time.monotonic() + self._grace

    def _end_harder(self) -> None:
        names = ", ".join(map(str, sorted(self._living)))
        if self._terminated:
            self._say(f"killing {names}")
            self._kill()
            self._deadline = None
            return
        self._say(f"still running: {names}; sending SIGTERM")
        self._send(signal.SIGTERM)
        # A stopped process only acts on a signal once it goes on.
        self._send(signal.SIGCONT)
        self._terminated = True
        self._deadline = time.monotonic() + min(
            self._grace, _TERMINATION_SECONDS
        )

    def _kill(self) -> None:
        for index in self._living:
            _kill_group(self._processes[index].pid)
        for index in self._living:
            self._processes[index].wait()


def _kill_group(leader: int) -> bool:
    """Kills a worker and its children; False where none is left."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True

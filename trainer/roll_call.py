"""The roll call: every worker waits, for a bounded time, for all the others.

TensorFlow's own start waits for a missing worker without end, and holds
Python's lock meanwhile: no Ctrl-C, no thread, no message. So the workers meet
here first, over plain TCP on the first worker's port, which is free until its
server starts. The others connect and say who they are; once all are there,
each is asked again whether it still is, and then all go on:

    worker k -> {"index": k, "workers": [...]}
    first    -> call        (any number of times)
    worker k -> here
    first    -> go, or {"error": "one line"}

Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import json
import os
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence

WAIT_SECONDS = 180.0
_PAUSE = 0.2
_ANSWER_SECONDS = 3.0
_LONGEST_LINE = 1 << 20
_FIRST_PORT, _LAST_PORT = 20_000, 32_000


class PeerError(RuntimeError):
    """Another worker is missing, dead or frozen.

    Neither the user's mistake nor a bug; the message is one clear line that
    names the worker. Commands print it and exit with status 1.
    """


def worker_name(workers: Sequence[str], index: int) -> str:
    """Names a worker in messages: "worker 1 (host:port)"."""
    return f"worker {index} ({workers[index]})"


def split_address(address: str) -> tuple[str, int]:
    """Returns host and port of "host:port", with or without [] around IPv6.

    Raises:
        ValueError: it is something else.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)


def free_ports(count: int) -> list[int]:
    """Returns ports of this machine that nobody has open now.

    They lie below those that systems give to outgoing connections, so that
    none is taken before its worker opens it.
    """
    chance = random.SystemRandom()
    found: set[int] = set()
    while len(found) < count:
        port = chance.randrange(_FIRST_PORT, _LAST_PORT)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError:
                continue
        found.add(port)
    return list(found)


def call(
    workers: Sequence[str],
    index: int,
    seconds: float = WAIT_SECONDS,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Returns once all workers are there and have seen each other.

    Args:
        workers: "host:port" of each, in worker order; the same everywhere.
        index: int, which of them this process is.
        seconds: float, the longest wait for the others.
        say: called with a line when there is somebody to wait for.
    Raises:
        PeerError: a worker did not come in time, or its port is taken.
    """
    deadline = time.monotonic() + seconds
    if len(workers) == 1:
        return
    if index == 0:
        _Chief(workers, seconds, deadline).run(say)
        return
    _check_port(workers, index)
    _Member(workers, index, seconds, deadline).run(say)


@contextlib.contextmanager
def end_if_it_hangs(seconds: float) -> Iterator[None]:
    """Ends the process, with a traceback, where its block takes too long.

    For what comes after the roll call: a worker that dies before TensorFlow
    knows it is waited for without end, in C++ and with Python's lock held, so
    that nothing but another C thread can act. Exit status 1.
    """
    try:
        number = sys.__stderr__.fileno()
    except (AttributeError, OSError):  # no standard error in this process
        number = os.open(os.devnull, os.O_WRONLY)
    faulthandler.dump_traceback_later(seconds, exit=True, file=number)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _listen(workers: Sequence[str], index: int) -> socket.socket:
    """Opens this worker's port, on all interfaces as TensorFlow does."""
    port = split_address(workers[index])[1]
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        return socket.create_server(
            ("", port), family=family, dualstack_ipv6=both
        )
    except OSError as error:
        why = "is already in use"
        if error.errno != errno.EADDRINUSE:
            why = f"cannot be opened ({error.strerror})"
        raise PeerError(
            f"{worker_name(workers, index)}: port {port} {why} on this "
            "machine; end what holds it or choose another port"
        ) from error


def _check_port(workers: Sequence[str], index: int) -> None:
    # Better here than after the others were told that all is well.
    _listen(workers, index).close()


class _Connection:
    """Lines over a socket, each within a time."""

    def __init__(self, connection: socket.socket):
        self._socket = connection
        self._file = connection.makefile("rb")

    def send(self, text: str) -> bool:
        """Returns False where the other side is gone."""
        try:
            self._socket.sendall(text.encode() + b"\n")
        except OSError:
            return False
        return True

    def receive(self, seconds: float) -> str:
        """Returns a line; "" where the other side is gone or silent."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            line = self._file.readline(_LONGEST_LINE)
        except OSError:
            return ""
        return line.decode("utf-8", "replace").strip()

    def answers(self) -> bool:
        """Whether the other side is still there, and listening."""
        return self.send("call") and self.receive(_ANSWER_SECONDS) == "here"

    def refuse(self, reason: str) -> None:
        self.send(json.dumps({"error": reason}))
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class _Chief:
    """The first worker: it holds the list."""

    def __init__(self, workers: Sequence[str], seconds: float, deadline: float):
        self._workers = list(workers)
        self._seconds = seconds
        self._deadline = deadline
        self._present: dict[int, _Connection] = {}
        self._strangers: list[str] = []

    def run(self, say: Callable[[str], None]) -> None:
        with _listen(self._workers, 0) as listener:
            try:
                say(
                    f"waiting up to {self._seconds:g} seconds for "
                    f"{self._names(self._missing())}"
                )
                while not self._complete():
                    self._accept(listener)
                for connection in self._present.values():
                    connection.send("go")
                self._wait_for_closing()
            finally:
                for connection in self._present.values():
                    connection.close()

    def _missing(self) -> list[int]:
        return [
            index
            for index in range(1, len(self._workers))
            if index not in self._present
        ]

    def _names(self, indices: list[int]) -> str:
        names = [worker_name(self._workers, index) for index in indices[:8]]
        more = f" and {len(indices) - 8} more" if indices[8:] else ""
        return ", ".join(names) + more

    def _complete(self) -> bool:
        """Whether all are there, those who came early included."""
        if self._missing():
            return False
        for index in [*self._present]:
            if not self._present[index].answers():
                self._present.pop(index).close()
        return not self._missing()

    def _accept(self, listener: socket.socket) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            self._give_up()
        listener.settimeout(left)
        try:
            connection = _Connection(listener.accept()[0])
        except TimeoutError:
            return
        self._greet(connection)

    def _greet(self, connection: _Connection) -> None:
        hello = _parse(connection.receive(_ANSWER_SECONDS))
        index = hello.get("index")
        if hello.get("workers") != self._workers or not (
            isinstance(index, int) and 0 < index < len(self._workers)
        ):
            if hello:
                self._strangers.append(f"worker {index} of another list")
            connection.refuse(
                f"{worker_name(self._workers, 0)} has another list of "
                f"workers: {', '.join(self._workers)}; give every worker the "
                "same list, and each its own index"
            )
        elif index in self._present and self._present[index].answers():
            connection.refuse(
                f"{worker_name(self._workers, index)} is already there: two "
                "processes have this index; give each its own"
            )
        else:
            if index in self._present:
                self._present[index].close()
            self._present[index] = connection

    def _give_up(self) -> None:
        also = ""
        if self._strangers:
            also = f" ({self._strangers[-1]} called)"
        message = (
            f"{self._names(self._missing())} did not come within "
            f"{self._seconds:g} seconds{also}; start every worker, and check "
            "that this machine can be reached from them at "
            f"{self._workers[0]}"
        )
        for connection in self._present.values():
            connection.refuse(message)
        raise PeerError(message)

    def _wait_for_closing(self) -> None:
        """Lets the others close first, so that the port is free at once."""
        for connection in self._present.values():
            connection.receive(_ANSWER_SECONDS)


class _Member:
    """Any other worker: it calls the first one until it answers."""

    def __init__(
        self,
        workers: Sequence[str],
        index: int,
        seconds: float,
        deadline: float,
    ):
        self._workers = list(workers)
        self._index = index
        self._seconds = seconds
        self._deadline = deadline
        self._last = "no answer"

    def run(self, say: Callable[[str], None]) -> None:
        chief = worker_name(self._workers, 0)
        say(f"waiting up to {self._seconds:g} seconds for {chief}")
        while (left := self._deadline - time.monotonic()) > 0:
            try:
                if self._meet(left):
                    return
            except OSError as error:
                # Not there yet, as far as one can see from here.
                self._last = error.strerror or str(error) or "no answer"
            time.sleep(_PAUSE)
        raise PeerError(
            f"{chief} did not call all workers within {self._seconds:g} "
            f"seconds ({self._last.lower()}); start every worker, and check "
            "that this address can be reached from here"
        )

    def _meet(self, left: float) -> bool:
        """Returns True after "go", False where the first worker hung up."""
        place = split_address(self._workers[0])
        with contextlib.closing(
            _Connection(socket.create_connection(place, min(left, 5.0)))
        ) as connection:
            connection.send(
                json.dumps({"index": self._index, "workers": self._workers})
            )
            self._last = "connected, but not everyone is there"
            while True:
                line = connection.receive(self._deadline - time.monotonic())
                if line == "call":
                    connection.send("here")
                elif line == "go":
                    return True
                elif reason := _parse(line).get("error"):
                    raise PeerError(str(reason))
                else:
                    self._last = "it hung up"
                    return False


def _parse(line: str) -> dict:
    try:
        found = json.loads(line)
    except ValueError:
        return {}  # somebody else's protocol
    return found if isinstance(found, dict) else {}

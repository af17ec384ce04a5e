"""Requests on a schedule, and what became of them.

Latency is counted from the moment at which a request was due, not from the one
at which it could be sent: a server that stands still for a second makes late
what should have been sent in that second, and that is counted.
"""

from __future__ import annotations

import collections
import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

PERCENTILES = (50, 90, 95, 99)
# From the index of a request to what was answered; raises what `kind` knows.
Call = Callable[[int], object]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one request.

    Fields:
        due: float, seconds after the begin.
        waited: float, seconds from then until it was sent.
        latency: float, seconds from then until its end.
        error: str, its kind; "" = it was answered.
    """

    due: float
    waited: float
    latency: float
    error: str = ""


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Returns the moments of a Poisson process, in seconds from its begin.

    Args:
        rate: float, requests/s on average.
        seconds: float, its length.
        seed: int, equal ones give equal moments.
    """
    rng = np.random.default_rng(seed)
    expected = rate * seconds
    count = int(expected + 10 * np.sqrt(expected) + 10)
    moments = np.cumsum(rng.exponential(1 / rate, count))
    return moments[moments < seconds].tolist()


class Load:
    """Sends requests over so many connections, and keeps the outcomes.

    Args:
        calls: a Call for each connection, used by one thread alone.
        kind: from what a Call raises to the error's kind, or None for a bug.
        timeout: float, seconds after which a request that is still unsent is
            given up as "late".
        watch: called a few times a second with (seconds, outcomes so far).
    """

    def __init__(
        self,
        calls: Sequence[Call],
        kind: Callable[[Exception], str | None],
        timeout: float,
        watch: Callable[[float, Sequence[Outcome]], None],
    ):
        self._calls = calls
        self._kind = kind
        self._timeout = timeout
        self._watch = watch

    def open(self, moments: Sequence[float]) -> list[Outcome]:
        """Sends a request at each moment, whatever the earlier ones do."""
        due: queue.Queue = queue.Queue()
        state = _State()

        def work(call: Call) -> None:
            while (item := due.get()) is not None:
                self._one(state, call, *item)

        threads = state.start(work, self._calls)
        for index, moment in enumerate(moments):
            while (wait := state.begin + moment - time.perf_counter()) > 0:
                time.sleep(min(wait, 0.2))
                self._watch(state.seconds(), state.outcomes)
            due.put((index, moment))
            if state.bug:
                break
        for _ in threads:
            due.put(None)
        return self._end(state, threads)

    def closed(self, seconds: float) -> list[Outcome]:
        """Sends a request on each connection as soon as the last is done."""
        state = _State()

        def work(call: Call) -> None:
            while (now := state.seconds()) < seconds and not state.bug:
                self._one(state, call, state.next_index(), now)

        return self._end(state, state.start(work, self._calls))

    def _one(self, state, call: Call, index: int, due: float) -> None:
        waited = max(0.0, state.seconds() - due)
        error: str | None = ""
        if waited > self._timeout:
            error = "late"
        else:
            try:
                call(index)
            except Exception as problem:
                error = self._kind(problem)
                if error is None:
                    state.bug = problem
                    return
        latency = state.seconds() - due
        state.outcomes.append(Outcome(due, waited, latency, error))

    def _end(self, state, threads) -> list[Outcome]:
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.05)
            self._watch(state.seconds(), state.outcomes)
        if state.bug:
            raise state.bug
        return state.outcomes


class _State:
    """What the threads of one load share."""

    def __init__(self):
        self.outcomes: list[Outcome] = []
        self.bug: Exception | None = None
        self.begin = time.perf_counter()
        self._indices = iter(range(1 << 62))
        self._lock = threading.Lock()

    def seconds(self) -> float:
        return time.perf_counter() - self.begin

    def next_index(self) -> int:
        with self._lock:
            return next(self._indices)

    def start(self, work, calls) -> list[threading.Thread]:
        threads = [
            threading.Thread(target=work, args=(call,), daemon=True)
            for call in calls
        ]
        for thread in threads:
            thread.start()
        return threads


def summary(outcomes: Sequence[Outcome]) -> dict:
    """Returns what a table shows of some outcomes.

    Latencies are of the requests that were answered or ran out of time; one
    that was refused at once would make them look better.

    Returns:
        `sent`; `answered`; `per_second`, answers until the last end; `ms`,
        percentiles by name and "max", of no requests None; `errors`, their
        number by kind; `waited_ms`, the 99th percentile of the time that
        requests waited for a connection.
    """
    timed = [o for o in outcomes if o.error in ("", "late")]
    errors = collections.Counter(o.error for o in outcomes if o.error)
    answered = sum(not o.error for o in outcomes)
    end = max((o.due + o.latency for o in outcomes), default=0.0)
    waited = [o.waited for o in outcomes]
    return {
        "sent": len(outcomes),
        "answered": answered,
        "per_second": answered / end if end else 0.0,
        "ms": _milliseconds([o.latency for o in timed]),
        "errors": dict(sorted(errors.items())),
        "waited_ms": 1e3 * float(np.percentile(waited, 99)) if waited else 0.0,
    }


def _milliseconds(latencies: Sequence[float]) -> dict[str, float | None]:
    names = [f"p{p}" for p in PERCENTILES]
    if not latencies:
        return dict.fromkeys([*names, "max"])
    values = np.percentile(latencies, PERCENTILES) * 1e3
    found = dict(zip(names, values.tolist(), strict=True))
    return {**found, "max": 1e3 * max(latencies)}

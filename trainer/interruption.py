"""How a run is asked to stop: signals become notes, read between steps."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any


class Interrupted(Exception):  # noqa: N818 (an event, not an error)
    """SIGINT or SIGTERM came, here or at another worker.

    Attributes:
        signal: int, the signal's number.
    """

    def __init__(self, number: int, message: str = ""):
        super().__init__(message or signal.Signals(number).name)
        self.signal = number


class SignalCatcher:
    """Turns SIGINT and SIGTERM into a note; a second one acts at once.

    Args:
        note: called with the signal's number, inside the handler.
    """

    _NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, note: Callable[[int], None]):
        self._note = note
        self._old: dict[int, Any] = {}

    def __enter__(self) -> SignalCatcher:
        if threading.current_thread() is threading.main_thread():
            for number in self._NUMBERS:
                self._old[number] = signal.signal(number, self._handle)
        return self

    def _handle(self, number, frame) -> None:
        del frame
        self._restore()
        os.write(2, b"\nstopping after this step, then saving ...\n")
        self._note(number)

    def _restore(self) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        self._old.clear()

    def __exit__(self, *exception) -> None:
        self._restore()

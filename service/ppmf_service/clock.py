# SPDX-License-Identifier: GPL-3.0-or-later
"""The time, as the service sees it: one object, so that a test can set it."""

from __future__ import annotations

import threading
import time
from typing import Protocol

_SLEEPING: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux' clock that goes on while the machine sleeps, as the clock for people does."""


class Clock(Protocol):
    """What the service asks about the time."""

    def now(self) -> int:
        """Whole seconds since 1970."""

    def monotonic(self) -> float:
        """Seconds since any one moment, which no change of the system's time moves."""

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> int:
        """Whole seconds since 1970."""
        return int(time.time())

    def monotonic(self) -> float:
        """Seconds since the machine started, also those in which it slept where it counts them."""
        return time.monotonic() if _SLEEPING is None else time.clock_gettime(_SLEEPING)

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""
        time.sleep(seconds)


class SettableClock:
    """A clock that stands until somebody moves it, for simulations and tests.

    >>> clock = SettableClock(1_000)
    >>> clock.sleep(2.5)
    >>> clock.now(), clock.monotonic()
    (1002, 1002.5)
    """

    def __init__(self, start: float = 0) -> None:
        self._time = float(start)
        self._leapt = 0.0
        self._lock = threading.Lock()

    def now(self) -> int:
        """Whole seconds since 1970."""
        return int(self._time + self._leapt)

    def monotonic(self) -> float:
        """The time that passed, with its fraction."""
        return self._time

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass; ValueError for fewer than 0."""
        if seconds < 0:
            raise ValueError("time does not go back")
        with self._lock:
            self._time += seconds

    def leap(self, seconds: float) -> None:
        """Show another time, though none has passed."""
        with self._lock:
            self._leapt += seconds

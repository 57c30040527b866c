# SPDX-License-Identifier: GPL-3.0-or-later
"""What everybody may know of how far a session is: coarse, and changing seldom (PPMF-API-014)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from ppmf_service.api.published import Brief
from ppmf_service.states import State

_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Shown:
    """The phase, and how many tenths of the training are done."""

    phase: str
    tenths: int


class PublicStatus:
    """What is shown of each session: once it changed it stays for `seconds`.

    monotonic: a clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float], seconds: float) -> None:
        self._monotonic = monotonic
        self._seconds = seconds
        self._shown: OrderedDict[bytes, tuple[float, Shown]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, row: Brief) -> Shown:
        """What is shown of a session now."""
        current, now = _shown(row), self._monotonic()
        with self._lock:
            since, shown = self._shown.get(row.id, (now - self._seconds, current))
            if shown != current and now - since >= self._seconds:
                since, shown = now, current
            self._shown[row.id] = since, shown
            while len(self._shown) > _REMEMBERED:
                self._shown.popitem(last=False)
        return shown


def _shown(row: Brief) -> Shown:
    """The state of the session and, in training, the part of the half-steps that is done."""
    if row.state == State.FINISHED:
        return Shown(row.state, 10)
    if row.state == State.TRAINING and row.total:
        return Shown(row.state, min(9, 10 * row.done // row.total))
    return Shown(row.state, 0)

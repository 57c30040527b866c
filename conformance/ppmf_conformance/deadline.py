# SPDX-License-Identifier: Apache-2.0
"""How long the suite waits. The suite owns every clock; an adapter never has to (PPMF-CON-010)."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds for `hello` (a runtime has to start), and for the answer to one call."""

    hello: float = 30.0
    call: float = 30.0


DEADLINES = Deadlines()
"""Ample for every case on a slow machine: what takes longer hangs."""


class Deadline:
    """A moment some seconds from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, never negative."""
        return max(0.0, self._end - time.monotonic())

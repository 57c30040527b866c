# SPDX-License-Identifier: Apache-2.0
"""The time that the suite waits for an adapter; no adapter needs a clock (PPMF-CON-010)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

LEAST, MOST = 0.05, 86_400.0
"""The seconds that a deadline may have: less ends every adapter, and more is no deadline."""


def checked(seconds: float) -> float:
    """A deadline that a person asks for. Raises ValueError for one that no clock can keep."""
    if math.isnan(seconds) or not LEAST <= seconds <= MOST:
        raise ValueError(f"{seconds:g} is not between {LEAST:g} and {MOST:,.0f} seconds")
    return seconds


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The seconds for `hello`, in which a runtime has to start, and for the answer to one call.

    A call of a whole run has a second more for every full `BYTES_A_SECOND` of the run's messages.
    """

    hello: float = 30.0
    call: float = 30.0


DEADLINES = Deadlines()
"""More than any case takes on a slow machine."""

BYTES_A_SECOND = 1_000_000
"""The bytes of a run's messages for which an adapter is given a second more."""


class Deadline:
    """A moment some seconds from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, never negative."""
        return max(0.0, self._end - time.monotonic())

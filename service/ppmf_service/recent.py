# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read last, for all threads."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

MOST_READ = 16
"""How many sessions are kept in memory as they were read."""

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """What was read of the sessions that were asked for last, for all threads; each may be large,
    and of those that are over nothing is to stay.
    """

    def __init__(self, most: int = MOST_READ) -> None:
        self._most = most
        self._found: dict[K, V] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._found)

    def get(self, key: K) -> V | None:
        """What was kept, if it still is."""
        return self._found.get(key)

    def keep(self, key: K, value: V) -> V:
        """Keep something, in the place of what was kept first if there is too much; returns it."""
        with self._lock:
            self._found.pop(key, None)
            self._found[key] = value
            if len(self._found) > self._most:
                del self._found[next(iter(self._found))]
        return value

    def forget(self, key: K) -> None:
        """Keep it no more."""
        with self._lock:
            self._found.pop(key, None)

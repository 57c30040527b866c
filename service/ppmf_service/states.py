# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a session at a server, and which may follow which (PPMF-SRV-004)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """How far a session is at this server."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    OPEN = "open"
    CLOSED = "closed"
    SETTING_UP = "setting-up"
    TRAINING = "training"
    FINISHED = "finished"
    FAILED = "failed"
    ABANDONED = "abandoned"

    @property
    def final(self) -> bool:
        """Whether the session stays in this state."""
        return not TRANSITIONS[self]


_ENDS = {State.FAILED, State.ABANDONED}

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PROPOSED: frozenset({State.ACCEPTED} | _ENDS),
    State.ACCEPTED: frozenset({State.OPEN} | _ENDS),
    State.OPEN: frozenset({State.CLOSED} | _ENDS),
    State.CLOSED: frozenset({State.SETTING_UP} | _ENDS),
    State.SETTING_UP: frozenset({State.TRAINING} | _ENDS),
    # a new epoch is set up again
    State.TRAINING: frozenset({State.SETTING_UP, State.FINISHED} | _ENDS),
    State.FINISHED: frozenset(),
    State.FAILED: frozenset(),
    State.ABANDONED: frozenset(),
}
"""The states that may follow each state (PPMF-SRV-004)."""

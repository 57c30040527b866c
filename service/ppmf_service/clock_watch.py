# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the clock of this machine can be believed (PPMF-SRV-026).

A clock that is wrong for a minute would end every session that is under way, and what is erased
does not come back. So a server compares its clock with the time that passes, and with the last time
that it noted; after a leap nothing is closed, given up or erased because of a time, until the clock
has gone on evenly for long enough, is back, or the operator has said that it is right.
"""

from __future__ import annotations

from dataclasses import dataclass

from ppmf_service.database import Database

LEAP_SECONDS = 60
"""What a clock may be set by, and be thought to be right."""

STOP_SECONDS = 86_400
"""How long a server may not have run, and its clock be thought to be right."""

RUN_HOLD, STOP_HOLD = 86_400.0, 3_600.0
"""How long a clock has to go on evenly to be believed again: one that leapt while the server ran,
and one that was found elsewhere when it started, which a machine sets right soon after."""

NOTE_SECONDS = 60.0
"""How often the time is noted."""

_ANCHOR_SECONDS = 3600.0
"""Over how long the clock is compared with the time that passes: many small leaps are one."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What is noted of the clock.

    trusted: its last time before a doubt, and while one lasts the time that it would have now.
    last: its last time. left: the seconds for which it has to go on evenly, or 0. slack: how much
    later than `trusted` it may be right, since nobody knows how long the server did not run.
    """

    trusted: float
    last: int
    left: float
    slack: int

    @property
    def in_doubt(self) -> bool:
        """Whether nothing may be done because of a time."""
        return self.left > 0


class ClockWatch:
    """The watch over the clock of a database, in the one process that acts by it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clock = database.clock
        self._known: Noted | None = None
        self._at = self._note_at = 0.0
        self._anchor = (0, 0.0)

    def by(self) -> int:
        """The time by which something may be closed, given up or erased now: that of the clock, or
        0 while it is in doubt. Raises as `Database.transaction`.
        """
        now, at = self._clock.now(), self._clock.monotonic()
        known = self._known
        if known is None:
            self._anchor = (now, at)
            found = _at_start(noted(self._database), now)
        else:
            found = self._went_on(known, now, at)
        if (
            known is None
            or found.left > known.left
            or at >= self._note_at
            or (known.in_doubt and not found.in_doubt)
        ):
            _note(self._database, found)
            self._note_at = at + NOTE_SECONDS
        self._known, self._at = found, at
        return 0 if found.in_doubt else now

    @property
    def in_doubt(self) -> bool:
        """Whether the clock was in doubt when `by` was asked last."""
        return self._known is not None and self._known.in_doubt

    def _went_on(self, known: Noted, now: int, at: float) -> Noted:
        if known.in_doubt and not _still_in_doubt(self._database):  # the operator has spoken
            self._anchor = (now, at)
            return _believed(now)
        since, when = self._anchor
        passed = at - self._at
        leapt = abs(now - since - (at - when)) > LEAP_SECONDS
        if leapt or at - when > _ANCHOR_SECONDS:
            self._anchor = (now, at)
        if not known.in_doubt:
            if not leapt:
                return _believed(now)
            return Noted(known.trusted + passed, now, RUN_HOLD, 0)
        trusted = known.trusted + passed
        if not leapt:
            left = known.left - passed
            return Noted(trusted, now, left, known.slack) if left > 0 else _believed(now)
        if -LEAP_SECONDS <= now - trusted <= known.slack + LEAP_SECONDS:  # it was set right
            return _believed(now)
        return Noted(trusted, now, STOP_HOLD if known.slack else RUN_HOLD, known.slack)


def _believed(now: int) -> Noted:
    return Noted(now, now, 0.0, 0)


def _at_start(before: Noted | None, now: int) -> Noted:
    """What is to be noted when a server starts; nobody knows how long it did not run.

    A clock in doubt that may have gone on as it was is still in doubt, though it may be right too:
    a leap by some hours looks like a server that did not run for so long.
    """
    if before is None:
        return _believed(now)
    if before.in_doubt and -LEAP_SECONDS <= now - before.last <= STOP_SECONDS:
        return Noted(before.trusted, now, before.left, STOP_SECONDS)
    if -LEAP_SECONDS <= now - before.trusted <= STOP_SECONDS:
        return _believed(now)
    return Noted(before.trusted, now, STOP_HOLD, STOP_SECONDS)


def noted(database: Database) -> Noted | None:
    """What was noted of a server's clock last; None if it has not run yet."""
    row = database.row("SELECT trusted, last, left, slack FROM clock")
    return None if row is None else Noted(*row)


def confirm(database: Database) -> None:
    """Note, for the operator, that the clock is right as it is now."""
    _note(database, _believed(database.clock.now()))


def _still_in_doubt(database: Database) -> bool:
    found = noted(database)
    return found is not None and found.in_doubt


def _note(database: Database, found: Noted) -> None:
    with database.transaction() as connection:
        connection.execute("DELETE FROM clock")
        connection.execute(
            "INSERT INTO clock (trusted, last, left, slack) VALUES (?, ?, ?, ?)",
            (found.trusted, found.last, found.left, found.slack),
        )

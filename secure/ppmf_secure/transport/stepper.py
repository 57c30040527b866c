# SPDX-License-Identifier: GPL-3.0-or-later
"""The stepper: all parties in one thread, in turn, for tests, vectors and toy runs.

Every message becomes bytes and is parsed again, as over a network. The order is a function of the
programs alone, since each party runs until it waits for a message that is not there yet.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from ppmf_secure.driver import Driver, Limits
from ppmf_secure.effects import Program
from ppmf_secure.transport.recorded_ends import Account, RecordedEnds
from ppmf_spec.errors import PeerError, PpmfError
from ppmf_spec.roles import Role
from ppmf_spec.wire import Bulk

Queues = dict[tuple[Role, Role], deque[bytes]]
"""The messages on their way, by sender and receiver."""


class QueueEnds(RecordedEnds):
    """The ends of one party, over queues in memory."""

    def __init__(
        self, account: Account, queues: Queues, ended: AbstractSet[Role] = frozenset()
    ) -> None:
        super().__init__(account)
        self._queues = queues
        self._ended = ended

    def put(self, to: Role, pieces: Sequence[Bulk]) -> None:
        """Append a message to the queue to that party."""
        self._queues[self.account.party, to].append(b"".join(pieces))

    def get(self, sender: Role, most: int | None, until: int | None) -> bytes | None:
        """The oldest message from that party, if there is one; the driver compares its length.

        Raises PeerError if there is none and the party has ended.
        """
        queue = self._queues[sender, self.account.party]
        if not queue and sender in self._ended:
            raise PeerError(f"{self.account.party}: {sender} has ended")
        return queue.popleft() if queue else None

    def wait(self, until: int) -> None:
        """Nobody waits here: the party has its turn again."""


class Clock:
    """A clock that is set: `time` in seconds since 1970."""

    def __init__(self, time: int = 0) -> None:
        self.time = time

    def read(self) -> float:
        """The time."""
        return self.time

    def advance(self, waiting: Iterable[Driver]) -> bool:
        """Go on to the next time that a party waits for. Returns whether there is one."""
        times = [driver.waits_until for driver in waiting]
        due = [time for time in times if time is not None and time > self.time]
        self.time = min(due, default=self.time)
        return bool(due)


def run_together(
    programs: Mapping[Role, Program[Any]],
    session_id: bytes,
    *,
    epoch: int = 0,
    limits: Limits | None = None,
    accounts: Mapping[Role, Account] | None = None,
    clock: Clock | None = None,
) -> dict[Role, Any]:
    """The results of all programs, by party, once they are run to their ends.

    accounts: those of the parties that are to have one. clock: that of all parties, which stands
    still until nobody can go on without it.
    Raises what a party raises. If all wait for messages that nobody will send, raises the first
    refusal of a message, or PeerError if there was none (PPMF-WIR-005, PPMF-ERR-005).
    """
    queues: Queues = defaultdict(deque)
    given = accounts or {}
    ended: set[Role] = set()
    ends = {role: QueueEnds(given.get(role) or Account(role), queues, ended) for role in programs}
    if clock is not None:
        for each in ends.values():
            each.account.clock = clock.read
    running = {
        role: Driver(role, program, ends[role], session_id, epoch=epoch, limits=limits)
        for role, program in programs.items()
    }
    results: dict[Role, Any] = {}
    while running:
        moved = [driver.advance() for driver in running.values()]
        for role in [role for role, driver in running.items() if driver.finished]:
            results[role] = running.pop(role).result
            ended.add(role)
            moved.append(True)
        if running and not any(moved) and not (clock and clock.advance(running.values())):
            raise _nobody_sends(
                running, [error for each in ends.values() for _, error in each.refusals]
            )
    return results


def _nobody_sends(running: Mapping[Role, Driver], refusals: list[PpmfError]) -> PpmfError:
    """The error of parties that wait for ever."""
    if refusals:
        return refusals[0]
    waiting = ", ".join(f"{role} for {driver.waits_for}" for role, driver in running.items())
    return PeerError(f"nobody will send what the parties wait for: {waiting}")

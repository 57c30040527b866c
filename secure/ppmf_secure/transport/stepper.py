# SPDX-License-Identifier: GPL-3.0-or-later
"""The stepper: all parties in one thread, in turn, for tests, vectors and toy runs.

Every message becomes bytes and is parsed again, as over a network. The order is a function of the
programs alone, since each party runs until it waits for a message that is not there yet.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
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

    def __init__(self, account: Account, queues: Queues) -> None:
        super().__init__(account)
        self._queues = queues

    def put(self, to: Role, pieces: Sequence[Bulk]) -> None:
        """Append a message to the queue to that party."""
        self._queues[self.account.party, to].append(b"".join(pieces))

    def get(self, sender: Role, most: int | None) -> bytes | None:
        """The oldest message from that party, if there is one; the driver compares its length."""
        queue = self._queues[sender, self.account.party]
        return queue.popleft() if queue else None


def run_together(
    programs: Mapping[Role, Program[Any]],
    session_id: bytes,
    *,
    epoch: int = 0,
    limits: Limits | None = None,
    accounts: Mapping[Role, Account] | None = None,
) -> dict[Role, Any]:
    """The results of all programs, by party, once they are run to their ends.

    accounts: those of the parties that are to have one.
    Raises what a party raises. If all wait for messages that nobody will send, raises the first
    refusal of a message, or PeerError if there was none (PPMF-WIR-005, PPMF-ERR-005).
    """
    queues: Queues = defaultdict(deque)
    given = accounts or {}
    ends = {role: QueueEnds(given.get(role) or Account(role), queues) for role in programs}
    running = {
        role: Driver(role, program, ends[role], session_id, epoch=epoch, limits=limits)
        for role, program in programs.items()
    }
    results: dict[Role, Any] = {}
    while running:
        moved = [driver.advance() for driver in running.values()]
        for role in [role for role, driver in running.items() if driver.finished]:
            results[role] = running.pop(role).result
        if running and not any(moved):
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

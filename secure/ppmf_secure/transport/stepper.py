# SPDX-License-Identifier: GPL-3.0-or-later
"""All parties in one thread, in turn: the transport of tests, vectors and toy runs.

Every message still becomes bytes and is parsed again. The order is a function of the programs
alone: each party runs until it waits for a message that is not there yet.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

from ppmf_secure.driver import Driver, Limits
from ppmf_secure.effects import Program
from ppmf_secure.transport.recorded_ends import Account, RecordedEnds
from ppmf_spec.errors import PeerError, PpmfError
from ppmf_spec.roles import Role

Queues = dict[tuple[Role, Role], deque[bytes]]
"""The messages on their way, by sender and receiver."""


class QueueEnds(RecordedEnds):
    """The ends of one party among queues in memory."""

    def __init__(self, account: Account, queues: Queues) -> None:
        super().__init__(account)
        self._queues = queues

    def put(self, to: Role, data: bytes) -> None:
        """Append to the queue of this way."""
        self._queues[self.account.party, to].append(data)

    def get(self, sender: Role) -> bytes | None:
        """The oldest message of this way, if there is one."""
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
    """Run all programs to their ends; the results by party (PPMF-WIR-005, PPMF-ERR-005).

    accounts: where a party's run is written down; without one nothing is.
    Raises what a party raises. When all wait for messages that nobody will send, raises the first
    refusal of a message if there was one, else PeerError.
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
    """Why the parties wait for ever."""
    if refusals:
        return refusals[0]
    waiting = ", ".join(f"{role} for {driver.waits_for}" for role, driver in running.items())
    return PeerError(f"nobody will send what the parties wait for: {waiting}")

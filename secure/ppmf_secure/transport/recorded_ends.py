# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends that keep account of a party: its transcript, its measures, its progress, its checkpoints.

`RecordedEnds` is the part that all transports share. How the bytes travel is left to a subclass:
`put` and `get`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from ppmf_secure.effects import Keep, Phase
from ppmf_secure.session.transcript import Recorder
from ppmf_secure.transport.store import Store
from ppmf_spec.errors import PpmfError
from ppmf_spec.roles import Role


@dataclass(frozen=True, slots=True)
class Measure:
    """What one party spent in one phase: seconds of wall time, bytes each way."""

    party: Role
    phase: str
    seconds: float
    bytes_sent: int
    bytes_received: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Party `party` is in phase `phase`; `done` of `total` half-steps are finished."""

    party: Role
    phase: str
    done: int
    total: int


class Account:
    """Where one party's run is written down: transcript, measures, progress, checkpoints."""

    def __init__(
        self,
        party: Role,
        recorder: Recorder | None = None,
        on_progress: Callable[[Progress], None] = lambda _: None,
        store: Store | None = None,
    ) -> None:
        self.party = party
        self._recorder = recorder or Recorder(None, party)
        self._on_progress = on_progress
        self._store = store or Store(None)
        self._spent: dict[str, list[float]] = {}
        self._phase = "keys"
        self._since = time.perf_counter()

    def sent(self, to: Role, data: bytes) -> None:
        """A message has been sent."""
        self._recorder.record("sent", to, data)
        self._entry()[1] += len(data)

    def received(self, sender: Role, data: bytes) -> None:
        """A message has come."""
        self._recorder.record("received", sender, data)
        self._entry()[2] += len(data)

    def enter(self, phase: Phase) -> None:
        """The program says where it is."""
        self._stop_clock()
        self._phase = phase.name
        self._on_progress(Progress(self.party, phase.name, phase.done, phase.total))

    def keep(self, kept: Keep) -> None:
        """Store what is to be kept."""
        self._store.keep(kept.name, kept.iteration, kept.data)

    def measures(self) -> tuple[Measure, ...]:
        """What was spent so far, by phase, in the order of their first appearance."""
        self._stop_clock()
        return tuple(
            Measure(self.party, phase, seconds, int(sent), int(received))
            for phase, (seconds, sent, received) in self._spent.items()
        )

    def _entry(self) -> list[float]:
        return self._spent.setdefault(self._phase, [0.0, 0, 0])

    def _stop_clock(self) -> None:
        now = time.perf_counter()
        self._entry()[0] += now - self._since
        self._since = now


class RecordedEnds(ABC):
    """The ends of one party over a transport that is recorded in an account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.refusals: list[tuple[Role, PpmfError]] = []
        """Whose message was refused, and why, in order: the run went on without them."""

    @abstractmethod
    def put(self, to: Role, data: bytes) -> None:
        """Let the bytes travel."""

    @abstractmethod
    def get(self, sender: Role) -> bytes | None:
        """The next bytes, None if they are not there yet; PeerError if none will come."""

    def send(self, to: Role, data: bytes) -> None:
        """Record a message, and let it travel."""
        self.account.sent(to, data)
        self.put(to, data)

    def receive(self, sender: Role) -> bytes | None:
        """The next message from there, recorded."""
        data = self.get(sender)
        if data is not None:
            self.account.received(sender, data)
        return data

    def refuse(self, to: Role, error: PpmfError) -> None:
        """Note the refusal; the transport tells it when the run ends without that message."""
        self.refusals.append((to, error))

    def enter(self, phase: Phase) -> None:
        """Account for what follows under this phase."""
        self.account.enter(phase)

    def keep(self, kept: Keep) -> None:
        """Store what is to be kept."""
        self.account.keep(kept)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends that keep account of a party: its transcript, its measures, its progress, its checkpoints.

`RecordedEnds` are common to all transports. A subclass says how the bytes travel: `put` and `get`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ppmf_secure.effects import Keep, Phase
from ppmf_secure.session.transcript import Direction, Recorder
from ppmf_secure.transport.store import Store
from ppmf_spec.errors import PpmfError
from ppmf_spec.roles import Role
from ppmf_spec.wire import Bulk

MOST_REFUSALS = 1000
"""The most refusals that are kept, so that a user who goes on sending does not fill the memory."""


@dataclass(frozen=True, slots=True)
class Measure:
    """The wall time and the bytes that one party spent in one phase."""

    party: Role
    phase: str
    seconds: float
    bytes_sent: int
    bytes_received: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A party has entered a phase; `done` of `total` half-steps are finished."""

    party: Role
    phase: str
    done: int
    total: int


class Account:
    """The account of one party's run: transcript, measures, progress and checkpoints.

    Without a recorder no transcript is written, without a store no checkpoint.
    """

    def __init__(
        self,
        party: Role,
        recorder: Recorder | None = None,
        on_progress: Callable[[Progress], None] = lambda _: None,
        store: Store | None = None,
    ) -> None:
        self.party = party
        self.clock: Callable[[], float] = time.time
        """The party's clock, in seconds since 1970."""
        self._recorder = recorder or Recorder(None, party)
        self._on_progress = on_progress
        self._store = store or Store()
        self._spent: dict[str, list[float]] = {}
        self._phase = "keys"
        self._since = time.perf_counter()

    def sent(self, to: Role, pieces: Sequence[Bulk]) -> None:
        """Record a message that is sent, in pieces."""
        self._record("sent", to, *pieces)
        self._entry()[1] += sum(map(len, pieces))

    def received(self, sender: Role, data: Bulk) -> None:
        """Record a message that was received."""
        self._record("received", sender, data)
        self._entry()[2] += len(data)

    def enter(self, phase: Phase) -> None:
        """Note the phase that the program enters, and report it."""
        self._stop_clock()
        self._phase = phase.name
        self._on_progress(Progress(self.party, phase.name, phase.done, phase.total))

    def keep(self, kept: Keep) -> None:
        """Store the shares that the program asks to keep."""
        self._store.keep(kept.name, kept.iteration, kept.data)

    def begin(self, epoch: int) -> None:
        """Store the number of the epoch that begins."""
        self._store.begin(epoch)

    def measures(self) -> tuple[Measure, ...]:
        """What the party has spent, by phase, in the order in which phases were first entered."""
        self._stop_clock()
        return tuple(
            Measure(self.party, phase, seconds, int(sent), int(received))
            for phase, (seconds, sent, received) in self._spent.items()
        )

    def _record(self, direction: Direction, peer: Role, *pieces: Bulk) -> None:
        try:
            self._recorder.record(direction, peer, *pieces)
        except OSError as error:  # it names no file
            why = error.strerror or str(error)
            raise OSError(error.errno, why, "the transcript") from error

    def _entry(self) -> list[float]:
        return self._spent.setdefault(self._phase, [0.0, 0, 0])

    def _stop_clock(self) -> None:
        now = time.perf_counter()
        self._entry()[0] += now - self._since
        self._since = now


class RecordedEnds(ABC):
    """The ends of one party, which record everything in an account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.refusals: list[tuple[Role, PpmfError]] = []
        """The senders of refused messages, with the errors, in order, the first MOST_REFUSALS of
        them. The run went on."""

    @abstractmethod
    def put(self, to: Role, pieces: Sequence[Bulk]) -> None:
        """Send a message, in pieces, to a party."""

    @abstractmethod
    def get(self, sender: Role, most: int | None, until: int | None) -> Bulk | None:
        """The next bytes from a party, None if there are none yet; PeerError if none will come.

        most: the most bytes that they may be, if that is bounded; EncodingError if there are more.
        until: when to give up, if ends that wait have to.
        """

    def send(self, to: Role, pieces: Sequence[Bulk]) -> None:
        """Record a message, and send it."""
        self.account.sent(to, pieces)
        self.put(to, pieces)

    def receive(self, sender: Role, most: int | None, until: int | None = None) -> Bulk | None:
        """The next message from a party, once it is recorded."""
        data = self.get(sender, most, until)
        if data is not None:
            self.account.received(sender, data)
        return data

    def now(self) -> int:
        """The time of the account's clock."""
        return int(self.account.clock())

    @abstractmethod
    def wait(self, until: int) -> None:
        """Wait until that time, in ends that wait; elsewhere the program is asked again."""

    def refuse(self, to: Role, error: PpmfError) -> None:
        """Note a refusal; it is raised if the run cannot end without that message."""
        if len(self.refusals) < MOST_REFUSALS:
            self.refusals.append((to, error))

    def enter(self, phase: Phase) -> None:
        """Account for what follows under this phase."""
        self.account.enter(phase)

    def keep(self, kept: Keep) -> None:
        """Store the shares that the program asks to keep."""
        self.account.keep(kept)

    def begin(self, epoch: int) -> None:
        """Store the number of the epoch that begins."""
        self.account.begin(epoch)

# SPDX-License-Identifier: GPL-3.0-or-later
"""One party's end of a transport: its links, its transcript, its measures.

`Party` turns the effects of a program into bytes and back, whoever carries the bytes. Every message
is numbered, checked and recorded here, and counted under the phase the program last named.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ppmf_secure.effects import USERS, Phase, Receive
from ppmf_secure.session.transcript import Recorder
from ppmf_secure.transport.store import Store
from ppmf_spec.wire import Link, Message


@dataclass(frozen=True, slots=True)
class Measure:
    """What one party spent in one phase: seconds of wall time, bytes each way."""

    party: str
    phase: str
    seconds: float
    bytes_sent: int
    bytes_received: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Party `party` is in phase `phase`; `done` of `total` half-steps are finished."""

    party: str
    phase: str
    done: int
    total: int


class Party:
    """The transport's view of one party."""

    def __init__(
        self,
        name: str,
        session_id: bytes,
        recorder: Recorder,
        on_progress: Callable[[Progress], None],
        store: Store,
        *,
        epoch: int = 0,
    ) -> None:
        self.name = name
        self._session_id = session_id
        self._epoch = epoch
        self._recorder = recorder
        self._on_progress = on_progress
        self.keep = store.keep
        self._links: dict[tuple[str, str], Link] = {}
        self._spent: dict[str, list[float]] = {}
        self._phase = "keys"
        self._since = time.perf_counter()

    def outgoing(self, to: str, message: Message) -> bytes:
        """The bytes of a message to `to`."""
        data = self._link(self.name, to).encode(message)
        self._recorder.record("sent", to, data)
        self._entry()[1] += len(data)
        return data

    def incoming(self, expected: Receive, data: bytes) -> Message:
        """The message `data` from the party the program waits for; see `Link.decode`
        (PPMF-ERR-006).
        """
        self._recorder.record("received", expected.sender, data)
        self._entry()[2] += len(data)
        return self._link(expected.sender, self.name).decode(data, expected.kind)

    def enter(self, phase: Phase) -> None:
        """The program says where it is."""
        self._stop_clock()
        self._phase = phase.name
        self._on_progress(Progress(self.name, phase.name, phase.done, phase.total))

    def measures(self) -> tuple[Measure, ...]:
        """What was spent so far, by phase, in the order of their first appearance."""
        self._stop_clock()
        return tuple(
            Measure(self.name, phase, seconds, int(sent), int(received))
            for phase, (seconds, sent, received) in self._spent.items()
        )

    def _link(self, sender: str, receiver: str) -> Link:
        key = (sender, receiver)
        if sender == USERS:  # each of them a party of her own, who sends one message
            return Link(self._session_id, self._epoch, sender, receiver)
        if key not in self._links:
            self._links[key] = Link(self._session_id, self._epoch, sender, receiver)
        return self._links[key]

    def _entry(self) -> list[float]:
        return self._spent.setdefault(self._phase, [0.0, 0, 0])

    def _stop_clock(self) -> None:
        now = time.perf_counter()
        self._entry()[0] += now - self._since
        self._since = now

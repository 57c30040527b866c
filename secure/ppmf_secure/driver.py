# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver: the one loop that turns a party's effects into bytes, and bytes into its messages.

Whoever runs a party gives the driver `Ends`: how to send and fetch bytes, and what to do with the
other effects. Processes, the stepper, the simulator, the conformance adapter and a network are such
ends, and nothing else; none of them knows the protocol. The driver numbers every message, bounds
it, parses it and checks that it is the one that is due.

How it goes on: `advance` runs the program until it waits for a message that `Ends.receive` does not
have yet, and returns; called again, it goes on from there. Over ends that wait themselves, one
`advance` runs to the end. A refused upload is answered through `Ends.refuse`, and the run goes on
(PPMF-ERR-007).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ppmf_secure.effects import Keep, Phase, Program, Receive, Refuse, Send
from ppmf_spec.errors import EncodingError, PpmfError
from ppmf_spec.roles import USERS, Role
from ppmf_spec.wire import Link, Message

Limits = Mapping[tuple[Role, Role], int]
"""By sender and receiver, the most bytes that one message between them can have."""


class Ends(Protocol):
    """What a driver needs of those who carry the bytes: one method for each effect."""

    def send(self, to: Role, data: bytes) -> None:
        """Hand over a message; does not wait for the receiver."""

    def receive(self, sender: Role) -> bytes | None:
        """The next message from `sender`, or None if it is not there yet.

        Raises PeerError when none will come.
        """

    def refuse(self, to: Role, error: PpmfError) -> None:
        """Tell `to` that their last message was refused; the run goes on without it."""

    def enter(self, phase: Phase) -> None:
        """The program is in this phase from here on."""

    def keep(self, kept: Keep) -> None:
        """Store what the program wants to be kept, or let it go."""


class Driver:
    """One party's program in one epoch, and its links to the other parties."""

    def __init__(
        self,
        me: Role,
        program: Program[Any],
        ends: Ends,
        session_id: bytes,
        *,
        epoch: int = 0,
        limits: Limits | None = None,
    ) -> None:
        self._me = me
        self._program = program
        self._ends = ends
        self._session_id = session_id
        self._epoch = epoch
        self._limits = limits or {}
        self._links: dict[tuple[Role, Role], Link] = {}
        self._awaited: Receive | None = None
        self.finished = False
        self.result: Any = None
        """What the program returned, once it has finished."""

    @property
    def waits_for(self) -> Role | None:
        """Whose message the program waits for."""
        return None if self._awaited is None else self._awaited.sender

    def advance(self) -> bool:
        """Go on as far as the messages allow; whether anything happened.

        Raises what ends the party: the PpmfError that it found, or that the ends raise
        (PPMF-WIR-005, PPMF-ERR-005).
        """
        moved = False
        while not self.finished:
            reply: Message | None = None
            if self._awaited is not None:
                data = self._ends.receive(self._awaited.sender)
                if data is None:
                    return moved
                reply = self._parse(self._awaited, data)
                self._awaited = None
            moved = True
            self._step(reply)
        return moved

    def close(self) -> None:
        """Give the program up where it stands."""
        self._program.close()

    def _step(self, reply: Message | None) -> None:
        """Run the program to its next effect, and do that."""
        try:
            effect = self._program.send(reply)
        except StopIteration as end:
            self.finished, self.result = True, end.value
            return
        match effect:
            case Send(to, message):
                self._ends.send(to, self._link(self._me, to).encode(message))
            case Receive():
                self._awaited = effect
            case Refuse(to, error):
                self._ends.refuse(to, error)
            case Phase():
                self._ends.enter(effect)
            case Keep():
                self._ends.keep(effect)

    def _parse(self, expected: Receive, data: bytes) -> Message:
        """The message that these bytes are; see `Link.decode` (PPMF-ERR-006)."""
        limit = self._limits.get((expected.sender, self._me))
        if limit is not None and len(data) > limit:
            raise EncodingError(
                f"message from {expected.sender} to {self._me}: {len(data)} bytes, "
                f"where none has more than {limit}"
            )
        return self._link(expected.sender, self._me).decode(data, expected.kind)

    def _link(self, sender: Role, receiver: Role) -> Link:
        fresh = Link(self._session_id, self._epoch, sender, receiver)
        if sender is USERS:  # each user is a sender of their own, and sends one message
            return fresh
        return self._links.setdefault((sender, receiver), fresh)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver: the one loop that turns a party's effects into bytes, and bytes into its messages.

Whoever runs a party gives the driver its `Ends`: how to send and receive bytes, and what to do with
the other effects. The processes, the stepper, the simulator and the conformance adapter differ in
their ends alone, and none of these knows the protocol. The driver numbers every message that is
sent; it bounds and parses every message that comes, and checks that it is the one that is due.

`Driver.advance` runs the program until it waits for a message that `Ends.receive` does not have
yet, and returns. Called again, it goes on from there. Over ends whose `receive` waits,
`Driver.complete` runs the program to its end. An upload that the program refuses goes to
`Ends.refuse`, and so do bytes from a user that are not the message that is due; the run goes on
(PPMF-ERR-007, -008).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ppmf_secure.effects import (
    Begin,
    Keep,
    Now,
    Phase,
    Program,
    Receive,
    ReceiveUntil,
    Refuse,
    Send,
    Wait,
)
from ppmf_spec.errors import EncodingError, PeerError, PpmfError, StateError
from ppmf_spec.roles import USERS, Role
from ppmf_spec.wire import Bulk, Link, Message

Limits = Mapping[tuple[Role, Role, type[Message]], int]
"""The most bytes that a message can have, by its sender, receiver and type."""


def too_long(sender: Role, receiver: Role, most: int) -> EncodingError:
    """The refusal of a message that is longer than the one that is due can be (PPMF-WIR-009)."""
    return EncodingError(
        f"message from {sender} to {receiver}: more than the {most} bytes that are due at most"
    )


class Ends(Protocol):
    """What a driver needs of a transport: one method for each effect."""

    def send(self, to: Role, pieces: Sequence[Bulk]) -> None:
        """Send a message, whose bytes come in pieces, to the party `to`, without waiting until it
        is received.
        """

    def receive(self, sender: Role, most: int | None, until: int | None = None) -> Bulk | None:
        """The next message from `sender`, or None if it is not there yet.

        most: the most bytes that it can have; ends that read from outside check it before they
        read more (PPMF-WIR-009). until: when ends that wait have to give up, if ever.
        Raises PeerError when none will come, and EncodingError for one that is longer.
        """

    def now(self) -> int:
        """The time of the party's clock, in whole seconds since 1970."""

    def wait(self, until: int) -> None:
        """Wait until that time, in ends that wait."""

    def refuse(self, to: Role, error: PpmfError) -> None:
        """Tell the party `to`, outside the messages, that its last one was refused; the run goes on
        without it (PPMF-ERR-013).
        """

    def enter(self, phase: Phase) -> None:
        """Note the phase that the program enters."""

    def keep(self, kept: Keep) -> None:
        """Store what the program asks to keep, if this transport keeps anything."""

    def begin(self, epoch: int) -> None:
        """Store the number of the epoch that begins, if this transport keeps anything."""


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
        self._limits = limits
        self._links: dict[tuple[Role, Role], Link] = {}
        self._awaited: Receive | ReceiveUntil | Wait | None = None
        self._asks_time = False
        self.finished = False
        self.result: Any = None
        """The value that the program returned, once it has finished."""

    @property
    def waits_for(self) -> Role | None:
        """The party whose message the program waits for, if it waits for one."""
        awaited = self._awaited
        return awaited.sender if isinstance(awaited, Receive | ReceiveUntil) else None

    @property
    def waits_until(self) -> int | None:
        """The time until which the program waits, if it waits for one."""
        awaited = self._awaited
        return awaited.until if isinstance(awaited, ReceiveUntil | Wait) else None

    def advance(self) -> bool:
        """Run the program as far as the messages allow. Returns whether it got any further.

        Raises the error that ends the party: a PpmfError of the program or of the ends
        (PPMF-WIR-005, PPMF-ERR-005).
        """
        moved = False
        while not self.finished:
            reply: Message | int | None = None
            if self._awaited is not None:
                try:
                    here, reply = self._reply(self._awaited)
                except (EncodingError, StateError) as refusal:
                    if self.waits_for is not USERS:
                        raise
                    self._ends.refuse(USERS, refusal)
                    moved = True
                    continue
                if not here:
                    return moved
                self._awaited = None
            elif self._asks_time:
                reply, self._asks_time = self._ends.now(), False
            moved = True
            self._step(reply)
        return moved

    def complete(self) -> Any:
        """The result of the program, run to its end, over ends that wait.

        Such ends may give up before the time that the program waits for; they are then asked again.
        Raises as `advance` does.
        """
        while not self.finished:
            self.advance()
        return self.result

    def close(self) -> None:
        """End the program where it stands."""
        self._program.close()

    def _reply(self, awaited: Receive | ReceiveUntil | Wait) -> tuple[bool, Message | None]:
        """Whether what the program waits for is there, and the message, if it is one."""
        match awaited:
            case Receive():
                message = self._next(awaited)
                return message is not None, message
            case Wait(until):
                if self._ends.now() < until:
                    self._ends.wait(until)
                return self._ends.now() >= until, None
            case ReceiveUntil(until=until):
                if until is not None and self._ends.now() >= until:
                    return True, None
                try:
                    message = self._next(awaited)
                except PeerError:  # nobody will send one
                    return True, None
                late = until is not None and self._ends.now() >= until
                return late or message is not None, message

    def _step(self, reply: Message | int | None) -> None:
        """Run the program to its next effect, and perform it."""
        try:
            effect = self._program.send(reply)
        except StopIteration as end:
            self.finished, self.result = True, end.value
            return
        match effect:
            case Send(to, message):
                self._ends.send(to, self._link(self._me, to).pieces_of(message))
            case Receive() | ReceiveUntil() | Wait():
                self._awaited = effect
            case Now():
                self._asks_time = True
            case Refuse(to, error):
                self._ends.refuse(to, error)
            case Phase():
                self._ends.enter(effect)
            case Keep():
                self._ends.keep(effect)
            case Begin(epoch):
                self._ends.begin(epoch)
                self._epoch = epoch
                for link in self._links.values():
                    link.begin(epoch)

    def _next(self, expected: Receive | ReceiveUntil) -> Message | None:
        """The message that is due, or None if it is not there yet.

        Raises as `Ends.receive` and `Link.decode` do (PPMF-ERR-006). The length is looked at first
        (PPMF-ERR-014).
        """
        most = self._most(expected)
        until = expected.until if isinstance(expected, ReceiveUntil) else None
        data = self._ends.receive(expected.sender, most, until)
        if data is None:
            return None
        if most is not None and len(data) > most:
            raise too_long(expected.sender, self._me, most)
        return self._link(expected.sender, self._me).decode(data, expected.kind)

    def _most(self, expected: Receive | ReceiveUntil) -> int | None:
        """The most bytes of the message that is due; None without limits."""
        if self._limits is None:
            return None
        return self._limits.get((expected.sender, self._me, expected.kind), 0)

    def _link(self, sender: Role, receiver: Role) -> Link:
        fresh = Link(self._session_id, self._epoch, sender, receiver)
        if sender is USERS:  # every user is a sender of their own, and sends one message
            return fresh
        return self._links.setdefault((sender, receiver), fresh)

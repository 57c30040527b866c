# SPDX-License-Identifier: GPL-3.0-or-later
"""The effects of a party's program: all that it asks of the world outside it (sans-IO).

A party's program is a generator. It yields one of the effects of this module; a `Receive` or
`ReceiveUntil` is answered with the message, and `Now` with the time. A sub-protocol is such a
generator too, and its caller runs it by `yield from`. The program does no input or output itself,
so one program runs in memory, over pipes, over sockets, under a simulator or step by step under a
conformance suite: whoever runs it gives `ppmf_secure.driver` the means to carry bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from ppmf_spec.errors import PpmfError
from ppmf_spec.roles import Role
from ppmf_spec.wire import Message

M = TypeVar("M", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """The program sends `message` to the party `to`, and goes on at once (PPMF-RUN-008)."""

    to: Role
    message: Message


@dataclass(frozen=True, slots=True)
class Receive:
    """The program waits for the next message of the party `sender`, which must be a `kind`."""

    sender: Role
    kind: type[Message]


@dataclass(frozen=True, slots=True)
class ReceiveUntil:
    """The program waits for the next message of the party `sender`, which must be a `kind`; but no
    longer than until the time `until`, if there is one, nor when none will come: it is then
    answered with None (PPMF-ADM-003).
    """

    sender: Role
    kind: type[Message]
    until: int | None


@dataclass(frozen=True, slots=True)
class Wait:
    """The program waits until its clock shows the time `until`."""

    until: int


@dataclass(frozen=True, slots=True)
class Now:
    """The program asks for the time of its clock, in whole seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Phase:
    """The program enters the phase `name`; `done` of `total` half-steps are finished
    (PPMF-RUN-005).
    """

    name: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Keep:
    """The program asks to keep secret shares under `name`, for a later epoch.

    data: makes the bytes; it is called only where shares are kept at all.
    iteration: that of a checkpoint, or None for what is kept for the whole run.
    """

    name: str
    iteration: int | None
    data: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Begin:
    """The program begins the epoch of that number, which is kept before it sends anything in it
    (PPMF-RES-016).
    """

    epoch: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """The program refuses the last message of the party `to`, and goes on without it
    (PPMF-ERR-007, -013).
    """

    to: Role
    error: PpmfError


Effect = Send | Receive | ReceiveUntil | Wait | Now | Refuse | Phase | Keep | Begin
Program = Generator[Effect, Message | int | None, T]


def receive(sender: Role, kind: type[M]) -> Program[M]:
    """The next message of `sender`, which must be a `kind`: `message = yield from receive(...)`."""
    message = yield Receive(sender, kind)
    assert isinstance(message, kind), "the transport answers a Receive with its type"
    return message


def receive_until(sender: Role, kind: type[M], until: int | None) -> Program[M | None]:
    """The next message of `sender`, which must be a `kind`, or None as `ReceiveUntil` says."""
    message = yield ReceiveUntil(sender, kind, until)
    assert message is None or isinstance(message, kind), "the transport answers with its type"
    return message


def finished(value: T) -> Program[T]:
    """The program that has nothing left to do."""
    return value
    yield


def started(program: Program[T]) -> Program[Program[T]]:
    """Run a program until it first waits, and return the rest of it, a program too.

    Whoever runs something else before the rest must see to it that the messages to the peer keep
    their order: the rest sends nothing, or the other thing does not.
    """
    try:
        effect = next(program)
        while not isinstance(effect, Receive):
            yield effect
            effect = next(program)
    except StopIteration as end:
        return finished(end.value)
    return _resumed(program, effect)


def _resumed(program: Program[T], effect: Effect) -> Program[T]:
    """The rest of a program, from an effect that it has yielded."""
    while True:
        try:
            effect = program.send((yield effect))
        except StopIteration as end:
            value: T = end.value
            return value

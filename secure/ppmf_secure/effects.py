# SPDX-License-Identifier: GPL-3.0-or-later
"""The effects of a party's program: all that it may do to the world (sans-IO).

A party is a generator. It yields `Send`, `Receive`, `Refuse`, `Phase` or `Keep`; a `Receive` is
answered with the message. Who carries the bytes, on which thread, over which wire and with which
clock is for those to decide who drive it (`ppmf_secure.driver`): the same program runs in memory,
over pipes or sockets, from a recorded transcript, or one step at a time under a conformance suite.
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
    """Hand `message` to the party named `to`; goes on at once."""

    to: Role
    message: Message


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for the next message of the party named `sender`, which must be of type `kind`."""

    sender: Role
    kind: type[Message]


@dataclass(frozen=True, slots=True)
class Phase:
    """From here on the work belongs to `name`; `done` of `total` half-steps are finished
    (PPMF-RUN-005).
    """

    name: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Keep:
    """Store secret shares under `name`, should the transport keep any: `data()` makes the bytes.

    `iteration` is that of a checkpoint; None for what is kept for the whole run.
    """

    name: str
    iteration: int | None
    data: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell the party named `to` that its last message was refused, and go on without it
    (PPMF-ERR-007).
    """

    to: Role
    error: PpmfError


Effect = Send | Receive | Refuse | Phase | Keep
Program = Generator[Effect, Message | None, T]


def receive(sender: Role, kind: type[M]) -> Program[M]:
    """`message = yield from receive(...)`: the typed form of yielding a `Receive`."""
    message = yield Receive(sender, kind)
    assert isinstance(message, kind), "the transport answers a Receive with its type"
    return message

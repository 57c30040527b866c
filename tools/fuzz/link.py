# SPDX-License-Identifier: Apache-2.0
"""The link under hostile bytes: mutated frames, and control messages with mutated members."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

from ppmf_secure.link import control, frames
from ppmf_secure.link.frames import Kind, Splitter
from ppmf_secure.link.streams import CONTROL_WINDOW
from ppmf_service.states import State
from ppmf_spec.errors import PpmfError, StateError
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.engines import World
from tools.fuzz.interface import BrokenError

CONTROL_EVERY = 200
"""Of so many inputs one is a control message, which costs both databases a look."""

_STREAM = 7
_KEY = bytes(32)


@dataclass
class SeenOnTheLink:
    """What came of the inputs so far: how many were refused, by class, and how long one took."""

    refused: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    longest: float = 0.0


class HostileLink:
    """Both servers of a toy session that is open, of which one hears hostile bytes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._key = world.opened()
        self.seen = SeenOnTheLink()
        self._frames = self._right_frames()
        self._controls = self._right_controls()

    def try_one(self, source: random.Random) -> None:
        """Let one of the servers hear one input. Raises BrokenError if something does not hold
        after it that has to; any other error is a bug too.
        """
        role = source.choice((RECSYS, CSP))
        began = perf_counter()
        if source.randrange(CONTROL_EVERY):
            self._hear_frames(role, source)
        else:
            self._hear_control(role, source)
        self.seen.longest = max(self.seen.longest, perf_counter() - began)
        self._check(role)

    def _hear_frames(self, role: Role, source: random.Random) -> None:
        data = b"".join(source.choices(self._frames, k=source.randint(1, 3)))
        link = self._world.wire.links[role]
        try:
            link.take(Splitter(), _mutated(data, source))
        except PpmfError as refusal:
            self.seen.refused[refusal.kind] += 1
            _one_line(refusal)
            self._connect()
        else:
            self.seen.passed += 1
        if source.randrange(100) == 0:
            with suppress(StateError):
                link.open(_STREAM)

    def _hear_control(self, role: Role, source: random.Random) -> None:
        data = source.choice(self._controls)
        if source.randrange(4):
            data = _mutated(data, source)
        if not self._world.wire.up:
            self._connect()
        link = self._world.wire.links[role.peer]
        length = len(data).to_bytes(8, "little")
        link.write(link.control, [length, data])
        try:
            self._world.turn()
        except PpmfError as refusal:  # of bytes that this server never sent
            self.seen.refused[refusal.kind] += 1
            _one_line(refusal)
            self._connect()
        else:
            self.seen.passed += 1
        if State.FINISHED in self._world.states(self._key):
            raise BrokenError("a session was finished that nobody trained")

    def _connect(self) -> None:
        """Bring the wire up. What the servers heard may not fit: then they begin anew."""
        with suppress(PpmfError):
            self._world.wire.connect()
            return
        self._world.wire.connect()

    def _check(self, role: Role) -> None:
        streams = self._world.wire.links[role]._streams
        if len(streams._streams) > frames.MOST_STREAMS or len(streams._early) > frames.MOST_STREAMS:
            raise BrokenError("there are more streams than there can be")
        if streams.control.available > CONTROL_WINDOW:
            raise BrokenError("more waits than the window allows")

    def _right_frames(self) -> list[bytes]:
        head = frames.write_head(Kind.DATA, _STREAM, 0, 5) + b"bytes"
        said = self._world.wire.links[RECSYS].say_hello()
        return [
            head,
            frames.write_head(Kind.DATA, 0, 0, 5) + b"bytes",
            frames.ack(_STREAM, 0, 1 << 20),
            frames.ack(0, 0, 1 << 20),
            frames.reset(_STREAM, StateError("why")),
            frames.ping(),
            frames.hello(said),
        ]

    def _right_controls(self) -> list[bytes]:
        key = self._key
        row = self._world.row(CSP, key)
        acceptance, by_csp = self._world.server(CSP).sessions.acceptance(key)
        signed = self._world.server(RECSYS).sessions.signed_session(key)
        messages: list[control.Control] = [
            control.Propose(row.proposed, b"proposal"),
            control.Accept(row.proposed, acceptance.nonce, by_csp),
            control.Sign(key, signed.by_recsys),
            control.Opened(key),
            control.ClosingControl(key, b"closing"),
            control.AdmissionControl(key, b"admission"),
            control.EpochHello(key, 1),
            control.Ready(key, 1),
            control.Receipt(key, _KEY, bytes(64)),
            control.Received(key),
            control.Refused(key, "epoch", "state", "why"),
        ]
        return [control.encode(message) for message in messages]


def _mutated(data: bytes, source: random.Random) -> bytes:
    """The bytes with one of them changed, some left out, or some put in."""
    at = source.randrange(len(data))
    match source.randrange(4):
        case 0:
            return data[:at] + source.randbytes(1) + data[at + 1 :]
        case 1:
            return data[:at] + data[at + source.randint(1, 9) :] or b"\x00"
        case 2:
            return data[:at] + source.randbytes(source.randint(1, 9)) + data[at:]
    return data


def _one_line(refusal: PpmfError) -> None:
    line = str(refusal)
    if not line.isprintable() or len(line) > 500:
        raise BrokenError("a refusal that is not one short line")

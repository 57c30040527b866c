# SPDX-License-Identifier: Apache-2.0
"""The operations of chapter 8 on the link: frames, control messages, messages, and streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, fields
from typing import Any

from ppmf_conformance.adapters import values
from ppmf_conformance.adapters.lattice_blocks import ToldCoins
from ppmf_conformance.adapters.line_server import Given, Operation
from ppmf_secure.link import control, frames
from ppmf_secure.link.frames import Direction, Head, Hello, Kind, Splitter
from ppmf_secure.link.messages import Messages
from ppmf_secure.link.streams import CONTROL, Stream, Streams
from ppmf_spec.errors import KINDS, EncodingError, PpmfError, StateError
from ppmf_spec.roles import CSP, Role
from ppmf_spec.wire import Bulk

_ERRORS = {kind.kind: kind for kind in KINDS}
_RENAMED = {"by_csp": "signature", "by_recsys": "signature", "kind": "class"}
"""Members of control messages that chapter 7 gives other names than the code does."""


# -- frames ----------------------------------------------------------------------------------------


def _hello(given: Given) -> Hello:
    incarnation, peer, pairing = (
        bytes.fromhex(given[name]) for name in ("incarnation", "peer", "pairing")
    )
    listed = map(values.integers, given["streams"])
    return Hello(
        Role(given["role"]),
        Direction[given["direction"].upper()],
        incarnation,
        peer,
        pairing,
        tuple((number, received, limit) for number, received, limit in listed),
    )


def _hello_shown(said: Hello) -> dict[str, Any]:
    return {
        "kind": "hello",
        "role": said.role,
        "direction": said.direction.name.lower(),
        **{name: getattr(said, name).hex() for name in ("incarnation", "peer", "pairing")},
        "streams": values.shown(said.streams),
    }


def write_frame(given: Given) -> dict[str, Any]:
    """`link.write_frame`: the bytes of a frame."""
    number = {
        name: values.integer(given[name])
        for name in ("stream", "offset", "received", "limit")
        if name in given
    }
    match given["kind"]:
        case "hello":
            made = frames.hello(_hello(given))
        case "data":
            body = bytes.fromhex(given["bytes"])
            made = (
                frames.write_head(Kind.DATA, number["stream"], number["offset"], len(body)) + body
            )
        case "ack":
            made = frames.ack(number["stream"], number["received"], number["limit"])
        case "reset":
            made = frames.reset(number["stream"], _ERRORS[given["class"]](given["line"]))
        case _:
            made = frames.ping()
    return {"bytes": made.hex()}


def _frame_shown(head: Head, body: bytes) -> dict[str, Any]:
    kind, number = head.kind.name.lower(), {"stream": str(head.stream)}
    match head.kind:
        case Kind.HELLO:
            return _hello_shown(frames.read_hello(body))
        case Kind.DATA:
            return {"kind": kind, **number, "offset": str(head.offset), "bytes": body.hex()}
        case Kind.ACK:
            limit = str(frames.read_limit(body))
            return {"kind": kind, **number, "received": str(head.offset), "limit": limit}
        case Kind.RESET:
            why, line = frames.read_reason(body)
            return {"kind": kind, **number, "class": why, "line": line}
        case Kind.PING:
            return {"kind": kind}


def read_frames(given: Given) -> dict[str, Any]:
    """`link.read_frames`: the whole frames in bytes, and how many bytes are after them."""
    splitter = Splitter()
    found = [_frame_shown(*frame) for frame in splitter.feed(bytes.fromhex(given["bytes"]))]
    return {"frames": found, "left": str(splitter.left)}


# -- control messages ------------------------------------------------------------------------------


def write_control(given: Given) -> dict[str, Any]:
    """`link.write_control`: the bytes of a control message."""
    kind = control.kind_of(given["name"])
    members: list[Any] = []
    for field in fields(kind):
        value = given[_RENAMED.get(field.name, field.name)]
        match field.type:
            case "bytes":
                members.append(bytes.fromhex(value))
            case "int":
                members.append(values.integer(value))
            case _:
                members.append(value)
    return {"bytes": control.encode(kind(*members)).hex()}


def read_control(given: Given) -> dict[str, Any]:
    """`link.read_control`: a control message from its bytes."""
    found = control.decode(bytes.fromhex(given["bytes"]))
    names = [_RENAMED.get(field.name, field.name) for field in fields(found)]
    return {"name": found.name, **dict(zip(names, values.shown(astuple(found)), strict=True))}


# -- streams ---------------------------------------------------------------------------------------


class _Bytes:
    """A carrier of one stream, all of whose bytes are here."""

    def __init__(self, data: bytes) -> None:
        self.me = CSP
        self._left = memoryview(data)

    def write(self, stream: Stream, pieces: Sequence[Bulk]) -> None:
        """Nobody writes."""
        raise AssertionError

    def read_into(self, stream: Stream, room: memoryview, *, lend: bool = False) -> int:
        """Take bytes."""
        part, self._left = self._left[: len(room)], self._left[len(room) :]
        room[: len(part)] = part
        return len(part)


def messages(given: Given) -> dict[str, Any]:
    """`link.messages`: the messages of a stream, each of at most so many bytes."""
    data = bytes.fromhex(given["bytes"])
    reader = Messages(_Bytes(data), Streams(CSP, ToldCoins([bytes(16)])).control)
    found: list[bytes] = []
    for most in values.integers(given["most"]):
        message = reader.receive(most)
        if message is None:
            break
        found.append(bytes(message))
    return {"messages": values.shown(found)}


class _Played:
    """One server's streams, to which what a case says is done."""

    def __init__(self, given: Given) -> None:
        self.me = Role(given["role"])
        self._window = values.integer(given["window"])
        self._streams = Streams(
            self.me, ToldCoins([bytes.fromhex(one) for one in given["incarnations"]])
        )
        self._opened: dict[int, Stream] = {}
        self._anew = False

    def do(self, event: Given) -> dict[str, Any]:
        """What comes of an event, or the class with which it is refused."""
        steps: dict[str, Callable[[Given], dict[str, Any]]] = {
            "meet": self._meet,
            "hello": self._say_hello,
            "cut": self._cut,
            "open": self._open,
            "write": self._write,
            "take": self._take,
            "finish": self._finish,
            "give_up": self._give_up,
            "frames": self._hear,
            "send": self._send,
        }
        try:
            return steps[event["do"]](event)
        except PpmfError as error:
            return {"refused": error.kind}

    def _meet(self, event: Given) -> dict[str, Any]:
        self._streams.disconnect()
        ((head, body),) = Splitter().feed(bytes.fromhex(event["frame"]))
        if head.kind is not Kind.HELLO:
            raise StateError("link: a connection begins with a hello")
        goes_on = self._streams.meet(frames.read_hello(body))
        self._anew = not goes_on
        return {"goes_on": goes_on}

    def _say_hello(self, event: Given) -> dict[str, Any]:
        anew = self.me is CSP and self._anew
        said = self._streams.hello(Direction.DOWN, bytes(16), anew=anew)
        shown = _hello_shown(said)
        listed = values.shown(sorted(said.streams))
        return {"incarnation": shown["incarnation"], "peer": shown["peer"], "streams": listed}

    def _cut(self, event: Given) -> dict[str, Any]:
        self._streams.disconnect()
        return {}

    def _open(self, event: Given) -> dict[str, Any]:
        number = values.integer(event["stream"])
        self._opened[number] = self._streams.open(number, window=self._window)
        return {}

    def _stream(self, event: Given) -> Stream:
        number = values.integer(event["stream"])
        return self._streams.control if number == CONTROL else self._opened[number]

    def _write(self, event: Given) -> dict[str, Any]:
        self._stream(event).write([bytes.fromhex(event["bytes"])])
        return {}

    def _take(self, event: Given) -> dict[str, Any]:
        room = memoryview(bytearray(values.integer(event["most"])))
        return {"bytes": bytes(room[: self._stream(event).read_into(room)]).hex()}

    def _finish(self, event: Given) -> dict[str, Any]:
        self._streams.finish(self._stream(event))
        return {}

    def _give_up(self, event: Given) -> dict[str, Any]:
        self._streams.give_up(self._stream(event), _ERRORS[event["class"]]("given up"))
        return {}

    def _hear(self, event: Given) -> dict[str, Any]:
        try:
            for head, body in Splitter().feed(bytes.fromhex(event["bytes"])):
                self._streams.take(head, body)
        except PpmfError:
            self._streams.disconnect()
            raise
        return {}

    def _send(self, event: Given) -> dict[str, Any]:
        """All that may be sent: of each stream the bytes, and what is reset."""
        data: dict[int, tuple[int, bytes]] = {}
        resets: list[list[str]] = []
        splitter = Splitter()
        while self._streams.connected and (frame := self._streams.next_frame(idle=True)):
            ((head, body),) = splitter.feed(b"".join(frame))
            if head.kind is Kind.DATA:
                offset, before = data.get(head.stream, (head.offset, b""))
                if offset + len(before) != head.offset:
                    raise EncodingError("link: bytes are left out")
                data[head.stream] = offset, before + body
            elif head.kind is Kind.RESET:
                resets.append([str(head.stream), frames.read_reason(body)[0]])
        shown = [[str(number), str(at), body.hex()] for number, (at, body) in sorted(data.items())]
        return {"data": shown, "resets": sorted(resets)}


def streams(given: Given) -> dict[str, Any]:
    """`link.streams`: what comes of each event at one server's streams."""
    played = _Played(given)
    return {"results": [played.do(event) for event in given["events"]]}


OPERATIONS: dict[str, Operation] = {
    "link.write_frame": write_frame,
    "link.read_frames": read_frames,
    "link.write_control": write_control,
    "link.read_control": read_control,
    "link.messages": messages,
    "link.streams": streams,
}

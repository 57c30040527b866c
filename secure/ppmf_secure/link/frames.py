# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames: the pieces in which the link carries its streams, and what servers say about these.

A frame is a head of 17 bytes and a body: `u8` kind, `u32` stream, `u64` offset, `u32` length of the
body, each with the lowest byte first (PPMF-LNK-004). The length is compared with the most that a
frame of the kind can have before the body is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from ppmf_spec import strict_cbor
from ppmf_spec.errors import KINDS, EncodingError, PeerError, PpmfError, told
from ppmf_spec.roles import Role
from ppmf_spec.wire import Bulk

VERSION = "ppmf-link/1"
MOST_DATA = 1 << 20
"""The most bytes of a stream that one frame carries."""

MOST_STREAMS = 16
"""The most streams that a hello lists."""

INCARNATION_BYTES = 16
_HEAD = struct.Struct("<BIQI")
HEAD_BYTES = _HEAD.size
_LIMIT = struct.Struct("<Q")
_MOST_HELLO = 1024
_MOST_RESET = 512
_MOST_TEXT = 300
_ITEMS = 8 + 4 * MOST_STREAMS


class Kind(IntEnum):
    """What a frame is for (PPMF-LNK-004)."""

    HELLO = 0
    DATA = 1
    ACK = 2
    RESET = 3
    PING = 4


class Direction(IntEnum):
    """Of a connection: who sends its data."""

    UP = 0
    DOWN = 1


_LENGTHS = {
    Kind.HELLO: (1, _MOST_HELLO),
    Kind.DATA: (1, MOST_DATA),
    Kind.ACK: (_LIMIT.size, _LIMIT.size),
    Kind.RESET: (1, _MOST_RESET),
    Kind.PING: (0, 0),
}
"""The least and the most bytes of the body, by kind."""

_OF_NO_STREAM = (Kind.HELLO, Kind.PING)
_WITHOUT_OFFSET = (Kind.HELLO, Kind.PING, Kind.RESET)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a frame."""

    kind: Kind
    stream: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame of each direction: who speaks, and how far each stream has come.

    incarnation: 16 random bytes, drawn anew whenever the server's program starts.
    peer: the incarnation of the peer with which it goes on, or empty if it begins anew.
    pairing: 16 random bytes that the two connections have in common.
    streams: of each open stream, the number, the bytes received in order, and the limit.
    """

    role: Role
    direction: Direction
    incarnation: bytes
    peer: bytes
    pairing: bytes
    streams: tuple[tuple[int, int, int], ...]


def write_head(kind: Kind, stream: int, offset: int, size: int) -> bytes:
    """The 17 bytes of a head."""
    return _HEAD.pack(kind, stream, offset, size)


def read_head(data: Bulk) -> Head:
    """The head in 17 bytes. Raises EncodingError for an unknown kind, or a length, stream or offset
    that no frame of the kind has (PPMF-LNK-004).
    """
    number, stream, offset, size = _HEAD.unpack(data)
    try:
        kind = Kind(number)
    except ValueError:
        raise EncodingError(f"frame: kind {number}, which does not exist") from None
    name = kind.name.lower()
    least, most = _LENGTHS[kind]
    if not least <= size <= most:
        raise EncodingError(f"frame {name}: a body of {size} bytes")
    if (stream and kind in _OF_NO_STREAM) or (offset and kind in _WITHOUT_OFFSET):
        raise EncodingError(f"frame {name}: stream {stream}, offset {offset}, where 0 is due")
    return Head(kind, stream, offset, size)


def ack(stream: int, received: int, limit: int) -> bytes:
    """The frame that says how many bytes were received, and how many may be sent in all."""
    return write_head(Kind.ACK, stream, received, _LIMIT.size) + _LIMIT.pack(limit)


def read_limit(body: Bulk) -> int:
    """The limit in the body of an acknowledgement, whose length was checked with its head."""
    limit: int = _LIMIT.unpack(body)[0]
    return limit


def reset(stream: int, error: PpmfError) -> bytes:
    """The frame by which a stream is given up, with the class and the line of why."""
    line = str(error).encode("ascii", "backslashreplace").decode()[:_MOST_TEXT]
    body = strict_cbor.encode([error.kind, line])
    return write_head(Kind.RESET, stream, 0, len(body)) + body


def read_reason(body: Bulk) -> tuple[str, str]:
    """The class and the line in the body of a reset. Raises EncodingError if it is malformed."""
    match strict_cbor.decode(body, items=3):
        case [str(kind), str(line)] if kind in {each.kind for each in KINDS}:
            return kind, line
    raise EncodingError("frame reset: not a class and a line")


def read_reset(body: Bulk, peer: Role) -> PeerError:
    """The error of a stream that the peer gave up; it shows what the peer said as `told` does.

    Raises EncodingError if the body is malformed.
    """
    kind, line = read_reason(body)
    return PeerError(f"{peer} stopped: {kind}: {ascii(line)[1:-1]}")


def ping() -> bytes:
    """The frame that says that its sender is there."""
    return write_head(Kind.PING, 0, 0, 0)


def hello(said: Hello) -> bytes:
    """The frame of a hello (PPMF-LNK-003)."""
    body = strict_cbor.encode(
        [
            VERSION,
            said.role,
            int(said.direction),
            said.incarnation,
            said.peer,
            said.pairing,
            [list(each) for each in said.streams],
        ]
    )
    return write_head(Kind.HELLO, 0, 0, len(body)) + body


def read_hello(body: Bulk) -> Hello:
    """The hello in the body of a frame. Raises EncodingError if it is malformed or of another
    version (PPMF-LNK-003).
    """
    match strict_cbor.decode(body, depth=3, items=_ITEMS):
        case [str(version), *_] if version != VERSION:
            raise EncodingError(f"link: version {told(version)}, not {VERSION}")
        case [
            _,
            "recsys" | "csp" as role,
            (0 | 1) as direction,
            memoryview() as incarnation,
            memoryview() as peer,
            memoryview() as pairing,
            list(listed),
        ] if (
            len(incarnation) == len(pairing) == INCARNATION_BYTES
            and len(peer) in (0, INCARNATION_BYTES)
            and len(listed) <= MOST_STREAMS
        ):
            return Hello(
                Role(role),
                Direction(direction),
                bytes(incarnation),
                bytes(peer),
                bytes(pairing),
                tuple(map(_stream, listed)),
            )
    raise EncodingError("frame hello: malformed")


def _stream(entry: strict_cbor.Item) -> tuple[int, int, int]:
    match entry:
        case [int(number), int(received), int(limit)]:
            return number, received, limit
    raise EncodingError("frame hello: a stream that is not three numbers")


class Splitter:
    """Cuts bytes that come in any pieces into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    @property
    def left(self) -> int:
        """How many bytes are here of a frame that is not whole yet."""
        return len(self._rest)

    def feed(self, data: Bulk) -> Iterator[tuple[Head, bytes]]:
        """The frames that are whole now. Raises as `read_head` does."""
        self._rest += data
        while len(self._rest) >= HEAD_BYTES:
            head = read_head(bytes(self._rest[:HEAD_BYTES]))
            end = HEAD_BYTES + head.size
            if len(self._rest) < end:
                return
            body = bytes(self._rest[HEAD_BYTES:end])
            del self._rest[:end]
            yield head, body

# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages on a stream, each after its length, 8 bytes with the lowest first (PPMF-LNK-011)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ppmf_secure.arrays import aligned_room
from ppmf_secure.driver import too_long
from ppmf_secure.link.streams import Stream
from ppmf_spec.roles import Role
from ppmf_spec.wire import Bulk

LENGTH_BYTES = 8


class Carrier(Protocol):
    """What reads and writes the streams of a server."""

    @property
    def me(self) -> Role:
        """This server."""

    def write(self, stream: Stream, pieces: Sequence[Bulk]) -> None:
        """Queue bytes on a stream; raises as `Stream.write`."""

    def read_into(self, stream: Stream, room: memoryview, *, lend: bool = False) -> int:
        """Take bytes of a stream that are here, and return how many; arguments and errors as
        `Stream.read_into`.
        """


class Messages:
    """The messages that are sent and received on one stream of a link."""

    def __init__(self, link: Carrier, stream: Stream) -> None:
        self._link = link
        self.stream = stream
        self._length = memoryview(bytearray(LENGTH_BYTES))
        self._room: memoryview | None = None
        """That of the message of which some bytes were taken, once its length is known."""
        self._at = 0

    def send(self, pieces: Sequence[Bulk]) -> None:
        """Send a message, in pieces. Raises PeerError if the stream is lost."""
        *first, last = pieces  # only the last field of a message is large
        length = sum(map(len, pieces)).to_bytes(LENGTH_BYTES, "little")
        self._link.write(self.stream, [b"".join([length, *first]), last])

    def receive(self, most: int | None) -> memoryview | None:
        """The next message, or None if it is not whole yet.

        most: the most bytes that it can have; EncodingError, before any more is taken, if it has
        more (PPMF-LNK-011). Raises PeerError if no more will come.
        """
        if self._room is None:
            self._at += self._link.read_into(self.stream, self._length[self._at :])
            if self._at < LENGTH_BYTES:
                return None
            size = int.from_bytes(self._length, "little")
            if most is not None and size > most:
                raise too_long(self._link.me.peer, self._link.me, most)
            self._room, self._at = aligned_room(size), 0
        if self._at < len(self._room):
            rest = self._room[self._at :]
            self._at += self._link.read_into(self.stream, rest, lend=True)
            if self._at < len(self._room):
                return None
        found, self._room, self._at = self._room, None, 0
        return found

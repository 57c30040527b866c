# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of a party over pipes, one to each of the other parties.

A message travels after its length, 8 bytes, the lowest first.
"""

from __future__ import annotations

import os
import queue
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from ppmf_secure.arrays import aligned_room
from ppmf_secure.driver import too_long
from ppmf_secure.transport.recorded_ends import Account, RecordedEnds
from ppmf_spec.errors import PeerError
from ppmf_spec.roles import USERS, Role
from ppmf_spec.wire import Bulk

_LENGTH_BYTES = 8

_BUFFER_BYTES = 4 << 20
"""What the system is asked to hold of a pipe, so that two servers seldom wait for each other."""

_LONGEST = 86_400.0
"""The most seconds that are waited for at once."""

_PIECE_BYTES = 1 << 20
"""The most bytes that are read at once of what is passed over."""

_PATIENCE = 1.0
"""The seconds at the end before anything is passed over."""

_ENDLESS = 1 << 62
"""More bytes than come."""


class PipeEnds(RecordedEnds):
    """Ends whose `receive` waits. Sending does not: a thread for each pipe writes what the system
    does not take at once.

    At the end of the context, all that is queued is written, unless the other party closes its end.
    If that takes long, what still comes is passed over meanwhile, since the other party may be at
    its end too and wait for the same.
    """

    def __init__(self, account: Account, pipes: Mapping[Role, Connection]) -> None:
        super().__init__(account)
        self._sockets = {peer: _socket_of(pipe) for peer, pipe in pipes.items()}
        self._lost: dict[Role, str] = {}
        """What a party sent, if no next message can be found after it."""
        self._writers = {peer: _Writer(end) for peer, end in self._sockets.items()}

    def put(self, to: Role, pieces: Sequence[Bulk]) -> None:
        """Hand a message to the writer of its pipe."""
        self._writers[to].put(pieces)

    def get(self, sender: Role, most: int | None, until: int | None) -> Bulk | None:
        """The next message from the party, once it has come, or None if it has not come until the
        given time; PeerError if none will (PPMF-ERR-005).

        A message of more than `most` bytes is refused when its length is known and before the rest
        is read (PPMF-WIR-009). From a server nothing more is taken then. All users have one pipe:
        the bytes of the message are passed over, so that the next user's is found (PPMF-ERR-008).
        A message of a user that is not whole at the given time is not waited for any longer, and
        nothing more is taken from the users.
        """
        if sender in self._lost:
            raise PeerError(f"{self.account.party}: {sender} sent {self._lost[sender]}")
        end = self._sockets[sender]

        def rest() -> bool:
            return until is None or sender is not USERS or self._comes(end, until)

        def rest_in_time() -> bool:
            return rest() and (until is None or self.account.clock() < until)

        try:
            if until is not None and not self._comes(end, until):
                return None
            length = _receive(end, memoryview(bytearray(_LENGTH_BYTES)), rest)
            size = int.from_bytes(length, "little")
            if most is None or size <= most:
                return _receive(end, aligned_room(size), rest)
            if sender is USERS:
                _pass_over(end, size, rest_in_time)
            else:
                self._lost[sender] = "a message that was too long"
        except _LateError:
            self._lost[sender] = "a message that was not whole in time"
            return None
        except (EOFError, OSError) as error:
            raise PeerError(f"{self.account.party}: {sender} disappeared") from error
        raise too_long(sender, self.account.party, most)

    def wait(self, until: int) -> None:
        """Sleep until that time, or for a day; the driver asks again."""
        time.sleep(self._left(until))

    def _comes(self, end: socket.socket, until: int) -> bool:
        """Whether there is something to read, once there is or that time has come."""
        while not select.select([end], [], [], self._left(until))[0]:
            if self.account.clock() >= until:
                return False
        return True

    def _left(self, until: int) -> float:
        """The seconds until that time, as many as are waited for at once."""
        return min(max(0.0, until - self.account.clock()), _LONGEST)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer in self._writers.values():
            writer.put_end()
        for peer, writer in self._writers.items():
            if not writer.ends_in(_PATIENCE):
                with _listening(self._sockets[peer]):
                    writer.ends_in(None)
        for end in self._sockets.values():
            end.close()


class _LateError(Exception):
    """The rest of a message has not come in time."""


class _Writer:
    """The writer of one pipe. What the system takes at once is written by the caller, so that two
    threads seldom hand over to each other; a thread writes the rest.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._queue: queue.SimpleQueue[Sequence[Bulk] | None] = queue.SimpleQueue()
        self._queued = self._written = 0  # each is counted by one thread alone
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def put(self, pieces: Sequence[Bulk]) -> None:
        """Write a message, or queue what the system does not take of it now."""
        *first, last = pieces  # only the last field of a message is large
        size = sum(map(len, pieces)).to_bytes(_LENGTH_BYTES, "little")
        rest: list[Bulk] = [b"".join([size, *first]), last]
        if self._queued == self._written:  # otherwise it would overtake what waits
            taken = self._write_at_once(rest)
            while rest and taken >= len(rest[0]):
                taken -= len(rest.pop(0))
            if not rest:
                return
            rest[0] = memoryview(rest[0])[taken:]
        self._queued += 1
        self._queue.put(rest)

    def put_end(self) -> None:
        """Queue the end of the thread."""
        self._queue.put(None)

    def ends_in(self, seconds: float | None) -> bool:
        """Whether all that is queued is written in so many seconds, if these are bounded."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _write_at_once(self, pieces: Sequence[Bulk]) -> int:
        """How many bytes of the pieces the system took without waiting."""
        with suppress(OSError):  # it takes nothing now, or the party is gone, as in `_write`
            return self._end.sendmsg(pieces, (), socket.MSG_DONTWAIT)
        return 0

    def _write(self) -> None:
        # that a party is gone is noticed by whoever waits for its next message
        with suppress(OSError):
            while (pieces := self._queue.get()) is not None:
                for piece in pieces:
                    self._end.sendall(piece)
                self._written += 1


def _socket_of(pipe: Connection) -> socket.socket:
    """The socket that a two-way pipe of multiprocessing is; both are closed by themselves."""
    end = socket.socket(fileno=os.dup(pipe.fileno()))
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        end.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    return end


def _always() -> bool:
    return True


def _receive(
    end: socket.socket, room: memoryview, comes: Callable[[], bool] = _always
) -> memoryview:
    """The room, filled with the bytes that come next; EOFError if the other party closes before.

    comes: waits for bytes, and says whether there are any; _LateError if not.
    """
    at = 0
    while at < len(room):
        if not comes():
            raise _LateError
        count = end.recv_into(room[at:])
        if not count:
            raise EOFError
        at += count
    return room


def _pass_over(end: socket.socket, size: int, comes: Callable[[], bool] = _always) -> None:
    """Take that many bytes and forget them; raises as `_receive` does."""
    room = memoryview(bytearray(min(size, _PIECE_BYTES)))
    while size:
        size -= len(_receive(end, room[: min(size, _PIECE_BYTES)], comes))


@contextmanager
def _listening(end: socket.socket) -> Iterator[None]:
    """Take all that comes meanwhile, and forget it."""

    def forget() -> None:
        with suppress(EOFError, OSError):
            _pass_over(end, _ENDLESS)

    listener = threading.Thread(target=forget, daemon=True)
    listener.start()
    try:
        yield
    finally:
        with suppress(OSError):  # it may be closed on the other side
            end.shutdown(socket.SHUT_RD)
        listener.join()

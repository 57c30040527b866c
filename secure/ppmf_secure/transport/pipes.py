# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of a party over pipes, one to each of the other parties.

A message in a pipe is its length in 8 bytes, the lowest first, and its bytes.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from ppmf_secure.driver import too_long
from ppmf_secure.transport.recorded_ends import Account, RecordedEnds
from ppmf_spec.errors import PeerError
from ppmf_spec.roles import USERS, Role

_HEAD_BYTES = 8
_PIECE_BYTES = 1 << 20
"""The most bytes that are read at once."""

_LONGEST = 86_400.0
"""The most seconds that are waited for at once; the driver asks again."""


class PipeEnds(RecordedEnds):
    """Ends whose `receive` waits. Sending does not: a thread for each pipe writes what is queued.

    At the end of the context, all that is queued is written.
    """

    def __init__(self, account: Account, pipes: Mapping[Role, Connection]) -> None:
        super().__init__(account)
        self._pipes = pipes
        self._too_long: set[Role] = set()
        self._writers = {peer: _Writer(pipe) for peer, pipe in pipes.items()}

    def put(self, to: Role, data: bytes) -> None:
        """Queue a message for the writer of its pipe."""
        self._writers[to].put(data)

    def get(self, sender: Role, most: int | None, until: int | None) -> bytes | None:
        """The next message from the party, once it has come, or None if it has not come until the
        given time; PeerError if none will (PPMF-ERR-005).

        A message of more than `most` bytes is refused when its length is known and before the rest
        is read (PPMF-WIR-009). From a server nothing more is taken then. All users have one pipe:
        the bytes of the message are passed over, so that the next user's is found (PPMF-ERR-008).
        """
        if sender in self._too_long:
            raise PeerError(f"{self.account.party}: {sender} sent a message that was too long")
        pipe = self._pipes[sender]
        try:
            if until is not None and not pipe.poll(self._left(until)):
                return None
            length = int.from_bytes(b"".join(_pieces(pipe, _HEAD_BYTES)), "little")
            if most is None or length <= most:
                return b"".join(_pieces(pipe, length))
            if sender is USERS:
                for _ in _pieces(pipe, length):
                    pass
            else:
                self._too_long.add(sender)
        except (EOFError, OSError) as error:
            raise PeerError(f"{self.account.party}: {sender} disappeared") from error
        raise too_long(sender, self.account.party, most)

    def wait(self, until: int) -> None:
        """Sleep until that time."""
        time.sleep(self._left(until))

    def _left(self, until: int) -> float:
        """The seconds until that time."""
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
            writer.close()


def _pieces(pipe: Connection, length: int) -> Iterator[bytes]:
    """The next bytes of a pipe, piece by piece. Raises EOFError if it ends before."""
    while length:
        piece = os.read(pipe.fileno(), min(length, _PIECE_BYTES))
        if not piece:
            raise EOFError
        length -= len(piece)
        yield piece


def write_message(pipe: Connection, data: bytes) -> None:
    """Write a message to a pipe, once there is room for all of it; OSError if it is closed."""
    for part in (len(data).to_bytes(_HEAD_BYTES, "little"), data):
        left = memoryview(part)
        while left:
            left = left[os.write(pipe.fileno(), left) :]


class _Writer:
    """The writer of one pipe: a thread that writes queued messages to it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Queue a message."""
        self._queue.put(data)

    def close(self) -> None:
        """End the thread, once all that is queued is written."""
        self._queue.put(None)
        self._thread.join()

    def _write(self) -> None:
        # that a party is gone is noticed by whoever waits for its next message
        with suppress(OSError):
            while (data := self._queue.get()) is not None:
                write_message(self._pipe, data)

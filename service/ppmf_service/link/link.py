# SPDX-License-Identifier: GPL-3.0-or-later
"""The link as the engine sees it: the streams of one server, shared with what carries them.

A subclass carries the frames: `connection.TlsLink` in threads over TLS, `memory.MemoryLink` when it
is told to. All that happens to the streams happens here, under one lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from ppmf_secure.link.streams import WINDOW, Stream, Streams
from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import PeerError, PpmfError
from ppmf_spec.roles import Role
from ppmf_spec.wire import Bulk

MOST_QUEUED = 64 << 20
"""The bytes beyond the window by which a program may be ahead of what the peer has acknowledged,
before it waits (PPMF-LNK-006)."""

AWAY_SECONDS = 600.0
"""After how long without a peer a program that waits to send is let go: this server has more to do
than to wait, such as to erase what has expired (PPMF-SRV-015)."""

STALL_SECONDS = 120.0
STALL_BYTES = 1 << 20
"""A peer that is there and acknowledges fewer bytes than that within these seconds, while a program
waits to send, has stalled (PPMF-LNK-018)."""

_LOOK_SECONDS = 1.0
"""How often a program that waits to send looks after everything else."""


class Link:
    """The streams of one server, under a lock.

    waits: whether `wait` and `write` wait; a link within one thread does not.
    """

    waits = True

    def __init__(self, me: Role, coins: Coins) -> None:
        self._streams = Streams(me, coins)
        self.trouble = ""
        """Why there was no connection last, in one line."""
        self._lock = threading.RLock()
        self._news = threading.Condition(self._lock)
        """Notified when something came, or the peer was met or lost."""
        self._work = threading.Condition(self._lock)
        """Notified when there may be something to send."""
        self.meanwhile: Callable[[], None] = lambda: None
        """Called now and then by a thread that waits to send, which has other things to do."""

    @property
    def me(self) -> Role:
        """This server."""
        return self._streams.me

    @property
    def connected(self) -> bool:
        """Whether the peer is there."""
        return self._streams.connected

    @property
    def generation(self) -> int:
        """How often the streams began anew."""
        return self._streams.generation

    @property
    def control(self) -> Stream:
        """The control stream, which is another one in each generation."""
        return self._streams.control

    def control_now(self) -> tuple[Stream, int]:
        """The control stream, and its generation."""
        with self._lock:
            return self._streams.control, self._streams.generation

    def open(self, number: int, *, met: bool = False, ahead: int = 0) -> Stream:
        """Open a stream; arguments and errors as `Streams.open`."""
        with self._lock:
            stream = self._streams.open(number, met=met, ahead=ahead)
            self._work.notify_all()
            return stream

    def finish(self, stream: Stream) -> None:
        """Take nothing more of a stream."""
        with self._lock:
            self._streams.finish(stream)
            self._work.notify_all()

    def give_up(self, stream: Stream, error: PpmfError) -> None:
        """End a stream at once, and tell the peer why."""
        with self._lock:
            self._streams.give_up(stream, error)
            self._work.notify_all()

    def write(self, stream: Stream, pieces: Sequence[Bulk]) -> None:
        """Queue bytes on a stream, and wait while the peer is far behind.

        Meanwhile the peer may send what its program may have to send first: it may wait for the
        same, and neither would go on (PPMF-LNK-017). Raises PeerError if the stream is lost, or the
        peer stays away or takes nothing (PPMF-LNK-018).
        """
        with self._lock:
            stream.write(pieces)
            self._work.notify_all()
            if not self.waits or not self._behind(stream):
                return
            stream.widen(waits=True)
        try:
            self._wait_to_send(stream)
        finally:
            with self._lock:
                stream.widen(waits=False)

    def _behind(self, stream: Stream) -> bool:
        """Whether a program waits to send. What was sent is kept until it is acknowledged, so it
        counts as well as what is queued: a peer may allow much and acknowledge nothing.
        """
        return stream.lost is None and stream.held > MOST_QUEUED + WINDOW

    def _wait_to_send(self, stream: Stream) -> None:
        since, before, there = time.monotonic(), stream.acknowledged, self.connected
        while True:
            with self._lock:
                if not self._behind(stream):
                    return
                self._news.wait(_LOOK_SECONDS)
                now = time.monotonic()
                if stream.acknowledged - before >= STALL_BYTES or self.connected != there:
                    since, before, there = now, stream.acknowledged, self.connected
                if there and now - since > STALL_SECONDS:
                    break
                if not there and now - since > AWAY_SECONDS:
                    raise PeerError(f"{self.me.peer} stays away, and too much waits to be sent")
            self.meanwhile()
        self.cut()
        raise PeerError(f"{self.me.peer} is there and takes nothing of what is sent")

    def read_into(self, stream: Stream, room: memoryview, *, lend: bool = False) -> int:
        """Take bytes of a stream that are here, and return how many; arguments and errors as
        `Stream.read_into`.
        """
        with self._lock:
            count = stream.read_into(room, lend=lend)
            if count and stream.grants:
                self._work.notify_all()
            return count

    def renew(self) -> None:
        """Begin anew with the peer, since what it sent cannot be read; the connection ends."""
        with self._lock:
            self._streams.renew()
            self._news.notify_all()

    def wait(self, seconds: float, stream: Stream | None = None) -> bool:
        """Wait until something came, at most so long. Returns whether anything is here.

        stream: on which it has to come, or which has to be lost, unless a control message comes.
        """
        if not self.waits:
            return False
        with self._lock:
            generation = self.generation

            def came() -> bool:
                if stream is not None and (stream.news or stream.lost is not None):
                    return True
                return self.control.available > 0 or self.generation != generation

            return self._news.wait_for(came, seconds)

    def wake(self) -> None:
        """End what waits in `wait`, from another thread."""
        with self._lock:
            self._news.notify_all()

    def cut(self) -> None:
        """Cut what carries the link, which is found again."""

    def close(self) -> None:
        """End what carries the link."""

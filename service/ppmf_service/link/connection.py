# SPDX-License-Identifier: GPL-3.0-or-later
"""The link over two TLS connections, one for each direction (PPMF-LNK-002).

CSP listens and RecSys dials; it dials again whenever a connection is lost. Of a pair of connections
one carries RecSys' frames and the other CSP's, so that each has one writer and one reader: two
threads that read and write on one connection would wait for each other. Threads do no more than to
carry frames between the connections and `Streams`.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ppmf_secure.arrays import aligned_room
from ppmf_secure.link import frames
from ppmf_secure.link.frames import HEAD_BYTES, INCARNATION_BYTES, Direction, Head, Hello, Kind
from ppmf_secure.primitives.coins import Coins
from ppmf_service.link.link import Link
from ppmf_service.link.tls import Identity, check_peer, context
from ppmf_spec.errors import EncodingError, PpmfError, StateError
from ppmf_spec.roles import CSP, RECSYS, Role
from ppmf_spec.wire import Bulk

_BUFFER_BYTES = 4 << 20
"""What the system is asked to hold of a connection."""

MOST_RECORDS = 1 << 24
"""The most records of TLS that are sent on a connection; OpenSSL never renews the keys of one by
itself, and Python's `ssl` cannot ask it to (PPMF-LNK-019)."""

_RECORD_BYTES = 1 << 14

_JOINED = 1 << 16
"""The most bytes that are copied in order to be written at once."""

_MOST_WAITING = 8
"""The most connections that wait for the other one of their pair."""

_MOST_GREETED = 64
"""The most connections that have not said hello yet."""

_MOST_OF_ONE = 8
"""How many of these one address may have, so that nobody else takes the place of the peer."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a link, in seconds (PPMF-LNK-012).

    greeting: for handshake and hello. ping: of silence, before a ping. silence: after which the
    connection is given up. pause: between attempts to dial, at first and at most. idle: before
    what can wait is sent.
    """

    greeting: float = 10.0
    ping: float = 5.0
    silence: float = 20.0
    pause: tuple[float, float] = (0.1, 5.0)
    idle: float = 0.02


@dataclass(eq=False)
class _Pair:
    """Two connections that belong together: `incoming` is read, `outgoing` written."""

    incoming: ssl.SSLSocket
    outgoing: ssl.SSLSocket
    heard: float
    broken: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def cut(self) -> None:
        """End both connections; whoever reads or writes on them is woken."""
        self.broken.set()
        for end in (self.incoming, self.outgoing):
            _cut(end)


class TlsLink(Link):
    """The link of a server, over TLS.

    address: host and port, at which CSP listens and RecSys dials. on_trouble: told in one line why
    a connection was lost or did not come about.
    """

    def __init__(
        self,
        me: Role,
        address: tuple[str, int],
        identity: Identity,
        coins: Coins,
        *,
        timing: Timing | None = None,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(me, coins.child("link"))
        self._identity = identity
        self._address = address
        self._coins = coins.child("connections")
        self._context = context(identity, self._coins, server=me is CSP)
        self._timing = timing or Timing()
        self._told = on_trouble
        self._pair: _Pair | None = None
        self._rests = False
        """Whether the thread that writes waits for more than what can wait."""
        self._quiet = True
        """Whether nothing has come since that thread looked."""
        self._closed = threading.Event()
        self._waiting: dict[bytes, tuple[ssl.SSLSocket, Hello]] = {}
        self._greeted: Counter[str] = Counter()
        """The connections that have not said hello yet, by address."""
        self._listener: socket.socket | None = None
        self._main = threading.Thread(
            target=self._dial_on if me is RECSYS else self._listen_on, name="link", daemon=True
        )

    def start(self) -> None:
        """Listen or dial from now on. Raises OSError if the address cannot be listened at."""
        if self.me is CSP:
            self._listener = socket.create_server(self._address, backlog=_MOST_GREETED)
        self._main.start()

    @property
    def port(self) -> int:
        """The port at which CSP listens."""
        assert self._listener is not None, "only CSP listens, once it has started"
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        """End the connections and all threads."""
        self._closed.set()
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        with self._lock:
            pair, waiting = self._pair, list(self._waiting.values())
            self._news.notify_all()
        for end, _ in waiting:
            end.close()
        if pair is not None:
            self._leave(pair)
        self._main.join()

    def renew(self) -> None:
        """Begin anew with the peer, over new connections."""
        super().renew()
        self.cut()

    def cut(self) -> None:
        """Cut the connections; the link is found again."""
        with self._lock:
            pair = self._pair
        if pair is not None:
            pair.cut()

    # -- RecSys dials -----------------------------------------------------------------------------

    def _dial_on(self) -> None:
        pause, most = self._timing.pause
        while not self._closed.is_set():
            try:
                pair = self._dial()
            except (OSError, PpmfError) as error:
                self._on_trouble(_reason(error))
                self._closed.wait(pause)
                pause = min(2 * pause, most)
                continue
            pause = self._timing.pause[0]
            self._watch(pair)

    def _dial(self) -> _Pair:
        """A pair of connections over which both servers have said hello."""
        ends: list[ssl.SSLSocket] = []
        try:
            ends += [self._connect(), self._connect()]
            up, down = ends
            pairing = self._coins.bytes(INCARNATION_BYTES)
            with self._lock:  # once for both: a program may take or open something in between
                ours = self._streams.hello(Direction.UP, pairing)
            for end, direction in ((up, Direction.UP), (down, Direction.DOWN)):
                end.sendall(frames.hello(replace(ours, direction=direction)))
            said = _read_hello(down)
            if (said.pairing, said.direction) != (pairing, Direction.DOWN):
                raise StateError("link: a hello of another connection")
            return self._begin(said, down, up)[0]
        except BaseException:
            for end in ends:
                end.close()
            raise

    def _connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(self._address, timeout=self._timing.greeting)
        return self._wrap(plain, server=False)

    def _wrap(self, plain: socket.socket, *, server: bool) -> ssl.SSLSocket:
        """The connection, once both servers have shown their certificates."""
        try:
            plain.settimeout(self._timing.greeting)
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                plain.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end = self._context.wrap_socket(plain, server_side=server)
        except BaseException:
            plain.close()
            raise
        try:
            check_peer(end, self._identity)
        except BaseException:
            end.close()
            raise
        return end

    # -- CSP listens ------------------------------------------------------------------------------

    def _listen_on(self) -> None:
        assert self._listener is not None
        while not self._closed.is_set():
            try:
                plain, (address, *_) = self._listener.accept()
            except OSError as error:
                if not self._closed.is_set():
                    self._on_trouble(_reason(error))
                    self._closed.wait(self._timing.pause[0])
                continue
            with self._lock:
                many = self._greeted.total() >= _MOST_GREETED
                if many or self._greeted[address] >= _MOST_OF_ONE:
                    plain.close()
                    continue
                self._greeted[address] += 1
            greeter = threading.Thread(
                target=self._greet, args=(plain, address), name="greet", daemon=True
            )
            greeter.start()

    def _greet(self, plain: socket.socket, address: str) -> None:
        """Take a connection that came, up to its hello, and watch its pair if it is the second."""
        pair = None
        try:
            end = self._wrap(plain, server=True)
            try:
                pair = self._pair_up(end, _read_hello(end))
            except BaseException:
                end.close()
                raise
        except (OSError, PpmfError) as error:
            if not self._closed.is_set():
                self._on_trouble(_reason(error))
        finally:
            with self._lock:
                self._greeted[address] -= 1
                self._greeted += Counter()  # without those that have none
        if pair is not None:
            self._watch(pair)

    def _pair_up(self, end: ssl.SSLSocket, said: Hello) -> _Pair | None:
        """The pair of a connection and the other one of its pairing, if that is here."""
        with self._lock:
            found = self._waiting.pop(said.pairing, None)
            if found is None:
                if len(self._waiting) >= _MOST_WAITING:
                    oldest = next(iter(self._waiting))
                    self._waiting.pop(oldest)[0].close()
                self._waiting[said.pairing] = end, said
                return None
        other, before = found
        try:
            if {said.direction, before.direction} != set(Direction):
                raise StateError("link: two connections of one direction")
            if replace(said, direction=before.direction) != before:
                raise EncodingError("link: two hellos of one pair that differ")
            up, down = (end, other) if said.direction is Direction.UP else (other, end)
            pair, goes_on = self._begin(said, up, down)
        except BaseException:
            other.close()
            raise
        try:
            with self._lock:
                ours = self._streams.hello(Direction.DOWN, said.pairing, anew=not goes_on)
            down.sendall(frames.hello(ours))
        except BaseException:
            self._leave(pair)
            raise
        return pair

    # -- both -------------------------------------------------------------------------------------

    def _begin(
        self, said: Hello, incoming: ssl.SSLSocket, outgoing: ssl.SSLSocket
    ) -> tuple[_Pair, bool]:
        """The pair, which takes the place of an earlier one; and whether the streams go on."""
        with self._lock:
            before = self._pair
        if before is not None:
            self._leave(before)
        for end in (incoming, outgoing):
            end.settimeout(None)
        pair = _Pair(incoming, outgoing, time.monotonic())
        with self._lock:
            goes_on = self._streams.meet(said)
            self._pair = pair
            self._news.notify_all()
        return pair, goes_on

    def _on_trouble(self, line: str) -> None:
        """Note why there is no connection; the same line again is not told again."""
        again = line == self.trouble
        self.trouble = line
        if not again:
            self._told(line)

    def _watch(self, pair: _Pair) -> None:
        """Carry frames until the connection is lost, or nothing was heard for too long."""
        for work in (self._read_on, self._write_on):
            thread = threading.Thread(target=self._guarded, args=(work, pair), daemon=True)
            thread.start()
            pair.threads.append(thread)  # `_leave` waits for those that have started
        while not pair.broken.wait(self._timing.ping):
            if time.monotonic() - pair.heard > self._timing.silence:
                self._on_trouble(f"nothing was heard of {self.me.peer} for too long")
                break
        self._leave(pair)

    def _guarded(self, work: Callable[[_Pair], None], pair: _Pair) -> None:
        try:
            work(pair)
        except (OSError, PpmfError) as error:
            if not pair.broken.is_set() and not self._closed.is_set():
                self._on_trouble(_reason(error))
        finally:
            pair.cut()

    def _leave(self, pair: _Pair) -> None:
        """End a pair, and all that carries frames over it."""
        pair.cut()
        with self._lock:
            if self._pair is pair:
                self._pair = None
                self._streams.disconnect()
            self._work.notify_all()
            self._news.notify_all()
        for thread in pair.threads:
            if thread is not threading.current_thread():
                thread.join()
        for end in (pair.incoming, pair.outgoing):
            end.close()

    def _read_on(self, pair: _Pair) -> None:
        end = pair.incoming
        room = memoryview(bytearray(HEAD_BYTES))
        while True:
            _fill(end, room, pair)
            head = frames.read_head(room)
            with self._lock:
                place = self._streams.place(head)
            body = aligned_room(head.size) if place is None else place
            _fill(end, body, pair)
            if not self._took(pair, head, body):
                return

    def _took(self, pair: _Pair, head: Head, body: memoryview) -> bool:
        """Hand a frame over, if the pair is still the one.

        Whoever waits is woken only if there is something for them: waking a thread costs as much as
        some tens of kilobytes.
        """
        with self._lock:
            if self._pair is not pair:
                return False
            self._streams.take(head, body)
            self.trouble = ""
            if head.kind is not Kind.PING:
                self._quiet = False
                if self._rests or self._streams.urgent:
                    self._work.notify_all()
                if self._streams.news_of(head):
                    self._news.notify_all()
            return True

    def _write_on(self, pair: _Pair) -> None:
        left = MOST_RECORDS
        while left > 0 and (frame := self._next_frame(pair)) is not None:
            left -= _most_records(frame)
            _write(pair.outgoing, frame)

    def _next_frame(self, pair: _Pair) -> Sequence[Bulk] | None:
        """The next frame, once there is one; None if the pair is not the one any more."""
        with self._lock:
            self._rests = False
            while self._pair is pair:
                frame = self._streams.next_frame(idle=self._rests)
                if frame is not None:
                    return frame
                woken = self._work.wait(self._timing.ping if self._rests else self._timing.idle)
                if not woken and self._rests:
                    return [frames.ping()]
                # nothing came and nobody had anything to send, since it was looked last
                self._rests = not woken and self._quiet
                self._quiet = True
        return None


def _fill(end: ssl.SSLSocket, room: memoryview, pair: _Pair) -> None:
    """Read as many bytes as the room has."""
    at = 0
    while at < len(room):
        count = end.recv_into(room[at:])
        if not count:
            raise EncodingError("link: the connection was closed")
        pair.heard = time.monotonic()
        at += count


def _most_records(frame: Sequence[Bulk]) -> int:
    """At most how many records of TLS a frame is."""
    return sum(len(piece) // _RECORD_BYTES + 1 for piece in frame)


def _write(end: ssl.SSLSocket, frame: Sequence[Bulk]) -> None:
    """Write a frame; small pieces are joined, large ones not copied."""
    joined = bytearray()
    for piece in frame:
        if len(joined) + len(piece) <= _JOINED:
            joined += piece
            continue
        if joined:
            end.sendall(joined)
            joined = bytearray()
        if len(piece) <= _JOINED:
            joined += piece
        else:
            end.sendall(piece)
    if joined:
        end.sendall(joined)


def _read_hello(end: ssl.SSLSocket) -> Hello:
    """The first frame of a connection."""

    def read(count: int) -> bytes:
        found = bytearray()
        while len(found) < count:
            part = end.recv(count - len(found))
            if not part:
                raise EncodingError("link: the connection was closed before a hello")
            found += part
        return bytes(found)

    head = frames.read_head(read(HEAD_BYTES))
    if head.kind is not Kind.HELLO:
        raise StateError("link: a connection begins with a hello")
    return frames.read_hello(read(head.size))


def _cut(end: ssl.SSLSocket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(end, socket.SHUT_RDWR)


def _reason(error: OSError | PpmfError) -> str:
    """Why there is no connection, in one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"link: the peer's certificate is not the one of the configuration ({error.reason})"
    if isinstance(error, ssl.SSLError):
        return f"link: TLS failed: {error.reason}"
    if isinstance(error, OSError):
        return f"link: {error.strerror or error}"
    return str(error)

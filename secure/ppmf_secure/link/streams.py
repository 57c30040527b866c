# SPDX-License-Identifier: GPL-3.0-or-later
"""The streams of a link at one server: sent, received, acknowledged, and resumed (sans-IO).

A stream is a sequence of bytes in each direction. Its sender keeps what the peer has not
acknowledged, and sends no more than the peer allows; its receiver keeps what was not taken yet,
within a window. So neither side's memory grows with what is sent (PPMF-LNK-005, -006). When a
connection is lost, both servers say how far each stream has come, and the identical bytes are sent
again from there (PPMF-LNK-007). If the peer's program started anew in the meantime, its streams are
gone, and so are this server's (PPMF-LNK-008).

`Streams` has no socket, thread or clock. A connection takes what `next_frame` gives it and hands
over what comes with `take`; it sees to it that no two threads are in here at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ppmf_secure.link import frames
from ppmf_secure.link.frames import INCARNATION_BYTES, MOST_DATA, MOST_STREAMS, Head, Hello, Kind
from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import PeerError, PpmfError, StateError
from ppmf_spec.roles import Role
from ppmf_spec.wire import Bulk

CONTROL = 0
"""The number of the stream for what servers say outside of epochs."""

WINDOW = 16 << 20
"""The bytes of a stream that may be on their way or wait to be taken (PPMF-LNK-006)."""

CONTROL_WINDOW = 1 << 20

_JOINED = 1 << 12
"""Pieces that came are joined up to so many bytes: each of them costs memory beside its bytes."""

_MOST_RESETS = 64
"""The most streams that were given up and of which the peer was not told yet."""


class _Outgoing:
    """What this server sends on a stream, from the first byte that is not acknowledged."""

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self._base = 0
        """The offset of the first byte of the first piece."""
        self.acked = 0
        self.sent = 0
        self.end = 0
        self.limit = 0
        self._at = (0, 0)
        """The piece and the place in it of the byte at `sent`."""

    def write(self, pieces: Sequence[Bulk]) -> None:
        for piece in pieces:
            if len(piece):
                self._pieces.append(memoryview(piece).cast("B"))
                self.end += len(piece)

    @property
    def ready(self) -> int:
        """The bytes that may be sent now."""
        return max(0, min(self.end, self.limit) - self.sent)

    def next(self, most: int) -> tuple[int, list[memoryview]]:
        """The offset and the next bytes, in pieces, at most so many of those that are ready."""
        offset, left = self.sent, min(most, self.ready)
        self.sent += left
        found: list[memoryview] = []
        number, place = self._at
        while left:
            piece = self._pieces[number]
            part = piece[place : place + left]
            found.append(part)
            left -= len(part)
            place += len(part)
            if place == len(piece):
                number, place = number + 1, 0
        self._at = (number, place)
        return offset, found

    def acknowledge(self, received: int, limit: int) -> None:
        """The peer has received so many bytes, and allows so many. Raises StateError for more bytes
        than were sent.
        """
        if received > self.sent:
            raise StateError(f"link: {received} bytes acknowledged, {self.sent} sent")
        self.limit = max(self.limit, limit)
        self.acked = max(self.acked, received)
        number, place = self._at
        while self._pieces and self._base + len(self._pieces[0]) <= self.acked:
            self._base += len(self._pieces.popleft())
            number -= 1
        self._at = (number, place)  # not before the first piece, since `received` is not after it

    def resume(self, received: int, limit: int) -> None:
        """Send again from the first byte that the peer has not. Raises StateError if it is gone."""
        if received < self.acked:
            raise StateError(f"link: byte {received} is asked for again, which was acknowledged")
        self.acknowledge(received, limit)
        self.sent = received
        self._at = (0, received - self._base)

    def clear(self) -> None:
        """Forget what was to be sent."""
        self._pieces.clear()
        self.end = self.acked = self.sent
        self._base, self._at = self.sent, (0, 0)


class _Incoming:
    """What this server has received on a stream, from the first byte that was not taken."""

    def __init__(self, window: int) -> None:
        self._pieces: deque[memoryview] = deque()
        self.window = window
        self.received = 0
        self.taken = 0
        self._granted = 0
        self._told = (-1, -1)
        self.wide = 0
        """How many bytes are allowed beyond the window."""
        self._lent: memoryview | None = None
        """Where the next bytes belong, if whoever takes them has said so."""
        self._placed = 0
        """How many bytes were put there and not taken yet."""
        self._place: memoryview | None = None
        """The part of it into which a frame is read now."""

    @property
    def available(self) -> int:
        return self.received - self.taken

    @property
    def news(self) -> bool:
        """Whether there is something to take, other than the beginning of what was asked for."""
        return bool(self._pieces) or (self._placed > 0 and self._lent is None)

    def place(self, offset: int, size: int) -> memoryview | None:
        """Where the body of a frame can be read to, so that it is not copied, if that is known."""
        self._place = None
        fits = self._lent is not None and size <= len(self._lent) and not self._pieces
        if fits and offset == self.received and offset + size <= self._granted:
            assert self._lent is not None, "something fits into it"
            self._place = self._lent[:size]
        return self._place

    def add(self, offset: int, data: Bulk) -> None:
        """Bytes that came. Those that are here already are passed over. Raises StateError if bytes
        are left out, or for more than were allowed (PPMF-LNK-005, -006).
        """
        if offset > self.received:
            raise StateError(f"link: bytes {self.received} to {offset} were left out")
        end = offset + len(data)
        if end > self._granted:
            raise StateError(f"link: byte {end} was sent, {self._granted} are allowed")
        if end > self.received:
            if data is self._place and self._lent is not None:
                self._placed += len(data)
                self._lent = self._lent[len(data) :] if len(data) < len(self._lent) else None
            else:
                self._keep(memoryview(data)[self.received - offset :])
            self.received = end
        self._place = None

    def _keep(self, piece: memoryview) -> None:
        if self._pieces and len(self._pieces[-1]) + len(piece) <= _JOINED:
            piece = memoryview(b"".join((self._pieces.pop(), piece)))
        self._pieces.append(piece)

    def read_into(self, room: memoryview, lend: bool = False) -> int:
        """Take as many bytes as there are and fit, and return how many."""
        at, self._placed = self._placed, 0
        while at < len(room) and self._pieces:
            piece = self._pieces.popleft()
            part = piece[: len(room) - at]
            room[at : at + len(part)] = part
            at += len(part)
            if len(part) < len(piece):
                self._pieces.appendleft(piece[len(part) :])
        self.taken += at
        self._lent = room[at:] if lend and at < len(room) else None
        self._place = None
        return at

    def pass_over(self) -> None:
        """Take all that is here, and forget it."""
        self._pieces.clear()
        self._lent, self._placed, self._place = None, 0, None
        self.taken = self.received

    def allow(self) -> tuple[int, int]:
        """How many bytes were received, and how many the peer may send in all."""
        self._granted = max(self._granted, self._allowed)
        self._told = (self.received, self._granted)
        return self._told

    def due(self, idle: bool) -> bool:
        """Whether the peer should be told what `allow` says; if the link is idle, of any news."""
        received, granted = self._told
        news = max(self.received - received, self._allowed - granted)
        return received < 0 or news >= (1 if idle else self.window // 8)

    @property
    def _allowed(self) -> int:
        """How many bytes there is room for. What was put where it belongs is as good as taken."""
        return self.taken + self._placed + self.window + self.wide


class Stream:
    """One stream at one server. It is made by `Streams.open`.

    ahead: the most bytes beyond the window that the peer may have to send before it takes anything.
    lost: why nothing comes any more after what is here, if that is so.
    """

    def __init__(self, number: int, window: int, ahead: int = 0) -> None:
        self.number = number
        self._ahead = ahead
        self.lost: PpmfError | None = None
        self._out = _Outgoing()
        self._in = _Incoming(window)
        self._met = False
        """Whether the peer has opened it too."""
        self.finished = False

    @property
    def queued(self) -> int:
        """The bytes that were written and not sent yet."""
        return self._out.end - self._out.sent

    @property
    def held(self) -> int:
        """The bytes that were written and that the peer has not acknowledged, all of which are kept
        here.
        """
        return self._out.end - self._out.acked

    @property
    def acknowledged(self) -> int:
        """How many bytes the peer has acknowledged."""
        return self._out.acked

    @property
    def available(self) -> int:
        """The bytes that can be taken now."""
        return self._in.available

    @property
    def drained(self) -> bool:
        """Whether the peer has received all that was written."""
        return self._out.acked == self._out.end

    @property
    def grants(self) -> bool:
        """Whether the peer should be told that it may send more."""
        return self._in.due(idle=False)

    def write(self, pieces: Sequence[Bulk]) -> None:
        """Queue bytes, in pieces, which must not change any more. Raises PeerError if the stream is
        lost.
        """
        if self.lost is not None:
            raise PeerError(str(self.lost))
        self._out.write(pieces)

    @property
    def news(self) -> bool:
        """Whether there is something to take. The beginning of what fits into a room that was lent
        is none until that is full.
        """
        return self._in.news

    def read_into(self, room: memoryview, *, lend: bool = False) -> int:
        """Take bytes that are here, as many as fit, and return how many.

        lend: whether bytes that come later may be put into the rest of the room at once. The rest
        is then given again the next time, and what was put there counts as taken then.
        Raises PeerError if there are none and none will come.
        """
        if not self._in.available and self.lost is not None:
            raise PeerError(str(self.lost))
        return self._in.read_into(room, lend)

    def widen(self, waits: bool) -> None:
        """While this server waits to send, allow the peer as many bytes beyond the window as its
        program may have to send before it takes anything (PPMF-LNK-017).
        """
        self._in.wide = self._ahead if waits else 0


class Streams:
    """All streams of a link at one server, and what is to be sent on a connection.

    me: this server. coins: for the incarnation of its program (PPMF-LNK-003).
    generation: how often the streams began anew; whoever said something on the control stream that
    was not answered says it again when this changes.
    """

    def __init__(self, me: Role, coins: Coins) -> None:
        self.me = me
        self._coins = coins
        self._incarnation = coins.bytes(INCARNATION_BYTES)
        self._peer = b""
        self.generation = 0
        self.connected = False
        self._streams: dict[int, Stream] = {}
        self._resets: dict[int, PpmfError] = {}
        self._early: dict[int, int | PpmfError] = {}
        """What the peer allows on streams that this server has not opened yet, or why it has ended
        them, by number."""
        self._turn = 0
        self.control = self._begin(CONTROL, CONTROL_WINDOW)

    def open(
        self, number: int, *, met: bool = False, window: int = WINDOW, ahead: int = 0
    ) -> Stream:
        """Open a stream, of a number that both servers have agreed on (PPMF-LNK-009).

        met: whether the peer has opened it already. ahead: see `Stream`.
        Raises StateError for one that is open, or too many.
        """
        if number in self._streams or len(self._streams) >= MOST_STREAMS:
            raise StateError(f"link: stream {number} cannot be opened")
        stream = self._begin(number, window, ahead)
        stream._met = met
        return stream

    def finish(self, stream: Stream) -> None:
        """Take nothing more of a stream; it ends when the peer has received what was written."""
        stream.finished = True
        stream._in.pass_over()
        self._tidy(stream)

    def give_up(self, stream: Stream, error: PpmfError) -> None:
        """End a stream at once, and tell the peer why (PPMF-LNK-010)."""
        if self._streams.get(stream.number) is stream:
            del self._streams[stream.number]
            if len(self._resets) < _MOST_RESETS:
                self._resets[stream.number] = error
        stream.lost = stream.lost or error
        stream._out.clear()

    # -- connections ------------------------------------------------------------------------------

    def hello(self, direction: frames.Direction, pairing: bytes, *, anew: bool = False) -> Hello:
        """What this server says first on a connection.

        anew: whether it answers a hello with which it did not go on.
        """
        if anew:
            return Hello(self.me, direction, self._incarnation, b"", pairing, ())
        listed = tuple((one.number, *one._in.allow()) for one in self._streams.values())
        return Hello(self.me, direction, self._incarnation, self._peer, pairing, listed)

    def meet(self, said: Hello) -> bool:
        """Go on from what the peer said first, with its streams or anew (PPMF-LNK-007, -008).

        Returns whether the streams go on. Raises StateError for one of this server's own role, or
        if bytes that it asks for are gone; this server then begins anew.
        """
        if said.role is not self.me.peer:
            raise StateError(f"link: {said.role} where {self.me.peer} was due")
        if not self._goes_on(said):
            self._begin_anew(said.incarnation)
            return False
        listed = {number: (received, limit) for number, received, limit in said.streams}
        for number, (_, limit) in listed.items():
            if number not in self._streams:
                self._note_early(number, limit)
        try:
            for stream in list(self._streams.values()):
                self._resume(stream, listed.get(stream.number))
        except StateError:
            self.renew()
            raise
        self.connected = True
        return True

    def renew(self) -> None:
        """Begin anew, as if this server's program had started again: what came on a stream cannot
        be read any more.
        """
        self._incarnation = self._coins.bytes(INCARNATION_BYTES)
        self._begin_anew(b"")

    def disconnect(self) -> None:
        """Note that the connection was lost."""
        self.connected = False

    def next_frame(self, idle: bool = False) -> list[Bulk] | None:
        """The next frame to be sent, in pieces; None if there is none now.

        idle: whether nothing was to be sent for a while; then also what would not be worth it.
        """
        for number, error in self._resets.items():
            del self._resets[number]
            return [frames.reset(number, error)]
        for stream in self._streams.values():
            if stream._in.due(idle):
                return [frames.ack(stream.number, *stream._in.allow())]
        ready = [stream for stream in self._streams.values() if stream._out.ready]
        if not ready:
            return None
        self._turn += 1
        control = [stream for stream in ready if stream.number == CONTROL]
        stream = control[0] if control else ready[self._turn % len(ready)]
        offset, pieces = stream._out.next(MOST_DATA)
        size = sum(map(len, pieces))
        return [frames.write_head(Kind.DATA, stream.number, offset, size), *pieces]

    @property
    def urgent(self) -> bool:
        """Whether something is to be sent at once."""
        return bool(self._resets) or any(
            stream._out.ready or stream._in.due(idle=False) for stream in self._streams.values()
        )

    def news_of(self, head: Head) -> bool:
        """Whether whoever waits for something has to look, after a frame that came."""
        stream = self._streams.get(head.stream)
        return head.kind is not Kind.DATA or (stream is not None and stream.news)

    def place(self, head: Head) -> memoryview | None:
        """Where the body of a frame is to be read to, before it is handed over; None if anywhere.

        The frame may still be lost; then the identical bytes come again.
        """
        stream = self._streams.get(head.stream) if head.kind is Kind.DATA else None
        return None if stream is None else stream._in.place(head.offset, head.size)

    def take(self, head: Head, body: Bulk) -> None:
        """A frame that came, whose body may lie where `place` said. Raises EncodingError or
        StateError for one that must not come here, after which the connection is given up.

        Frames of streams that this server has not, or not any more, are passed over.
        """
        match head.kind:
            case Kind.HELLO:
                raise StateError("link: a second hello")
            case Kind.PING:
                return
            case Kind.RESET if head.stream == CONTROL:
                raise StateError("link: the control stream cannot be given up")
            case Kind.RESET:
                error = frames.read_reset(body, self.me.peer)
                if stream := self._streams.pop(head.stream, None):
                    self._lose(stream, error)
                else:
                    self._note_early(head.stream, error)
                return
            case Kind.ACK | Kind.DATA:
                pass
        stream = self._streams.get(head.stream)
        if stream is None:
            if head.kind is Kind.ACK:
                self._note_early(head.stream, frames.read_limit(body))
            return
        if head.kind is Kind.ACK:
            stream._met = True
            stream._out.acknowledge(head.offset, frames.read_limit(body))
            self._tidy(stream)
        else:
            stream._in.add(head.offset, body)
            if stream.finished:
                stream._in.pass_over()

    # -- within -----------------------------------------------------------------------------------

    def _begin(self, number: int, window: int, ahead: int = 0) -> Stream:
        self._resets.pop(number, None)
        stream = self._streams[number] = Stream(number, window, ahead)
        stream._in.allow()
        stream._in._told = (-1, -1)
        match self._early.pop(number, None):
            case int(limit):
                stream._met = True
                stream._out.limit = limit
            case PpmfError() as error:
                del self._streams[number]
                self._lose(stream, error)
        return stream

    def _note_early(self, number: int, found: int | PpmfError) -> None:
        """The peer has opened a stream first, or ended it already. Streams that have ended here are
        among these too: of all the newest are remembered.
        """
        self._early.pop(number, None)
        self._early[number] = found
        if len(self._early) > MOST_STREAMS:
            del self._early[next(iter(self._early))]

    def _goes_on(self, said: Hello) -> bool:
        """Whether both servers remember each other."""
        known = self._peer == said.incarnation
        return known and said.peer == self._incarnation

    def _begin_anew(self, peer: bytes) -> None:
        gone = PeerError(f"{self.me.peer}: its program started anew")
        for stream in self._streams.values():
            self._lose(stream, gone)
        self._streams.clear()
        self._resets.clear()
        self._early.clear()
        self._peer = peer
        self.generation += 1
        self.control = self._begin(CONTROL, CONTROL_WINDOW)
        self.connected = bool(peer)

    def _resume(self, stream: Stream, listed: tuple[int, int] | None) -> None:
        if listed is not None:
            stream._met = True
            stream._out.resume(*listed)
            self._tidy(stream)
        elif stream._met:
            del self._streams[stream.number]
            self._lose(stream, PeerError(f"{self.me.peer} has ended stream {stream.number}"))

    def _lose(self, stream: Stream, error: PpmfError) -> None:
        stream.lost = stream.lost or error
        stream._out.clear()

    def _tidy(self, stream: Stream) -> None:
        """Forget a stream that is finished, once the peer has all of it, which is told so."""
        if stream.finished and stream.drained and self._streams.get(stream.number) is stream:
            del self._streams[stream.number]
            self._resets[stream.number] = PeerError("the stream has ended")

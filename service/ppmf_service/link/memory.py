# SPDX-License-Identifier: GPL-3.0-or-later
"""Two links in one thread: the frames lie in a wire between them until somebody delivers them.

Tests and simulations decide when bytes arrive, how many at once, and when the connection is cut.
"""

from __future__ import annotations

from ppmf_secure.link import frames
from ppmf_secure.link.frames import Direction, Splitter
from ppmf_secure.primitives.coins import Coins
from ppmf_service.link.link import Link
from ppmf_spec.errors import PpmfError
from ppmf_spec.roles import CSP, RECSYS, Role

_PAIRING = bytes(frames.INCARNATION_BYTES)
_DIRECTIONS = {RECSYS: Direction.UP, CSP: Direction.DOWN}


class MemoryLink(Link):
    """A link whose frames a `Wire` carries."""

    waits = False

    def outgoing(self, most: int) -> bytes:
        """The bytes of the next frames, until there are so many."""
        found = bytearray()
        while len(found) < most:
            pieces = self._streams.next_frame(idle=True)
            if pieces is None:
                break
            for piece in pieces:
                found += piece
        return bytes(found)

    def take(self, splitter: Splitter, data: bytes) -> None:
        """Bytes that came; raises as `Streams.take` and `Splitter.feed` do."""
        for head, body in splitter.feed(data):
            place = self._streams.place(head)
            if place is not None:
                place[:] = body
            self._streams.take(head, body if place is None else place)

    def say_hello(self, *, anew: bool = False) -> frames.Hello:
        """What this server says first."""
        return self._streams.hello(_DIRECTIONS[self.me], _PAIRING, anew=anew)

    def meet(self, said: frames.Hello) -> bool:
        """Go on from what the peer said first; as `Streams.meet`."""
        return self._streams.meet(said)

    def disconnect(self) -> None:
        """Note that the connection was lost."""
        self._streams.disconnect()


class Wire:
    """The connection of two links, which can be cut and made again.

    links: by role, which may be replaced by others while the wire is cut, as if a program had
    started anew.
    """

    def __init__(self, recsys: MemoryLink, csp: MemoryLink) -> None:
        self.links: dict[Role, MemoryLink] = {RECSYS: recsys, CSP: csp}
        self._way: dict[Role, bytearray] = {}
        """The bytes on their way, by their sender."""
        self._splitters: dict[Role, Splitter] = {}
        self.up = False

    @classmethod
    def between(cls, coins: Coins) -> Wire:
        """A wire between two new links; it is not up yet."""
        return cls(*(MemoryLink(role, coins.child(role)) for role in (RECSYS, CSP)))

    def connect(self) -> None:
        """Bring the wire up, as RecSys does by dialling: both say hello, RecSys first.

        Raises what `meet` raises; the wire is down then.
        """
        self.cut()
        recsys, csp = self.links[RECSYS], self.links[CSP]
        self._way = {role: bytearray() for role in self.links}
        self._splitters = {role: Splitter() for role in self.links}
        goes_on = csp.meet(_carried(recsys.say_hello()))
        try:
            recsys.meet(_carried(csp.say_hello(anew=not goes_on)))
        except PpmfError:
            csp.disconnect()
            raise
        self.up = True

    def cut(self) -> None:
        """Cut the wire; what is on its way is lost."""
        self.up = False
        self._way.clear()
        for link in self.links.values():
            link.disconnect()

    def fill(self, sender: Role, most: int = 1 << 16) -> int:
        """Put the sender's next frames on the wire, until so many bytes are on it; the number of
        bytes that are then on their way.
        """
        way = self._way[sender]
        if len(way) < most:
            way += self.links[sender].outgoing(most - len(way))
        return len(way)

    def deliver(self, sender: Role, count: int) -> None:
        """Hand so many bytes that are on their way to the receiver. Raises what its link refuses;
        the wire is cut then.
        """
        way = self._way[sender]
        data = bytes(way[:count])
        del way[:count]
        try:
            self.links[sender.peer].take(self._splitters[sender], data)
        except PpmfError:
            self.cut()
            raise

    def pump(self) -> bool:
        """Deliver all that both links have to send, until neither has. Returns whether anything
        was delivered.
        """
        moved = False
        if not all(link.connected for link in self.links.values()):
            self.cut()
        while self.up:
            counts = {sender: self.fill(sender) for sender in self.links}
            if not any(counts.values()):
                break
            for sender, count in counts.items():
                if count and self.up:
                    self.deliver(sender, count)
            moved = True
        return moved


def _carried(said: frames.Hello) -> frames.Hello:
    """A hello, once it was bytes."""
    ((_, body),) = Splitter().feed(frames.hello(said))
    return frames.read_hello(body)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The three simulators: a party's real program among imagined others, and what it then sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ppmf_secure.effects import CSP, RECSYS, USERS, Keep, Program, Receive, Send
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout, OwnerKey, PeerKey, Suite, Uses
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.primitives.shares import Bits, Words, to_bits
from ppmf_secure.session.checkpoint import Kept, lineage
from ppmf_secure.session.transcript import Direction, Record
from ppmf_secure.simulator.imagined import Imagined
from ppmf_secure.simulator.leakage import Leakage
from ppmf_spec import wire
from ppmf_spec.profiles import ItemProfiles


def simulate_user(leakage: Leakage, user: str, rows: Words, coins: Coins) -> list[Record]:
    """The view of one user, whose input is `rows` (2, items): a key comes, her upload goes.

    Exact: the key is drawn as CSP draws it, and nothing else comes.
    """
    view = _View(USERS, leakage, 0)
    program = users(leakage.session, [(user, rows)], coins.child("user"))
    key = SealingKey.generate(coins.child("imagined")).public
    view.play(program, lambda _: wire.UserKey(key))
    return view.records


def simulate_recsys(leakage: Leakage, output: ItemProfiles, coins: Coins) -> list[Record]:
    """The view of RecSys, which has no input and whose output is V.

    Under the assumptions of `imagined`. The output share is exact: CSP's real one is V xor RecSys'
    colours, a function of what RecSys has, and so it is here. To read the colours off, the program
    is given a share of zeros: what it opens then is the colours.
    """
    return _simulate(RECSYS, leakage, coins, output)


def simulate_csp(leakage: Leakage, coins: Coins) -> list[Record]:
    """The view of CSP, which has neither input nor output. Under the assumptions of `imagined`."""
    return _simulate(CSP, leakage, coins, None)


@dataclass
class _View:
    """A party's transcript of one epoch as it grows; `limit` is how many messages it has."""

    party: str
    leakage: Leakage
    epoch: int
    limit: int | None = None
    records: list[Record] = field(default_factory=list)
    kept: list[Keep] = field(default_factory=list)
    links: dict[tuple[str, str], wire.Link] = field(default_factory=dict)

    def play(
        self,
        program: Program[Any],
        imagine: Callable[[Receive], wire.Message],
        watch: Callable[[wire.Message], None] = lambda _: None,
    ) -> Any:
        """Run the program to its end, or as far as the limit; what it returned.

        `imagine` answers what it waits for; `watch` is told what it sends.
        """
        reply: wire.Message | None = None
        while True:
            try:
                effect = program.send(reply)
            except StopIteration as end:
                return end.value
            reply = None
            if isinstance(effect, Keep):
                self.kept.append(effect)
            if isinstance(effect, (Send, Receive)) and len(self.records) == self.limit:
                program.close()
                return None
            if isinstance(effect, Send):
                watch(effect.message)
                self._record("sent", effect.to, effect.message)
            elif isinstance(effect, Receive):
                reply = imagine(effect)
                self._record("received", effect.sender, reply)

    def replace_last(self, message: wire.Message) -> None:
        """Put another message in the place of the last."""
        last = self.records[-1]
        envelope = replace(wire.decode(last.message), message=message)
        self.records[-1] = Record(last.direction, last.peer, wire.encode(envelope))

    def _record(self, direction: Direction, peer: str, message: wire.Message) -> None:
        route = (self.party, peer) if direction == "sent" else (peer, self.party)
        fresh = wire.Link(self.leakage.session.id, self.epoch, *route)
        # each user is a sender of her own
        link = fresh if route[0] == USERS else self.links.setdefault(route, fresh)
        self.records.append(Record(direction, peer, link.encode(message)))


def _simulate(me: str, leakage: Leakage, coins: Coins, output: ItemProfiles | None) -> list[Record]:
    """Epoch after epoch, each from what the ones before it kept."""
    past = _Past(me, leakage)
    records: list[Record] = []
    for epoch in range(leakage.epochs):
        last = epoch == leakage.epochs - 1
        limit = None if last else leakage.interruptions[epoch].messages[me]
        own = Coins(coins.child(f"{me}/{epoch}").bytes(32))
        imagined = Imagined(me, leakage, epoch, coins.child(f"imagined/{epoch}"))
        view = _View(me, leakage, epoch, limit)
        program = past.program(epoch, imagined, own)
        coming = imagined.messages(past.names(epoch))

        def imagine(due: Receive, coming: Iterator[wire.Message] = coming) -> wire.Message:
            message = next(coming)
            assert isinstance(message, due.kind), f"{message.name} where {due.kind.name} is due"
            return message

        opened = view.play(program, imagine, imagined.heard)
        if isinstance(opened, ItemProfiles) and output is not None:
            view.replace_last(wire.OutputShare(_difference(opened, output)))
        past.remember(epoch, imagined, view)
        records += view.records
    return records


def _difference(colours: ItemProfiles, output: ItemProfiles) -> bytes:
    """The output share that opens to `output` where one of zeros opens to `colours`."""
    bits = [_bits(profiles) for profiles in (colours, output)]
    return np.packbits(bits[0] ^ bits[1], bitorder="little").tobytes()


def _bits(profiles: ItemProfiles) -> Bits:
    """The bits of V's words, in the order of positions."""
    columns = [profiles.factors]
    if profiles.bias is not None:
        columns.append(profiles.bias[:, None])
    words = np.concatenate(columns, axis=1).T.ravel().astype(np.uint64)
    return to_bits(words, 1 + profiles.box_bits + profiles.frac_bits).ravel()


class _Past:
    """What server `me` kept: its shares of the ratings, and of models by iteration and epoch."""

    def __init__(self, me: str, leakage: Leakage) -> None:
        self._me = me
        self._peer = RECSYS if me == CSP else CSP
        self._leakage = leakage
        self._ratings = b""
        self._models: dict[tuple[int, int], bytes] = {}
        self._lineages: dict[int, bytes] = {}

    def program(self, epoch: int, imagined: Imagined, coins: Coins) -> Program[Any]:
        """The server's program in that epoch."""
        suite = replace(
            self._leakage.suite, products=_Watched(self._leakage.suite.products, imagined)
        )
        server = {RECSYS: recsys, CSP: csp}[self._me]
        return server(self._leakage.session, suite, coins, epoch=epoch, kept=self._kept(epoch))

    def _kept(self, epoch: int) -> Kept | None:
        if not epoch:
            return None
        held = sorted(self._leakage.interruptions[epoch - 1].held[self._me])
        return Kept(self._ratings, tuple(self._models[name] for name in held))

    def names(self, epoch: int) -> bytes:
        """The names of the checkpoints that the peer held when that epoch began (PPMF-RES-006)."""
        if not epoch:
            return b""
        held = sorted(self._leakage.interruptions[epoch - 1].held[self._peer])
        return b"".join(
            iteration.to_bytes(8, "little") + self._lineages[made] for iteration, made in held
        )

    def remember(self, epoch: int, imagined: Imagined, view: _View) -> None:
        """What that epoch leaves: the shares it kept, and its name."""
        for keep in view.kept:
            if keep.iteration is None:
                self._ratings = keep.data()
            else:
                self._models[keep.iteration, epoch] = keep.data()
        for record in view.records:
            message = wire.decode(record.message).message
            if isinstance(message, wire.ServerKey) and record.direction == "sent":
                keys = {self._me: message, self._peer: imagined.server_key}
                self._lineages[epoch] = lineage(self._leakage.session, keys)


class _Watched(Suite):
    """A suite that tells `imagined` which key pair the server made."""

    def __init__(self, suite: Suite, imagined: Imagined) -> None:
        self.name, self.secure = suite.name, suite.secure
        self._suite = suite
        self._imagined = imagined

    def generate(self, coins: Coins) -> OwnerKey:
        """As the suite does."""
        self._imagined.own = self._suite.generate(coins)
        return self._imagined.own

    def peer(self, public: bytes) -> PeerKey:
        """As the suite does."""
        return self._suite.peer(public)

    def check(self, layout: Layout) -> None:
        """As the suite does."""
        self._suite.check(layout)

    def row_bytes(self, layout: Layout) -> int:
        """As the suite does."""
        return self._suite.row_bytes(layout)

    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """As the suite does."""
        return self._suite.answer_bytes(layout, uses)

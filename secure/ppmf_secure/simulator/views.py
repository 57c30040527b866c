# SPDX-License-Identifier: GPL-3.0-or-later
"""The three simulators: each runs one party's real program on simulated messages.

`simulate_user`, `simulate_recsys` and `simulate_csp` make the view of a run; `_SimulatedEnds` are
the ends that record it. A server of several epochs goes on from what it kept in the earlier ones
(`_EarlierEpochs`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ppmf_secure.arrays import Bits
from ppmf_secure.driver import Driver
from ppmf_secure.effects import Keep, Phase, Program
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import (
    FittedScheme,
    Layout,
    OwnerKey,
    PeerKey,
    ProductScheme,
    Uses,
)
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.primitives.shares import to_bits
from ppmf_secure.primitives.workers import Workers
from ppmf_secure.protocols.admission import Decision
from ppmf_secure.protocols.resumption import lineage
from ppmf_secure.session.checkpoint import Kept, read_admission, read_closing
from ppmf_secure.session.transcript import Record
from ppmf_secure.simulator.leakage import Leakage
from ppmf_secure.simulator.simulated_messages import SimulatedMessages
from ppmf_spec import wire
from ppmf_spec.errors import PeerError, PpmfError
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import CSP, RECSYS, USERS, Role


def simulate_user(
    leakage: Leakage, user: str, row: Row, consent_key: bytes, coins: Coins
) -> list[Record]:
    """The view of one user, whose input is their row and their consent key: they send an upload.

    It is exact, since a user receives nothing.
    """
    view = _SimulatedEnds(USERS, leakage, 0, _nothing)
    view.play(users(leakage.session, [(user, row)], {user: consent_key}, coins.child("user")))
    return view.records


def simulate_recsys(leakage: Leakage, output: ItemProfiles, coins: Coins) -> list[Record]:
    """The view of RecSys, which has no input, and the output V.

    It looks like a real one under the assumptions of `simulated_messages`. The output share is
    exact: CSP's real share is V xor RecSys' colours, which is a function of what RecSys has, and so
    is the simulated one. To learn the colours, the simulator first gives the program a share of
    zeros: what it then opens is the colours.
    """
    return _simulate(RECSYS, leakage, coins, output, None)


def simulate_csp(
    leakage: Leakage, sealing: SealingKey, consent_keys: Mapping[str, bytes], coins: Coins
) -> list[Record]:
    """The view of CSP, whose input is its key pair for seals and the users' consent keys, and which
    has no output.

    It looks like a real one under the assumptions of `simulated_messages`.
    """
    return _simulate(CSP, leakage, coins, None, _Secrets(sealing, consent_keys))


@dataclass(frozen=True, slots=True, repr=False)
class _Secrets:
    """CSP's input."""

    sealing: SealingKey
    consent_keys: Mapping[str, bytes]


class _SimulatedEnds:
    """The ends of a party whose messages are simulated, with its transcript of one epoch.

    simulate_next: makes the next message from a party.
    limit: the number of messages in the transcript, after which the epoch is interrupted.
    """

    def __init__(
        self,
        party: Role,
        leakage: Leakage,
        epoch: int,
        simulate_next: Callable[[Role], wire.Message | None],
        limit: int | None = None,
    ) -> None:
        self.party = party
        self.records: list[Record] = []
        self.kept: list[Keep] = []
        self._leakage = leakage
        self._epoch = epoch
        self._simulate_next = simulate_next
        self._limit = limit
        self._links: dict[Role, wire.Link] = {}
        self._time = 0

    def play(self, program: Program[Any]) -> Any:
        """Run the program to its end or to the limit; its result, if it has one."""
        session_id = self._leakage.session.id
        driver = Driver(self.party, program, self, session_id, epoch=self._epoch)
        try:
            driver.advance()
        except _InterruptionError:
            driver.close()
        return driver.result

    def send(self, to: Role, pieces: Sequence[wire.Bulk]) -> None:
        """Record a message that the party sends."""
        self._stop_at_the_limit()
        data = b"".join(pieces)
        self.records.append(Record("sent", to, data))

    def receive(self, sender: Role, most: int | None, until: int | None = None) -> bytes:
        """Simulate the message that the party waits for, and record it; PeerError if none will
        come.
        """
        self._stop_at_the_limit()
        message = self._simulate_next(sender)
        if message is None:
            raise PeerError(f"{sender} sends nothing more")
        fresh = wire.Link(self._leakage.session.id, self._epoch, sender, self.party)
        # each user is a sender of their own
        link = fresh if sender is USERS else self._links.setdefault(sender, fresh)
        data = link.encode(message)
        self.records.append(Record("received", sender, data))
        return data

    def now(self) -> int:
        """A time that is always early enough, until the party waits for another."""
        return self._time

    def wait(self, until: int) -> None:
        """Let the time come."""
        self._time = until

    def refuse(self, to: Role, error: PpmfError) -> None:
        """Fail, since no simulated message may be refused."""
        raise AssertionError(f"a simulated message was refused: {error}")

    def enter(self, phase: Phase) -> None:
        """Ignore a phase, which is no part of a view."""

    def keep(self, kept: Keep) -> None:
        """Hold shares for a later epoch."""
        self.kept.append(kept)

    def begin(self, epoch: int) -> None:
        """The epoch is the one that is simulated."""
        assert epoch == self._epoch

    def replace_last(self, message: wire.Message) -> None:
        """Replace the last message by another."""
        last = self.records[-1]
        envelope = replace(wire.decode(last.message), message=message)
        self.records[-1] = Record(last.direction, last.peer, wire.encode(envelope))

    def _stop_at_the_limit(self) -> None:
        if len(self.records) == self._limit:
            raise _InterruptionError


class _InterruptionError(Exception):
    """The epoch ends here, by the leakage."""


def _simulate(
    me: Role,
    leakage: Leakage,
    coins: Coins,
    output: ItemProfiles | None,
    secrets: _Secrets | None,
) -> list[Record]:
    """The view of a server, epoch after epoch, each from what it kept in the earlier ones."""
    past = _EarlierEpochs(me, leakage, secrets)
    records: list[Record] = []
    for epoch in range(leakage.epochs):
        last = epoch == leakage.epochs - 1
        limit = None if last else leakage.interruptions[epoch].messages[me]
        own = Coins(coins.child(f"{me}/{epoch}").bytes(32))
        simulated = SimulatedMessages(
            me,
            leakage,
            epoch,
            coins.child(f"imagined/{epoch}"),
            secrets.consent_keys if secrets else {},
        )
        coming = simulated.messages(past.names(epoch), past.decision())
        view = _SimulatedEnds(me, leakage, epoch, partial(_next, coming), limit)
        opened = view.play(past.program(epoch, simulated, own))
        if isinstance(opened, ItemProfiles) and output is not None:
            view.replace_last(wire.OutputShare(_difference(opened, output)))
        past.remember(epoch, simulated, view)
        records += view.records
    return records


def _nothing(sender: Role) -> wire.Message:
    """Fail, since a user waits for no message."""
    raise AssertionError(f"a user waits for {sender}")


def _next(coming: Iterator[wire.Message | None], sender: Role) -> wire.Message | None:
    """The next simulated message; the order is that of the plan, whoever sends it."""
    return next(coming)


def _difference(colours: ItemProfiles, output: ItemProfiles) -> bytes:
    """The output share that opens to `output`, if a share of zeros opens to `colours`."""
    bits = [_bits(profiles) for profiles in (colours, output)]
    return np.packbits(bits[0] ^ bits[1], bitorder="little").tobytes()


def _bits(profiles: ItemProfiles) -> Bits:
    """The bits of V's words, in the order of chapter 4, "Conventions"."""
    columns = [profiles.factors]
    if profiles.bias is not None:
        columns.append(profiles.bias[:, None])
    words = np.concatenate(columns, axis=1).T.ravel().astype(np.uint64)
    return to_bits(words, 1 + profiles.box_bits + profiles.frac_bits).ravel()


class _EarlierEpochs:
    """The shares that a server kept: of the ratings, and of models by iteration and epoch."""

    def __init__(self, me: Role, leakage: Leakage, secrets: _Secrets | None) -> None:
        self._me = me
        self._secrets = secrets
        self._peer = me.peer
        self._leakage = leakage
        self._kept_once: dict[str, bytes] = {}
        self._models: dict[tuple[int, int], bytes] = {}
        self._lineages: dict[int, bytes] = {}

    def program(self, epoch: int, simulated: SimulatedMessages, coins: Coins) -> Program[Any]:
        """The server's program in an epoch."""
        suite = replace(
            self._leakage.suite, products=_WatchedScheme(self._leakage.suite.products, simulated)
        )
        session, kept = self._leakage.session, self._kept(epoch)
        if self._secrets is not None:
            sealing, keys = self._secrets.sealing, self._secrets.consent_keys
            return csp(
                session, suite, coins, sealing=sealing, consent_keys=keys, epoch=epoch, kept=kept
            )
        return recsys(session, suite, coins, epoch=epoch, kept=kept)

    def _kept(self, epoch: int) -> Kept | None:
        if not epoch:
            return None
        held = sorted(self._leakage.interruptions[epoch - 1].held[self._me])
        once = self._kept_once
        models = tuple(self._models[name] for name in held)
        return Kept(once["ratings"], once["closing"], once["admission"], models)

    def names(self, epoch: int) -> bytes:
        """The names of the checkpoints that the peer held when an epoch began (PPMF-RES-007)."""
        if not epoch:
            return b""
        held = sorted(self._leakage.interruptions[epoch - 1].held[self._peer])
        return b"".join(
            iteration.to_bytes(8, "little") + self._lineages[made] for iteration, made in held
        )

    def decision(self) -> bytes:
        """The digest of closing and admission, once they are there (PPMF-ADM-010)."""
        if "admission" not in self._kept_once:
            return b""
        session = self._leakage.session
        closing = read_closing(session, self._kept_once["closing"])
        admission = read_admission(session, self._kept_once["admission"])
        return Decision(closing, admission).digest(session)

    def remember(self, epoch: int, simulated: SimulatedMessages, view: _SimulatedEnds) -> None:
        """Store what an epoch leaves: the shares that it kept, and its lineage."""
        for keep in view.kept:
            if keep.iteration is None:
                self._kept_once[keep.name] = keep.data()
            else:
                self._models[keep.iteration, epoch] = keep.data()
        for record in view.records:
            message = wire.decode(record.message).message
            if isinstance(message, wire.ServerKey) and record.direction == "sent":
                keys = {self._me: message, self._peer: simulated.server_key}
                self._lineages[epoch] = lineage(self._leakage.session, keys)


class _WatchedScheme(ProductScheme):
    """A scheme that gives the simulated messages the key pair that the server makes."""

    def __init__(self, scheme: ProductScheme, simulated: SimulatedMessages) -> None:
        self.name, self.secure = scheme.name, scheme.secure
        self._scheme = scheme
        self._simulated = simulated

    def fit(self, layouts: Sequence[Layout]) -> FittedScheme:
        """The scheme for these matrices, watched too."""
        return _WatchedFit(self._scheme.fit(layouts), self._simulated)


class _WatchedFit(FittedScheme):
    """A fitted scheme that is watched."""

    def __init__(self, scheme: FittedScheme, simulated: SimulatedMessages) -> None:
        self._scheme = scheme
        self._simulated = simulated

    @property
    def key_bytes(self) -> int:
        """The length in the scheme."""
        return self._scheme.key_bytes

    def generate(self, coins: Coins, workers: Workers | None = None) -> OwnerKey:
        """A key pair of the scheme, which the simulated messages are given too."""
        self._simulated.own = self._scheme.generate(coins, workers)
        return self._simulated.own

    def peer(self, public: bytes, workers: Workers | None = None, room: Room = MEMORY) -> PeerKey:
        """The peer's view of a key, in the scheme."""
        return self._scheme.peer(public, workers)

    def group_sizes(self, layout: Layout) -> tuple[int, int, int]:
        """The lengths in the scheme."""
        return self._scheme.group_sizes(layout)

    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """The length in the scheme."""
        return self._scheme.answer_bytes(layout, uses)

    def answer_terms(self, layout: Layout, uses: Uses) -> int:
        """The number in the scheme."""
        return self._scheme.answer_terms(layout, uses)

    def stored_bytes(self, layout: Layout) -> int:
        """The number in the scheme."""
        return self._scheme.stored_bytes(layout)

    def is_compact(self, layout: Layout) -> bool:
        """Whether it is in the scheme."""
        return self._scheme.is_compact(layout)

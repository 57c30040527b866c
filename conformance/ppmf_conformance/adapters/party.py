# SPDX-License-Identifier: Apache-2.0
"""ppmf_secure's parties under the suite: one call, one turn (`party.new`, `.step`, `.free`), and
`party.resume`, with which a server that was stopped goes on in its next epoch.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ppmf_conformance.adapters import sessions_and_uploads, values
from ppmf_conformance.adapters.line_server import Given, Operation
from ppmf_conformance.adapters.oracle import output_shown
from ppmf_conformance.adapters.shown_shares import ShownShares
from ppmf_secure.driver import Driver
from ppmf_secure.effects import Keep, Phase, Program
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.protocols.message_plan import limits
from ppmf_secure.protocols.observer import check_observer, nobody
from ppmf_secure.protocols.resumption import MOST_CHECKPOINTS
from ppmf_secure.protocols.upload import user_rows
from ppmf_secure.session.checkpoint import Kept
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Session
from ppmf_spec.errors import PeerError, PpmfError, StateError
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import Role
from ppmf_spec.wire import Bulk


class KeptShares:
    """What a server keeps for later epochs, in memory (PPMF-RES-015).

    epoch: the highest number that it kept.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self._once: dict[str, bytes] = {}
        self._models: dict[int, bytes] = {}

    def keep(self, kept: Keep) -> None:
        """Keep the shares that a program asks to keep: of checkpoints the last two."""
        if kept.iteration is None:
            self._once[kept.name] = kept.data()
        else:
            self._models[kept.iteration] = kept.data()
            while len(self._models) > MOST_CHECKPOINTS:
                del self._models[min(self._models)]

    def kept(self) -> Kept:
        """All of it, for the next epoch. Raises StateError where the ratings are not complete."""
        if "ratings" not in self._once:
            raise StateError("no later epoch: this server has not yet its shares of the ratings")
        models = tuple(data for _, data in sorted(self._models.items()))
        once = self._once
        return Kept(once["ratings"], once["closing"], once["admission"], models)


class TurnEnds:
    """The ends of a party that is asked in turns: what it got, and what it made of it."""

    def __init__(self) -> None:
        self._inbox: dict[Role, deque[bytes]] = defaultdict(deque)
        self._gone: set[Role] = set()
        self.kept = KeptShares()
        self.sent: list[tuple[Role, bytes]] = []
        self.refused: list[tuple[Role, PpmfError]] = []

    def take(self, sender: Role, message: bytes | None) -> None:
        """Put a message into the inbox; None says that its sender is gone."""
        if message is None:
            self._gone.add(sender)
        else:
            self._inbox[sender].append(message)

    def send(self, to: Role, pieces: Sequence[Bulk]) -> None:
        """Into the outbox."""
        self.sent.append((to, b"".join(pieces)))

    def receive(self, sender: Role, most: int | None, until: int | None = None) -> bytes | None:
        """Take the next message of `sender` from the inbox; None if there is none yet.

        It is whole already, and the driver compares its length with `most`. Raises PeerError where
        more is wanted of a party that is gone (PPMF-CON-036).
        """
        if self._inbox[sender]:
            return self._inbox[sender].popleft()
        if sender in self._gone:
            raise PeerError(f"{sender} is gone")
        return None

    def now(self) -> int:
        """No session of a case has a time."""
        return 0

    def wait(self, until: int) -> None:
        """Nobody waits."""

    def refuse(self, to: Role, error: PpmfError) -> None:
        """Note the refusal; the party goes on (PPMF-CON-031)."""
        self.refused.append((to, error))

    def enter(self, phase: Phase) -> None:
        """Nobody asks for progress."""

    def keep(self, kept: Keep) -> None:
        """Keep it for a later epoch."""
        self.kept.keep(kept)

    def begin(self, epoch: int) -> None:
        """Keep the number of the epoch."""
        self.kept.epoch = epoch


@dataclass(frozen=True, slots=True)
class Seat:
    """Whose seat it is, in which session."""

    role: Role
    session: Session


class SeatedParty:
    """A party that runs until it waits for a message that is not there."""

    def __init__(
        self, seat: Seat, driver: Driver, ends: TurnEnds, shares: ShownShares | None = None
    ) -> None:
        self.seat = seat
        self.shares = shares
        self._driver = driver
        self._failure: PpmfError | None = None
        self.ends = ends

    def stop(self) -> None:
        """End its program where it stands."""
        self._driver.close()

    @property
    def done(self) -> bool:
        """Whether its program has ended."""
        return self._driver.finished

    @property
    def result(self) -> Any:
        """The result that the party's program returned."""
        return self._driver.result

    def turn(self) -> tuple[list[tuple[Role, bytes]], list[tuple[Role, PpmfError]]]:
        """The messages that the party sends, and those that it refuses and goes on without
        (PPMF-CON-031).

        Raises the refusal that ends it, and StateError in every later turn (PPMF-ERR-007).
        """
        if self._failure is not None:
            raise StateError(f"this party has ended: {self._failure}")
        self.ends.sent, self.ends.refused = [], []
        try:
            self._driver.advance()
        except PpmfError as failure:
            self._failure = failure
            raise
        return self.ends.sent, self.ends.refused


class Parties:
    """The parties of one adapter, by handle."""

    def __init__(self) -> None:
        self._parties: dict[str, SeatedParty] = {}
        self._made = 0

    @property
    def operations(self) -> Mapping[str, Operation]:
        """The stateful operations."""
        return {
            "party.new": self.new,
            "party.step": self.step,
            "party.resume": self.resume,
            "party.free": self.free,
        }

    def new(self, given: Given) -> dict[str, Any]:
        """`party.new`: a party of a session; only users get ratings, only CSP the private key for
        seals, and RecSys no consent keys (PPMF-CON-030, -038). A trace is of a trial
        (PPMF-CON-043).
        """
        session = sessions_and_uploads.session(given["session"])
        choice = cipher_suite(session.suite)
        coins = Coins.seeded(given["coins"])
        role = Role(given["role"])
        shares = ShownShares(session) if given.get("trace") else None
        observer = shares or nobody
        check_observer(observer, trial=session.proposal.trial)
        program: Program[Any]
        match role:
            case Role.USERS:
                table = {**given["session"], "ratings": given["ratings"]}
                rows = user_rows(values.ratings(table, session.parameters))
                program = users(session, rows, self._consent_keys(given, session), coins)
            case Role.RECSYS:
                program = recsys(session, choice, coins, observer=observer)
            case Role.CSP:
                sealing = SealingKey(bytes.fromhex(given["sealing_secret"]))
                keys = self._consent_keys(given, session)
                program = csp(
                    session,
                    choice,
                    coins,
                    sealing=sealing,
                    consent_keys=keys,
                    observer=observer,
                )
        return self._seat(Seat(role, session), program, TurnEnds(), shares)

    def _seat(
        self,
        seat: Seat,
        program: Program[Any],
        ends: TurnEnds,
        shares: ShownShares | None = None,
        epoch: int = 0,
    ) -> dict[str, Any]:
        self._made += 1
        handle = str(self._made)
        session = seat.session
        bounded = limits(session, cipher_suite(session.suite), epoch)
        driver = Driver(seat.role, program, ends, session.id, epoch=epoch, limits=bounded)
        self._parties[handle] = SeatedParty(seat, driver, ends, shares)
        return {"handle": handle}

    def resume(self, given: Given) -> dict[str, Any]:
        """`party.resume`: the server of a handle, wherever it stands, in its next epoch, with what
        it kept (PPMF-CON-045).
        """
        before = self._at(given["handle"])
        del self._parties[given["handle"]]
        before.stop()
        role, session = before.seat.role, before.seat.session
        choice, coins = cipher_suite(session.suite), Coins.seeded(given["coins"])
        ends = TurnEnds()
        ends.kept = before.ends.kept
        kept, epoch = ends.kept.kept(), ends.kept.epoch + 1
        program: Program[Any]
        match role:
            case Role.RECSYS:
                program = recsys(session, choice, coins, epoch=epoch, kept=kept)
            case Role.CSP:
                program = csp(session, choice, coins, epoch=epoch, kept=kept)
            case Role.USERS:
                raise StateError("users have no later epoch")
        return self._seat(before.seat, program, ends, epoch=epoch)

    @staticmethod
    def _consent_keys(given: Given, session: Session) -> dict[str, bytes]:
        """The consent keys of the users, which stand in the order of the user list."""
        keys = map(bytes.fromhex, given["consent_keys"])
        return dict(zip(session.users, keys, strict=True))

    def step(self, given: Given) -> dict[str, Any]:
        """`party.step`: take what has arrived, go on as far as possible (PPMF-CON-030, -035); with
        the stages that a traced party has finished (PPMF-CON-040).
        """
        party = self._at(given["handle"])
        for entry in given["inbox"]:
            message = entry["message"]
            party.ends.take(
                Role(entry["from"]), None if message is None else bytes.fromhex(message)
            )
        sent, refused = party.turn()
        stages = party.shares.take() if party.shares else []
        return {
            **({"trace": stages} if stages else {}),
            "outbox": [{"to": to, "message": message.hex()} for to, message in sent],
            "refused": [{"to": to, "class": error.kind} for to, error in refused],
            "done": party.done,
            "output": output_shown(party.result)
            if isinstance(party.result, ItemProfiles)
            else None,
        }

    def free(self, given: Given) -> dict[str, Any]:
        """`party.free`: forget a party (PPMF-CON-034)."""
        self._at(given["handle"])
        del self._parties[given["handle"]]
        return {}

    def _at(self, handle: str) -> SeatedParty:
        if handle not in self._parties:
            raise StateError("no party of this handle")
        return self._parties[handle]


ROLES = tuple(Role)

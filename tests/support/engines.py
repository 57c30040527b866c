# SPDX-License-Identifier: Apache-2.0
"""Both engines of a toy session in this thread, over a wire to cut, with a clock to set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ppmf_reference import fixed
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.upload import upload, user_rows
from ppmf_secure.session.enrolment import consent_key
from ppmf_secure.session.session import Proposal, Session
from ppmf_service.config import LinkConfig, Listen, Policy, ServerConfig
from ppmf_service.engine.engine import Engine
from ppmf_service.link.memory import MemoryLink, Wire
from ppmf_service.session_rows import SessionRow
from ppmf_service.states import State
from ppmf_spec import profiles
from ppmf_spec.errors import PpmfError
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from ppmf_spec.wire import Link
from tests.support.ideal import ideal_suite
from tests.support.ratings import ratings_of
from tests.support.services import ADDRESSES, CLOSES, EXPIRES, Server, pair
from tests.support.sessions import POINTS, SIGNING

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
PARAMETERS = Parameters(rank=2, iterations=3)
TURN_SECONDS = 0.5


def config_of(role: Role, folder: Path, policy: Policy) -> ServerConfig:
    nowhere = Listen("127.0.0.1", 0)
    link = LinkConfig("127.0.0.1", 0, folder / "peer.pem")
    return ServerConfig(role, folder, folder / "signing.pem", None, nowhere, nowhere, link, policy)


class World:
    """Two servers with their engines, the users' uploads, and the wire between the servers.

    disturb: called between the turns of the engines, to cut the wire or restart a server.
    """

    def __init__(
        self, folder: Path, *, ratings: Ratings = RATINGS, accept: str = "trial", grace: int = 0
    ) -> None:
        self.ratings = ratings
        self.servers = pair(folder, ratings.n_users)
        self.clock = self.servers.clock
        self.configs = {
            role: config_of(role, folder / role, Policy(accept, grace)) for role in (RECSYS, CSP)
        }
        self.coins = Coins.seeded("world")
        self.wire = Wire.between(self.coins.child("wire"))
        self.logged: dict[Role, list[tuple[str, dict[str, Any]]]] = {RECSYS: [], CSP: []}
        self.starts = 0
        self.confirming = False
        """Whether CSP's operator confirms whatever they are shown."""
        self.engines: dict[Role, Engine] = {}
        for role in (RECSYS, CSP):
            self._start(role)

    # -- servers -----------------------------------------------------------------------------------

    def server(self, role: Role) -> Server:
        return self.servers.of(role)

    def _start(self, role: Role) -> None:
        self.starts += 1
        drawn = iter(range(1 << 30))
        coins = self.coins.child(f"start-{self.starts}")

        def log(name: str, **members: Any) -> None:
            self.logged[role].append((name, members))

        self.engines[role] = Engine(
            self.configs[role],
            self.server(role).database,
            self.wire.links[role],
            self.clock,
            SIGNING[role],
            POINTS[role.peer],
            coins=lambda: coins.child(str(next(drawn))),
            suites=lambda name: ideal_suite(),
            log=log,
        )

    def restart(self, role: Role) -> None:
        """A server is killed, and started again: what is in memory is gone."""
        self.wire.cut()
        self.server(role).close()
        self.server(role).open()
        self.wire.links[role] = MemoryLink(role, self.coins.child(f"link-{self.starts}"))
        self._start(role)

    def step(self, role: Role) -> None:
        """One engine steps once."""
        self.engines[role].step()

    def confirm(self, key: bytes) -> None:
        """CSP's operator confirms what they are shown."""
        shown = self.row(CSP, key).shown
        assert shown is not None
        self.server(CSP).sessions.confirm(key, shown)

    def turn(self) -> None:
        """Both engines step once, the wire carries what they sent, and time passes."""
        if self.confirming:
            for row in self.server(CSP).sessions.active():
                if row.to_confirm:
                    self.confirm(row.key)
        for role in (RECSYS, CSP):
            self.step(role)
        if not self.wire.up:
            self.wire.connect()
        self.wire.pump()
        self.clock.advance(TURN_SECONDS)

    def until(self, done: Callable[[], bool], turns: int = 2000) -> None:
        for _ in range(turns):
            if done():
                return
            self.turn()
        raise AssertionError(f"it did not come about: {self.rows()}")

    # -- sessions ----------------------------------------------------------------------------------

    def propose(self, **more: Any) -> bytes:
        """RecSys' operator proposes a session; its key."""
        users = self.server(RECSYS).members.users()
        values = {
            "closes": CLOSES,
            "expires": EXPIRES,
            "least": 2,
            "trial": True,
            "addresses": ADDRESSES,
            **more,
        }
        nonce = values.pop("nonce", bytes(16))
        params = values.pop("parameters", PARAMETERS)
        proposal = Proposal(
            params, users, self.ratings.items, "ideal-insecure", POINTS["recsys"], nonce, **values
        )
        return self.server(RECSYS).sessions.propose(proposal).key

    def row(self, role: Role, key: bytes) -> SessionRow:
        return self.server(role).sessions.get(key)

    def rows(self) -> dict[Role, list[tuple[State, tuple[str, str] | None]]]:
        return {
            role: [(row.state, row.last_error) for row in self.server(role).sessions.all()]
            for role in (RECSYS, CSP)
        }

    def states(self, key: bytes) -> tuple[State | None, State | None]:
        """The state of a session at RecSys and at CSP."""
        found = []
        for role in (RECSYS, CSP):
            sessions = self.server(role).sessions
            found.append(sessions.get(key).state if sessions.known(key) else None)
        return found[0], found[1]

    def is_in(self, key: bytes, state: State) -> Callable[[], bool]:
        return lambda: self.states(key) == (state, state)

    def opened(self, **more: Any) -> bytes:
        key = self.propose(**more)
        self.until(self.is_in(key, State.OPEN))
        return key

    def session(self, key: bytes) -> Session:
        return self.server(RECSYS).sessions.signed_session(key).session

    def upload_all(self, key: bytes, but: int | None = None) -> None:
        """All users upload, or all but that one."""
        session = self.session(key)
        for number, (_, rated) in enumerate(user_rows(self.ratings)):
            user = session.users[number]
            if number != but:
                secret = consent_key(self.servers.codes[user])
                made = upload(session, user, 1, rated, secret, self.coins.child(f"user/{user}"))
                data = Link(session.id, 0, USERS, RECSYS).encode(made)
                self.server(RECSYS).uploads.put(key, number, 1, data)

    def profiles(self, key: bytes) -> ItemProfiles:
        """V, as RecSys published it."""
        session_id = self.row(RECSYS, key).id
        assert session_id is not None
        return profiles.read(self.configs[RECSYS].profiles_file(session_id))

    def expected(self, ratings: Ratings | None = None) -> ItemProfiles:
        return fixed.train(ratings or self.ratings, PARAMETERS)

    def errors(self, role: Role) -> list[PpmfError]:
        return [members["detail"] for _, members in self.logged[role] if "detail" in members]

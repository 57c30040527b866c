# SPDX-License-Identifier: Apache-2.0
"""Both servers' databases for tests of the service, with a toy session brought to a state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.protocols.upload import upload
from ppmf_secure.session.enrolment import consent_key, make_code, make_token, token_digest
from ppmf_secure.session.session import Proposal, Session
from ppmf_service.clock import SettableClock
from ppmf_service.database import FILE, Database
from ppmf_service.enrolment import Members
from ppmf_service.sessions import Sessions
from ppmf_service.states import State
from ppmf_service.uploads import Uploads
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from ppmf_spec.wire import Link
from tests.support.sessions import POINTS, SIGNING

START = 1_800_000_000
CLOSES, EXPIRES = START + 3600, START + 86400
ADDRESSES = ("http://127.0.0.1:8443", "http://127.0.0.1:8444")
"""Under which users reach RecSys and CSP."""

TOY = Parameters(rank=2, iterations=1)


class Server:
    """The storage of one server."""

    def __init__(self, folder: Path, clock: SettableClock) -> None:
        self.path = folder / FILE
        self.clock = clock
        self.open()

    def open(self) -> None:
        """Open the storage, also after `close`, as a server that starts again."""
        self.database = Database.open(self.path, self.clock)
        self.sessions = Sessions(self.database)
        self.uploads = Uploads(self.database, self.sessions)
        self.members = Members(self.database, self.sessions)

    def close(self) -> None:
        self.database.close()


@dataclass
class Pair:
    """The storage of both servers, and what their users have."""

    recsys: Server
    csp: Server
    clock: SettableClock
    tokens: dict[str, str]
    codes: dict[str, bytes]

    def of(self, role: Role) -> Server:
        return self.recsys if role is RECSYS else self.csp

    def close(self) -> None:
        self.recsys.close()
        self.csp.close()


def pair(folder: Path, users: int = 3, label: str = "pair") -> Pair:
    """Both servers with so many users enrolled."""
    clock = SettableClock(START)
    coins = Coins.seeded(f"tests/services/{label}")
    names = [f"u{number}" for number in range(1, users + 1)]
    tokens = {user: make_token(coins) for user in names}
    codes = {user: make_code(coins) for user in names}
    made = Pair(Server(folder / RECSYS, clock), Server(folder / CSP, clock), clock, tokens, codes)
    made.recsys.members.enrol_tokens({user: token_digest(tokens[user]) for user in names})
    made.csp.members.enrol_consent_keys({user: consent_key(codes[user]) for user in names})
    return made


def proposal_of(
    users: tuple[str, ...],
    items: int = 4,
    *,
    nonce: int = 0,
    suite: str = "rlwe-64-insecure",
    **more: object,
) -> Proposal:
    """A toy proposal of RecSys."""
    values = {
        "closes": CLOSES,
        "expires": EXPIRES,
        "least": 2,
        "trial": True,
        "addresses": ADDRESSES,
        **more,
    }
    return Proposal(
        TOY,
        users,
        tuple(f"i{number}" for number in range(1, items + 1)),
        suite,
        POINTS["recsys"],
        nonce.to_bytes(16, "big"),
        **values,  # type: ignore[arg-type]
    )


def opened(servers: Pair, proposal: Proposal | None = None, label: str = "session") -> Session:
    """A session that both servers have opened."""
    if proposal is None:
        proposal = proposal_of(servers.recsys.members.users())
    recsys, csp = servers.recsys.sessions, servers.csp.sessions
    key = recsys.propose(proposal).key
    csp.propose(proposal)
    csp.accept(key, SIGNING["csp"], Coins.seeded(f"tests/services/{label}"))
    found = recsys.accepted(key, *csp.acceptance(key), SIGNING["recsys"])
    csp.opened(key, recsys.signed_session(key).by_recsys)
    assert found.id is not None
    recsys.opened(found.id)
    return recsys.signed_session(found.id).session


def message(servers: Pair, session: Session, row: int, serial: int = 1, label: str = "") -> bytes:
    """The upload of the user in that row, who rated the first item."""
    user = session.users[row]
    made = upload(
        session,
        user,
        serial,
        Row(np.array([0]), np.array([3])),
        consent_key(servers.codes[user]),
        Coins.seeded(f"tests/services/{label}/{user}/{serial}"),
    )
    return Link(session.id, 0, USERS, RECSYS).encode(made)


def to(server: Server, session: Session, *states: State) -> None:
    """Bring a session through these states."""
    for state in states:
        server.sessions.move(session.id, state)

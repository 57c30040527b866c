# SPDX-License-Identifier: Apache-2.0
"""Both servers' interfaces on loopback for a browser, with sessions that a test moves by hand.

Nothing is trained here: a test puts a session into a state, or publishes a V that it made. The
whole way with two real servers is that of tests/browser/test_browser_journey.py.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.enrolment import consent_key, make_code, make_token, token_digest
from ppmf_secure.session.invitations import CspHalf, Invitation, RecSysHalf
from ppmf_secure.session.session import Proposal, Session
from ppmf_service.clock import SettableClock
from ppmf_service.config import ServerConfig
from ppmf_service.page import write_titles
from ppmf_service.states import State
from ppmf_spec import profiles
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import canonical_order
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.api_server import listening
from tests.support.real_servers import free_port
from tests.support.served import config_of
from tests.support.services import Pair, Server, opened, to
from tests.support.sessions import POINTS

SUITE = "rlwe-64-insecure"
SMALL = Parameters(rank=2, iterations=1)
DAY = 86_400

_ADJECTIVES = ("Quiet", "Second", "Paper", "Northern", "Late", "Crooked", "Blue", "Hollow")
_NOUNS = ("Harbour", "Orchard", "Letter", "Winter", "Signal", "Carousel", "Island", "Mirror")


def titles_of(count: int) -> dict[str, str]:
    """So many made-up titles by item id."""
    found = {}
    for number in range(1, count + 1):
        adjective = _ADJECTIVES[number % len(_ADJECTIVES)]
        noun = _NOUNS[number // len(_ADJECTIVES) % len(_NOUNS)]
        found[str(number)] = f"The {adjective} {noun} {number} ({1940 + number % 80})"
    return found


def made_up_profiles(items: Sequence[str], params: Parameters, seed: int = 7) -> ItemProfiles:
    """A V of no training, of the right shape and of a plausible size."""
    generator = np.random.default_rng(seed)
    one = 1 << params.frac_bits
    factors = (generator.normal(0, 0.5, (len(items), params.rank)).clip(-1.9, 1.9) * one).astype(
        np.int64
    )
    bias = (generator.normal(0, 0.3, len(items)) * one).astype(np.int64) if params.bias else None
    return ItemProfiles.of(tuple(items), factors, bias, params)


@dataclass
class PageServers:
    """Both servers, what their users have, and where they are."""

    pair: Pair
    folder: Path
    configs: Mapping[Role, ServerConfig]

    @property
    def recsys(self) -> str:
        """The origin of RecSys' interface, which is the page's."""
        return self.configs[RECSYS].api.public_url

    @property
    def csp(self) -> str:
        """The origin of CSP's interface."""
        return self.configs[CSP].api.public_url

    def session(
        self,
        titles: Mapping[str, str] | None = None,
        params: Parameters = SMALL,
        nonce: int = 0,
        suite: str = SUITE,
        **more: object,
    ) -> Session:
        """An open session of these items; RecSys knows their titles too."""
        titles = titles or titles_of(40)
        write_titles(self.folder / RECSYS, titles)
        now = self.pair.clock.now()
        values: dict[str, object] = {
            "closes": now + DAY,
            "expires": now + 2 * DAY,
            "least": 2,
            "trial": True,
            "addresses": (self.recsys, self.csp),
            **more,
        }
        proposal = Proposal(
            params,
            self.pair.recsys.members.users(),
            canonical_order(titles),
            suite,
            POINTS["recsys"],
            nonce.to_bytes(16, "big"),
            **values,  # type: ignore[arg-type]
        )
        return opened(self.pair, proposal, f"session {nonce}")

    def move(self, session: Session, *states: State) -> None:
        """Bring a session through states at RecSys; what is shown of it follows at once."""
        to(self.pair.recsys, session, *states)
        self.pair.clock.advance(61)

    def progress(self, session: Session, done: int, total: int) -> None:
        """Half-steps of the training."""
        self.pair.recsys.sessions.progress(session.id, "a half-step", done, total)
        self.pair.clock.advance(61)

    def publish(self, session: Session, found: ItemProfiles | bytes | None = None) -> bytes:
        """End a session, wherever it is, with a V, by default a made-up one; the file."""
        row = self.pair.recsys.sessions.get(session.id)
        way = (State.OPEN, State.CLOSED, State.SETTING_UP, State.TRAINING)
        to(self.pair.recsys, session, *way[way.index(row.state) + 1 :])
        if found is None:
            found = made_up_profiles(session.items, session.parameters)
        data = found if isinstance(found, bytes) else profiles.dumps(found).encode()
        path = self.configs[RECSYS].profiles_file(session.id)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        self.pair.recsys.sessions.publish(session.id, hashlib.sha256(data).digest())
        self.pair.clock.advance(61)
        return data

    def invitation(self, user: str = "u1") -> Invitation:
        """The invitation of a user."""
        code = self.pair.codes[user]
        return Invitation(
            RecSysHalf(user, self.pair.tokens[user], self.recsys, self.csp),
            CspHalf(user, code, hashlib.sha256(POINTS["csp"]).digest()),
        )

    def link(self, user: str = "u1") -> str:
        """The address of the page with both halves of a user's invitation."""
        return page_link(self.invitation(user))


def page_link(invitation: Invitation) -> str:
    """The address of the page with both halves of an invitation in its fragment."""
    url = invitation.recsys.recsys_url
    return f"{url}/#{invitation.recsys.text()};{invitation.csp.text()}"


@contextmanager
def page_servers(folder: Path, users: int = 3) -> Iterator[PageServers]:
    """The context in which both interfaces answer on ports of loopback."""
    clock = SettableClock(time.time())
    coins = Coins.seeded("tests/page")
    names = [f"u{number}" for number in range(1, users + 1)]
    tokens = {user: make_token(coins) for user in names}
    codes = {user: make_code(coins) for user in names}
    pair = Pair(Server(folder / RECSYS, clock), Server(folder / CSP, clock), clock, tokens, codes)
    pair.recsys.members.enrol_tokens({user: token_digest(tokens[user]) for user in names})
    pair.csp.members.enrol_consent_keys({user: consent_key(codes[user]) for user in names})
    ports = {role: free_port() for role in (RECSYS, CSP)}
    urls = {role: f"http://127.0.0.1:{ports[role]}" for role in ports}
    configs = {}
    for role in ports:
        config = config_of(role, folder / role, ports[role])
        configs[role] = replace(
            config,
            api=replace(config.api, public_url=urls[role]),
            link=replace(config.link, peer_url=urls[role.peer]),
        )
    with ExitStack() as stack:
        stack.callback(pair.close)
        for role in configs:
            stack.enter_context(listening(configs[role], pair.of(role).database, clock))
        yield PageServers(pair, folder, configs)

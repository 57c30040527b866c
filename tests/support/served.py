# SPDX-License-Identifier: Apache-2.0
"""The interfaces of both servers without a socket, and what their users send to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.types import ASGIApp

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.invitations import CspHalf, Invitation, RecSysHalf
from ppmf_secure.session.session import Proposal, Session
from ppmf_service.api.csp_api import csp_app
from ppmf_service.api.metrics import Metrics
from ppmf_service.api.users_api import users_app
from ppmf_service.client import UserClient
from ppmf_service.config import LinkConfig, Listen, ServerConfig
from ppmf_service.states import State
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.services import Pair, opened, pair, to
from tests.support.sessions import POINTS

URLS = {RECSYS: "http://127.0.0.1:8443", CSP: "http://127.0.0.1:8444"}


def config_of(role: Role, folder: Path, port: int = 0, monitoring: int = 0) -> ServerConfig:
    """A configuration on loopback; the link is not used."""
    return ServerConfig(
        role,
        folder,
        folder / "signing.pem",
        None,
        Listen("127.0.0.1", port, URLS[role]),
        Listen("127.0.0.1", monitoring),
        LinkConfig("127.0.0.1", 1, folder / "peer.pem"),
    )


class AppTransport(httpx.BaseTransport):
    """Requests to an application, in the loop of a portal, from any thread."""

    def __init__(self, app: ASGIApp, portal: BlockingPortal, address: str = "192.0.2.1") -> None:
        self._inner = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 50_000))
        self._portal = portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer."""
        sent = httpx.Request(
            request.method, request.url, headers=request.headers.raw, content=request.read()
        )
        return self._portal.call(self._ask, sent)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        content = await response.aread()
        return httpx.Response(
            response.status_code, headers=response.headers.raw, stream=httpx.ByteStream(content)
        )


def _nowhere(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no such server", request=request)


_NOWHERE = httpx.MockTransport(_nowhere)


@dataclass
class Served:
    """Both servers with their interfaces."""

    pair: Pair
    folder: Path
    portal: BlockingPortal
    apps: dict[Role, ASGIApp]
    metrics: Metrics
    _open: list[httpx.Client] = field(default_factory=list)

    def http(self, address: str = "192.0.2.1", **transports: httpx.BaseTransport) -> httpx.Client:
        """A client that reaches both. transports: in the place of one, by the role's name."""
        mounts = {
            URLS[role]: transports.get(role, self.transport(role, address))
            for role in (RECSYS, CSP)
        }
        made = httpx.Client(transport=_NOWHERE, mounts=mounts, trust_env=False)
        self._open.append(made)
        return made

    def transport(self, role: Role, address: str = "192.0.2.1") -> AppTransport:
        """Requests to one of the servers."""
        return AppTransport(self.apps[role], self.portal, address)

    def invitation(self, user: str, **other: Any) -> Invitation:
        """The invitation of a user. other: members of its halves that differ."""
        values: dict[str, Any] = {
            "user": user,
            "token": self.pair.tokens[user],
            "code": self.pair.codes[user],
            "csp_key": hashlib.sha256(POINTS["csp"]).digest(),
            "recsys_url": URLS[RECSYS],
            "csp_url": URLS[CSP],
            **other,
        }
        half, other_half = (
            {name: values[name] for name in kind.__dataclass_fields__}
            for kind in (RecSysHalf, CspHalf)
        )
        return Invitation(RecSysHalf(**half), CspHalf(**other_half))

    def client(self, user: str, http: httpx.Client | None = None, **other: Any) -> UserClient:
        """A user's client. other: members of the invitation that differ."""
        coins = Coins.seeded(f"tests/served/{user}")
        return UserClient(
            self.invitation(user, **other), http or self.http(), self.pair.clock, coins
        )

    def session(self, proposal: Proposal | None = None) -> Session:
        """A session that both servers opened."""
        return opened(self.pair, proposal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        for one in self._open:
            one.close()
        self.pair.close()


@contextmanager
def served(folder: Path, users: int = 3, **limits: Any) -> Iterator[Served]:
    """Both servers with so many users enrolled. limits: of `users_app`."""
    servers, metrics = pair(folder, users), Metrics()
    config = {role: config_of(role, folder / role) for role in (RECSYS, CSP)}
    recsys = users_app(config[RECSYS], servers.recsys.database, servers.clock, metrics, **limits)
    csp = csp_app(config[CSP], servers.csp.database, servers.clock)
    with (
        start_blocking_portal() as portal,
        Served(servers, folder, portal, {RECSYS: recsys, CSP: csp}, metrics) as made,
    ):
        yield made


def published(servers: Served, session: Session, data: bytes) -> None:
    """End a session at RecSys with a V."""
    to(servers.pair.recsys, session, State.CLOSED, State.SETTING_UP, State.TRAINING)
    path = servers.folder / "recsys" / "profiles" / f"{session.id.hex()}.json"
    path.parent.mkdir()
    path.write_bytes(data)
    servers.pair.recsys.sessions.publish(session.id, hashlib.sha256(data).digest())


def url(session: Session, *rest: str | int) -> str:
    """The address of something of a session at RecSys."""
    return "/".join((URLS[RECSYS], "v1", "sessions", session.id.hex(), *map(str, rest)))


def bearer(token: str) -> dict[str, str]:
    """The header with a token."""
    return {"Authorization": f"Bearer {token}"}


CBOR = {"Content-Type": "application/cbor"}

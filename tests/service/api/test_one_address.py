# SPDX-License-Identifier: Apache-2.0
"""What one address may have of a server: requests under way, connections, and time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import MutableMapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ppmf_service.api import limits, server
from ppmf_service.api.envelope import application
from ppmf_service.api.metrics import Metrics
from ppmf_service.api.server import STALL_BYTES
from ppmf_spec.roles import RECSYS
from tests.support.api_server import listening
from tests.support.served import config_of
from tests.support.services import Pair, pair

MOST = 8
SHARE = 2


class Slow:
    """An application whose requests wait until they are let go."""

    def __init__(self, proxy: str = "") -> None:
        self.go = asyncio.Event()

        async def wait(_: Request) -> Response:
            await self.go.wait()
            return PlainTextResponse("done")

        self.app = application([Route("/wait", wait)], Metrics(), MOST, proxy)

    async def ask(self, address: str) -> int:
        """The status of a request from that address."""
        found: list[int] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                found.append(message["status"])

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/wait",
            "raw_path": b"/wait",
            "query_string": b"",
            "headers": [],
            "client": (address, 50_000),
            "scheme": "http",
            "root_path": "",
            "http_version": "1.1",
        }
        await self.app(scope, receive, send)
        return found[0]

    async def ask_all(self, *addresses: str) -> list[int]:
        """The statuses of requests that are under way at once."""
        asked = [asyncio.create_task(self.ask(one)) for one in addresses]
        await asyncio.sleep(0.05)
        self.go.set()
        return list(await asyncio.gather(*asked))


def statuses(*addresses: str, proxy: str = "") -> list[int]:
    async def asked() -> list[int]:
        return await Slow(proxy).ask_all(*addresses)

    return asyncio.run(asked())


@pytest.mark.req("PPMF-API-024")
def test_one_address_has_a_part_of_the_room() -> None:
    mine, other = "192.0.2.1", "192.0.2.2"
    assert statuses(*[mine] * 4, other, other) == [200, 200, 429, 429, 200, 200]


@pytest.mark.req("PPMF-API-024", "PPMF-API-021")
def test_a_network_of_ipv6_is_one_address() -> None:
    mine = [f"2001:db8::{number}" for number in range(1, 4)]
    assert statuses(*mine, "2001:db8:0:1::1", "::ffff:192.0.2.1") == [200, 200, 429, 200, 200]


@pytest.mark.req("PPMF-API-024", "PPMF-API-021")
@pytest.mark.parametrize(("address", "proxy"), [("127.0.0.1", ""), ("192.0.2.9", "192.0.2.9")])
def test_who_may_stand_for_everybody_is_not_counted(address: str, proxy: str) -> None:
    assert statuses(*[address] * MOST, proxy=proxy) == [200] * MOST


@pytest.mark.req("PPMF-API-024")
def test_what_has_ended_is_not_counted() -> None:
    async def often() -> list[int]:
        slow = Slow()
        slow.go.set()
        return [await slow.ask("192.0.2.1") for _ in range(3 * MOST)]

    assert asyncio.run(often()) == [200] * 3 * MOST


@pytest.fixture
def servers(tmp_path: Path) -> Any:
    made = pair(tmp_path)
    yield made
    made.close()


@pytest.mark.req("PPMF-API-024")
def test_one_address_has_a_part_of_the_connections(
    servers: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 2)
    monkeypatch.setattr(limits, "of_this_machine", lambda _: False)
    config = config_of(RECSYS, tmp_path / "recsys")
    config = replace(config, api=replace(config.api, proxy="192.0.2.1"))
    asked = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with listening(config, servers.recsys.database, servers.clock) as ports, ExitStack() as stack:

        def answered() -> bool:
            one = socket.create_connection(("127.0.0.1", ports["api"]), timeout=20)
            stack.enter_context(one)
            with suppress(OSError):
                one.sendall(asked)
                return one.recv(1 << 12).startswith(b"HTTP/1.1 200 ")
            return False

        assert [answered() for _ in range(4)] == [True, True, False, False]
        stack.pop_all().close()
        assert any(answered() for _ in range(100))  # once the server has noticed
    assert not server.CONNECTIONS


class Transport:
    """A connection of which so many bytes were not taken yet."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.left

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.req("PPMF-API-024")
@pytest.mark.parametrize(
    ("before", "left", "aborted"),
    [
        (1 << 20, 1 << 20, True),
        (1 << 20, (1 << 20) - STALL_BYTES + 1, True),
        (1 << 20, (1 << 20) - STALL_BYTES, False),
        (100, 1, True),
        (100, 0, False),
    ],
)
def test_a_client_that_takes_too_little_of_its_answer_is_given_up(
    before: int, left: int, aborted: bool
) -> None:
    """One byte now and then is not enough."""
    looks: list[int] = []
    protocol = server._Protocol.__new__(server._Protocol)
    protocol.transport = transport = Transport(left)  # type: ignore[assignment]
    protocol._look = looks.append  # type: ignore[method-assign,assignment]
    protocol._stalled(before)
    assert transport.aborted is aborted
    assert looks == ([left] if left and not aborted else [])

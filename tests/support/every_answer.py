# SPDX-License-Identifier: Apache-2.0
"""A run in which RecSys' interface gives every answer that it has."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ppmf_service.states import State
from ppmf_spec.roles import CSP, RECSYS
from tests.support.served import CBOR, URLS, Served, bearer, url
from tests.support.services import message, to


def every_answer(servers: Served) -> Iterator[httpx.Response]:
    """Each operation of RecSys' interface, answered with every status that it can be answered with.

    servers: of which one request may be under way.
    """
    session = servers.session()
    http, row = servers.http(), url(session, "uploads", 0)
    token = bearer(servers.pair.tokens["u1"])
    data = [message(servers.pair, session, 0, serial) for serial in range(1, 9)]

    def put(content: bytes, **headers: str) -> httpx.Response:
        return http.put(row, content=content, headers={**CBOR, **token, **headers})

    def delete(query: str, **headers: str) -> httpx.Response:
        return http.delete(f"{row}?{query}", headers={**token, **headers})

    public = [f"{URLS[RECSYS]}/v1/sessions", url(session), url(session, "status")]
    yield http.get(URLS[RECSYS] + "/healthz")
    for address in public:
        yield http.get(address)
    yield http.get(URLS[CSP] + f"/v1/sessions/{session.id.hex()}")
    for rest in ((), ("status",), ("profiles",)):
        yield http.get("/".join((URLS[RECSYS], "v1/sessions", "0" * 64, *rest)))
    yield http.get(url(session, "profiles"))
    yield http.get(row, headers=token)
    yield put(data[0])
    yield put(data[0])
    yield http.get(row, headers=token)
    yield put(data[2])
    yield put(data[0])
    yield put(b"")
    yield put(bytes(10_000))
    yield put(data[3], **{"Content-Type": "text/plain"})
    yield put(message(servers.pair, session, 1))
    yield delete("serial=4")
    yield delete("serial=1")
    yield delete("")
    yield delete("serial=0")
    for method in ("GET", "PUT", "DELETE"):
        yield http.request(method, row)
        yield http.request(method, url(session, "uploads", 99), headers=token)
    yield from _slow(servers, row, {**CBOR, **token})
    yield from _busy(servers, session.id.hex(), token)
    yield from _failing(servers, session.id.hex(), token, data[5])

    to(servers.pair.recsys, session, State.CLOSED, State.SETTING_UP, State.TRAINING)
    text = b'{"format": "ppmf-item-profiles/1"}'
    path = servers.folder / "recsys" / "profiles" / f"{session.id.hex()}.json"
    path.parent.mkdir()
    path.write_bytes(text)
    servers.pair.recsys.sessions.publish(session.id, hashlib.sha256(text).digest())
    for address in (url(session, "profiles"), url(session)):
        answer = http.get(address)
        yield answer
        yield http.get(address, headers={"If-None-Match": answer.headers["etag"]})
    path.write_bytes(b"")
    yield http.get(url(session, "profiles"))
    path.unlink()
    yield http.get(url(session, "profiles"))
    servers.pair.clock.advance(60)
    yield http.get(url(session, "status"))


OPERATIONS = (
    ("GET", ()),
    ("GET", ("{session}",)),
    ("GET", ("{session}", "status")),
    ("GET", ("{session}", "profiles")),
    ("GET", ("{session}", "uploads", "0")),
    ("PUT", ("{session}", "uploads", "0")),
    ("DELETE", ("{session}", "uploads", "0")),
)


def _every(session: str) -> Iterator[tuple[str, str]]:
    for method, parts in OPERATIONS:
        path = "/".join((URLS[RECSYS], "v1/sessions", *parts)).replace("{session}", session)
        yield method, f"{path}?serial=6" if method == "DELETE" else path


def _busy(servers: Served, session: str, token: dict[str, str]) -> Iterator[httpx.Response]:
    """Each operation while another request is under way, where one may be."""
    transport = httpx.ASGITransport(servers.apps[RECSYS])

    async def under_way(method: str, path: str) -> httpx.Response:
        held, go = asyncio.Event(), asyncio.Event()

        async def body() -> Any:
            held.set()
            await go.wait()
            yield b""

        async with httpx.AsyncClient(transport=transport) as client:
            row = f"{URLS[RECSYS]}/v1/sessions/{session}/uploads/0"
            first = asyncio.create_task(client.put(row, content=body(), headers={**CBOR, **token}))
            await held.wait()
            answer = await client.request(method, path, headers=token)
            go.set()
            await first
            return answer

    for method, path in _every(session):
        yield servers.portal.call(under_way, method, path)


def _slow(servers: Served, row: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """An upload whose body does not come."""
    transport = httpx.ASGITransport(servers.apps[RECSYS])

    async def slow() -> httpx.Response:
        async def body() -> Any:
            yield b"\x88"
            await asyncio.sleep(60)

        async with httpx.AsyncClient(transport=transport) as client:
            return await client.put(row, content=body(), headers=headers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ppmf_service.api.limits.BODY_SECONDS", 0.05)
        yield servers.portal.call(slow)


def _failing(
    servers: Served,
    session: str,
    token: dict[str, str],
    data: bytes,
) -> Iterator[httpx.Response]:
    """Each operation where the database is gone, and where the program is wrong."""
    http = servers.http()
    for error in (OSError(5, "no disk"), ZeroDivisionError()):

        def failing(*_: object, error: Exception = error) -> None:
            raise error

        with pytest.MonkeyPatch.context() as patch:
            for name in ("row", "rows", "transaction"):
                patch.setattr(f"ppmf_service.database.Database.{name}", failing)
            for method, path in _every(session):
                yield http.request(method, path, headers={**CBOR, **token}, content=data)

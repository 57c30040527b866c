# SPDX-License-Identifier: GPL-3.0-or-later
"""What every request passes: how many are under way, what an error becomes, counts and the log."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ppmf_service import logs
from ppmf_service.api import limits, problems
from ppmf_service.api.metrics import Metrics
from ppmf_service.api.problems import Problem
from ppmf_spec.errors import PeerError, PpmfError, RangeError, StateError

MOST_UNDER_WAY = 1024
"""How many requests may be under way; those that come then are told to come again."""

SHARE = 4
"""One address may have one part in so many of them."""

READERS = 4
"""How many threads read the database at once."""

RETRY_SECONDS = 2
STORAGE_SECONDS = 10
_HEALTH = "/healthz"

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


def application(
    routes: Sequence[BaseRoute],
    metrics: Metrics,
    most_under_way: int = MOST_UNDER_WAY,
    proxy: str = "",
) -> Starlette:
    """An application of these routes within the envelope. proxy: the one in front of it, if any."""
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Envelope, metrics=metrics, most=most_under_way, proxy=proxy)],
        exception_handlers={
            HTTPException: _no_route,
            Problem: _problem,
        },
    )
    app.router.redirect_slashes = False
    return app


class Envelope:
    """The middleware around an application (PPMF-API-004, -008, -020, -024).

    An exception that nobody foresaw becomes a problem that says nothing of it; what the log has of
    it is its type and its place in the program.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, most: int, proxy: str) -> None:
        self._app = app
        self._metrics = metrics
        self._most = most
        self._proxy = proxy
        self._under_way = 0
        self._by_address: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what is no request passes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _completed(message.get("headers", ()))
            await send(message)

        address = self._address(Request(scope))
        self._under_way += 1
        self._by_address[address] += 1
        self._metrics.under_way.set(self._under_way)
        try:
            if refusal := self._busy(scope["path"], address):
                await problems.response(refusal)(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        except Exception as error:
            logs.failure("a request failed", error, route=_route(scope))
            if status:  # the answer was begun, and is cut short by the end of the connection
                raise
            await problems.response(_failed(error))(scope, receive, sending)
        finally:
            self._under_way -= 1
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
            self._metrics.under_way.set(self._under_way)
            seconds = time.perf_counter() - started
            self._metrics.answered(_route(scope), scope["method"], status, seconds)
            logs.event(
                "request",
                level=logging.DEBUG if status < 400 else logging.INFO,
                route=_route(scope),
                method=scope["method"],
                status=status,
                seconds=seconds,
            )

    def _address(self, request: Request) -> str:
        """The address that a request counts for; "" if it counts for none."""
        found = limits.caller(request, self._proxy)
        return "" if found is None or limits.of_this_machine(found) else limits.network_of(found)

    def _busy(self, path: str, address: str) -> Problem | None:
        """Why a request is not answered now, if it is not."""
        if path == _HEALTH:
            return None
        if self._under_way > self._most:
            return problems.busy("many requests are under way", RETRY_SECONDS)
        if address and self._by_address[address] > max(1, self._most // SHARE):
            return problems.busy("many requests of this address are under way", RETRY_SECONDS)
        return None


def _completed(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with those that every answer has; nothing is cached unless said."""
    found = [*headers, *_HEADERS]
    if not any(name == b"cache-control" for name, _ in found):
        found.append((b"cache-control", b"no-store"))
    return found


def _route(scope: Scope) -> str | None:
    """The pattern of the request's path, never the path itself."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else None


def _no_route(_: Request, error: Any) -> Response:
    """The answer of a path or method that the interface does not have (PPMF-API-003)."""
    headers: Mapping[str, str] = error.headers or {}
    if error.status_code == 405:
        found = Problem(405, StateError("this method is not for this path"), headers)
    else:
        found = Problem(404, RangeError("there is nothing at this path"), headers)
    return problems.response(found)


def _problem(_: Request, problem: Any) -> Response:
    return problems.response(problem)


def _failed(error: Exception) -> Problem:
    """What the caller is told of an error that is not about the request: nothing but when to come
    again, if the storage is full, locked, damaged or gone.
    """
    if isinstance(error, PpmfError | OSError | sqlite3.Error):
        return problems.busy("the server cannot read or store anything now", STORAGE_SECONDS, 503)
    return Problem(500, PeerError("the server failed at this request"))

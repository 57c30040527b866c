# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface of a server on its addresses: the users' one, and the one of its operator.

The operator's address, loopback by default, has `/metrics` and `/readyz`; nobody else needs them
(PPMF-API-019).
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Protocol

import h11
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from ppmf_service import clock_watch, health, logs
from ppmf_service.api import limits, problems
from ppmf_service.api.csp_api import csp_app
from ppmf_service.api.envelope import application
from ppmf_service.api.metrics import MEDIA_TYPE, Metrics
from ppmf_service.api.users_api import users_app
from ppmf_service.clock import Clock
from ppmf_service.config import Listen, ServerConfig
from ppmf_service.database import Database
from ppmf_service.measures import Measures, WorkersCost
from ppmf_service.states import State
from ppmf_spec.errors import PpmfError
from ppmf_spec.roles import RECSYS

HEADER_SECONDS = 10
"""How long a connection may take from its beginning to its first whole request, and be idle."""

STALL_SECONDS = 60.0
STALL_BYTES = 1 << 16
"""A client is given up that takes fewer bytes of its answer in so long, though there are more."""

MOST_CONNECTIONS = 1024
"""The most connections of one address, unless it is of the loopback or the proxy's."""

_SENT_BYTES = 1 << 18
"""What the system is asked to hold of an answer; of a larger buffer it would tell news too late."""

_HEADER_BYTES = 1 << 14
_BACKLOG = 2048
_ENDED = tuple(str(state) for state in State if state.final)
_FILES = 8192
_STOP_SECONDS = 0.1
_GRACE_SECONDS = 10


CONNECTIONS: Counter[str] = Counter()
"""How many connections of each address are open."""


class Stop(Protocol):
    """What says that a server is to end: an Event of threads or of processes."""

    def is_set(self) -> bool:
        """Whether it is."""


def run(
    config: ServerConfig,
    database: Database,
    clock: Clock,
    stop: Stop,
    listening: Callable[[Mapping[str, int]], None] = lambda _: None,
) -> None:
    """Answer until `stop` is set, and then finish what is under way.

    listening: is called with the ports of "api" and "monitoring" once both are open.
    Raises OSError if an address cannot be had.
    """
    asyncio.run(serve(config, database, clock, stop, listening))


async def serve(
    config: ServerConfig,
    database: Database,
    clock: Clock,
    stop: Stop,
    listening: Callable[[Mapping[str, int]], None] = lambda _: None,
) -> None:
    """The same, in a loop that runs already."""
    logs.watch_libraries("uvicorn", "asyncio", "starlette")
    _raise_file_limit()
    metrics = Metrics()
    make = users_app if config.role is RECSYS else csp_app
    apps = (
        (config.api, make(config, database, clock, metrics)),
        (
            config.monitoring,
            monitoring_app(database, metrics, partial(health.trouble, config.folder)),
        ),
    )
    servers = [_Server(_configuration(listen, app)) for listen, app in apps]
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    told = False
    try:
        while not stop.is_set() and not any(task.done() for task in tasks):
            if not told and all(server.started for server in servers):
                names = ("api", "monitoring")
                listening(dict(zip(names, (server.port for server in servers), strict=True)))
                told = True
            await asyncio.sleep(_STOP_SECONDS)
    finally:
        for server in servers:
            server.should_exit = True
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end


_OF_WORKERS: tuple[tuple[str, str, Callable[[WorkersCost], int]], ...] = (
    ("ppmf_workers", "Workers that answer, in the epoch that runs.", lambda it: it.there),
    ("ppmf_workers_missing", "Workers that do not.", lambda it: max(0, it.count - it.there)),
    ("ppmf_workers_memory_bytes", "The most that one of them has had.", lambda it: it.memory),
)


def monitoring_app(
    database: Database, metrics: Metrics, trouble: Callable[[], str] = lambda: ""
) -> Starlette:
    """The operator's application. trouble: what is wrong with the engine, "" for nothing."""

    def states() -> Mapping[str, int]:
        found = database.rows("SELECT state, count(*) FROM sessions GROUP BY state")
        return {row[0]: row[1] for row in found}

    def in_trouble() -> Mapping[str, int]:
        found = database.rows(
            f"SELECT count(*) FROM sessions WHERE error_kind IS NOT NULL "
            f"AND state NOT IN ({', '.join('?' * len(_ENDED))})",
            _ENDED,
        )
        return {"": found[0][0]}

    def link_up() -> Mapping[str, int]:
        last = measures.last_link()
        return {} if last is None else {"": int(last.up)}

    def clock_doubt() -> Mapping[str, int]:
        found = clock_watch.noted(database)
        return {} if found is None else {"": int(found.in_doubt)}

    def disk_free() -> Mapping[str, int]:
        return {"": shutil.disk_usage(database.path.parent).free}

    measures = Measures(database)
    metrics.gauge("ppmf_sessions", "Sessions by their state.", "state", states)
    metrics.gauge("ppmf_sessions_in_trouble", "Sessions with an error.", "", in_trouble)
    metrics.gauge("ppmf_link_up", "Whether the other server is there.", "", link_up)
    metrics.gauge("ppmf_clock_in_doubt", "Whether the clock is in doubt.", "", clock_doubt)
    metrics.gauge("ppmf_disk_free_bytes", "What is free on the disk.", "", disk_free)

    def of_workers(value: Callable[[WorkersCost], int]) -> Callable[[], Mapping[str, int]]:
        def now() -> Mapping[str, int]:
            found = measures.running_workers()
            return {} if found is None else {"": value(found)}

        return now

    for name, about, value in _OF_WORKERS:
        metrics.gauge(name, about, "", of_workers(value))

    async def ready(_: Request) -> Response:
        """Whether the server can read its database, and its engine does not keep ending."""
        try:
            await to_thread.run_sync(partial(database.rows, "SELECT 1"))
        except (PpmfError, OSError) as error:
            logs.failure("the database cannot be read", error)
            return problems.response(problems.busy("the database cannot be read", 5, 503))
        if told := trouble():
            return problems.response(problems.busy(told, 5, 503))
        return PlainTextResponse("ready\n")

    async def counted(_: Request) -> Response:
        return Response(await to_thread.run_sync(metrics.text), media_type=MEDIA_TYPE)

    return application([Route("/readyz", ready), Route("/metrics", counted)], Metrics())


class _Server(uvicorn.Server):
    """A server that leaves signals to its process."""

    @property
    def port(self) -> int:
        """The port that it listens on, which the system chose if it was 0."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield

    async def startup(self, sockets: Any = None) -> None:
        """Begin to listen. Raises OSError where the library would end the process."""
        try:
            await super().startup(sockets)
        except SystemExit:
            where = f"{self.config.host}:{self.config.port}"
            raise OSError(f"{where}: this address cannot be had") from None


class _Protocol(H11Protocol):
    """A connection that ends where the header of a request, or a body that nobody reads any more,
    does not come in time, or the answer is not taken: the library has a limit for connections that
    are idle, but none for those that send a byte now and then, or do not read.
    """

    _counted: str | None = None
    _due: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if not self._count():
            transport.abort()
            return
        transport.set_write_buffer_limits(high=1)  # to be told whenever something is not sent
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT_BYTES
            )
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait for the rest, if something is due that is not whole yet."""
        super().data_received(data)
        if self._owes:
            self._watch()
        else:
            self._unwatch()

    def on_response_complete(self) -> None:
        """Wait for the rest of a body that came with a request that was answered already."""
        super().on_response_complete()
        if self._owes:
            self._watch()

    def pause_writing(self) -> None:
        """Begin to look whether the client takes its answer."""
        super().pause_writing()
        self._look(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Note that the client has taken it."""
        super().resume_writing()
        self._unlook()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._unwatch()
        self._unlook()
        self._uncount()
        super().connection_lost(exc)

    def _count(self) -> bool:
        """Count the connection for its address; whether there is room for it (PPMF-API-024)."""
        host = self.client[0] if self.client else ""
        if limits.of_this_machine(host) or host in _believed(self.config):
            return True
        caller = limits.network_of(host)
        if CONNECTIONS[caller] >= MOST_CONNECTIONS:
            return False
        self._counted = caller
        CONNECTIONS[caller] += 1
        return True

    def _uncount(self) -> None:
        if self._counted is not None:
            CONNECTIONS[self._counted] -= 1
            if not CONNECTIONS[self._counted]:
                del CONNECTIONS[self._counted]
            self._counted = None

    @property
    def _owes(self) -> bool:
        """Whether the client has to send the rest of something, with no program waiting for it."""
        theirs = self.conn.their_state
        return theirs is h11.IDLE or (theirs is h11.SEND_BODY and self.conn.our_state is h11.DONE)

    def _look(self, before: int) -> None:
        self._unlook()
        self._stall = self.loop.call_later(STALL_SECONDS, self._stalled, before)

    def _unlook(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _stalled(self, before: int) -> None:
        self._stall = None
        left = self.transport.get_write_buffer_size()
        if left and left > before - STALL_BYTES:
            self.transport.abort()
        elif left:
            self._look(left)

    def _watch(self) -> None:
        if self._due is None:
            self._due = self.loop.call_later(HEADER_SECONDS, self._late)

    def _unwatch(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _late(self) -> None:
        self._due = None
        if self._owes:
            self.timeout_keep_alive_handler()


def _believed(config: uvicorn.Config) -> Sequence[str]:
    """The proxies whose word counts on from where a request comes."""
    found = config.forwarded_allow_ips or ()
    return found.split(",") if isinstance(found, str) else found


def _configuration(listen: Listen, app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=listen.host,
        port=listen.port,
        http=_Protocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(listen.proxy),
        forwarded_allow_ips=listen.proxy or "127.0.0.1",
        backlog=_BACKLOG,
        timeout_keep_alive=HEADER_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        ssl_certfile=listen.certificate,
        ssl_keyfile=listen.key,
    )


def _raise_file_limit() -> None:
    """Let the process have as many connections as it may: the usual limit is 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))

# SPDX-License-Identifier: Apache-2.0
"""A forward proxy between a browser and the servers: it keeps every request, and can play hostile.

The browser is told to send everything through it, requests to loopback too. So what it has seen is
what left the browser over TCP, whichever page, worker or service worker asked. A test may change
answers on the way: a *change* is a function of the exchange that returns the answer in the place of
the server's, or None. It is asked before the request goes on, and once more with the answer.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import h11
import httpx

_PATIENCE = 30.0
_PIECE = 1 << 16
_OF_ONE_CONNECTION = {
    b"connection",
    b"keep-alive",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser is told. seconds: how long it has to wait for it."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    seconds: float = 0.0

    def header(self, name: str) -> str:
        """The value of a header, or nothing."""
        return _header(self.headers, name)

    def but(self, body: bytes | None = None, **headers: str) -> Answer:
        """The same with another body, and other values of some headers."""
        names = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        kept = [pair for pair in self.headers if pair[0].decode().lower() not in names]
        kept += [(name.encode(), value.encode()) for name, value in names.items()]
        return replace(self, body=self.body if body is None else body, headers=kept)


CUT_OFF = Answer(0)
"""The answer of a server that is not there: the connection ends."""


@dataclass(slots=True)
class Exchange:
    """A request, and its answer once that is known."""

    method: str
    url: str
    headers: Headers
    body: bytes
    at: float
    answer: Answer | None = None

    @property
    def origin(self) -> str:
        """Scheme and host of the address; of a CONNECT, which has neither, what was asked for."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"connect:{self.url}"

    @property
    def path(self) -> str:
        """The path of the address, without its query."""
        return urlsplit(self.url).path

    @property
    def query(self) -> str:
        """What stands after the question mark of the address."""
        return urlsplit(self.url).query

    def header(self, name: str) -> str:
        """The value of a header of the request, or nothing."""
        return _header(self.headers, name)


Change = Callable[[Exchange], Answer | None]


@dataclass
class RecordingProxy:
    """The proxy: `url` is what the browser is given, `exchanges` what it has asked since."""

    url: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    client: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(timeout=_PATIENCE, trust_env=False)
    )

    @contextmanager
    def changed(self, *changes: Change) -> Iterator[None]:
        """The context in which these changes are made, before those of outer contexts."""
        before = self.changes
        self.changes = [*changes, *before]
        try:
            yield
        finally:
            self.changes = before

    def asked(self, end: str, method: str = "GET") -> list[Exchange]:
        """The requests of a method whose path ends so."""
        return [one for one in [*self.exchanges] if one.method == method and one.path.endswith(end)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection of the browser."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        ours = h11.Connection(h11.SERVER)
        with (
            closing(writer),
            suppress(ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError),
        ):
            while (asked := await _request(ours, reader)) is not None:
                self.exchanges.append(asked)
                answer = asked.answer = await self._answer(asked)
                await asyncio.sleep(answer.seconds)
                if not answer.status:
                    break
                async for data in _encoded(ours, asked, answer):
                    writer.write(data)
                    await writer.drain()
                if ours.our_state is not h11.DONE or ours.their_state is not h11.DONE:
                    break
                ours.start_next_cycle()

    async def _answer(self, asked: Exchange) -> Answer:
        found = self._changed(asked)
        if found is not None:
            return found
        asked.answer = await self._forwarded(asked)
        return self._changed(asked) or asked.answer

    def _changed(self, asked: Exchange) -> Answer | None:
        return next((found for one in self.changes if (found := one(asked)) is not None), None)

    async def _forwarded(self, asked: Exchange) -> Answer:
        if asked.method == "CONNECT":
            return CUT_OFF
        headers = [pair for pair in asked.headers if pair[0].lower() not in _OF_ONE_CONNECTION]
        content = asked.body or None
        try:
            async with self.client.stream(
                asked.method, asked.url, headers=headers, content=content
            ) as found:
                body = b"".join([piece async for piece in found.aiter_raw()])
                return Answer(found.status_code, found.headers.raw, body)
        except httpx.HTTPError:
            return CUT_OFF


async def _request(ours: h11.Connection, reader: asyncio.StreamReader) -> Exchange | None:
    """The next request of a connection; None if there is none any more."""
    asked: Exchange | None = None
    while True:
        event = ours.next_event()
        if event is h11.NEED_DATA:
            ours.receive_data(await reader.read(_PIECE))
        elif isinstance(event, h11.Request):
            at = asyncio.get_running_loop().time()
            method, url = event.method.decode(), event.target.decode()
            asked = Exchange(method, url, list(event.headers), b"", at)
        elif isinstance(event, h11.Data) and asked is not None:
            asked.body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return asked
        else:
            return None


async def _encoded(ours: h11.Connection, asked: Exchange, answer: Answer) -> AsyncIterator[bytes]:
    """The bytes of an answer."""
    dropped = {*_OF_ONE_CONNECTION, b"content-length"}
    headers = [pair for pair in answer.headers if pair[0].lower() not in dropped]
    if answer.status not in (204, 304):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    response = h11.Response(status_code=answer.status, headers=headers)
    yield ours.send(response) or b""
    if asked.method != "HEAD":
        yield ours.send(h11.Data(data=answer.body)) or b""
    yield ours.send(h11.EndOfMessage()) or b""


@contextmanager
def recording_proxy() -> Iterator[RecordingProxy]:
    """The context in which a proxy runs, in a thread of its own."""
    proxy, begun, loop = RecordingProxy(), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        async with proxy.client:
            proxy.url = "http://{}:{}".format(*server.sockets[0].getsockname())
            begun.set()
            await stop.wait()
            server.close()
            await asyncio.sleep(0.01)  # connections that were just accepted become tasks
            for task in proxy.tasks:
                task.cancel()
            await asyncio.gather(*proxy.tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # what was closed ends in the next round of the loop

    runner = threading.Thread(target=lambda: loop.run_until_complete(run()))
    runner.start()
    assert begun.wait(_PATIENCE)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        runner.join(_PATIENCE)
        loop.close()


def _header(headers: Headers, name: str) -> str:
    wanted = name.lower().encode()
    return next((value.decode("latin-1") for key, value in headers if key.lower() == wanted), "")

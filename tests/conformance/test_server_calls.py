# SPDX-License-Identifier: Apache-2.0
"""Calls to a server over sockets: what is sent byte by byte, and what is no answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from ppmf_conformance.servers import calls
from ppmf_conformance.servers.calls import Answer, Call, HttpCaller, NoAnswerError
from ppmf_spec.errors import RangeError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\n\r\nok"


@dataclass
class Canned:
    """A server that answers every connection with the same bytes, once a head has come."""

    answer: bytes
    url: str = ""
    heard: list[bytes] = field(default_factory=list)
    silent: bool = False

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            with one, suppress(OSError):  # who does not like an answer leaves
                self._answer(one)

    def _answer(self, one: socket.socket) -> None:
        found = b""
        while b"\r\n\r\n" not in found and (piece := one.recv(1 << 16)):
            found += piece
        if self.silent:
            one.recv(1)
            return
        one.sendall(self.answer)
        one.shutdown(socket.SHUT_WR)
        while piece := one.recv(1 << 16):
            found += piece
        self.heard.append(found)


@contextmanager
def canned(answer: bytes, *, silent: bool = False) -> Iterator[Canned]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Canned(answer, f"http://127.0.0.1:{listener.getsockname()[1]}", silent=silent)
        thread = threading.Thread(target=made.serve, args=(listener,))
        thread.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(20)


def test_an_answer_with_its_headers() -> None:
    with canned(OK) as server:
        found = HttpCaller(f"{server.url}/below", 20)(
            Call("PUT", "/x?y=1", (("A", "1"), ("A", "2")), b"body")
        )
    assert found == Answer(200, (("content-length", "2"), ("x-a", "1"), ("x-a", "2")), b"ok")
    assert (found.all("x-a"), found.one("x-a"), found.one("none")) == (["1", "2"], "", "")
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"PUT /below/x?y=1 HTTP/1.1"
    assert lines.count(b"A: 1") == lines.count(b"A: 2") == 1
    assert b"Connection: close" in lines
    assert b"Content-Length: 4" in lines
    assert body == b"body"


@pytest.mark.parametrize(
    ("call", "line", "body"),
    [
        (Call("PUT", "/", body=b"abc", length=999, held_back=True), b"Content-Length: 999", b""),
        (Call("PUT", "/", body=b"abc", length=2), b"Content-Length: 2", b"abc"),
        (Call("PUT", "/"), b"Content-Length: 0", b""),
        (
            Call("PUT", "/", body=b"abc", chunked=True),
            b"Transfer-Encoding: chunked",
            b"3\r\nabc\r\n0\r\n\r\n",
        ),
    ],
)
def test_bodies_and_lengths_are_sent_as_they_are_said(call: Call, line: bytes, body: bytes) -> None:
    with canned(OK) as server:
        HttpCaller(server.url, 20)(call)
    head, _, sent = server.heard[0].partition(b"\r\n\r\n")
    assert line in head.split(b"\r\n")
    assert sent == body


def test_content_behind_a_head_is_found() -> None:
    with canned(OK) as server:
        assert HttpCaller(server.url, 20)(Call("HEAD", "/")).body == b"o"
    with canned(OK[:-2]) as server:
        assert HttpCaller(server.url, 20)(Call("HEAD", "/")).body == b""


def test_redirects_are_not_followed() -> None:
    with canned(b"HTTP/1.1 307 No\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n") as server:
        assert HttpCaller(server.url, 20)(Call("GET", "/")).status == 307
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_answer(answer: bytes) -> None:
    with canned(answer) as server, pytest.raises(NoAnswerError, match="no answer|cut short"):
        HttpCaller(server.url, 20)(Call("GET", "/"))


def test_an_answer_that_does_not_come_or_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        canned(b"", silent=True) as server,
        pytest.raises(NoAnswerError, match=r"within 0\.05 s"),
    ):
        HttpCaller(server.url, 0.05)(Call("GET", "/"))
    monkeypatch.setattr(calls, "MOST_BYTES", 1)
    with canned(OK) as server, pytest.raises(NoAnswerError, match="more than 1 bytes"):
        HttpCaller(server.url, 20)(Call("GET", "/"))


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NoAnswerError, match="ConnectionRefusedError"):
        HttpCaller(f"http://127.0.0.1:{port}", 20)(Call("GET", "/"))


@pytest.mark.req("PPMF-API-001", "PPMF-CON-051")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8443",
        "http://recsys.example",
        "http://127.0.0.1.example",
        "ftp://127.0.0.1",
        "https://",
        "https://recsys.example/",
        "https://recsys.example/a?b",
        "https://recsys.example/a#b",
        "https://me:it@recsys.example",
        "https://recsys.example:99999",
        "https://recsys.example:x",
        "https://recsys .example",
        "https://[::1",
        "https://récsys.example",
    ],
)
def test_addresses_to_which_nothing_is_sent(url: str) -> None:
    with pytest.raises(RangeError, match="^URL: "):
        HttpCaller(url, 1)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "https://a.example/b"]
)
def test_addresses_that_are_right(url: str) -> None:
    HttpCaller(url, 1)

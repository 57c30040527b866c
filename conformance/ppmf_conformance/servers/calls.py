# SPDX-License-Identifier: Apache-2.0
"""Calls to a running server over HTTP, byte by byte as they are to be, and what it answers.

Every call has a connection of its own. Its length may be said wrongly and its body left out, since
that is what some checks are about; no redirect is followed and nothing is asked twice.
"""

from __future__ import annotations

import http.client
import re
import ssl
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from ppmf_conformance.deadline import Deadline
from ppmf_spec.errors import RangeError

MOST_BYTES = 1 << 27
"""The most bytes of an answer that are read; the longest file of a session has half as many."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PIECE = 1 << 16
_AFTER_A_HEAD = 0.5
"""For how many seconds a connection is watched for content after an answer that must have none."""

_ADDRESS = re.compile(r"[!-~]+")


class NoAnswerError(Exception):
    """No answer came, or none that is HTTP; `str()` says why in some words."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request. headers: as they are sent, one after the other.

    length: what `Content-Length` says, None for the length of the body. held_back: nothing of the
    body is sent, so that an answer shows that it was not waited for. chunked: the body is sent in
    chunks, and no length is said.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    length: int | None = None
    held_back: bool = False
    chunked: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came. headers: names in small letters, in their order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """The values of the headers of that name."""
        return [value for found, value in self.headers if found == name]

    def one(self, name: str) -> str:
        """The value of the header of that name; "" if there is none, or more than one."""
        found = self.all(name)
        return found[0] if len(found) == 1 else ""

    @property
    def media_type(self) -> str:
        """The media type, without its parameters."""
        return self.one("content-type").partition(";")[0].strip().lower()


class Caller(Protocol):
    """What makes calls to one server."""

    def __call__(self, call: Call) -> Answer:
        """The answer. Raises NoAnswerError."""


class HttpCaller:
    """Calls to the server at a URL.

    seconds: for each answer as a whole. trusted: what certificates are held against, None for the
    authorities of this machine. Raises RangeError for an address to which a user's program sends
    nothing (PPMF-API-001, PPMF-ENR-012).
    """

    def __init__(self, url: str, seconds: float, trusted: ssl.SSLContext | None = None) -> None:
        self._seconds = seconds
        try:
            parts = urlsplit(url if _ADDRESS.fullmatch(url) else "")
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            raise RangeError("URL: not the address of a server") from None
        local = parts.scheme == "http" and self._host in LOOPBACK
        if not self._host or not (local or parts.scheme == "https"):
            raise RangeError("URL: https is due, or http on this machine")
        if parts.query or parts.fragment or parts.username is not None or parts.path.endswith("/"):
            raise RangeError("URL: ends with the host, the port or a path, and not with /, ? or #")
        self._path = parts.path
        self._trusted = None
        if parts.scheme == "https":
            self._trusted = trusted or ssl.create_default_context()

    def __call__(self, call: Call) -> Answer:
        """The answer. Raises NoAnswerError."""
        deadline = Deadline(self._seconds)
        connection = self._connection()
        try:
            self._send(connection, call)
            return _received(connection, call, deadline)
        except TimeoutError:
            raise NoAnswerError(f"no answer within {self._seconds:g} seconds") from None
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(f"no answer ({type(error).__name__})") from None
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._trusted is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._seconds)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self._seconds, context=self._trusted
        )

    def _send(self, connection: http.client.HTTPConnection, call: Call) -> None:
        connection.putrequest(call.method, self._path + call.path, skip_accept_encoding=True)
        connection.putheader("Connection", "close")
        for name, value in call.headers:
            connection.putheader(name, value)
        if call.chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif call.length is not None or call.body or call.method in ("PUT", "POST", "PATCH"):
            said = len(call.body) if call.length is None else call.length
            connection.putheader("Content-Length", str(said))
        connection.endheaders()
        if call.held_back:
            return
        try:
            if call.chunked:
                connection.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(call.body), call.body))
            elif call.body:
                connection.send(call.body)
        except (BrokenPipeError, ConnectionResetError):
            return  # a server may answer, and close, before it has read all


def _received(connection: http.client.HTTPConnection, call: Call, deadline: Deadline) -> Answer:
    response = connection.getresponse()
    headers = tuple((name.lower(), value) for name, value in response.getheaders())
    if call.method == "HEAD":
        return Answer(response.status, headers, _after(connection, response))
    found = bytearray()
    while piece := response.read1(_PIECE):
        found += piece
        if len(found) > MOST_BYTES:
            raise NoAnswerError(f"an answer of more than {MOST_BYTES:,} bytes")
        if not deadline.left():
            raise TimeoutError
    if response.length:
        raise NoAnswerError("an answer that was cut short")
    return Answer(response.status, headers, bytes(found))


def _after(connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> bytes:
    """What comes on the connection behind the head of an answer."""
    if connection.sock is not None:
        connection.sock.settimeout(_AFTER_A_HEAD)
    try:
        return response.fp.read(1)
    except OSError:
        return b""

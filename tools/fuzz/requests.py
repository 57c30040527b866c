# SPDX-License-Identifier: Apache-2.0
"""Requests that nearly are what the users' interface takes, and what is done to them.

A request here is what an ASGI server makes of bytes, so that each costs little; how an HTTP server
reads bytes is its own affair.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

METHODS = (b"GET", b"PUT", b"DELETE", b"HEAD", b"POST", b"PATCH", b"OPTIONS", b"TRACE", b"get", b"")
NASTY = (
    b"",
    b"0",
    b"-1",
    b"00",
    b"1e9",
    b"99999999999999999999999",
    b"18446744073709551615",
    b"18446744073709551616",
    b"..",
    b".",
    b"%2e%2e",
    b"%00",
    b"\x00",
    b"\xff\xfe",
    "٣".encode(),
    b"'",
    b'";--',
    b"{session}",
    b"a" * 5000,
    b" ",
    b"\r\nX: y",
)


@dataclass(frozen=True)
class Request:
    """A request; the body comes in pieces, and may break off."""

    method: bytes = b"GET"
    path: bytes = b"/"
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: tuple[bytes, ...] = (b"",)
    breaks_off: bool = False
    address: str = "192.0.2.1"


@dataclass(frozen=True)
class Material:
    """What is right, for requests that nearly are: paths, tokens and messages of some users."""

    sessions: Sequence[bytes]
    tokens: Sequence[bytes]
    messages: Sequence[bytes]
    secrets: Sequence[bytes] = field(default=())


def right(material: Material, source: random.Random) -> Request:
    """A request as a user makes it."""
    session = source.choice(material.sessions)
    at = b"/v1/sessions/" + session
    row = source.randrange(len(material.tokens))
    own = at + b"/uploads/%d" % row
    token = (b"authorization", b"Bearer " + material.tokens[row])
    message = source.choice(material.messages)
    kind = (b"content-type", b"application/cbor")
    length = (b"content-length", b"%d" % len(message))
    match source.randrange(8):
        case 0:
            return Request(path=source.choice((b"/healthz", b"/v1/sessions", at)))
        case 1:
            return Request(path=at + source.choice((b"/status", b"/profiles")))
        case 2:
            return Request(path=own, headers=(token,))
        case 3:
            serial = b"serial=%d" % source.randrange(1, 6)
            return Request(b"DELETE", own, serial, (token,))
    return Request(b"PUT", own, b"", (token, kind, length), (message,))


def mutated(material: Material, source: random.Random) -> Request:
    """A request to which up to four things were done."""
    found = right(material, source)
    for _ in range(source.randrange(5)):
        found = source.choice(_MUTATIONS)(found, material, source)
    address = f"198.{source.randrange(256)}.{source.randrange(256)}.{source.randrange(256)}"
    return replace(found, address=address)


def altered(data: bytes, source: random.Random) -> bytes:
    """Bytes to which one thing was done: flipped, cut, doubled, replaced, made longer."""
    at = source.randrange(len(data) + 1)
    end = min(len(data), at + source.randrange(1, 9))
    match source.randrange(7):
        case 0 if data:
            flipped = bytearray(data)
            flipped[at % len(data)] ^= 1 << source.randrange(8)
            return bytes(flipped)
        case 1:
            return data[:at]
        case 2:
            return data[:at] + data[end:]
        case 3:
            return data[:at] + data[at:end] * 2 + data[end:]
        case 4:
            return data[:at] + source.randbytes(end - at) + data[end:]
        case 5:
            return data[:at] + source.choice(NASTY) + data[at:]
    return data + source.randbytes(source.randrange(1, 40))


def _method(one: Request, _: Material, source: random.Random) -> Request:
    return replace(one, method=source.choice(METHODS))


def _path(one: Request, material: Material, source: random.Random) -> Request:
    parts = one.path.split(b"/")
    at = source.randrange(len(parts))
    match source.randrange(5):
        case 0:
            parts[at] = altered(parts[at], source)
        case 1:
            parts[at] = source.choice(NASTY)
        case 2:
            parts.insert(at, source.choice((b"", b"uploads", *NASTY)))
        case 3:
            parts[at] = source.choice((*material.sessions, b"%d" % source.randrange(9)))
        case 4:
            parts[at] = parts[at].upper()
    return replace(one, path=b"/" + b"/".join(parts).lstrip(b"/"))


def _query(one: Request, _: Material, source: random.Random) -> Request:
    value = b"serial=" + source.choice((*NASTY, b"%d" % source.randrange(9)))
    return replace(one, query=source.choice((value, one.query + b"&" + value, b"", b"&;=%")))


def _header(one: Request, material: Material, source: random.Random) -> Request:
    headers = list(one.headers)
    if headers and source.randrange(2):
        at = source.randrange(len(headers))
        name, value = headers[at]
        match source.randrange(3):
            case 0:
                headers[at] = name, altered(value, source)
            case 1:
                del headers[at]
            case 2:
                headers.append(headers[at])
    else:
        headers.append(
            source.choice(
                (
                    (b"authorization", b"Bearer " + source.choice(material.tokens)),
                    (b"authorization", b"Basic " + source.choice(NASTY)),
                    (b"content-length", source.choice(NASTY)),
                    (b"content-type", source.choice(NASTY)),
                    (b"transfer-encoding", b"chunked"),
                    (b"content-encoding", b"gzip"),
                    (b"if-none-match", source.choice(NASTY)),
                    (b"range", b"bytes=0-0"),
                    (b"host", source.choice(NASTY)),
                    (b"x-forwarded-for", b"192.0.2.1"),
                    (b"expect", b"100-continue"),
                )
            )
        )
    return replace(one, headers=tuple(headers))


def _token(one: Request, material: Material, source: random.Random) -> Request:
    """Another user's token in the place of the right one."""
    value = b"Bearer " + source.choice(material.tokens)
    headers = tuple((name, value if name == b"authorization" else old) for name, old in one.headers)
    return replace(one, headers=headers)


def _body(one: Request, material: Material, source: random.Random) -> Request:
    body = b"".join(one.body)
    for _ in range(source.randrange(1, 4)):
        body = altered(body, source)
    if not source.randrange(4):
        other = source.choice(material.messages)
        at = source.randrange(len(other))
        body = other[:at] + body[at:]
    return replace(one, body=(body,))


def _length(one: Request, _: Material, source: random.Random) -> Request:
    """The header says what the body has, as a client's library would write it."""
    del source
    kept = tuple(pair for pair in one.headers if pair[0] != b"content-length")
    length = b"%d" % sum(map(len, one.body))
    return replace(one, headers=(*kept, (b"content-length", length)))


def _pieces(one: Request, _: Material, source: random.Random) -> Request:
    body = b"".join(one.body)
    if not source.randrange(20):
        body += bytes(1 << source.randrange(8, 20))
    step = source.choice((1, 7, 100, 1 << 16)) if len(body) < 5000 else 1 << 16
    pieces = tuple(body[at : at + step] for at in range(0, len(body), step)) or (b"",)
    return replace(one, body=pieces, breaks_off=not source.randrange(4))


_MUTATIONS: tuple[Callable[[Request, Material, random.Random], Request], ...] = (
    _method,
    _path,
    _query,
    _header,
    _token,
    _body,
    _body,
    _length,
    _length,
    _pieces,
)

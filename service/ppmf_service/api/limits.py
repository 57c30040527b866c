# SPDX-License-Identifier: GPL-3.0-or-later
"""What one caller, or all of them together, may ask of a server.

`Wrong` counts wrong tokens by address, never by user: otherwise whoever knows a pseudonym could
lock its user out (PPMF-API-009). `read_body` reads a body that was bounded before (PPMF-API-007).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect, Request

from ppmf_service.api.problems import Problem, busy
from ppmf_spec.errors import EncodingError, PeerError

BODY_SECONDS = 30.0
"""How long a body may take to arrive."""

_IPV6_NETWORK = 64
"""The bits of an IPv6 address by which callers are told apart: one caller has all of the rest."""


class Wrong:
    """How many wrong tokens came from an address lately.

    An address may send `burst` wrong tokens at once, and one more every `seconds`. It is then
    refused without a look at its token. Of the addresses the last `most` are remembered.
    monotonic: a clock, in seconds.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        burst: int = 20,
        seconds: float = 6.0,
        most: int = 20_000,
    ) -> None:
        self._monotonic = monotonic
        self._burst = burst
        self._seconds = seconds
        self._most = most
        self._free_at: OrderedDict[str, float] = OrderedDict()
        """For each address the time at which all of its wrong tokens are forgotten."""

    def check(self, address: str | None) -> None:
        """Raise the problem 429 if too many wrong tokens came from this address, if it is known."""
        if address is None:
            return
        caller = network_of(address)
        left = self._free_at.get(caller, 0.0) - self._monotonic()
        over = left - (self._burst - 1) * self._seconds
        if over > 0:
            raise busy("too many wrong tokens came from this address", int(over) + 1)

    def add(self, address: str | None) -> None:
        """Count a wrong token."""
        if address is None:
            return
        caller = network_of(address)
        now = self._monotonic()
        self._free_at[caller] = max(self._free_at.get(caller, now), now) + self._seconds
        self._free_at.move_to_end(caller)
        while len(self._free_at) > self._most:
            self._free_at.popitem(last=False)


class UnderWay:
    """How many requests of each user wait for their body, so that no user takes the room of all.

    most: how many of one user may (PPMF-API-008).
    """

    def __init__(self, most: int = 4) -> None:
        self._most = most
        self._count: Counter[Hashable] = Counter()

    @contextmanager
    def one(self, whose: Hashable) -> Iterator[None]:
        """The context of one request. Raises the problem 429 if too many are under way."""
        if self._count[whose] >= self._most:
            raise busy("other uploads of this user are under way", int(BODY_SECONDS))
        self._count[whose] += 1
        try:
            yield
        finally:
            self._count[whose] -= 1
            if not self._count[whose]:
                del self._count[whose]


def caller(request: Request, proxy: str) -> str | None:
    """The address that a request comes from; None if it is not known, since the proxy has not said
    it (PPMF-API-021): the proxy's own address stands for everybody, and would lock all users out.

    proxy: the one that the operator named, "" for none.
    """
    found = None if request.client is None else _ip(request.client.host)
    if found is None or (proxy and found == _ip(proxy)):
        return None
    return str(found)


def network_of(address: str) -> str:
    """What stands for a caller: an IPv4 address, or the network of an IPv6 address.

    >>> network_of("2001:db8:1:2:3:4:5:6"), network_of("192.0.2.7"), network_of("::ffff:192.0.2.7")
    ('2001:db8:1:2::/64', '192.0.2.7', '192.0.2.7')
    """
    found = _ip(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False))
    return str(found)


def of_this_machine(address: str) -> bool:
    """Whether an address is of the loopback, for which nothing is counted: it is that of the
    operator's own programs, or of a proxy that they did not name.

    >>> of_this_machine("127.0.0.5"), of_this_machine("::1"), of_this_machine("192.0.2.1")
    (True, True, False)
    """
    found = _ip(address)
    return found is not None and found.is_loopback


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, that of IPv4 also if it is written as one of IPv6; None for what is none."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def check_length(request: Request, most: int) -> None:
    """Refuse a request whose header names a body of more than `most` bytes, before any of it is
    read. Raises the problem 400 for a length that is no number, 413 for one that is too long.
    """
    text = request.headers.get("content-length")
    if text is None:
        return
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise Problem(400, EncodingError("Content-Length: not a number"))
    if int(text) > most:
        raise too_long(most)


def too_long(most: int) -> Problem:
    """The problem of a body that is longer than the one that is due can be."""
    return Problem(413, EncodingError(f"body: more than the {most} bytes that are due at most"))


async def read_body(request: Request, most: int) -> bytes:
    """The body, of at most `most` bytes: no more is kept in memory, whatever the header said.

    Raises the problem 413 when more come, 408 when they take too long.
    """
    check_length(request, most)
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                if len(found) + len(piece) > most:
                    raise too_long(most)
                found += piece
    except TimeoutError:
        raise Problem(408, PeerError("body: did not arrive in time")) from None
    except ClientDisconnect:
        raise Problem(400, EncodingError("body: cut short")) from None
    return bytes(found)

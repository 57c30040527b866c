# SPDX-License-Identifier: GPL-3.0-or-later
"""Invitations: two halves, which meet on the user's device alone (chapter 8, "Invitations").

RecSys' half holds the token, the enroller's half the code. Each is one line of text of the form of
a URL's query, which stands after the # of a link, in a QR code, or in a file. A browser does not
send what stands after the #. No program takes a half from the arguments of its command
(PPMF-ENR-013).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, quote

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.enrolment import make_code, make_token, read_code, read_token, write_code
from ppmf_spec.errors import EncodingError, RangeError, StateError
from ppmf_spec.ids import check_id
from ppmf_spec.roles import CSP, RECSYS

MOST_CHARACTERS = 4096
"""The longest line that is read (PPMF-ENR-010)."""

LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
VERSION = "2"
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?:/[!\"$->@-~]*)?(?<!/)"
).fullmatch
_HEX = re.compile(r"[0-9a-f]{64}").fullmatch


@dataclass(frozen=True, slots=True)
class RecSysHalf:
    """RecSys' half: pseudonym, token, and where both servers are reached."""

    user: str
    token: str = field(repr=False)
    recsys_url: str
    csp_url: str

    def text(self) -> str:
        """The line of this half (PPMF-ENR-009)."""
        return _line(
            ("ppmf", VERSION),
            ("from", RECSYS),
            ("user", self.user),
            ("token", self.token),
            ("recsys", self.recsys_url),
            ("csp", self.csp_url),
        )


@dataclass(frozen=True, slots=True)
class CspHalf:
    """The enroller's half: pseudonym, code (16 bytes), and SHA-256 of CSP's signing key."""

    user: str
    code: bytes = field(repr=False)
    csp_key: bytes

    def text(self) -> str:
        """The line of this half (PPMF-ENR-009)."""
        return _line(
            ("ppmf", VERSION),
            ("from", CSP),
            ("user", self.user),
            ("code", write_code(self.code)),
            ("key", self.csp_key.hex()),
        )


@dataclass(frozen=True, slots=True)
class Invitation:
    """Both halves, as a user's device has them."""

    recsys: RecSysHalf
    csp: CspHalf

    @property
    def user(self) -> str:
        """The user's pseudonym."""
        return self.recsys.user

    def text(self) -> str:
        """Both lines, for the user's own device alone."""
        return f"{self.recsys.text()}\n{self.csp.text()}\n"


def join(one: RecSysHalf | CspHalf, other: RecSysHalf | CspHalf) -> Invitation:
    """The invitation of two halves, in either order (PPMF-ENR-011).

    Raises StateError if both are of the same sender, or they are of two users.
    """
    first, second = (one, other) if isinstance(one, RecSysHalf) else (other, one)
    if not isinstance(first, RecSysHalf) or not isinstance(second, CspHalf):
        raise StateError("invitation: two halves of the same sender; one of each is due")
    if first.user != second.user:
        raise StateError("invitation: the two halves are of different users")
    return Invitation(first, second)


def read_half(text: str) -> RecSysHalf | CspHalf:
    """The half in a line, or in a link with it after its #.

    Raises EncodingError, which shows nothing secret, for anything but what `text` of a half writes,
    and RangeError for a member that is none (PPMF-ENR-010).
    """
    line = text.strip(" \r\n")
    if len(line) > MOST_CHARACTERS:
        raise EncodingError(f"invitation: more than {MOST_CHARACTERS} characters")
    line = line.rpartition("#")[2]
    try:
        pairs = parse_qsl(line, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise EncodingError("invitation: not a line of an invitation") from None
    found: RecSysHalf | CspHalf
    match pairs:
        case [("ppmf", version), *_] if version != VERSION:
            raise EncodingError("invitation: of another version of ppmf")
        case [_, ("from", "recsys"), ("user", user), ("token", token), ("recsys", a), ("csp", b)]:
            read_token(token)
            for url in (a, b):
                try:
                    check_url(url)
                except ValueError as error:
                    raise RangeError(f"invitation: {error}") from None
            found = RecSysHalf(user, token, a, b)
        case [_, ("from", "csp"), ("user", user), ("code", code), ("key", key)]:
            if not _HEX(key):
                raise EncodingError("invitation: the digest of CSP's key is 64 hexadecimal digits")
            found = CspHalf(user, read_code(code), bytes.fromhex(key))
        case _:
            raise EncodingError("invitation: not of the members that one has")
    check_id(found.user, "invitation: the pseudonym")
    if found.text() != line:
        raise EncodingError("invitation: not written as one is")
    return found


def read_invitation(text: str) -> Invitation:
    """The invitation in a text of two lines, one of each half. Raises as `read_half` and `join`."""
    lines = text.split()
    if len(lines) != 2:
        raise EncodingError(f"invitation: {len(lines)} lines where its two halves are due")
    return join(*map(read_half, lines))


def recsys_halves(
    users: Iterable[str], coins: Coins, recsys_url: str, csp_url: str
) -> list[RecSysHalf]:
    """A half of RecSys for each user, with a fresh token (PPMF-ENR-006)."""
    return [RecSysHalf(user, make_token(coins), recsys_url, csp_url) for user in users]


def csp_halves(users: Iterable[str], coins: Coins, csp_key: bytes) -> list[CspHalf]:
    """A half of the enroller for each user, with a fresh code (PPMF-ENR-001)."""
    return [CspHalf(user, make_code(coins), csp_key) for user in users]


def link(page: str, half: RecSysHalf | CspHalf) -> str:
    """The link that opens the page for users with a half (PPMF-ENR-009)."""
    return f"{page}/#{half.text()}"


def whole_link(page: str, invitation: Invitation) -> str:
    """The link that opens the page with both halves, of a sender who may have both
    (PPMF-PAGE-002).
    """
    return f"{link(page, invitation.recsys)};{invitation.csp.text()}"


def check_url(text: str) -> None:
    """Check the URL of a server, which a path may follow (PPMF-ENR-012).

    Raises ValueError with the reason.
    """
    found = _URL(text)
    if not found or int(found["port"] or 0) >= 1 << 16:
        raise ValueError("an https URL is due, without user, query, fragment or slash at its end")
    if found["scheme"] == "http" and found["host"] not in LOOPBACK:
        raise ValueError("http is for this machine alone; an https URL is due")


def _line(*members: tuple[Literal["ppmf"] | str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in members)

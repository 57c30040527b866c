# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's side of the interface: a session checked against the invitation, uploads, profiles.

A user trusts neither server alone. `UserClient.session` fetches the session from both, and takes
part only in one that both show alike and both have signed, CSP with the key that the invitation
names. `UserClient` knows no file and no screen; what has to survive a restart is in `user_folder`.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.protocols import upload
from ppmf_secure.session import set_up
from ppmf_secure.session.enrolment import consent_key
from ppmf_secure.session.invitations import Invitation, check_url
from ppmf_secure.session.session import Session
from ppmf_secure.session.set_up import SignedSession
from ppmf_service.clock import Clock, SystemClock
from ppmf_spec import profiles
from ppmf_spec.errors import (
    KINDS,
    EncodingError,
    ParametersError,
    PeerError,
    PpmfError,
    RangeError,
    StateError,
)
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import RECSYS, USERS
from ppmf_spec.wire import Link

SECONDS = 30.0
"""How long the next bytes of an answer may take."""

ANSWER_SECONDS = 300.0
"""How long a request and its whole answer may take, however the bytes come (PPMF-API-026)."""

MOST_LOOKED_AT = 20
"""How many sessions are fetched to find one of this user: RecSys could list any number."""

REQUEST_SECONDS = 900.0
"""After how long no further try of a request is begun."""

_MOST_JSON = 1 << 16
_TRIES = 12
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""The statuses after which the same request is sent again."""

_HEX = re.compile(r"[0-9a-f]{64}")
_KIND = {kind.kind: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Shown:
    """A session as RecSys lists it: the id, and the phase by name."""

    id: bytes
    phase: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session is: the phase by name, and the tenths of the training that are done."""

    phase: str
    tenths: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What RecSys says that it has of this user.

    serial: of the last upload or withdrawal. digest: SHA-256 of that upload, or None.
    admitted: whether CSP admitted it, or None if that is not decided.
    """

    serial: int
    digest: bytes | None
    withdrawn: bool
    admitted: bool | None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes


def new_http() -> httpx.Client:
    """An HTTP client as a user's program needs one: no redirects, no compression, time-outs."""
    return httpx.Client(
        timeout=SECONDS,
        follow_redirects=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "ppmf"},
    )


class _Limit:
    """What ends a request that takes too long in all.

    The library has a limit for each time that it waits for bytes, and none for all of them: a
    server that sends a byte of its header now and then would hold the user's program for ever. So
    a thread shuts down the connection from outside.
    """

    def __init__(self) -> None:
        self._streams: dict[Any, Any] = {}

    @contextmanager
    def around(self) -> Iterator[dict[str, Any]]:
        """The context of a request: the extensions by which it tells its connections."""
        timer = threading.Timer(ANSWER_SECONDS, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield {"trace": self._told}
        finally:
            timer.cancel()

    def _told(self, event: str, members: Mapping[str, Any]) -> None:
        if event in _CONNECTED:
            stream = members["return_value"]
            where = stream.get_extra_info("server_addr")
            self._streams[where] = stream  # in the place of the one without TLS

    def _end(self) -> None:
        for stream in list(self._streams.values()):
            with suppress(OSError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")
"""When the library tells of a connection; see httpcore, "Extensions"."""


class UserClient:
    """One user, by their invitation.

    http: what sends requests. clock: for the time, and for pauses between two tries. coins: of
    which the pauses are drawn, so that users who were refused do not all come back at once.
    Raises RangeError for an address to which nothing may be sent (PPMF-API-001).
    """

    def __init__(
        self,
        invitation: Invitation,
        http: httpx.Client,
        clock: Clock | None = None,
        coins: Coins | None = None,
    ) -> None:
        self.invitation = invitation
        self._http = http
        self._limit = _Limit()
        self._clock = clock or SystemClock()
        self._coins = coins or Coins.system()
        for url in (invitation.recsys.recsys_url, invitation.recsys.csp_url):
            try:
                check_url(url)
            except ValueError as error:
                raise RangeError(f"invitation: address of a server: {error}") from None

    @property
    def user(self) -> str:
        """The user's pseudonym."""
        return self.invitation.user

    # -- sessions ----------------------------------------------------------------------------------

    def sessions(self) -> list[Shown]:
        """The sessions that RecSys lists, the newest first."""
        content = self._json("/v1/sessions", "list of sessions")
        try:
            return [Shown(_id(one["id"]), str(one["phase"])) for one in content["sessions"]]
        except (KeyError, TypeError, ValueError):
            raise EncodingError("RecSys' list of sessions: not of its format") from None

    def newest(self, phase: str | None = None) -> SignedSession:
        """The newest session of this user, in a phase if one is named; checked as `session` does.

        A session that is not right, or has been erased, does not hide those that are. Raises
        StateError if there is none among the first `MOST_LOOKED_AT`; what is wrong with the newest
        one if none is right; PeerError if a server does not answer.
        """
        wrong: PpmfError | None = None
        among = [shown for shown in self.sessions() if phase in (None, shown.phase)]
        for shown in among[:MOST_LOOKED_AT]:
            try:
                signed = self.session(shown.id)
            except PeerError:
                raise
            except PpmfError as error:
                wrong = wrong or error
                continue
            if self.user in signed.session.users:
                return signed
        if wrong is not None:
            raise wrong
        if len(among) > MOST_LOOKED_AT:
            raise StateError(
                f"none of the newest {MOST_LOOKED_AT} of RecSys' sessions is of this user; name "
                "yours (--session)"
            )
        raise StateError(
            f"RecSys has no session of this user{f' that is {phase}' if phase else ''}"
        )

    def session(self, session_id: bytes) -> SignedSession:
        """The session of that id, from both servers and checked (PPMF-API-017).

        Raises StateError if the servers show different ones, if it is not the one that was asked
        for, is signed by another CSP than the invitation's, or names other addresses;
        ParametersError if its cipher suite is for trials and it is none; otherwise as
        `set_up.read`. Whether it is a trial has to be shown to the user.
        """
        path = f"/v1/sessions/{session_id.hex()}"
        most = set_up.MOST_BYTES
        files = [
            self._get(url, path, most, where).body
            for url, where in (
                (self.invitation.recsys.recsys_url, "RecSys' session"),
                (self.invitation.recsys.csp_url, "CSP's session"),
            )
        ]
        if files[0] != files[1]:
            raise StateError("RecSys and CSP show different sessions; do not take part")
        signed = set_up.read(files[0], "session")
        self.check(signed.session, session_id)
        return signed

    def check(self, session: Session, session_id: bytes) -> None:
        """Check that a session is the one of that id, and as the invitation says; raises as
        `session`.
        """
        invitation = self.invitation
        if session.id != session_id:
            raise StateError("session: another one than that which was asked for")
        key = hashlib.sha256(session.acceptance.signing_key).digest()
        if key != invitation.csp.csp_key:
            raise StateError("session: signed by another CSP than the invitation names")
        proposal = session.proposal
        if session.suite.endswith("-insecure") and not proposal.trial:
            raise ParametersError("session: its cipher suite protects nothing, and it is no trial")
        if proposal.addresses != (invitation.recsys.recsys_url, invitation.recsys.csp_url):
            raise StateError("session: of other addresses than those of the invitation")

    def check_open(self, session: Session) -> None:
        """Raise StateError if the session has expired or takes no uploads any more, by the user's
        clock (PPMF-SES-014).
        """
        session.check_time(self._clock.now())

    # -- uploads -----------------------------------------------------------------------------------

    def make(self, session: Session, serial: int, row: Row, coins: Coins) -> bytes:
        """The bytes of an upload of this user. They must be kept before they are sent: the same
        serial must never come with other bytes (PPMF-UPL-014, -015).

        Raises RangeError if the user is not on the list, or for a rating off the scale.
        """
        self.check_open(session)
        self.row(session)
        key = consent_key(self.invitation.csp.code)
        made = upload.upload(session, self.user, serial, row, key, coins)
        return Link(session.id, 0, USERS, RECSYS).encode(made)

    def row(self, session: Session) -> int:
        """The user's row in a session. Raises RangeError if they are not on its list."""
        try:
            return session.users.index(self.user)
        except ValueError:
            raise RangeError("session: this user is not on its list") from None

    def put(self, session: Session, data: bytes) -> Receipt:
        """Send the bytes of an upload, again and again until RecSys acknowledges or refuses them.

        Raises the refusal; PeerError if there is no answer; StateError if the acknowledgement is of
        other bytes.
        """
        headers = {"Content-Type": "application/cbor"}
        receipt = self._own("PUT", session, content=data, headers=headers)
        if receipt is None or receipt.digest != hashlib.sha256(data).digest():
            raise StateError("RecSys acknowledged another upload than the one that was sent")
        return receipt

    def withdraw(self, session: Session, serial: int) -> Receipt:
        """Withdraw what this user uploaded; raises as `put`."""
        receipt = self._own("DELETE", session, params={"serial": str(serial)})
        if receipt is None or not receipt.withdrawn:
            raise StateError("RecSys acknowledged something else than a withdrawal")
        return receipt

    def receipt(self, session: Session) -> Receipt | None:
        """What RecSys says that it has of this user; None if it has nothing."""
        return self._own("GET", session)

    # -- what becomes of it ------------------------------------------------------------------------

    def status(self, session_id: bytes) -> Progress:
        """How far a session is."""
        content = self._json(f"/v1/sessions/{session_id.hex()}/status", "status")
        phase, tenths = content.get("phase"), content.get("tenths")
        if not isinstance(phase, str) or type(tenths) is not int:
            raise EncodingError("RecSys' status: not of its format")
        return Progress(phase, tenths)

    def profiles(self, session: Session) -> tuple[ItemProfiles, bytes]:
        """V of a session, and the bytes of its file.

        Raises StateError while it is not published, RangeError if it is not of the session.
        """
        path = f"/v1/sessions/{session.id.hex()}/profiles"
        params = session.parameters
        names = sum(len(item) for item in session.items)
        most = (1 << 16) + 12 * names + (24 * params.row_rank + 16) * len(session.items)
        data = self._get(self.invitation.recsys.recsys_url, path, most, "item profiles").body
        try:
            found = profiles.loads(data.decode())
            due = ItemProfiles.of(session.items, found.factors, found.bias, params)
        except UnicodeDecodeError:
            raise EncodingError("item profiles: not UTF-8") from None
        except (EncodingError, RangeError) as error:
            raise type(error)(f"item profiles: {error}") from None
        if found != due:
            raise RangeError("item profiles: not those of this session")
        return found, data

    # -- requests ----------------------------------------------------------------------------------

    def _own(self, method: str, session: Session, **more: Any) -> Receipt | None:
        """A request about the user's own upload. None if there is none."""
        path = f"/v1/sessions/{session.id.hex()}/uploads/{self.row(session)}"
        headers = {
            "Authorization": f"Bearer {self.invitation.recsys.token}",
            **more.pop("headers", {}),
        }
        answer = self._request(
            method,
            self.invitation.recsys.recsys_url,
            path,
            _MOST_JSON,
            "receipt",
            headers=headers,
            **more,
        )
        if answer.status == 404 and method == "GET":
            return None
        content = _object(_checked(answer, "RecSys").body, "RecSys' receipt")
        serial, digest = content.get("serial"), content.get("digest")
        withdrawn, admitted = content.get("withdrawn"), content.get("admitted")
        if (
            type(serial) is not int
            or not 1 <= serial < 1 << 64
            or not (digest is None or (isinstance(digest, str) and _HEX.fullmatch(digest)))
            or type(withdrawn) is not bool
            or not (admitted is None or type(admitted) is bool)
        ):
            raise EncodingError("RecSys' receipt: not of its format")
        return Receipt(
            serial, None if digest is None else bytes.fromhex(digest), withdrawn, admitted
        )

    def _json(self, path: str, where: str) -> Mapping[str, Any]:
        body = self._get(self.invitation.recsys.recsys_url, path, _MOST_JSON, where).body
        return _object(body, f"RecSys' {where}")

    def _get(self, url: str, path: str, most: int, where: str) -> _Answer:
        return _checked(self._request("GET", url, path, most, where), where)

    def _request(
        self, method: str, url: str, path: str, most: int, where: str, **more: Any
    ) -> _Answer:
        """The answer of a request, which is sent again where that may help: every request of the
        interface may be repeated (PPMF-API-005).
        """
        pause, until = _FIRST_PAUSE, self._clock.monotonic() + REQUEST_SECONDS
        for left in range(_TRIES - 1, -1, -1):
            try:
                answer = self._once(method, url.rstrip("/") + path, most, where, **more)
            except httpx.HTTPError as error:
                last = not left or self._clock.monotonic() >= until
                if last:
                    kind = type(error).__name__
                    raise PeerError(f"{where}: no answer from {_host(url)} ({kind})") from None
                asked = 0.0
            else:
                last = not left or self._clock.monotonic() >= until
                if answer.status not in _AGAIN or last:
                    return answer
                asked = _seconds(answer.headers.get("retry-after"))
            part = int.from_bytes(self._coins.bytes(2), "little") / (1 << 16)
            self._clock.sleep(min(max(pause, asked) * (1 + part), _LONGEST_PAUSE))
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, url: str, most: int, where: str, **more: Any) -> _Answer:
        until = self._clock.monotonic() + ANSWER_SECONDS
        with (
            self._limit.around() as extensions,
            self._http.stream(method, url, extensions=extensions, **more) as response,
        ):
            if response.headers.get("content-encoding", "identity") != "identity":
                raise EncodingError(f"{where}: compressed, which was not asked for")
            found = bytearray()
            for piece in response.iter_raw():
                found += piece
                if len(found) > most:
                    raise EncodingError(f"{where}: more than the {most} bytes that are due at most")
                if self._clock.monotonic() >= until:
                    raise PeerError(f"{where}: the answer takes more than {ANSWER_SECONDS:.0f} s")
            return _Answer(response.status_code, response.headers, bytes(found))


def _checked(answer: _Answer, where: str) -> _Answer:
    """The answer, if it is not a refusal. Raises what the problem document says."""
    if answer.status in (200, 201):
        return answer
    raise _refusal(answer, where)


def _refusal(answer: _Answer, where: str) -> PpmfError:
    """The error of a problem document, of the class that it names; PeerError for all else."""
    kind: type[PpmfError] = PeerError
    detail = ""
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        try:
            content = _object(answer.body, where)
        except EncodingError:
            content = {}
        kind = _KIND.get(str(content.get("class")), PeerError)
        detail = ": " + str(content.get("detail", ""))[:200].encode(
            "ascii", "backslashreplace"
        ).decode().translate(_CONTROLS)
    return kind(f"{where}: answered {answer.status}{detail}")


_CONTROLS = dict.fromkeys((*range(32), 127), "?")


def _object(body: bytes, where: str) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise EncodingError(f"{where}: not JSON") from None
    if not isinstance(content, dict):
        raise EncodingError(f"{where}: not of its format")
    return content


def _id(text: object) -> bytes:
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise ValueError
    return bytes.fromhex(text)


def _seconds(text: str | None) -> float:
    """The seconds of Retry-After, if it has them."""
    return float(text) if text is not None and text.isascii() and text.isdecimal() else 0.0


def _host(url: str) -> str:
    return urlsplit(url).netloc

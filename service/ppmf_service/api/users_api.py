# SPDX-License-Identifier: GPL-3.0-or-later
"""RecSys' interface for users (chapter 8, "The users' interface").

What waits for the disk runs in threads: one at a time for what writes, so that uploads do not wait
for each other's locks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.protocols.admission import IntakeClosedError, SerialError
from ppmf_secure.protocols.operations import PublicSize, TakeUploads
from ppmf_secure.session.enrolment import token_digest
from ppmf_secure.session.session import Session
from ppmf_service import logs
from ppmf_service.api import limits, problems, published
from ppmf_service.api.envelope import MOST_UNDER_WAY, READERS, application
from ppmf_service.api.metrics import Metrics
from ppmf_service.api.page_routes import page_routes
from ppmf_service.api.problems import Problem
from ppmf_service.api.public_status import PublicStatus
from ppmf_service.clock import Clock
from ppmf_service.config import ServerConfig
from ppmf_service.database import Database
from ppmf_service.enrolment import Members
from ppmf_service.recent import Recent
from ppmf_service.sessions import Sessions
from ppmf_service.states import State
from ppmf_service.uploads import Outcome, Receipt, Uploads, read_upload, upload_digest
from ppmf_spec.errors import EncodingError, PpmfError, RangeError, StateError

JSON = "application/json"
STATUS_SECONDS = 60
"""How long what is shown of a session stays at least."""

SHOWN_SESSIONS = 100
_MOST_SERIAL = (1 << 64) - 1
_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}")
_BEARER = re.compile(r"[Bb]earer ([A-Za-z0-9_-]{1,200})")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class _Caller:
    """Whose request it is: the row in the session, and the digest of the token that came."""

    session: Session
    row: int
    token: bytes


def users_app(
    config: ServerConfig,
    database: Database,
    clock: Clock,
    metrics: Metrics | None = None,
    *,
    most_under_way: int = MOST_UNDER_WAY,
) -> Starlette:
    """RecSys' application. metrics: where it counts."""
    counts = metrics or Metrics()
    api = UsersApi(config, database, clock, counts)
    at = "/v1/sessions/{session}"
    return application(
        [
            Route("/healthz", published.healthy),
            Route("/v1/sessions", api.get_sessions),
            Route(at, api.get_session),
            Route(at + "/status", api.get_status),
            Route(at + "/profiles", api.get_profiles),
            Route(at + "/uploads/{row}", api.upload, methods=["GET", "PUT", "DELETE"]),
            *page_routes(config),
        ],
        counts,
        most_under_way,
        config.api.proxy,
    )


class UsersApi:
    """The answers of RecSys' interface, over its database."""

    def __init__(
        self, config: ServerConfig, database: Database, clock: Clock, metrics: Metrics
    ) -> None:
        self._config = config
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._sessions = Sessions(database)
        self._uploads = Uploads(database, self._sessions)
        self._members = Members(database, self._sessions)
        self._known: Recent[bytes, Session] = Recent()
        self._profiles: dict[Path, tuple[int, int, int, bytes]] = {}
        """Of each file of V what it was when its digest was found right."""
        self._wrong = limits.Wrong(clock.monotonic)
        self._bodies = limits.UnderWay()
        self._status = PublicStatus(clock.monotonic, STATUS_SECONDS)
        self._reading = CapacityLimiter(READERS)
        self._writing = CapacityLimiter(1)

    # -- what everybody may see --------------------------------------------------------------------

    async def get_sessions(self, _: Request) -> Response:
        """The ids of the sessions, the newest first (PPMF-API-011)."""
        found = await self._read(partial(published.briefs, self._database, SHOWN_SESSIONS))
        shown = [{"id": one.id.hex(), "phase": self._status.of(one).phase} for one in found]
        return _json({"format": "ppmf-sessions/1", "sessions": shown})

    async def get_session(self, request: Request) -> Response:
        """The file of a session, with both signatures (PPMF-API-010)."""
        return await self._read(partial(published.session_file, self._database, request))

    async def get_status(self, request: Request) -> Response:
        """How far a session is, in tenths (PPMF-API-014)."""
        found = await self._read(partial(published.brief, self._database, request))
        shown = self._status.of(found)
        content = {
            "format": "ppmf-status/1",
            "session": found.id.hex(),
            "phase": shown.phase,
            "tenths": shown.tenths,
        }
        return _json(content, {"Cache-Control": f"public, max-age={STATUS_SECONDS}"})

    async def get_profiles(self, request: Request) -> Response:
        """V, once it is published (PPMF-API-015)."""
        found = await self._read(partial(published.brief, self._database, request))
        digest = found.profiles_digest
        if found.state is not State.FINISHED or digest is None:
            raise Problem(404, StateError("the item profiles are not there yet"))
        path = self._config.profiles_file(found.id)
        size = await self._read(partial(self._checked_size, path, digest))
        return published.unchanging(request, digest.hex(), size, partial(_part, path), JSON)

    # -- what a user may see and do ----------------------------------------------------------------

    async def upload(self, request: Request) -> Response:
        """What concerns the upload of one user, for who has that user's token."""
        caller = await self._caller(request)
        match request.method:
            case "PUT":
                return await self._put(request, caller)
            case "DELETE":
                return await self._delete(request, caller)
        return await self._get(caller.session, caller.row)

    async def _get(self, session: Session, row: int) -> Response:
        """What RecSys has of a user, for that user (PPMF-API-013)."""
        receipt = await self._read(partial(self._uploads.receipt, session.id, row))
        if not receipt.serial:
            raise Problem(404, RangeError("there is no upload of this user"))
        return _receipt(receipt)

    async def _put(self, request: Request, caller: _Caller) -> Response:
        """Take in an upload, or refuse it (PPMF-API-005, -006, -007, -012)."""
        session, row = caller.session, caller.row
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != published.CBOR:
            raise Problem(415, EncodingError(f"Content-Type: {published.CBOR} is due"))
        with self._bodies.one((session.id, row)):
            data = await limits.read_body(request, upload_cap(session, row))
        outcome, receipt = await self._write(partial(self._take, caller, data))
        name = outcome.name.lower()
        self._metrics.uploads.labels(name).inc()
        logs.event("upload", session=session.id, outcome=name)
        return _receipt(receipt, 201 if outcome is Outcome.CREATED else 200)

    async def _delete(self, request: Request, caller: _Caller) -> Response:
        """Withdraw what a user uploaded (PPMF-API-016)."""
        serial = _serial(request)
        outcome, receipt = await self._write(partial(self._withdraw, caller, serial))
        name = "withdrawn" if outcome is not Outcome.SAME else outcome.name.lower()
        self._metrics.uploads.labels(name).inc()
        logs.event("withdrawal", session=caller.session.id, outcome=name)
        return _receipt(receipt)

    # -- steps -------------------------------------------------------------------------------------

    def _take(self, caller: _Caller, data: bytes) -> tuple[Outcome, Receipt]:
        """Store an upload; what it did, and its receipt."""
        session, row = caller.session, caller.row
        with _told(PpmfError):
            upload = read_upload(session, data)
            if upload.user != session.users[row]:
                raise RangeError("upload: of another user than the row's")
        with self._as_enrolled(caller), _told(IntakeClosedError, SerialError):
            outcome = self._uploads.put(session.id, row, upload.serial, data)
        if outcome is Outcome.SAME:
            return outcome, self._uploads.receipt(session.id, row)
        return outcome, Receipt(upload.serial, upload_digest(data), False, None)

    def _withdraw(self, caller: _Caller, serial: int) -> tuple[Outcome, Receipt]:
        """Store a withdrawal; what it did, and its receipt."""
        session, row = caller.session, caller.row
        with self._as_enrolled(caller), _told(IntakeClosedError, SerialError):
            outcome = self._uploads.withdraw(session.id, row, serial)
        return outcome, self._uploads.receipt(session.id, row)

    @contextmanager
    def _as_enrolled(self, caller: _Caller) -> Iterator[None]:
        """A transaction in which the token is still that of the caller's row. Raises the problem
        401 if it was replaced while the request was under way (PPMF-ENR-008).
        """
        with self._database.transaction():
            if self._members.token_row(caller.session.id, caller.token) != caller.row:
                raise _wrong_token()
            yield

    async def _caller(self, request: Request) -> _Caller:
        """The session and the row that the path names, if the token is the one of that row.

        Raises the problem 401 for every other token, whoever's it is, and 429 once too many came
        from one address (PPMF-API-002, -009).
        """
        address = limits.caller(request, self._config.api.proxy)
        self._wrong.check(address)
        session = await self._read(partial(self._session, request))
        text = request.path_params["row"]
        if not _NUMBER.fullmatch(text) or int(text) >= len(session.users):
            raise Problem(404, RangeError("row: not that of a user of this session"))
        digest = _token(request)
        if digest is not None:
            row = await self._read(partial(self._members.token_row, session.id, digest))
            if row == int(text):
                return _Caller(session, row, digest)
        self._wrong.add(address)
        self._metrics.wrong_tokens.inc()
        raise _wrong_token()

    def _session(self, request: Request) -> Session:
        """The session that the path names. Raises the problem 404 if users do not see one."""
        asked = published.session_id(request)
        try:
            shown = published.with_file(self._database, request)
        except Problem:
            self._known.forget(asked)  # it may have been erased since
            raise
        found = self._known.get(asked)
        if found is None:
            found = self._known.keep(asked, self._sessions.signed_session(shown.id).session)
        return found

    def _checked_size(self, path: Path, digest: bytes) -> int:
        """The bytes of the file of V, which is the one that was published with that digest; it is
        read as a whole only if it is another one than when it was looked at last.
        """
        found = path.stat()
        known = (found.st_ino, found.st_size, found.st_mtime_ns, digest)
        if self._profiles.get(path) != known:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").digest() != digest:
                    raise RuntimeError("the file of item profiles is not the published one")
            self._profiles[path] = known
        return found.st_size

    async def _read(self, call: Callable[[], T]) -> T:
        return await to_thread.run_sync(call, limiter=self._reading)

    async def _write(self, call: Callable[[], T]) -> T:
        return await to_thread.run_sync(call, limiter=self._writing)


def _part(path: Path, at: int, most: int) -> bytes:
    """Some bytes of a file."""
    with path.open("rb") as file:
        file.seek(at)
        return file.read(most)


def upload_cap(session: Session, row: int) -> int:
    """The most bytes that the upload of a user can have, by the message plan (PPMF-WIR-009)."""
    size = PublicSize.of(session.users[row : row + 1], len(session.items))
    plan = TakeUploads("upload", size, RatingCode.of(session.parameters))
    planned = next(iter(plan.messages()))
    user, _, *rest = planned.sizes
    return replace(planned, sizes=(user, _MOST_SERIAL, *rest)).encoded(0, 0)


@contextmanager
def _told(*kinds: type[PpmfError]) -> Iterator[None]:
    """The context of checks of what a user sent: refusals of these classes are told to the user.
    Others are about the server, and are not.
    """
    try:
        yield
    except kinds as error:
        raise problems.of(error) from None


def _token(request: Request) -> bytes | None:
    """The digest of the token of a request, or None if it has none, or more than one."""
    found = request.headers.getlist("authorization")
    match = _BEARER.fullmatch(found[0]) if len(found) == 1 else None
    try:
        return None if match is None else token_digest(match[1])
    except EncodingError:
        return None


def _wrong_token() -> Problem:
    refusal = RangeError("the token of this user is due in Authorization: Bearer")
    return Problem(401, refusal, {"WWW-Authenticate": "Bearer"})


def _serial(request: Request) -> int:
    """The serial of a withdrawal, in the query (PPMF-API-016)."""
    found = request.query_params.getlist("serial")
    if len(found) != 1 or not _NUMBER.fullmatch(found[0]):
        raise Problem(400, EncodingError("serial: one number is due in the query"))
    if not 1 <= int(found[0]) <= _MOST_SERIAL:
        raise Problem(422, RangeError("serial: must be from 1 to 2^64 - 1"))
    return int(found[0])


def _receipt(receipt: Receipt, status: int = 200) -> Response:
    content = {
        "format": "ppmf-receipt/1",
        "serial": receipt.serial,
        "digest": receipt.digest.hex() or None,
        "withdrawn": receipt.withdrawn,
        "admitted": receipt.admitted,
    }
    return _json(content, status=status)


def _json(
    content: Mapping[str, Any], headers: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    return Response(json.dumps(content), status, headers, JSON)

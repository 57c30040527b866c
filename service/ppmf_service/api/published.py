# SPDX-License-Identifier: GPL-3.0-or-later
"""What both servers publish: that they are there, and the file of each session (PPMF-API-010)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ppmf_service.api.problems import Problem
from ppmf_service.database import Database
from ppmf_service.states import State
from ppmf_spec.errors import RangeError, StateError

CBOR = "application/cbor"
FOR_EVER = "public, max-age=31536000, immutable"
"""How long what never changes may be kept: the address names the content."""

PIECE_BYTES = 1 << 16
"""How much of a file is in memory at a time while it is sent."""

_ID = re.compile(r"[0-9a-f]{64}")
_BRIEF = (
    "SELECT id, state, done, total, profiles_digest FROM sessions "
    f"WHERE id IS NOT NULL AND state NOT IN ('{State.PROPOSED}', '{State.ACCEPTED}')"
)


class _InPieces(StreamingResponse):
    """A body in pieces that takes nothing from the client meanwhile.

    Starlette's own looks for the client's end by reading, and would read whatever body came with
    the question. Whoever has left is sent the pieces to the end, which uvicorn drops.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces."""
        await self.stream_response(send)


@dataclass(frozen=True, slots=True)
class Brief:
    """What the interface says of a session that was agreed, without its long parts.

    done, total: half-steps. profiles_digest: of V, once it is there.
    """

    id: bytes
    state: State
    done: int
    total: int
    profiles_digest: bytes | None


def brief(database: Database, request: Request) -> Brief:
    """The session that the path names. Raises the problem 404 if users do not see one."""
    found = database.row(f"{_BRIEF} AND id = ?", (session_id(request),))
    if found is None:
        raise no_session()
    return _brief(found)


def briefs(database: Database, most: int) -> list[Brief]:
    """The sessions that users see, the newest first."""
    found = database.rows(f"{_BRIEF} ORDER BY number DESC LIMIT ?", (most,))
    return [_brief(row) for row in found]


def with_file(database: Database, request: Request) -> Brief:
    """The session that the path names. Raises the problem 404 if users do not see one, or if it is
    over and no more of it is left than what a `Brief` holds.
    """
    shown = brief(database, request)
    if database.row("SELECT 1 FROM sessions WHERE id = ? AND signed IS NOT NULL", (shown.id,)):
        return shown
    raise Problem(404, StateError("the session is over, and its file was erased"))


def session_file(
    database: Database, request: Request, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer with the file of a session. Raises the problem 404 if there is none."""
    shown = with_file(database, request)
    found = database.row("SELECT number, length(signed) FROM sessions WHERE id = ?", (shown.id,))
    assert found is not None, "an accepted session is never removed"
    number, size = found[0], found[1] or 0

    def part(at: int, most: int) -> bytes:
        return database.part("sessions", "signed", number, at, min(most, size - at))

    return unchanging(request, shown.id.hex(), size, part, CBOR, headers)


def session_id(request: Request) -> bytes:
    """The id of the session that the path names. Raises the problem 404 if it is no id."""
    text = request.path_params["session"]
    if not _ID.fullmatch(text):
        raise Problem(404, RangeError("session: 64 hexadecimal digits, in lower case, are due"))
    return bytes.fromhex(text)


def no_session() -> Problem:
    """The problem of an id of no session that users see."""
    return Problem(404, RangeError("no such session here"))


def unchanging(
    request: Request,
    tag: str,
    size: int,
    part: Callable[[int, int], bytes],
    media_type: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer with what never changes, or without it for who has it already.

    tag: what the content is known by. size: its bytes. part: reads some of them, from a place on
    and at most so many; they are read as the caller takes them, so that a connection holds no more
    of them in memory, however long the content is (PPMF-API-008, PPMF-API-022).
    """
    named = {"ETag": f'"{tag}"', "Cache-Control": FOR_EVER, **(headers or {})}
    if request.headers.get("if-none-match") == f'"{tag}"':
        return Response(None, 304, named)
    length = {"Content-Length": str(size)}
    if request.method == "HEAD":
        return Response(None, 200, named | length, media_type)
    pieces = _pieces(size, part)
    return _InPieces(pieces, headers=named | length, media_type=media_type)


async def _pieces(size: int, part: Callable[[int, int], bytes]) -> AsyncIterator[bytes]:
    at = 0
    while at < size:
        piece = await to_thread.run_sync(part, at, PIECE_BYTES)
        if not piece:  # it was erased meanwhile, and the answer is cut short
            raise OSError("a file that is sent has become shorter")
        at += len(piece)
        yield piece


async def healthy(_: Request) -> Response:
    """The answer that says that the process answers."""
    return PlainTextResponse("ok\n")


def _brief(row: sqlite3.Row) -> Brief:
    return Brief(row["id"], State(row["state"]), row["done"], row["total"], row["profiles_digest"])

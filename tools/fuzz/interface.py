# SPDX-License-Identifier: Apache-2.0
"""The users' interface under hostile requests: what has to hold after each of them."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

from ppmf_service.database import Database
from tools.fuzz.requests import Material, Request, mutated

CLASSES = frozenset({"encoding", "range", "state", "peer", "parameters"})
PROBLEM = "application/problem+json"
EXPECTED = frozenset({200, 201, 304, 400, 401, 404, 405, 409, 413, 415, 422})
FORGET = 100
"""All uploads are forgotten after about so many requests, so that there are first ones again."""

MOST_PIECE = 1 << 16
"""The most bytes of a body that an HTTP server hands over at once."""

ANSWER_BYTES = 1 << 16
"""More than any answer of the toy sessions has."""

_UPLOAD = re.compile(r"/v1/sessions/([0-9a-f]{64})/uploads/([0-9]+)")


class BrokenError(AssertionError):
    """A request after which something does not hold that has to."""


@dataclass
class Seen:
    """What came of the requests so far."""

    statuses: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0
    most_read: int = 0


@dataclass
class Answer:
    """What came of a request. taken: the bytes of its body that were read."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    taken: int = 0


class Interface:
    """RecSys' application and its database.

    cap: the most bytes of a body. material: whose requests are mutated; its secrets must not be
    told to anybody.
    """

    def __init__(self, app: ASGIApp, database: Database, cap: int, material: Material) -> None:
        self._app = app
        self._database = database
        self._cap = cap
        self.material = material
        self.seen = Seen()
        self._last = self._stored()

    async def try_one(self, source: random.Random) -> None:
        """Send one mutated request. Raises BrokenError if something does not hold after it."""
        if not source.randrange(FORGET):
            with self._database.transaction() as connection:
                connection.execute("DELETE FROM uploads")
            self._last = {}
        request, before = mutated(self.material, source), self._last
        began = perf_counter()
        answer = await self.ask(request)
        self.seen.longest = max(self.seen.longest, perf_counter() - began)
        self.seen.statuses[answer.status] += 1
        self.seen.most_read = max(self.seen.most_read, answer.taken)
        try:
            self._last = self._stored()
            self._check(request, answer, before, self._last)
        except AssertionError as error:
            raise BrokenError(f"{error}\n{request}\n{answer}") from error

    def _check(
        self,
        request: Request,
        answer: Answer,
        before: Mapping[tuple[bytes, int], tuple[bytes, bytes]],
        after: Mapping[tuple[bytes, int], tuple[bytes, bytes]],
    ) -> None:
        assert answer.status in EXPECTED, f"status {answer.status}"
        assert len(answer.body) <= ANSWER_BYTES, "the answer is long"
        assert answer.taken <= self._cap + MOST_PIECE, "more was read of the body than is due"
        if answer.status >= 400 and request.method != b"HEAD":
            self._check_problem(answer)
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        place = _UPLOAD.fullmatch(unquote(request.path.decode("latin-1")))
        if answer.status not in (200, 201) or (place is None and request.method == b"GET"):
            assert not changed, "a request that was refused, or asks alone, changed something"
            return
        if request.method == b"HEAD":
            return
        assert place is not None, "something else than an upload was acknowledged"
        key = bytes.fromhex(place[1]), int(place[2])
        assert changed <= {key}, "a request changed another user's upload"
        token = b"Bearer " + self.material.tokens[key[1]]
        sent = [value for name, value in request.headers if name == b"authorization"]
        assert [one.lower() for one in sent] == [token.lower()], "without the token of the row"
        assert key in after, "what was acknowledged is not stored"
        if request.method == b"GET":
            assert not changed, "a request that asks alone changed something"
        if request.method == b"PUT":
            digest = hashlib.sha256(b"".join(request.body)).digest()
            assert after[key][1] == digest, "something else is stored than was acknowledged"
        assert after[key][0] >= before.get(key, (b"", b""))[0], "a serial went back"

    def _check_problem(self, answer: Answer) -> None:
        assert answer.headers.get(b"content-type") == PROBLEM.encode(), "no problem document"
        content = json.loads(answer.body)
        assert set(content) == {"type", "title", "status", "detail", "class"}
        assert content["status"] == answer.status
        assert content["class"] in CLASSES
        assert content["detail"].isascii()
        assert content["detail"].isprintable()
        for secret in (*self.material.tokens, *self.material.secrets):
            assert secret not in answer.body, "a problem document shows a secret"

    def _stored(self) -> dict[tuple[bytes, int], tuple[bytes, bytes]]:
        rows = self._database.rows(
            "SELECT sessions.id, uploads.row, uploads.serial, uploads.digest FROM uploads "
            "JOIN sessions ON sessions.number = uploads.session"
        )
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}

    async def ask(self, request: Request) -> Answer:
        """The interface's answer to one request."""
        answer = Answer()
        pieces = [
            part[at : at + MOST_PIECE]
            for part in request.body
            for at in range(0, max(1, len(part)), MOST_PIECE)
        ]

        async def receive() -> Message:
            if not pieces:
                return {"type": "http.disconnect"}
            piece = pieces.pop(0)
            answer.taken += len(piece)
            more = bool(pieces) or request.breaks_off
            return {"type": "http.request", "body": piece, "more_body": more}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                assert not answer.status, "two answers"
                answer.status = message["status"]
                answer.headers = dict(message["headers"])
            else:
                answer.body += message.get("body", b"")

        await self._app(_scope(request), receive, send)
        return answer


def _scope(request: Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "https",
        "method": request.method.decode("latin-1"),
        "path": unquote(request.path.decode("latin-1")),
        "raw_path": request.path,
        "query_string": request.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers],
        "client": (request.address, 50_000),
        "server": ("127.0.0.1", 8443),
        "state": {},
    }

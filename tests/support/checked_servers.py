# SPDX-License-Identifier: Apache-2.0
"""Both servers without sockets for the checks of a running server, and servers that are wrong."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from anyio.from_thread import BlockingPortal
from starlette.types import ASGIApp, Message

from ppmf_conformance.adapters.server_user import ServerUser, read_session
from ppmf_conformance.servers.calls import Answer, Call, Caller, NoAnswerError
from ppmf_conformance.servers.target import Target
from ppmf_secure.protocols.admission import write_rows
from ppmf_secure.session.session import Session
from ppmf_service.erasure import Erasure
from ppmf_service.states import State
from ppmf_spec import profiles
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import CSP, RECSYS
from tests.support.served import Served, config_of, served
from tests.support.services import TOY, proposal_of, to

Spoil = Callable[[Call, Caller], Answer]
"""A wrong server: what it answers to a call, by means of a right one."""

PHASES = ("open", "closed", "finished")


@dataclass
class AppCaller:
    """Calls to an application; a body that is held back and waited for is no answer."""

    app: ASGIApp
    portal: BlockingPortal
    address: str

    def __call__(self, call: Call) -> Answer:
        """The answer."""
        return self.portal.call(self._ask, call)

    async def _ask(self, call: Call) -> Answer:
        path, _, query = call.path.partition("?")
        headers = [(name.lower().encode(), value.encode()) for name, value in call.headers]
        if not call.chunked and (call.body or call.length is not None):
            length = len(call.body) if call.length is None else call.length
            headers.append((b"content-length", str(length).encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": call.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
            "client": (self.address, 50_000),
            "server": ("127.0.0.1", 8443),
            "state": {},
        }
        status, told, body = 0, [], b""
        left = [call.body]

        async def receive() -> Message:
            if call.held_back:
                raise NoAnswerError("it waits for the body")
            if not left:
                await asyncio.sleep(60)
            return {"type": "http.request", "body": left.pop(), "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, told, body
            if message["type"] == "http.response.start":
                status = message["status"]
                told = [(n.decode().lower(), v.decode()) for n, v in message["headers"]]
            else:
                body += message.get("body", b"")

        await self.app(scope, receive, send)
        # What an HTTP server does with the answer to HEAD.
        return Answer(status, tuple(told), b"" if call.method == "HEAD" else body)


@dataclass
class Checked:
    """Both servers with a session that is open, one that is closed, and one that is finished."""

    servers: Served
    sessions: dict[str, Session]
    _callers: int = field(default=0)

    def target(
        self,
        phase: str = "open",
        user: str | None = "u1",
        spoil: Spoil | None = None,
        spoil_csp: Spoil | None = None,
    ) -> Target:
        """The servers as a caller sees them who has an address of their own."""
        self._callers += 1
        address = f"198.51.{self._callers >> 8}.{self._callers & 255}"
        recsys, csp = (
            AppCaller(self.servers.apps[role], self.servers.portal, address)
            for role in (RECSYS, CSP)
        )
        return Target(
            recsys if spoil is None else _spoilt(recsys, spoil),
            read_session,
            csp if spoil_csp is None else _spoilt(csp, spoil_csp),
            None if user is None else ServerUser(self.servers.invitation(user)),
            self.sessions[phase].id,
            pause=lambda _: None,
            now=self.servers.pair.clock.now,
        )


def _spoilt(right: Caller, spoil: Spoil) -> Caller:
    return lambda call: spoil(call, right)


@contextmanager
def checked_servers(folder: Path) -> Iterator[Checked]:
    """Both servers, with three users: u1 uploaded to the closed sessions, u2 withdrew."""
    with served(folder) as servers:
        recsys = servers.pair.recsys
        made = {
            phase: servers.session(proposal_of(recsys.members.users(), nonce=at))
            for at, phase in enumerate(PHASES)
        }
        checked = Checked(servers, made)
        for phase in ("closed", "finished"):
            session = made[phase]
            target = checked.target(phase)
            body = target.encoded(target.own.upload(target.session, 1))
            recsys.uploads.put(session.id, 0, 1, body)
            recsys.uploads.withdraw(session.id, 1, 5)
            recsys.uploads.freeze(session.id)
            recsys.sessions.admit(session.id, write_rows((0,), 3))
        _finish(servers, made["finished"])
        yield checked


def _finish(servers: Served, session: Session) -> None:
    """Publish a V, and erase what is due."""
    items = session.items
    zeros = np.zeros((len(items), TOY.rank), dtype=np.int64)
    bias = np.zeros(len(items), dtype=np.int64) if TOY.bias else None
    text = profiles.dumps(ItemProfiles.of(items, zeros, bias, TOY))
    recsys = servers.pair.recsys
    if recsys.sessions.get(session.id).state is State.CLOSED:
        to(recsys, session, State.SETTING_UP, State.TRAINING)
    path = servers.folder / "recsys" / "profiles" / f"{session.id.hex()}.json"
    path.parent.mkdir()
    path.write_text(text)
    recsys.sessions.publish(session.id, hashlib.sha256(text.encode()).digest())
    config = config_of(RECSYS, servers.folder / "recsys")
    Erasure(config, recsys.database, recsys.sessions).sweep()


# -- wrong servers ---------------------------------------------------------------------------------


def where(match: Callable[[Call], object], change: Callable[[Answer], Answer]) -> Spoil:
    """A server whose answers to some calls are changed."""

    def spoil(call: Call, right: Caller) -> Answer:
        answer = right(call)
        return change(answer) if match(call) else answer

    return spoil


def asked(change: Callable[[Call], Call]) -> Spoil:
    """A server that takes a call for another one."""
    return lambda call, right: right(change(call))


def at(end: str, method: str = "GET") -> Callable[[Call], object]:
    """Calls of that method whose path, without the query, ends so."""
    return lambda call: call.method == method and call.path.partition("?")[0].endswith(end)


def changed(**members: Any) -> Callable[[Answer], Answer]:
    """An answer whose JSON has these members; None in place of a function's result removes none."""

    def change(answer: Answer) -> Answer:
        content = json.loads(answer.body)
        if not isinstance(content, dict):
            return answer
        for name, value in members.items():
            content[name] = value(content.get(name)) if callable(value) else value
        return replace(answer, body=json.dumps(content).encode())

    return change


def without(member: str) -> Callable[[Answer], Answer]:
    """An answer whose JSON lacks a member."""

    def change(answer: Answer) -> Answer:
        content = json.loads(answer.body)
        content.pop(member, None)
        return replace(answer, body=json.dumps(content).encode())

    return change


def header(name: str, value: str | None) -> Callable[[Answer], Answer]:
    """An answer with another header; None for without it."""

    def change(answer: Answer) -> Answer:
        kept = tuple(one for one in answer.headers if one[0] != name)
        return replace(answer, headers=kept if value is None else (*kept, (name, value)))

    return change


def as_problem(status: int, kind: str, **more: str) -> Callable[[Answer], Answer]:
    """A problem document in the place of an answer."""
    content = {
        "type": f"tag:ppmf.invalid,2026:problems/{kind}",
        "title": "A problem",
        "status": status,
        "detail": "something is wrong",
        "class": kind,
    }
    told = (("content-type", "application/problem+json"), ("cache-control", "no-store"))
    extra = tuple((name.replace("_", "-"), value) for name, value in more.items())
    return lambda _: Answer(status, (*told, *extra), json.dumps(content).encode())


def plain(status: int, text: str = "no") -> Callable[[Answer], Answer]:
    """An answer of plain text, as a framework has it."""
    return lambda _: Answer(status, (("content-type", "text/plain"),), text.encode())

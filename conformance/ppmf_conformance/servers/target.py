# SPDX-License-Identifier: Apache-2.0
"""A server that is checked: how it is reached, and what of it the checks need and ask for once."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from ppmf_conformance.servers import judged
from ppmf_conformance.servers.calls import Answer, Call, Caller
from ppmf_conformance.servers.judged import NotSeenError, Receipt, WrongError, demand
from ppmf_spec import wire
from ppmf_spec.errors import PpmfError

HEX = re.compile(r"[0-9a-f]{64}")
PHASES = (
    "proposed",
    "accepted",
    "open",
    "closed",
    "setting-up",
    "training",
    "finished",
    "failed",
    "abandoned",
)
"""The states of chapter 8, "Sessions"."""

MOST_SERIAL = (1 << 64) - 1
LONGEST_PAUSE = 5
"""For how many seconds a server that says "come again" is waited for."""

_TRIES = 3


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What the checks need of a session's file; `whole` is for who makes uploads of it.

    closes: when the intake closes, in seconds since 1970; 0 if RecSys' operator says when.
    """

    id: bytes
    users: tuple[str, ...]
    trial: bool
    closes: int
    whole: Any


ReadSession = Callable[[bytes], SessionFacts]
"""The session of a file with both signatures. Raises PpmfError for what is none."""


def next_serial(last: Receipt | None) -> int:
    """A serial that is larger than the user's last. Raises NotSeenError if there is none."""
    if last is not None and last.serial == MOST_SERIAL:
        raise NotSeenError("the user has used the largest serial")
    return 1 if last is None else last.serial + 1


class Member(Protocol):
    """A user of the server, by their invitation, who has nothing to hide."""

    @property
    def user(self) -> str:
        """The pseudonym."""

    @property
    def token(self) -> str:
        """The token, for RecSys."""

    def upload(self, session: SessionFacts, serial: int, label: str = "") -> wire.Upload:
        """An upload of this user without ratings: the same one for the same serial and label."""


@dataclass
class Target:
    """RecSys as its users reach it, and, if their addresses are known, CSP and one of the users.

    asked_for: the id of the session to look at, None for the newest that is open, or else the
    newest. pause: waits so many seconds. now: the time, in seconds since 1970.
    """

    recsys: Caller
    read_session: ReadSession
    csp: Caller | None = None
    member: Member | None = None
    asked_for: bytes | None = None
    pause: Callable[[float], None] = field(default=time.sleep)
    now: Callable[[], float] = field(default=time.time)

    def ask(self, method: str, path: str, *headers: tuple[str, str], **more: Any) -> Answer:
        """The answer of RecSys; a server that says "come again" is asked again a little later."""
        return self._patient(self.recsys, Call(method, path, headers, **more))

    def once(self, method: str, path: str, *headers: tuple[str, str]) -> Answer:
        """The first answer of RecSys, whatever it is."""
        return self.recsys(Call(method, path, headers))

    def ask_csp(self, method: str, path: str) -> Answer:
        """The answer of CSP. Raises NotSeenError if its address is not known."""
        if self.csp is None:
            raise NotSeenError("CSP's address was not given")
        return self._patient(self.csp, Call(method, path))

    def _patient(self, caller: Caller, call: Call) -> Answer:
        answer, left = caller(call), _TRIES - 1
        while answer.status in (429, 503):
            if call.method == "HEAD":
                raise NotSeenError(f"the server is busy ({answer.status})")
            seconds = judged.come_again(answer)
            if not left or seconds > LONGEST_PAUSE:
                raise NotSeenError(
                    f"the server says to come again in {seconds} s ({answer.status})"
                )
            self.pause(seconds)
            answer, left = caller(call), left - 1
        return answer

    # -- sessions ----------------------------------------------------------------------------------

    def sessions(self) -> list[tuple[str, str]]:
        """The id and the phase of each session that RecSys lists (PPMF-API-011)."""
        content = judged.json_of(self.ask("GET", "/v1/sessions"), "ppmf-sessions/1", {"sessions"})
        listed = content["sessions"]
        demand(isinstance(listed, list), "sessions: no list")
        demand(len(listed) <= 100, f"{len(listed)} sessions, more than 100")
        found = []
        for one in listed:
            demand(isinstance(one, dict) and one.keys() == {"id", "phase"}, "a session's members")
            name, phase = one["id"], one["phase"]
            demand(isinstance(name, str) and HEX.fullmatch(name), "an id that is none")
            demand(phase in PHASES, "a phase that is none")
            found.append((name, phase))
        demand(len({name for name, _ in found}) == len(found), "a session that is listed twice")
        return found

    @cached_property
    def session_id(self) -> str:
        """The id of the session that is looked at. Raises NotSeenError if there is none."""
        if self.asked_for is not None:
            return self.asked_for.hex()
        try:
            listed = self.sessions()
        except WrongError as error:
            raise NotSeenError(f"no list of sessions to choose from: {error}") from None
        if not listed:
            raise NotSeenError("the server lists no session")
        fit = [name for name, phase in listed if phase == "open"]
        return (fit or [name for name, _ in listed])[0]

    def at(self, *rest: str | int) -> str:
        """The path of something of the session that is looked at."""
        return "/".join(("/v1/sessions", self.session_id, *map(str, rest)))

    @cached_property
    def session(self) -> SessionFacts:
        """What is in the file of the session. Raises NotSeenError if RecSys does not show one."""
        answer = self.ask("GET", self.at())
        if answer.status != 200:
            raise NotSeenError(f"no file of the session (status {answer.status})")
        try:
            return self.read_session(answer.body)
        except PpmfError as error:
            raise NotSeenError(f"no file of the session that can be read: {error}") from None

    def phase(self) -> str:
        """The phase of the session, by RecSys' status."""
        content = judged.object_of(self.ask("GET", self.at("status")).body)
        return str(content.get("phase"))

    # -- the user ----------------------------------------------------------------------------------

    @property
    def own(self) -> Member:
        """The user. Raises NotSeenError if no invitation is known, or the session is no trial
        (PPMF-CON-051).
        """
        if self.member is None:
            raise NotSeenError("no invitation was given")
        if not self.session.trial:
            raise NotSeenError("the session is not marked as a trial, and nothing is sent to it")
        if self.member.user not in self.session.users:
            raise NotSeenError("the user of the invitation is not on the list of the session")
        return self.member

    @property
    def row(self) -> int:
        """The user's row."""
        return self.session.users.index(self.own.user)

    @property
    def bearer(self) -> tuple[str, str]:
        """The header with the user's token."""
        return "Authorization", f"Bearer {self.own.token}"

    def in_phase(self, *, open_: bool) -> None:
        """Raise NotSeenError unless the intake is open, or is not."""
        phase, closes = self.phase(), self.session.closes
        over = bool(closes) and self.now() >= closes
        if open_ and over:
            raise NotSeenError("the intake is closed, by the clock of this machine")
        if open_ != (phase == "open" and not over):
            raise NotSeenError(f"the session is {phase}")

    def receipt(self) -> Receipt | None:
        """What RecSys says that it has of the user; None if it has nothing (PPMF-API-013)."""
        answer = self.ask("GET", self.at("uploads", self.row), self.bearer)
        if answer.status == 404:
            judged.problem(answer, 404, "range")
            return None
        judged.status(answer, 200)
        return judged.receipt(answer)

    def encoded(
        self,
        message: wire.Message,
        *,
        session: bytes | None = None,
        epoch: int = 0,
        number: int = 0,
    ) -> bytes:
        """A message of the session, as it is sent."""
        return wire.encode(wire.Envelope(session or self.session.id, epoch, number, message))

    def put(self, body: bytes, *headers: tuple[str, str], **more: Any) -> Answer:
        """The answer to an upload of these bytes by the user."""
        sent = headers or (("Content-Type", judged.CBOR),)
        path = self.at("uploads", self.row)
        return self.ask("PUT", path, self.bearer, *sent, body=body, **more)

    def withdraw(self, query: str) -> Answer:
        """The answer to a withdrawal by the user with that query."""
        return self.ask("DELETE", f"{self.at('uploads', self.row)}?{query}", self.bearer)

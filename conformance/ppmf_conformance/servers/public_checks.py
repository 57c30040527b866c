# SPDX-License-Identifier: Apache-2.0
"""What everybody may ask of a server: sessions, their files, how far they are, V, and refusals."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ppmf_conformance.servers import judged
from ppmf_conformance.servers.calls import Answer
from ppmf_conformance.servers.judged import CBOR, JSON, NotSeenError, demand
from ppmf_conformance.servers.target import PHASES, Target
from ppmf_spec import profiles
from ppmf_spec.errors import PpmfError

P = ParamSpec("P")
T = TypeVar("T")

_MANY = 10**12
"""More bytes than any body has."""

MOST_WRONG = 300
"""So many wrong tokens from one address, one after the other, are over every limit."""

_OF_ONE_ANSWER = frozenset(
    {"date", "age", "connection", "keep-alive", "transfer-encoding", "content-length", "via"}
)
"""Headers that may differ from one answer to the next, or between `GET` and `HEAD`."""

_TABLE = {
    "/healthz": "GET",
    "/v1/sessions": "GET",
    "{at}": "GET",
    "{at}/status": "GET",
    "{at}/profiles": "GET",
}
"""The paths for everybody of chapter 8, "The users' interface", and their methods."""


def health(target: Target) -> None:
    """`/healthz` is answered."""
    judged.status(target.ask("GET", "/healthz"), 200)


def sessions(target: Target) -> None:
    """The list of sessions has its form, and no phase before `open`."""
    for name, phase in target.sessions():
        shown = phase not in ("proposed", "accepted")
        demand(shown, f"session {name[:8]}: shown before both servers have signed")


def unknown_paths(target: Target) -> None:
    """What is at no path of the table is a problem."""
    for path in ("/v1", "/v1/sessions/", "/V1/sessions", "/v1/uploads", f"{target.at()}/uploads"):
        _of(path, judged.problem, target.ask("GET", path), 404, "range")


def operators_paths(target: Target) -> None:
    """Counts and readiness are not among what users reach."""
    for path in ("/metrics", "/readyz"):
        _of(path, judged.problem, target.ask("GET", path), 404, "range")


def unknown_sessions(target: Target) -> None:
    """An id of no session, and what is no id, are problems."""
    known = target.session_id
    strange = {secrets.token_hex(32), known[:-1], f"{known}0", known.upper(), "%00"} - {known}
    for name in strange:
        for rest in ("", "/status", "/profiles"):
            answer = target.ask("GET", f"/v1/sessions/{name}{rest}")
            _of(f"{name[:8]}..{rest}", judged.problem, answer, 404, "range")


def other_methods(target: Target) -> None:
    """A method that is not in the table is a problem, with those that are in `Allow`."""
    for pattern in _TABLE:
        path = pattern.format(at=target.at())
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = target.ask(method, path)
            _of(f"{method} {pattern}", judged.problem, answer, 405, "state")
            allowed = {one.strip() for one in answer.one("allow").split(",")}
            demand(_TABLE[pattern] in allowed, f"{method} {pattern}: Allow does not name GET")
            demand(method not in allowed, f"{method} {pattern}: Allow names it")


def heads(target: Target) -> None:
    """`HEAD` is `GET` without content."""
    for pattern in _TABLE:
        head_of(target, pattern.format(at=target.at()))


def head_of(target: Target, path: str, *headers: tuple[str, str]) -> None:
    """Require of a path that `HEAD` is `GET` without content (PPMF-API-022)."""
    whole, head = (target.ask(method, path, *headers) for method in ("GET", "HEAD"))
    demand(head.status == whole.status, f"{path}: status {head.status}, not {whole.status}")
    demand(not head.body, f"{path}: content after the head")
    told, due = (
        {pair for pair in answer.headers if pair[0] not in _OF_ONE_ANSWER}
        for answer in (head, whole)
    )
    differ = sorted({name for name, _ in told ^ due})
    demand(not differ, f"{path}: the headers {', '.join(differ)} differ from those of GET")
    length = head.one("content-length")
    demand(length in ("", str(len(whole.body))), f"{path}: Content-Length {length[:20]}")


def session_file(target: Target) -> None:
    """The file of the session is right, and may be kept for ever."""
    answer = target.ask("GET", target.at())
    if answer.status == 404 and answer.media_type == judged.PROBLEM:
        judged.problem(answer, 404, "state" if _listed(target) else "range")
        raise NotSeenError("the session's file was erased, or there is no such session")
    _file(target, answer)


def csps_file(target: Target) -> None:
    """CSP shows the same file, to every page."""
    answer = target.ask_csp("GET", target.at())
    _file(target, answer)
    demand(answer.body == target.ask("GET", target.at()).body, "another file than RecSys'")
    found = answer.one("access-control-allow-origin")
    demand(found == "*", "Access-Control-Allow-Origin: not *")


def csps_paths(target: Target) -> None:
    """CSP answers what is in the table for it, and refuses the rest."""
    judged.status(target.ask_csp("GET", "/healthz"), 200)
    for path in ("/v1/sessions", target.at("status"), target.at("uploads", 0), "/metrics"):
        _of(path, judged.problem, target.ask_csp("GET", path), 404, "range")
    answer = target.ask_csp("GET", f"/v1/sessions/{secrets.token_hex(32)}")
    _of("an id of no session", judged.problem, answer, 404, "range")
    answer = target.ask_csp("PUT", target.at())
    _of("PUT of a session", judged.problem, answer, 405, "state")


def status(target: Target) -> None:
    """The status has its form, and ten tenths only with V."""
    answer = target.ask("GET", target.at("status"))
    content = judged.json_of(answer, "ppmf-status/1", {"session", "phase", "tenths"})
    demand(content["session"] == target.session_id, "the status of another session")
    phase, tenths = content["phase"], content["tenths"]
    demand(phase in PHASES, "a phase that is none")
    demand(type(tenths) is int and 0 <= tenths <= 10, "tenths that are none")
    demand((tenths == 10) == (phase == "finished"), f"{tenths} tenths while it is {phase}")
    demand(tenths == 0 or phase in ("training", "finished"), f"{tenths} tenths while it is {phase}")


def item_profiles(target: Target) -> None:
    """V is there once it is published, by its digest, and not before."""
    answer = target.ask("GET", target.at("profiles"))
    if answer.status != 200:
        judged.problem(answer, 404, "state")
        demand(target.phase() != "finished", "no V of a session that is finished")
        return
    demand(answer.media_type == JSON, f"media type {answer.media_type[:40]!a}, not {JSON}")
    judged.for_ever(answer)
    digest = hashlib.sha256(answer.body).hexdigest()
    demand(answer.one("etag") == f'"{digest}"', "ETag: not the SHA-256 of the content")
    try:
        profiles.loads(answer.body.decode())
    except (UnicodeDecodeError, PpmfError) as error:
        demand(held=False, what=f"no file of item profiles: {error}")


def no_rows(target: Target) -> None:
    """A row of no user is a problem, whatever token comes."""
    users = len(target.session.users)
    for row in (users, "-1", f"0{users - 1}", "1.0", "a", "9" * 30):
        answer = target.ask("GET", target.at("uploads", row))
        _of(f"row {str(row)[:5]}", judged.problem, answer, 404, "range")


def no_tokens(target: Target) -> None:
    """Without the token of the row every request is refused, and all alike."""
    row = target.at("uploads", _some_row(target))
    strange = ("Authorization", f"Bearer {secrets.token_urlsafe(32)}")
    calls: list[tuple[str, str, tuple[tuple[str, str], ...]]] = [
        ("GET", row, ()),
        ("PUT", row, (strange, ("Content-Type", CBOR))),
        ("DELETE", f"{row}?serial=1", (strange,)),
        ("GET", row, (("Authorization", f"Basic {strange[1][7:]}"),)),
        ("GET", row, (("Authorization", "Bearer short"),)),
    ]
    details = {
        _of(
            f"{method} of an upload", judged.problem, target.ask(method, at, *headers), 401, "range"
        )
        for method, at, headers in calls
    }
    demand(len(details) == 1, "the detail differs: it says why a token is wrong")


def body_of_nobody(target: Target) -> None:
    """A body is not waited for where the token is wrong."""
    row = target.at("uploads", _some_row(target))
    strange = ("Authorization", f"Bearer {secrets.token_urlsafe(32)}")
    answer = target.ask("PUT", row, strange, ("Content-Type", CBOR), length=_MANY, held_back=True)
    judged.problem(answer, 401, "range")


def page(target: Target) -> None:
    """The page for users, if there is one, may do what it has to and no more."""
    answer = target.ask("GET", "/")
    if answer.status == 404:
        judged.problem(answer, 404, "range")
        raise NotSeenError("the server has no page for users")
    judged.status(answer, 200)
    policy = {
        words[0]: set(words[1:])
        for words in (part.split() for part in answer.one("content-security-policy").split(";"))
        if words
    }
    for name, due in (
        ("script-src", {"'self'"}),
        ("style-src", {"'self'"}),
        ("worker-src", {"'self'"}),
        ("frame-ancestors", {"'none'"}),
    ):
        found = policy.get(name, policy.get("default-src", set()) if due == {"'self'"} else set())
        demand(found == due, f"Content-Security-Policy: {name} is not {min(due)}")
    open_to = policy.get("connect-src", policy.get("default-src", set()))
    wide = {one for one in open_to if one[-1:] in ("*", ":")}
    demand("'self'" in open_to and not wide, "Content-Security-Policy: connect-src")
    for header, value in (
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ):
        demand(answer.one(header) == value, f"{header}: not {value}")


def too_many(target: Target) -> None:
    """After many wrong tokens an address is refused, whatever token and address it names."""
    row = target.at("uploads", _some_row(target))
    wrong = ("Authorization", f"Bearer {secrets.token_urlsafe(32)}")
    answer, tries = target.once("GET", row, wrong), 1
    while answer.status != 429:
        judged.problem(answer, 401, "range")
        demand(tries < MOST_WRONG, f"{MOST_WRONG} wrong tokens, and the next one is looked at")
        answer, tries = target.once("GET", row, wrong), tries + 1
    judged.come_again(answer)
    named = target.once("GET", row, wrong, ("X-Forwarded-For", "198.51.100.77"))
    _of("with another X-Forwarded-For", judged.status, named, 429)
    if target.member is not None and target.session.trial:
        own = target.once("GET", target.at("uploads", target.row), target.bearer)
        _of("with the right token", judged.status, own, 429)


def _of(what: str, require: Callable[P, T], *given: P.args, **more: P.kwargs) -> T:
    """Require something of one of several answers, which is named if it is wrong."""
    try:
        return require(*given, **more)
    except judged.WrongError as error:
        raise judged.WrongError(f"{what}: {error}") from None


def _file(target: Target, answer: Answer) -> None:
    """Require an answer with the file of the session that is looked at (PPMF-API-010)."""
    judged.status(answer, 200)
    demand(answer.media_type == CBOR, f"media type {answer.media_type[:40]!a}, not {CBOR}")
    judged.for_ever(answer)
    try:
        found = target.read_session(answer.body)
    except PpmfError as error:
        raise judged.WrongError(f"no file of a session: {error}") from None
    demand(found.id.hex() == target.session_id, "the file of another session")


def _listed(target: Target) -> bool:
    return any(name == target.session_id for name, _ in target.sessions())


def _some_row(target: Target) -> int:
    """A row of the session; the user's own, if they are known."""
    if target.member is not None and target.member.user in target.session.users:
        return target.session.users.index(target.member.user)
    return 0

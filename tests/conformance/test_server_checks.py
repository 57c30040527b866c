# SPDX-License-Identifier: Apache-2.0
"""The checks of a running server: they pass ours, and each fails servers that are wrong in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppmf_conformance import servers as suite
from ppmf_conformance.adapters.server_user import read_session
from ppmf_conformance.servers import CHECKS, Check, Seen, exit_status, look
from ppmf_conformance.servers.calls import Answer, Call, Caller, NoAnswerError
from ppmf_conformance.servers.judged import NotSeenError
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.protocols.upload import keystream, mask, open_seal, plain_bits
from ppmf_spec import wire
from tests.support.checked_servers import (
    PHASES,
    Checked,
    Spoil,
    as_problem,
    asked,
    at,
    changed,
    checked_servers,
    header,
    plain,
    where,
    without,
)

BY_NAME = {check.name: check for check in CHECKS}
CLOSED = {"after-the-closing", "the-last-again", "erased-digests"}
"""The checks that a session with an open intake does not show."""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    with checked_servers(tmp_path_factory.mktemp("checked")) as made:
        yield made


# -- wrong servers ---------------------------------------------------------------------------------


def everything(call: Call) -> bool:
    return True


def calls(path: str = "", method: str = "", **more: Any) -> Callable[[Call], object]:
    """Calls whose path holds that, of that method, with these members."""
    return lambda call: (
        path in call.path
        and call.method in (method or call.method)
        and all(getattr(call, name) == value for name, value in more.items())
    )


def listed(change: Callable[[list[Any]], list[Any]]) -> Spoil:
    return where(at("/v1/sessions"), changed(sessions=change))


def holding(text: bytes) -> Callable[[Call], object]:
    return lambda call: text in call.body


def acknowledging(match: Callable[[Call], object]) -> Spoil:
    """A server that acknowledges some calls with the receipt that the user has."""

    def spoil(call: Call, right: Caller) -> Answer:
        if not match(call):
            return right(call)
        return right(Call("GET", call.path.partition("?")[0], call.headers[:1]))

    return spoil


def counting(change: Callable[[int, Call, Answer], Answer]) -> Spoil:
    """A server whose answers depend on how many calls came."""
    count = 0

    def spoil(call: Call, right: Caller) -> Answer:
        nonlocal count
        count += 1
        return change(count, call, right(call))

    return spoil


def creeping(method: str) -> Spoil:
    """A server whose receipts change after a call of that method that it refuses."""
    refused = 0

    def spoil(call: Call, right: Caller) -> Answer:
        nonlocal refused
        answer = right(call)
        refused += call.method == method and answer.status >= 400
        if refused and call.method == "GET" and "/uploads/" in call.path and answer.status == 200:
            return changed(serial=lambda one: one + 1)(answer)
        return answer

    return spoil


def swapped(match: Callable[[Call], object], status: int, kind: str) -> Spoil:
    return where(match, as_problem(status, kind))


def renamed(**headers: str) -> Callable[[Call], Call]:
    """A call whose headers of these names have other values."""

    def change(call: Call) -> Call:
        names = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        found = tuple((name, names.get(name.lower(), value)) for name, value in call.headers)
        return replace(call, headers=found)

    return change


def with_head_content(call: Call, right: Caller) -> Answer:
    answer = right(call)
    return replace(answer, body=b"x") if call.method == "HEAD" else answer


def waits(call: Call, right: Caller) -> Answer:
    """A server that reads the body before it looks at anything."""
    if call.held_back:
        raise NoAnswerError("no answer within 1 seconds")
    return right(call)


def takes_any_row(call: Call, right: Caller) -> Answer:
    """A server that knows a token and does not look whose row it is sent for."""
    head, found, tail = call.path.partition("/uploads/")
    row, mark, query = tail.partition("?")
    own = row.isdecimal() and int(row) < 3 and len(call.headers) > 0
    known = own and "short" not in call.headers[0][1]
    return right(replace(call, path=f"{head}/uploads/0{mark}{query}") if found and known else call)


def takes_first_header(call: Call, right: Caller) -> Answer:
    twice = [name for name, _ in call.headers].count("Authorization") > 1
    return right(replace(call, headers=call.headers[1:]) if twice else call)


def lower(call: Call) -> Call:
    return replace(call, path=call.path.lower())


def looser_rows(call: Call) -> Call:
    return replace(call, path=call.path.replace("/uploads/02", "/uploads/2"))


def one_serial(call: Call) -> Call:
    return replace(call, path=call.path.partition("&")[0])


def never_too_many(call: Call, right: Caller) -> Answer:
    answer = right(call)
    if answer.status == 429:
        return as_problem(401, "range")(answer)
    return answer


def by_named_address(call: Call, right: Caller) -> Answer:
    named = any(name == "X-Forwarded-For" for name, _ in call.headers)
    return as_problem(401, "range")(right(call)) if named else right(call)


def kind_in_detail(call: Call, right: Caller) -> Answer:
    answer = right(call)
    if answer.status == 401 and not call.headers:
        return changed(detail="no token was sent")(answer)
    return answer


def unlocked_by_token(call: Call, right: Caller) -> Answer:
    """A server that looks at the token of an address that is over the limit."""
    answer = right(call)
    wrong = len(call.headers) == 1 and call.headers[0][1].startswith("Bearer ")
    if answer.status == 429 and wrong and by_token.get("right") == call.headers[0][1]:
        return as_problem(404, "range")(answer)
    return answer


by_token: dict[str, str] = {}

SOME = "text/html"
OWN = "/uploads/0"
WRONG_KIND = "application/json"

WRONG: dict[str, list[Spoil]] = {
    "health": [where(at("/healthz"), plain(404))],
    "sessions": [
        where(at("/v1/sessions"), changed(format="ppmf-sessions/2")),
        where(at("/v1/sessions"), changed(count=3)),
        where(at("/v1/sessions"), plain(200, "[]")),
        where(at("/v1/sessions"), header("content-type", SOME)),
        where(at("/v1/sessions"), lambda one: replace(one, body=b"[]")),
        where(at("/v1/sessions"), lambda one: replace(one, body=b"{")),
        where(at("/v1/sessions"), changed(sessions={})),
        listed(lambda _: [{"id": f"{n:064x}", "phase": "open"} for n in range(101)]),
        listed(lambda found: found[:1] * 2),
        listed(lambda found: [{**found[0], "users": 3}]),
        listed(lambda found: [{**found[0], "id": "A" * 64}]),
        listed(lambda found: [{**found[0], "phase": "sleeping"}]),
        listed(lambda found: [{**found[0], "phase": "accepted"}]),
    ],
    "unknown-paths": [
        where(at("/v1"), plain(404)),
        where(at("/v1/sessions/"), plain(307)),
        where(at("/v1"), header("content-type", WRONG_KIND)),
        where(at("/v1"), without("detail")),
        where(at("/v1"), changed(trace="...")),
        where(at("/v1"), changed(type="about:blank")),
        where(at("/v1"), changed(status=400)),
        where(at("/v1"), changed(title=None)),
        where(at("/v1"), changed(detail="two\nlines")),
        where(at("/v1"), changed(detail="")),
        where(at("/v1"), changed(**{"class": "other"})),
        swapped(at("/v1"), 404, "state"),
        asked(lambda call: replace(call, path=call.path.replace("/V1/", "/v1/"))),
    ],
    "operators-paths": [where(at("/metrics"), plain(200)), where(at("/readyz"), plain(200))],
    "unknown-sessions": [
        swapped(at("/status"), 404, "state"),
        swapped(at("/profiles"), 422, "range"),
        asked(lower),
    ],
    "other-methods": [
        swapped(calls(method="PATCH"), 404, "range"),
        where(calls(method="POST"), header("allow", None)),
        where(calls(method="POST"), header("allow", "POST")),
        where(calls(method="DELETE"), header("allow", "GET, DELETE")),
    ],
    "heads": [
        with_head_content,
        where(calls(method="HEAD"), as_problem(405, "state")),
        where(calls(method="HEAD"), header("etag", None)),
        where(calls(method="HEAD"), header("content-type", "text/html")),
        where(calls(method="HEAD"), header("content-length", "7")),
    ],
    "session-file": [
        where(lambda call: call.path.count("/") == 3, header("content-type", SOME)),
        where(lambda call: call.path.count("/") == 3, header("cache-control", "no-store")),
        where(lambda call: call.path.count("/") == 3, header("cache-control", "max-age=60")),
        where(lambda call: call.path.count("/") == 3, header("cache-control", None)),
        where(
            lambda call: call.path.count("/") == 3,
            lambda one: replace(one, body=one.body[:-1] + bytes([one.body[-1] ^ 1])),
        ),
        where(lambda call: call.path.count("/") == 3, plain(404)),
    ],
    "status": [
        where(at("/status"), changed(tenths=10)),
        where(at("/status"), changed(tenths=3)),
        where(at("/status"), changed(tenths=0.5)),
        where(at("/status"), changed(phase="asleep")),
        where(at("/status"), changed(phase="finished")),
        where(at("/status"), changed(session="0" * 64)),
        where(at("/status"), changed(done=17)),
        where(at("/status"), without("tenths")),
    ],
    "profiles": [
        swapped(at("/profiles"), 404, "range"),
        where(at("/profiles"), plain(200, "{}")),
        where(at("/status"), changed(phase="finished")),
    ],
    "page": [
        where(at("/"), header("content-security-policy", None)),
        where(at("/"), header("content-security-policy", "default-src 'self'")),
        where(
            at("/"),
            header(
                "content-security-policy",
                "default-src 'self'; script-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
            ),
        ),
        where(
            at("/"),
            header(
                "content-security-policy",
                "default-src 'self'; connect-src 'self' https:; frame-ancestors 'none'",
            ),
        ),
        where(at("/"), header("referrer-policy", None)),
        where(at("/"), header("x-content-type-options", None)),
        where(at("/"), plain(404)),
    ],
    "no-rows": [
        swapped(at("/uploads/3"), 401, "range"),
        swapped(at("/uploads/a"), 422, "range"),
        asked(looser_rows),
    ],
    "no-tokens": [
        kind_in_detail,
        swapped(calls("/uploads/", "GET"), 403, "range"),
        swapped(calls("/uploads/", "PUT"), 401, "state"),
        swapped(calls("/uploads/", "DELETE"), 409, "state"),
    ],
    "body-of-nobody": [waits, swapped(calls(held_back=True), 413, "encoding")],
    "own-receipt": [
        where(at(OWN), header("cache-control", "public, max-age=60")),
        where(at(OWN), changed(seen=1)),
        where(at(OWN), changed(serial="1")),
        where(at(OWN), changed(serial=0)),
        where(at(OWN), changed(digest="00")),
        where(at(OWN), changed(withdrawn=0)),
        where(at(OWN), changed(admitted="no")),
        where(at(OWN), changed(admitted=False)),
        where(at(OWN), changed(withdrawn=True)),
        where(at(OWN), changed(format="receipt")),
        swapped(at(OWN), 404, "state"),
    ],
    "first-upload": [
        where(at(OWN, "PUT"), lambda one: replace(one, status=202)),
        where(at(OWN, "PUT"), lambda one: replace(one, status=201)),
        where(at(OWN, "PUT"), changed(serial=lambda one: one + 1)),
        where(at(OWN, "PUT"), changed(digest="0" * 64)),
        where(at(OWN, "PUT"), changed(digest=None)),
        where(at(OWN, "PUT"), changed(admitted=True)),
        where(at(OWN, "PUT"), header("cache-control", "max-age=9")),
    ],
    "the-same-again": [
        counting(
            lambda _, call, one: (
                one
                if call.method != "PUT" or one.status == 201 or put_before(call)
                else as_problem(409, "state")(one)
            )
        ),
        where(at(OWN), changed(serial=lambda one: one + 7)),
    ],
    "older-serials": [swapped(at(OWN, "PUT"), 409, "range"), creeping("PUT")],
    "wrong-bodies": [
        creeping("PUT"),
        acknowledging(calls(method="PUT", body=b"")),
        *(
            where(
                lambda call: call.method == "PUT",
                lambda one, pair=pair: (
                    as_problem(*pair[1])(one)  # type: ignore[misc]
                    if one.status == pair[0]
                    else one
                ),
            )
            for pair in (
                (400, (422, "range")),
                (409, (400, "encoding")),
                (422, (409, "state")),
                (409, (409, "range")),
            )
        ),
    ],
    "other-media-types": [asked(renamed(Content_Type="application/cbor")), creeping("PUT")],
    "said-too-long": [waits, swapped(calls(method="PUT"), 400, "encoding")],
    "found-too-long": [swapped(calls(chunked=True), 400, "encoding"), creeping("PUT")],
    "wrong-withdrawals": [
        asked(one_serial),
        creeping("DELETE"),
        acknowledging(calls("serial=0", "DELETE")),
        where(calls(method="DELETE"), as_problem(400, "encoding")),
        where(calls(method="DELETE"), as_problem(409, "state")),
    ],
    "withdrawals": [
        counting(
            lambda _, call, one: (
                as_problem(409, "state")(one)
                if call.method == "DELETE" and deleted_before(call)
                else one
            )
        ),
        where(calls(method="DELETE"), changed(withdrawn=False)),
        where(calls(method="DELETE"), changed(digest="0" * 64, withdrawn=False)),
        where(calls(method="DELETE"), changed(serial=lambda one: one + 1)),
        where(calls(method="DELETE"), lambda one: replace(one, status=204)),
        creeping("PUT"),
    ],
    "other-rows": [takes_any_row, takes_first_header],
    "methods-of-uploads": [
        swapped(calls(OWN, "PATCH"), 404, "range"),
        where(calls(OWN, "POST"), header("allow", "GET")),
        where(calls(OWN, "POST"), header("allow", "GET, PUT, DELETE, POST")),
        where(calls(OWN, "HEAD"), as_problem(405, "state")),
    ],
    "too-many": [
        never_too_many,
        by_named_address,
        unlocked_by_token,
        where(lambda _: True, lambda one: header("retry-after", None)(one)),
        where(lambda _: True, lambda one: replace(one, body=b"{}") if one.status == 429 else one),
    ],
}
"""Servers with an open session, by the check that fails each."""

WRONG_CSP: dict[str, list[Spoil]] = {
    "csps-file": [
        where(everything, header("access-control-allow-origin", None)),
        where(everything, header("access-control-allow-origin", "https://a.example")),
        where(everything, header("cache-control", "no-store")),
        where(everything, lambda one: replace(one, body=one.body + b"\0")),
        where(everything, plain(404)),
    ],
    "csps-paths": [
        where(at("/healthz"), plain(500)),
        where(at("/v1/sessions"), plain(200)),
        where(calls(method="PUT"), as_problem(404, "range")),
        where(at("/status"), plain(404)),
    ],
}

WRONG_CLOSED: dict[str, list[Spoil]] = {
    "after-the-closing": [
        acknowledging(calls(OWN, "PUT")),
        acknowledging(calls(OWN, "DELETE")),
        swapped(calls(OWN, "PUT"), 422, "range"),
        creeping("DELETE"),
    ],
    "the-last-again": [
        swapped(calls(OWN, "PUT"), 409, "state"),
        where(calls(OWN, "PUT"), changed(admitted=None)),
        where(calls(OWN, "PUT"), lambda one: replace(one, status=201)),
    ],
    "own-receipt": [where(at(OWN), changed(admitted=1))],
}

WRONG_FINISHED: dict[str, list[Spoil]] = {
    "erased-digests": [
        where(at(OWN), changed(digest="0" * 64)),
        where(at(OWN), changed(admitted=None)),
    ],
    "profiles": [
        where(at("/profiles"), header("etag", '"7"')),
        where(at("/profiles"), header("etag", None)),
        where(at("/profiles"), header("cache-control", "no-store")),
        where(at("/profiles"), header("content-type", SOME)),
        where(at("/profiles"), lambda one: replace(one, body=one.body + b" ")),
        swapped(at("/profiles"), 404, "state"),
    ],
    "status": [where(at("/status"), changed(tenths=9))],
}

_puts: Counter[bytes] = Counter()
_deletes: Counter[str] = Counter()


def put_before(call: Call) -> bool:
    """Whether these bytes come for the first time."""
    _puts[call.body] += 1
    return _puts[call.body] == 1


def deleted_before(call: Call) -> bool:
    """Whether the same withdrawal came before."""
    _deletes[call.path] += 1
    return _deletes[call.path] > 1


def variants(found: dict[str, list[Spoil]]) -> list[Any]:
    return [
        pytest.param(name, spoil, id=f"{name}-{number}")
        for name, all_ in found.items()
        for number, spoil in enumerate(all_)
    ]


def fails(checked: Checked, name: str, **wrong: Any) -> None:
    target = checked.target(**wrong)
    (finding,) = look(target, [BY_NAME[name]])
    assert finding.seen is (Seen.NOT_SEEN if "nothing" in name else Seen.NO), finding.detail
    assert finding.detail.isprintable()


@pytest.mark.req("PPMF-CON-050")
@pytest.mark.parametrize(("name", "spoil"), variants(WRONG))
def test_a_wrong_server_fails_the_check_of_what_is_wrong(
    checked: Checked, name: str, spoil: Spoil
) -> None:
    own = checked.target()
    by_token["right"] = own.bearer[1]
    list(look(own, [BY_NAME["first-upload"]]))
    fails(checked, name, spoil=spoil)


@pytest.mark.req("PPMF-CON-050")
@pytest.mark.parametrize(("name", "spoil"), variants(WRONG_CSP))
def test_a_wrong_csp_fails(checked: Checked, name: str, spoil: Spoil) -> None:
    fails(checked, name, spoil_csp=spoil)


@pytest.mark.req("PPMF-CON-050")
@pytest.mark.parametrize(("name", "spoil"), variants(WRONG_CLOSED))
def test_a_wrong_server_fails_after_the_closing(checked: Checked, name: str, spoil: Spoil) -> None:
    fails(checked, name, spoil=spoil, phase="closed")


@pytest.mark.req("PPMF-CON-050")
@pytest.mark.parametrize(("name", "spoil"), variants(WRONG_FINISHED))
def test_a_wrong_server_fails_after_the_end(checked: Checked, name: str, spoil: Spoil) -> None:
    fails(checked, name, spoil=spoil, phase="finished")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "wrong-bodies" else pytest.mark.slow)
        for name in BY_NAME
        if name not in CLOSED and name != "too-many"
    ],
)
def test_each_answer_of_a_check_is_looked_at(checked: Checked, name: str) -> None:
    """Whichever of them is something else, the check does not hold."""
    list(look(checked.target(), [BY_NAME["first-upload"]]))
    calls = 0

    def counted(call: Call, right: Caller) -> Answer:
        nonlocal calls
        calls += 1
        return right(call)

    list(look(checked.target(spoil=counted, spoil_csp=counted), [BY_NAME[name]]))
    assert calls
    for number in range(1, calls + 1):

        def other(at: int, _: Call, answer: Answer, due: int = number) -> Answer:
            return plain(599)(answer) if at == due else answer

        wrong = counting(other)
        target = checked.target(spoil=wrong, spoil_csp=wrong)
        (finding,) = look(target, [BY_NAME[name]])
        assert finding.seen is not Seen.YES, number


def test_each_check_has_a_server_that_fails_it() -> None:
    tried = WRONG.keys() | WRONG_CSP.keys() | WRONG_CLOSED.keys() | WRONG_FINISHED.keys()
    assert tried == BY_NAME.keys()


# -- right servers ---------------------------------------------------------------------------------

UPLOADS = [check.name for check in CHECKS if "upload_checks" in check.run.__module__]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("user", ["u1", "u2", "u3"])
def test_our_servers_pass(checked: Checked, phase: str, user: str) -> None:
    found = list(look(checked.target(phase, user)))
    assert [one.detail for one in found if one.seen is Seen.NO] == []
    unseen = {one.check.name for one in found if one.seen is Seen.NOT_SEEN}
    due = {
        "open": CLOSED,
        "closed": {"erased-digests", *set(UPLOADS)}
        - {"own-receipt", "other-rows", "methods-of-uploads", "after-the-closing"},
    }
    due["finished"] = due["closed"] - {"erased-digests"}
    if phase != "open" and user == "u2":
        due[phase] = due[phase] - {"the-last-again"}
    if phase == "closed" and user == "u1":
        due[phase] = due[phase] - {"the-last-again"}
    if phase == "finished" and user == "u3":
        due[phase] = due[phase] | {"erased-digests"}
    assert unseen == due[phase], [one.detail for one in found]
    assert exit_status(found) == 0


@pytest.mark.req("PPMF-CON-051")
def test_nothing_is_sent_to_a_session_that_is_no_trial(checked: Checked) -> None:
    sent: list[str] = []

    def watch(call: Call, right: Caller) -> Answer:
        sent.append(call.method)
        return right(call)

    target = checked.target(spoil=watch)
    target.read_session = lambda data: replace(read_session(data), trial=False)
    found = list(look(target, [BY_NAME[name] for name in UPLOADS]))
    assert {one.seen for one in found} == {Seen.NOT_SEEN}
    assert {one.detail for one in found} == {
        "the session is not marked as a trial, and nothing is sent to it"
    }
    assert set(sent) == {"GET"}
    assert exit_status(found) == 5


@pytest.mark.req("PPMF-CON-051")
def test_the_user_and_the_address_can_go_on_afterwards(checked: Checked) -> None:
    refused = 0
    uploads: list[wire.Upload] = []

    def watch(call: Call, right: Caller) -> Answer:
        nonlocal refused
        answer = right(call)
        refused += answer.status == 401
        if call.method == "PUT" and answer.status in (200, 201):
            message = wire.decode(call.body).message
            assert isinstance(message, wire.Upload)
            uploads.append(message)
        return answer

    target = checked.target(spoil=watch)
    before = target.receipt()
    first = 0 if before is None else before.serial
    list(look(target, [check for check in CHECKS if not check.locks]))
    after = target.receipt()
    assert after is not None
    assert 0 < refused < 20
    assert not after.withdrawn
    assert first < min(one.serial for one in uploads)
    assert after.serial - first < 1000
    session = checked.sessions["open"]
    key = checked.servers.pair.csp.sessions.sealing_key(session.id)
    for one in uploads:
        seed, _ = open_seal(session, one.user, key, one.sealed)
        nothing = plain_bits(session, Row(*np.zeros((2, 0), dtype=np.int64)))
        assert mask(bytes(one.masked), keystream(session, one.user, seed)) == nothing


def test_without_an_invitation_what_everybody_sees_is_looked_at(checked: Checked) -> None:
    found = list(look(checked.target(user=None)))
    unseen = {one.check.name for one in found if one.seen is Seen.NOT_SEEN}
    assert unseen == set(UPLOADS)
    assert exit_status(found) == 0


@pytest.mark.req("PPMF-API-008")
def test_a_server_that_is_busy_is_asked_again_and_not_blamed(checked: Checked) -> None:
    busy = as_problem(503, "peer", retry_after="1")
    once = counting(lambda number, _, one: busy(one) if number == 1 else one)
    (finding,) = look(checked.target(spoil=once), [BY_NAME["status"]])
    assert finding.seen is Seen.YES
    (finding,) = look(checked.target(spoil=where(everything, busy)), [BY_NAME["status"]])
    assert finding.seen is Seen.NOT_SEEN
    later = where(everything, as_problem(429, "peer", retry_after="60"))
    (finding,) = look(checked.target(spoil=later), [BY_NAME["status"]])
    assert finding.seen is Seen.NOT_SEEN
    (finding,) = look(
        checked.target(spoil=where(everything, as_problem(503, "peer"))), [BY_NAME["status"]]
    )
    assert finding.seen is Seen.NO


def test_a_server_that_does_not_answer_is_given_up(checked: Checked) -> None:
    asked_for = 0

    def dead(call: Call, right: Caller) -> Answer:
        nonlocal asked_for
        asked_for += 1
        raise NoAnswerError("no answer")

    found = list(look(checked.target(spoil=dead)))
    assert [one.seen for one in found[: suite.MOST_SILENT]] == [Seen.NO] * suite.MOST_SILENT
    assert {one.seen for one in found[suite.MOST_SILENT :]} == {Seen.NOT_SEEN}
    assert asked_for == suite.MOST_SILENT
    assert exit_status(found) == 1


def test_of_the_sessions_the_newest_open_one_is_chosen(checked: Checked) -> None:
    target = checked.target()
    target.asked_for = None
    assert target.session_id == checked.sessions["open"].id.hex()
    nothing = checked.target(spoil=listed(lambda _: []))
    nothing.asked_for = None
    with pytest.raises(NotSeenError, match="lists no session"):
        _ = nothing.session_id


def test_checks_have_names_sentences_and_requirements() -> None:
    known = json.loads(Path("spec/trace.json").read_text())
    assert len(BY_NAME) == len(CHECKS)
    for check in CHECKS:
        assert isinstance(check, Check)
        assert 3 <= len(check.what.split()) < 20
        assert set(check.requirements) <= known.keys()

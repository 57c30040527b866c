# SPDX-License-Identifier: Apache-2.0
"""RecSys' interface for users: what it answers to whom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest
from starlette.requests import Request

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session import set_up
from ppmf_secure.session.session import Session
from ppmf_service.api import published as api_published
from ppmf_service.api.users_api import UsersApi, upload_cap
from ppmf_service.erasure import Erasure
from ppmf_service.states import State
from ppmf_spec import wire
from ppmf_spec.roles import CSP, RECSYS
from tests.support.served import CBOR, URLS, Served, bearer, config_of, published, url
from tests.support.services import CLOSES, EXPIRES, START, message, proposal_of, to
from tests.support.sessions import SIGNING

REQUEST = {"route", "method", "status", "seconds"}


def put(servers: Served, session: Session, row: int, data: bytes, **more: str) -> httpx.Response:
    token = more.pop("token", servers.pair.tokens[session.users[row]])
    return servers.http().put(
        url(session, "uploads", row), content=data, headers={**CBOR, **bearer(token), **more}
    )


def problem(answer: httpx.Response, status: int, kind: str) -> str:
    """The detail of a problem document, which is of that status and class."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert content["type"] == f"tag:ppmf.invalid,2026:problems/{kind}"
    assert (content["status"], content["class"]) == (status, kind)
    return str(content["detail"])


@pytest.mark.req("PPMF-API-010")
def test_both_servers_show_the_same_session(servers: Served) -> None:
    session, http = servers.session(), servers.http()
    path = f"/v1/sessions/{session.id.hex()}"
    answers = {role: http.get(URLS[role] + path) for role in (RECSYS, CSP)}
    assert {one.status_code for one in answers.values()} == {200}
    assert answers[RECSYS].content == answers[CSP].content
    assert set_up.read(answers[CSP].content).session == session
    for answer in answers.values():
        assert answer.headers["content-type"] == "application/cbor"
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert answers[CSP].headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in answers[RECSYS].headers
    again = http.get(URLS[CSP] + path, headers={"If-None-Match": answers[CSP].headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.req("PPMF-API-008", "PPMF-API-010", "PPMF-API-015")
def test_a_connection_holds_no_more_than_a_piece_of_a_file(
    servers: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a session or V is, and however slowly it is taken."""
    session, http = servers.session(), servers.http()
    data = bytes(1000)
    published(servers, session, data)
    file = servers.pair.recsys.sessions.file(session.id)
    held: list[int] = []
    pieces = api_published._pieces

    async def counted(size: int, part: Callable[[int, int], bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces(size, part):
            held.append(len(piece))
            yield piece

    monkeypatch.setattr(api_published, "PIECE_BYTES", 128)
    monkeypatch.setattr(api_published, "_pieces", counted)
    assert http.get(url(session)).content == file
    assert http.get(url(session, "profiles")).content == data
    assert sum(held) == len(file) + len(data)
    assert max(held) == 128
    assert http.head(url(session)).headers["content-length"] == str(len(file))


@pytest.mark.req("PPMF-API-021")
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_callers_are_told_apart_by_their_network(
    servers: Served, one: str, other: str, same: bool
) -> None:
    session = servers.session()
    for _ in range(20):
        assert servers.http(one).get(url(session, "uploads", 0)).status_code == 401
    found = servers.http(other).get(url(session, "uploads", 0)).status_code
    assert found == (429 if same else 401)


@pytest.mark.req("PPMF-API-003", "PPMF-API-010")
def test_a_session_that_is_not_agreed_is_not_shown(servers: Served) -> None:
    http = servers.http()
    recsys, csp = servers.pair.recsys.sessions, servers.pair.csp.sessions
    proposal = proposal_of(("u1", "u2", "u3"))
    row = recsys.propose(proposal)
    csp.propose(proposal)
    found = csp.accept(row.key, SIGNING["csp"], Coins.seeded("tests/accepted"))
    recsys.accepted(row.key, *csp.acceptance(row.key), SIGNING["recsys"])
    assert recsys.get(found).signed, "RecSys has both signatures, and CSP has not yet"
    assert http.get(f"{URLS[CSP]}/v1/sessions/{found.hex()}").status_code == 404
    for key in (found, row.proposed, bytes(32)):
        answer = http.get(f"{URLS[RECSYS]}/v1/sessions/{key.hex()}")
        assert problem(answer, 404, "range") == "no such session here"
    assert http.get(f"{URLS[RECSYS]}/v1/sessions").json()["sessions"] == []
    for text in ("0" * 63, "0" * 65, "A" * 64, "%00", "x" * 3000):
        assert problem(http.get(f"{URLS[RECSYS]}/v1/sessions/{text}"), 404, "range")


@pytest.mark.req("PPMF-API-005", "PPMF-API-013")
def test_an_upload_is_created_repeated_and_replaced(servers: Served) -> None:
    session = servers.session()
    first, second = (message(servers.pair, session, 1, serial) for serial in (1, 2))
    made = put(servers, session, 1, first)
    assert made.status_code == 201
    assert made.json() == {
        "format": "ppmf-receipt/1",
        "serial": 1,
        "digest": hashlib.sha256(first).hexdigest(),
        "withdrawn": False,
        "admitted": None,
    }
    assert made.headers["cache-control"] == "no-store"
    same = put(servers, session, 1, first)
    assert (same.status_code, same.json()) == (200, made.json())
    assert put(servers, session, 1, second).status_code == 200
    assert "serial 1 after 2" in problem(put(servers, session, 1, first), 409, "state")
    other = message(servers.pair, session, 1, 2, "other")
    assert "not the same" in problem(put(servers, session, 1, other), 409, "state")
    receipt = servers.client("u2").receipt(session)
    assert receipt is not None
    assert (receipt.serial, receipt.digest) == (2, hashlib.sha256(second).digest())
    assert servers.pair.recsys.uploads.count(session.id) == 1


@pytest.mark.req("PPMF-API-005", "PPMF-API-016")
def test_a_withdrawn_upload_comes_back_only_with_a_larger_serial(servers: Served) -> None:
    session, client = servers.session(), servers.client("u1")
    client.put(session, message(servers.pair, session, 0))
    assert client.withdraw(session, 2).withdrawn
    assert client.withdraw(session, 2).serial == 2
    answer = put(servers, session, 0, message(servers.pair, session, 0))
    assert problem(answer, 409, "state")
    assert servers.pair.recsys.uploads.count(session.id) == 0
    assert client.put(session, message(servers.pair, session, 0, 3)).serial == 3
    late = servers.http().delete(
        url(session, "uploads", 0),
        params={"serial": "2"},
        headers=bearer(servers.pair.tokens["u1"]),
    )
    assert problem(late, 409, "state")


@pytest.mark.req("PPMF-API-016")
@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ("", 400, "encoding"),
        ("serial=", 400, "encoding"),
        ("serial=01", 400, "encoding"),
        ("serial=1&serial=2", 400, "encoding"),
        ("serial=-1", 400, "encoding"),
        ("serial=1e3", 400, "encoding"),
        ("serial=" + "9" * 400, 400, "encoding"),
        ("serial=0", 422, "range"),
        (f"serial={1 << 64}", 422, "range"),
    ],
)
def test_a_withdrawal_has_one_serial(servers: Served, query: str, status: int, kind: str) -> None:
    session = servers.session()
    answer = servers.http().delete(
        url(session, "uploads", 0) + "?" + query, headers=bearer(servers.pair.tokens["u1"])
    )
    problem(answer, status, kind)


@pytest.mark.req("PPMF-API-002")
def test_a_token_is_good_for_its_own_row_alone(servers: Served) -> None:
    session, data = servers.session(), message(servers.pair, servers.session(), 0)
    theirs = servers.pair.tokens["u2"]
    details = set()
    for headers in (
        bearer(theirs),
        bearer("A" * 43),
        bearer("short"),
        {},
        {"Authorization": f"Basic {theirs}"},
        {"Authorization": servers.pair.tokens["u1"]},
    ):
        for method in ("GET", "PUT", "DELETE"):
            answer = servers.http().request(
                method, url(session, "uploads", 0), content=data, headers={**CBOR, **headers}
            )
            details.add(problem(answer, 401, "range"))
            assert answer.headers["www-authenticate"] == "Bearer"
    assert len(details) == 1, "every wrong token is answered alike"
    twice = [("Authorization", f"Bearer {servers.pair.tokens['u1']}")] * 2
    answer = servers.http().get(url(session, "uploads", 0), headers=twice)
    problem(answer, 401, "range")
    assert servers.pair.recsys.uploads.count(session.id) == 0


@pytest.mark.req("PPMF-API-002", "PPMF-ENR-008")
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_token_that_is_replaced_while_the_request_is_under_way_is_worthless(
    servers: Served, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Whoever has a lost token cannot keep it alive by a body that takes its time."""
    session, data = servers.session(), message(servers.pair, servers.session(), 0, 2)
    members = servers.pair.recsys.members
    caller = UsersApi._caller

    async def slow(api: UsersApi, request: Request) -> object:
        found = await caller(api, request)
        members.enrol_tokens({"u1": bytes(32)})
        return found

    monkeypatch.setattr(UsersApi, "_caller", slow)
    answer = servers.http().request(
        method,
        url(session, "uploads", 0),
        params={"serial": "2"} if method == "DELETE" else {},
        content=data if method == "PUT" else b"",
        headers={**CBOR, **bearer(servers.pair.tokens["u1"])},
    )
    problem(answer, 401, "range")
    assert servers.pair.recsys.uploads.receipt(session.id, 0).serial == 0


@pytest.mark.req("PPMF-API-009")
def test_wrong_tokens_are_limited_by_address_and_never_by_user(servers: Served) -> None:
    session, right = servers.session(), bearer(servers.pair.tokens["u1"])
    attacker, user = servers.http("198.51.100.7"), servers.http("192.0.2.1")
    address = url(session, "uploads", 0)
    statuses = [attacker.get(address, headers=bearer("A" * 43)).status_code for _ in range(25)]
    assert statuses == [401] * 20 + [429] * 5
    refused = attacker.get(address, headers=right)
    assert problem(refused, 429, "peer")
    assert int(refused.headers["retry-after"]) >= 1
    assert user.get(address, headers=right).status_code == 404, "the user is not locked out"
    servers.pair.clock.advance(int(refused.headers["retry-after"]))
    assert attacker.get(address, headers=right).status_code == 404


@pytest.mark.req("PPMF-API-003")
@pytest.mark.parametrize("row", ["3", "-1", "01", "1.0", "+1", "a", "9" * 30, "%31%20"])
def test_a_row_is_that_of_a_user(servers: Served, row: str) -> None:
    session = servers.session()
    problem(servers.http().get(url(session, "uploads", row)), 404, "range")


@pytest.mark.req("PPMF-API-006", "PPMF-API-007")
def test_a_body_is_bounded_before_it_is_read(servers: Served) -> None:
    session = servers.session()
    data = message(servers.pair, session, 0)
    cap = upload_cap(session, 0)
    assert cap == len(data) + 8, "a serial of eight bytes is the only part that may be longer"
    assert "bytes that are due at most" in problem(
        put(servers, session, 0, data + bytes(9)), 413, "encoding"
    )
    problem(put(servers, session, 0, data, **{"Content-Length": str(1 << 40)}), 413, "encoding")
    problem(put(servers, session, 0, data, **{"Content-Length": "many"}), 400, "encoding")
    problem(put(servers, session, 0, data + b"\0"), 400, "encoding")
    problem(put(servers, session, 0, data[:-1]), 400, "encoding")
    problem(put(servers, session, 0, b""), 400, "encoding")
    problem(put(servers, session, 0, data, **{"Content-Type": "application/json"}), 415, "encoding")


@pytest.mark.req("PPMF-API-006")
def test_uploads_of_another_session_user_or_kind_are_refused(servers: Served) -> None:
    session = servers.session()
    other = servers.session(replace(session.proposal, nonce=bytes(15) + b"\1"))
    problem(put(servers, session, 0, message(servers.pair, other, 0)), 409, "state")
    problem(put(servers, session, 0, message(servers.pair, session, 1)), 422, "range")
    sent = wire.decode(message(servers.pair, session, 0))
    upload = sent.message
    assert isinstance(upload, wire.Upload)

    def altered(message: wire.Message, epoch: int = 0, number: int = 0) -> bytes:
        return wire.encode(wire.Envelope(session.id, epoch, number, message))

    problem(put(servers, session, 0, altered(replace(upload, serial=0))), 422, "range")
    problem(put(servers, session, 0, altered(replace(upload, sealed=bytes(112)))), 422, "range")
    short = replace(upload, masked=bytes(upload.masked)[1:])
    problem(put(servers, session, 0, altered(short)), 400, "encoding")
    problem(put(servers, session, 0, altered(wire.Admission(b"\7"))), 409, "state")
    problem(put(servers, session, 0, altered(upload, epoch=1)), 409, "state")
    problem(put(servers, session, 0, altered(upload, number=1)), 409, "state")
    assert servers.pair.recsys.uploads.count(session.id) == 0
    assert put(servers, session, 0, altered(upload)).status_code == 201


@pytest.mark.req("PPMF-API-005", "PPMF-API-012")
def test_after_the_closing_only_what_is_there_is_acknowledged(servers: Served) -> None:
    session = servers.session()
    data = message(servers.pair, session, 0)
    assert put(servers, session, 0, data).status_code == 201
    servers.pair.clock.advance(CLOSES - START)
    assert put(servers, session, 0, data).status_code == 200
    problem(put(servers, session, 0, message(servers.pair, session, 0, 2)), 409, "state")
    problem(put(servers, session, 1, message(servers.pair, session, 1)), 409, "state")
    with pytest.raises(Exception, match="not open"):
        servers.client("u1").withdraw(session, 2)
    servers.pair.recsys.uploads.freeze(session.id)
    servers.pair.recsys.sessions.admit(session.id, b"\1")
    again = put(servers, session, 0, data)
    assert (again.status_code, again.json()["admitted"]) == (200, True)
    servers.pair.clock.advance(EXPIRES - CLOSES)
    problem(put(servers, session, 0, message(servers.pair, session, 0, 3)), 409, "state")


@pytest.mark.req("PPMF-API-014")
def test_the_status_is_coarse_and_changes_at_most_once_a_minute(servers: Served) -> None:
    session, clock = servers.session(), servers.pair.clock
    client, sessions = servers.client("u1"), servers.pair.recsys.sessions

    def shown() -> tuple[str, int]:
        found = client.status(session.id)
        return found.phase, found.tenths

    assert shown() == ("open", 0)
    to(servers.pair.recsys, session, State.CLOSED)
    clock.advance(60)
    assert shown() == ("closed", 0)
    to(servers.pair.recsys, session, State.SETTING_UP, State.TRAINING)
    sessions.progress(session.id, "products", 19, 40)
    clock.advance(59)
    assert shown() == ("closed", 0)
    clock.advance(1)
    assert shown() == ("training", 4)
    sessions.progress(session.id, "products", 40, 40)
    assert shown() == ("training", 4)
    clock.advance(60)
    assert shown() == ("training", 9)
    answer = servers.http().get(url(session, "status"))
    assert set(answer.json()) == {"format", "session", "phase", "tenths"}
    assert answer.headers["cache-control"] == "public, max-age=60"


@pytest.mark.req("PPMF-API-015")
def test_profiles_are_there_once_they_are_published(servers: Served) -> None:
    session = servers.session()
    problem(servers.http().get(url(session, "profiles")), 404, "state")
    to(servers.pair.recsys, session, State.CLOSED, State.SETTING_UP, State.TRAINING)
    data = b'{"format": "ppmf-item-profiles/1"}'
    path = servers.folder / "recsys" / "profiles" / f"{session.id.hex()}.json"
    path.parent.mkdir()
    path.write_bytes(data)
    problem(servers.http().get(url(session, "profiles")), 404, "state")
    servers.pair.recsys.sessions.publish(session.id, hashlib.sha256(data).digest())
    answer = servers.http().get(url(session, "profiles"))
    assert answer.content == data
    assert answer.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert "immutable" in answer.headers["cache-control"]
    path.write_bytes(data + b" ")
    problem(servers.http().get(url(session, "profiles")), 500, "peer")


@pytest.mark.req("PPMF-API-003", "PPMF-API-011")
def test_what_is_not_there_is_a_problem_too(servers: Served) -> None:
    session, http = servers.session(), servers.http()
    for path in ("/v1", "/v1/sessions/", "/V1/sessions", "/metrics", "/readyz", "//healthz"):
        problem(http.get(URLS[RECSYS] + path), 404, "range")
    answer = http.post(url(session))
    assert problem(answer, 405, "state")
    assert "GET" in answer.headers["allow"]
    problem(http.patch(url(session, "uploads", 0)), 405, "state")
    problem(http.put(f"{URLS[CSP]}/v1/sessions/{session.id.hex()}"), 405, "state")
    assert http.get(URLS[RECSYS] + "/healthz").text == "ok\n"
    assert http.get(URLS[CSP] + "/healthz").text == "ok\n"
    listed = http.get(URLS[RECSYS] + "/v1/sessions").json()
    assert listed["sessions"] == [{"id": session.id.hex(), "phase": "open"}]


@pytest.mark.req("PPMF-API-020")
def test_no_line_of_the_log_says_who_uploaded(
    servers: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines have times, and whoever has the session file knows whose row is which."""
    session, client = servers.session(), servers.client("u3")
    client.put(session, message(servers.pair, session, 2, 77))
    client.withdraw(session, 78)
    assert put(servers, session, 2, message(servers.pair, session, 2, 1)).status_code == 409
    assert servers.http().get(url(session, "uploads", 2)).status_code == 401
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {line["event"] for line in lines} == {"upload", "withdrawal", "request"}
    for line in lines:
        told = {"session", "outcome"} if line["event"] != "request" else REQUEST
        assert set(line) - {"time", "level", "event"} == told, line


@pytest.mark.req("PPMF-API-004", "PPMF-API-008")
def test_a_server_that_fails_says_nothing_of_why(
    servers: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = servers.session()
    secret = "the secret of an exception"

    def failing(*_: object) -> None:
        raise ZeroDivisionError(secret)

    monkeypatch.setattr("ppmf_service.uploads.Uploads.put", failing)
    answer = put(servers, session, 0, message(servers.pair, session, 0))
    assert problem(answer, 500, "peer") == "the server failed at this request"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    failed = [line for line in lines if line["event"] == "a request failed"]
    assert [line["error"] for line in failed] == ["ZeroDivisionError"]
    assert failed[0]["place"].startswith("test_users_api:")
    assert secret not in json.dumps(lines)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/a/secret/path")

    monkeypatch.setattr("ppmf_service.uploads.Uploads.put", full)
    answer = put(servers, session, 0, message(servers.pair, session, 0))
    assert "path" not in problem(answer, 503, "peer")
    assert answer.headers["retry-after"]


@pytest.mark.req("PPMF-API-003", "PPMF-SRV-015")
def test_a_session_that_is_over_is_not_there_also_for_who_uploaded_before(servers: Served) -> None:
    session = servers.session()
    data = message(servers.pair, session, 0)
    assert put(servers, session, 0, data).status_code == 201
    server = servers.pair.recsys
    server.sessions.move(session.id, State.ABANDONED)
    servers.pair.clock.advance(EXPIRES - START)
    config = config_of(RECSYS, servers.folder / "recsys")
    assert Erasure(config, server.database, server.sessions).sweep() == [session.id]
    problem(put(servers, session, 0, data), 404, "state")

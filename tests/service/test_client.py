# SPDX-License-Identifier: Apache-2.0
"""The user's side: which sessions it refuses, and what it sends again."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.session import set_up
from ppmf_secure.session.session import Session
from ppmf_service import client as client_module
from ppmf_service import submission
from ppmf_service.client import ANSWER_SECONDS, MOST_LOOKED_AT, Receipt
from ppmf_service.states import State
from ppmf_service.user_folder import Last, UserFolder, made_of
from ppmf_spec import profiles
from ppmf_spec.errors import EncodingError, ParametersError, PeerError, RangeError, StateError
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import CSP, RECSYS
from tests.support.refusals import refusal_of
from tests.support.served import Served, published, served
from tests.support.services import ADDRESSES, EXPIRES, START
from tests.support.sessions import SIGNING

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as made:
        yield made


def row(*stars: int) -> Row:
    return Row(np.arange(len(stars)), np.array(stars))


def coins() -> Coins:
    return Coins.seeded("tests/client")


class Changed(httpx.BaseTransport):
    """A server of which some answers are changed on their way, or requests lost."""

    def __init__(self, inner: httpx.BaseTransport, change: Callable[..., httpx.Response]) -> None:
        self.inner = inner
        self.change = change
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        return self.change(request, self.inner)


def answering(body: bytes, kind: str = "application/cbor", status: int = 200) -> Changed:
    def answer(request: httpx.Request, _: httpx.BaseTransport) -> httpx.Response:
        headers = {"Content-Type": kind}
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

    return Changed(httpx.MockTransport(lambda _: httpx.Response(500)), answer)


@pytest.mark.req("PPMF-API-017")
def test_a_session_is_taken_only_if_both_servers_show_it_alike(servers: Served) -> None:
    session, other = servers.session(), None
    client = servers.client("u1")
    assert client.session(session.id).session == session
    assert client.newest("open").session == session
    other = servers.session(replace(session.proposal, nonce=bytes(15) + b"\1"))
    file = set_up.write(servers.pair.csp.sessions.signed_session(other.id))
    both: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({CSP: answering(file)}, StateError, "different sessions"),
        ({RECSYS: answering(file)}, StateError, "different sessions"),
        ({RECSYS: answering(file), CSP: answering(file)}, StateError, "another one than that"),
        ({RECSYS: answering(b""), CSP: answering(b"")}, EncodingError, "session: byte 0"),
    ]
    for transports, error, text in both:
        ask = partial(servers.client("u1", servers.http(**transports)).session, session.id)
        assert text in refusal_of(ask, error)


@pytest.mark.req("PPMF-API-026")
def test_only_some_sessions_are_looked_at(servers: Served) -> None:
    """Those of others, however many RecSys lists."""
    session = servers.session()
    others = [hashlib.sha256(bytes([number])).hexdigest() for number in range(200)]
    asked: list[str] = []

    def answer(request: httpx.Request, inner: httpx.BaseTransport) -> httpx.Response:
        if request.url.path != "/v1/sessions":
            asked.append(request.url.path)
            return inner.handle_request(request)
        found = [{"id": one, "phase": "open"} for one in (*listed, session.id.hex())]
        body = json.dumps({"format": "ppmf-sessions/1", "sessions": found}).encode()
        return httpx.Response(200, stream=httpx.ByteStream(body))

    client = servers.client("u1", servers.http(recsys=Changed(servers.transport(RECSYS), answer)))
    listed = others[: MOST_LOOKED_AT - 1]
    assert client.newest("open").session == session
    listed = others
    asked.clear()
    with pytest.raises(RangeError, match="no such session"):
        client.newest("open")
    assert len(asked) == MOST_LOOKED_AT


@pytest.mark.req("PPMF-API-026")
def test_sessions_of_others_end_in_a_word_on_how_to_name_ones_own(
    servers: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MOST_LOOKED_AT", 1)
    session = servers.session()
    newer = servers.session(replace(session.proposal, nonce=bytes(15) + b"\1", users=("u2", "u3")))
    assert newer.users == ("u2", "u3")
    with pytest.raises(StateError, match="name yours"):
        servers.client("u1").newest("open")


@contextmanager
def dripping(before: bytes) -> Iterator[str]:
    """The address of a server that begins an answer, and goes on by a byte now and then."""
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    one, _ = server.accept()
                    stack.enter_context(one)
                    one.recv(1 << 16)
                    one.sendall(before)
                    threading.Thread(target=go_on, args=(one,), daemon=True).start()

        def go_on(one: socket.socket) -> None:
            with suppress(OSError):
                while True:
                    one.sendall(b"x")
                    time.sleep(0.02)

        threading.Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.req("PPMF-API-026")
@pytest.mark.parametrize(
    "before", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"]
)
def test_an_answer_that_drips_is_given_up(
    servers: Served, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    monkeypatch.setattr(client_module, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(client_module, "_TRIES", 2)
    with dripping(before) as url, client_module.new_http() as http:
        one = servers.client("u1", http, recsys_url=url)
        with pytest.raises(PeerError, match="RecSys|list of sessions"):
            one.sessions()


@pytest.mark.req("PPMF-API-017")
def test_the_keys_addresses_and_signatures_are_those_of_the_invitation(servers: Served) -> None:
    session = servers.session()
    wrong = servers.client("u1", csp_key=bytes(32))
    assert "another CSP" in refusal_of(lambda: wrong.session(session.id), StateError)
    signed = servers.pair.csp.sessions.signed_session(session.id)
    forged = replace(signed, by_csp=set_up.sign(SIGNING["recsys"], session.id))
    same = answering(set_up.write(forged))
    tried = servers.client("u1", servers.http(recsys=same, csp=same))
    assert "CSP's signature" in refusal_of(lambda: tried.session(session.id), StateError)
    addressed = replace(
        session.proposal, nonce=bytes(15) + b"\2", addresses=("https://a", "https://b")
    )
    elsewhere = servers.session(addressed)
    text = refusal_of(lambda: servers.client("u1").session(elsewhere.id), StateError)
    assert "other addresses" in text
    good = servers.session(replace(session.proposal, nonce=bytes(15) + b"\3"))
    assert servers.client("u1").session(good.id).session == good


@pytest.mark.req("PPMF-API-017")
@pytest.mark.parametrize(
    "addresses",
    [(), ADDRESSES[:1], ADDRESSES[::-1], (*ADDRESSES, "https://c.example"), ADDRESSES[1:]],
)
def test_the_addresses_of_a_session_are_exactly_those_of_the_invitation(
    servers: Served, addresses: tuple[str, ...]
) -> None:
    found = servers.session(
        replace(servers.session().proposal, nonce=bytes(16), addresses=addresses)
    )
    text = refusal_of(lambda: servers.client("u1").session(found.id), StateError)
    assert "other addresses" in text


@pytest.mark.req("PPMF-API-017")
def test_a_session_that_is_not_right_hides_no_other(servers: Served) -> None:
    good = servers.session()
    bad = servers.session(replace(good.proposal, nonce=bytes(15) + b"\4", addresses=()))
    assert servers.client("u1").sessions()[0].id == bad.id
    assert servers.client("u1").newest().session == good
    servers.pair.recsys.sessions.move(good.id, State.ABANDONED, because="given up")
    text = refusal_of(lambda: servers.client("u1").newest("open"), StateError)
    assert "other addresses" in text


def test_an_answer_that_comes_byte_by_byte_is_given_up(servers: Served) -> None:
    clock = servers.pair.clock

    def slowly() -> Iterator[bytes]:
        while True:
            clock.advance(20)
            yield b" "

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=slowly())

    client = servers.client("u1", servers.http(recsys=httpx.MockTransport(answer)))
    before = clock.monotonic()
    assert "takes more than" in refusal_of(client.sessions, PeerError)
    assert clock.monotonic() - before <= ANSWER_SECONDS + 20


@pytest.mark.req("PPMF-API-017")
def test_an_expired_session_gets_no_upload(servers: Served) -> None:
    session, client = servers.session(), servers.client("u1")
    servers.pair.clock.advance(EXPIRES - START)
    made: Callable[[], object] = lambda: client.make(session, 1, row(3), coins())  # noqa: E731
    assert "expired" in refusal_of(made, StateError)


@pytest.mark.req("PPMF-API-017")
def test_an_expired_session_is_not_sent_again_what_it_was_sent(
    servers: Served, tmp_path: Path
) -> None:
    session, client, folder = servers.session(), servers.client("u1"), UserFolder(tmp_path / "u")
    folder.keep(
        Last(
            session.id,
            1,
            made_of(client.invitation, row(3)),
            client.make(session, 1, row(3), coins()),
            acknowledged=False,
        )
    )
    servers.pair.clock.advance(EXPIRES - START)
    again: Callable[[], object] = lambda: submission.submit(  # noqa: E731
        client, folder, session, row(3), coins()
    )
    assert "expired" in refusal_of(again, StateError)


@pytest.mark.req("PPMF-API-018")
def test_no_serial_follows_the_last_one(servers: Served, tmp_path: Path) -> None:
    session = servers.session()
    body = b'{"serial": 18446744073709551615, "digest": null, "withdrawn": false, "admitted": null}'
    client = servers.client("u1", servers.http(recsys=answering(body, "application/json")))
    with pytest.raises(StateError, match="none after it"):
        submission.withdraw(client, UserFolder(tmp_path / "user"), session)


@pytest.mark.req("PPMF-API-001")
@pytest.mark.parametrize(
    "url",
    ["http://example.org", "ftp://127.0.0.1", "https://", "http://127.0.0.1.example.org", "x"],
)
def test_nothing_is_sent_in_the_clear(servers: Served, url: str) -> None:
    with pytest.raises(RangeError, match="address of a server"):
        servers.client("u1", recsys_url=url)
    with pytest.raises(RangeError, match="address of a server"):
        servers.client("u1", csp_url=url)


def test_an_insecure_suite_is_for_trials_alone(servers: Served) -> None:
    session = servers.session()
    proposal = session.proposal
    object.__setattr__(proposal, "trial", False)  # a session that its class would refuse
    client = servers.client("u1")
    text = refusal_of(lambda: client.check(session, session.id), ParametersError)
    assert "protects nothing" in text


@pytest.mark.req("PPMF-API-018")
def test_a_retry_sends_identical_bytes_also_after_a_restart(
    servers: Served, tmp_path: Path
) -> None:
    session = servers.session()
    lost = Changed(servers.transport(RECSYS), _lose_answers_of("PUT"))
    http = servers.http(recsys=lost)
    folder = UserFolder(tmp_path / "user")
    client = servers.client("u1", http)
    text = refusal_of(
        lambda: submission.submit(client, folder, session, row(3, 4), coins()), PeerError
    )
    assert "no answer from 127.0.0.1:8443" in text
    assert servers.pair.recsys.uploads.count(session.id) == 1, "it arrived, only the answer is lost"
    bodies = {one.content for one in lost.requests if one.method == "PUT"}
    assert len(bodies) == 1
    kept = folder.last(session.id)
    assert kept is not None
    assert not kept.acknowledged
    again = submission.submit(
        servers.client("u1"), UserFolder(tmp_path / "user"), session, row(3, 4), Coins.system()
    )
    assert again.before
    assert again.receipt.digest == hashlib.sha256(bodies.pop()).digest()


def test_a_request_that_never_arrived_is_sent_again_as_it_was(
    servers: Served, tmp_path: Path
) -> None:
    session, folder = servers.session(), UserFolder(tmp_path / "user")
    gone = Changed(servers.transport(RECSYS), _lose_requests_of("PUT"))
    client = servers.client("u1", servers.http(recsys=gone))
    with pytest.raises(PeerError):
        submission.submit(client, folder, session, row(3, 4), coins())
    sent = submission.submit(servers.client("u1"), folder, session, row(3, 4), Coins.system())
    assert not sent.before
    assert sent.receipt.digest == hashlib.sha256(gone.requests[-1].content).digest()
    assert sent.receipt.serial == 1


@pytest.mark.req("PPMF-API-018")
def test_two_programs_at_once_use_no_serial_for_two_things(
    servers: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one begins while the first one asks for its receipt, or waits for an answer."""
    session, folder = servers.session(), tmp_path / "user"
    one, other = servers.client("u1"), servers.client("u1")
    asked = one.receipt
    refused: list[str] = []

    def meanwhile(of: Session) -> Receipt | None:
        for call in (
            lambda: submission.submit(other, UserFolder(folder), session, row(4), Coins.system()),
            lambda: submission.withdraw(other, UserFolder(folder), session),
            lambda: UserFolder(folder).forget(),
        ):
            refused.append(refusal_of(call, StateError))
        return asked(of)

    monkeypatch.setattr(one, "receipt", meanwhile)
    assert submission.submit(one, UserFolder(folder), session, row(3), coins()).receipt.serial == 1
    assert len(refused) == 3
    assert all("another program" in line for line in refused)
    assert submission.withdraw(other, UserFolder(folder), session).serial == 2


@pytest.mark.req("PPMF-API-018")
def test_serials_grow_whatever_was_lost(servers: Served, tmp_path: Path) -> None:
    session, client = servers.session(), servers.client("u1")
    folder = UserFolder(tmp_path / "user")

    def submit(*stars: int, into: UserFolder = folder) -> int:
        return submission.submit(client, into, session, row(*stars), Coins.system()).receipt.serial

    assert submit(3) == 1
    assert submit(3) == 1
    assert submit(4) == 2
    assert submit(3) == 3
    assert submission.withdraw(client, folder, session).serial == 4
    assert submission.withdraw(client, folder, session).serial == 4
    assert submit(3) == 5
    other = UserFolder(tmp_path / "another device")
    assert submit(3, into=other) == 6, "what another device sent is replaced"
    assert submit(3) == 7, "and the other way round"
    with pytest.raises(StateError, match="nothing was uploaded"):
        submission.withdraw(servers.client("u2"), UserFolder(tmp_path / "u2"), session)


def test_a_new_code_makes_a_new_upload(servers: Served, tmp_path: Path) -> None:
    session, folder = servers.session(), UserFolder(tmp_path / "user")
    client = servers.client("u1")
    assert submission.submit(client, folder, session, row(3), coins()).receipt.serial == 1
    renewed = servers.client("u1", code=bytes(16))
    assert submission.submit(renewed, folder, session, row(3), coins()).receipt.serial == 2


def test_the_folder_is_private_and_forgets(servers: Served, tmp_path: Path) -> None:
    folder = UserFolder(tmp_path / "user")
    assert folder.path.stat().st_mode & 0o777 == 0o700
    invitation = servers.invitation("u1")
    folder.keep_invitation(invitation)
    assert folder.invitation() == invitation
    folder.keep_invitation(servers.invitation("u1", code=bytes(16)))
    with pytest.raises(StateError, match="belongs to another invitation"):
        folder.keep_invitation(servers.invitation("u2"))
    session = servers.session()
    submission.submit(servers.client("u1"), folder, session, row(3), coins())
    (kept,) = folder.path.glob("upload-*")
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_bytes(kept.read_bytes()[:-1])
    with pytest.raises(EncodingError, match="upload-"):
        folder.last(session.id)
    folder.forget()
    assert not folder.path.exists()


def test_profiles_are_checked_against_the_session(servers: Served) -> None:
    session, client = servers.session(), servers.client("u1")
    with pytest.raises(StateError, match="not there yet"):
        client.profiles(session)
    params = session.parameters
    shape = (len(session.items), params.rank)
    bias = np.zeros(shape[0], dtype=np.int64) if params.bias else None
    found = ItemProfiles.of(session.items, np.ones(shape, dtype=np.int64), bias, params)
    published(servers, session, profiles.dumps(found).encode())
    assert client.profiles(session)[0] == found
    other = ItemProfiles.of(
        ("a",),
        np.ones((1, params.rank), dtype=np.int64),
        None if bias is None else bias[:1],
        params,
    )
    for body, error in (
        (profiles.dumps(other).encode(), RangeError),
        (b"{}", EncodingError),
        (b"\xff", EncodingError),
        (b" " * (1 << 20), EncodingError),
    ):
        tried = servers.client("u1", servers.http(recsys=answering(body, "application/json")))
        with pytest.raises(error, match="item profiles"):
            tried.profiles(session)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 5000,
        b'{"serial": true}',
        b'{"serial": 1, "digest": "x", "withdrawn": false, "admitted": null}',
        b'{"serial": 1, "digest": null, "withdrawn": 0, "admitted": null}',
        b'{"serial": 1, "digest": null, "withdrawn": false, "admitted": 1}',
        b'{"serial": 0, "digest": null, "withdrawn": true, "admitted": null}',
        b'{"serial": 18446744073709551616, "digest": null, "withdrawn": true, "admitted": null}',
        b" " * 100_000,
    ],
)
def test_a_server_that_answers_nonsense_is_refused(servers: Served, body: bytes) -> None:
    session = servers.session()
    client = servers.client("u1", servers.http(recsys=answering(body, "application/json")))
    for call in (
        lambda: client.receipt(session),
        lambda: client.status(session.id),
        client.sessions,
    ):
        with pytest.raises(EncodingError):
            call()


def test_a_refusal_has_the_class_that_the_server_names_and_no_control_characters(
    servers: Served,
) -> None:
    body = b'{"class": "range", "detail": "\\u001b[2Jhello \\u00e4"}'
    kind = "application/problem+json"
    client = servers.client("u1", servers.http(recsys=answering(body, kind, 409)))
    assert refusal_of(client.sessions, RangeError).isprintable()
    for answer in (answering(body, "text/html", 409), answering(b"{", kind, 409)):
        tried = servers.client("u1", servers.http(recsys=answer))
        assert "answered 409" in refusal_of(tried.sessions, PeerError)


def test_a_busy_server_is_asked_again_when_it_says(servers: Served) -> None:
    servers.session()
    refused = 3

    def busy(request: httpx.Request, inner: httpx.BaseTransport) -> httpx.Response:
        nonlocal refused
        if refused:
            refused -= 1
            return httpx.Response(429, headers={"Retry-After": "7"}, stream=httpx.ByteStream(b""))
        return inner.handle_request(request)

    client = servers.client("u1", servers.http(recsys=Changed(servers.transport(RECSYS), busy)))
    before = servers.pair.clock.monotonic()
    assert client.sessions()
    assert servers.pair.clock.monotonic() - before >= 3 * 7


def _lose_answers_of(method: str) -> Callable[..., httpx.Response]:
    def lose(request: httpx.Request, inner: httpx.BaseTransport) -> httpx.Response:
        answer = inner.handle_request(request)
        if request.method == method:
            raise httpx.ReadError("lost", request=request)
        return answer

    return lose


def _lose_requests_of(method: str) -> Callable[..., httpx.Response]:
    def lose(request: httpx.Request, inner: httpx.BaseTransport) -> httpx.Response:
        if request.method == method:
            raise httpx.ConnectError("lost", request=request)
        return inner.handle_request(request)

    return lose

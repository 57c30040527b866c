# SPDX-License-Identifier: Apache-2.0
"""The interface on real sockets: what a client may do to it, and the operator's address."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ppmf_service import clock_watch, keys
from ppmf_service.api import server
from ppmf_service.measures import Measures
from ppmf_spec.errors import PeerError
from ppmf_spec.roles import RECSYS
from tests.support.api_server import listening, with_certificate
from tests.support.served import CBOR, bearer, config_of
from tests.support.services import Pair, message, opened, pair
from tests.support.sessions import SIGNING

Ports = Mapping[str, int]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Pair]:
    made = pair(tmp_path)
    yield made
    made.close()


@pytest.fixture
def ports(servers: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ports]:
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.5)
    config = config_of(RECSYS, tmp_path / "recsys")
    with listening(config, servers.recsys.database, servers.clock) as found:
        yield found


def connection(ports: Ports) -> socket.socket:
    return socket.create_connection(("127.0.0.1", ports["api"]), timeout=20)


def rest_of(one: socket.socket) -> bytes:
    found = b""
    while piece := one.recv(1 << 16):
        found += piece
    return found


def test_an_upload_over_a_socket(servers: Pair, ports: Ports) -> None:
    session = opened(servers)
    row = f"http://127.0.0.1:{ports['api']}/v1/sessions/{session.id.hex()}/uploads/0"
    headers = {**CBOR, **bearer(servers.tokens["u1"])}
    data = message(servers, session, 0)
    with httpx.Client(trust_env=False) as http:
        answers = [http.put(row, content=data, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 200]
        assert "server" not in answers[0].headers
        pieces = (data[at : at + 10] for at in range(0, len(data), 10))
        assert http.put(row, content=pieces, headers=headers).status_code == 200


@pytest.mark.req("PPMF-API-007")
def test_a_body_that_is_too_long_is_not_waited_for(servers: Pair, ports: Ports) -> None:
    session = opened(servers)
    head = (
        f"PUT /v1/sessions/{session.id.hex()}/uploads/0 HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {servers.tokens['u1']}\r\nContent-Type: application/cbor\r\n"
    )
    with connection(ports) as one:
        one.sendall(head.encode() + b"Content-Length: 1000000000000\r\n\r\n")
        assert rest_of(one).startswith(b"HTTP/1.1 413 ")
    with connection(ports) as one:
        one.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        one.sendall(b"1000\r\n" + bytes(4096) + b"\r\n")
        assert rest_of(one).startswith(b"HTTP/1.1 413 ")
    with connection(ports) as one:  # with a wrong token not even the length matters
        one.sendall(
            head.replace("Bearer ", "Bearer x").encode() + b"Content-Length: 1000000000000\r\n\r\n"
        )
        assert rest_of(one).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_connection_that_sends_no_whole_request_is_closed(ports: Ports, sent: bytes) -> None:
    with connection(ports) as one:
        one.sendall(sent)
        assert closed_while_it_sends(one, b"x" if sent else b"")


def test_a_second_request_has_to_come_whole_too(ports: Ports) -> None:
    with connection(ports) as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        one.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        assert closed_while_it_sends(one, b"x")


def web_certificate(folder: Path) -> tuple[Path, Path]:
    """The files of a certificate for HTTPS, and of its key."""
    files = folder / "web.pem", folder / "web.key"
    for path, pem in zip(files, keys.link_certificate(SIGNING["recsys"]), strict=True):
        path.write_bytes(pem)
    return files


@pytest.mark.req("PPMF-API-001")
def test_an_upload_over_https(servers: Pair, tmp_path: Path) -> None:
    session = opened(servers)
    files = web_certificate(tmp_path)
    config = with_certificate(config_of(RECSYS, tmp_path / "recsys"), *files)
    with listening(config, servers.recsys.database, servers.clock) as ports:
        trusted = ssl.create_default_context(cafile=str(files[0]))
        trusted.check_hostname = False
        with httpx.Client(trust_env=False, verify=trusted) as http:
            row = f"https://127.0.0.1:{ports['api']}/v1/sessions/{session.id.hex()}/uploads/0"
            headers = {**CBOR, **bearer(servers.tokens["u1"])}
            answer = http.put(row, content=message(servers, session, 0), headers=headers)
            assert answer.status_code == 201
        with httpx.Client(trust_env=False) as http, pytest.raises(httpx.TransportError):
            http.get(row, headers=headers)


@pytest.mark.req("PPMF-API-022")
@pytest.mark.parametrize(
    "path", ["/healthz", "/v1/sessions", "{at}", "{at}/status", "{at}/profiles", "{at}/uploads/0"]
)
def test_the_head_of_an_answer_is_that_of_the_answer(
    servers: Pair, ports: Ports, path: str
) -> None:
    session = opened(servers)
    url = f"http://127.0.0.1:{ports['api']}{path.format(at=f'/v1/sessions/{session.id.hex()}')}"
    with httpx.Client(trust_env=False, headers=bearer(servers.tokens["u1"])) as http:
        whole, head = http.get(url), http.head(url)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    changing = {"date"}
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in whole.headers.items() if k not in changing
    }


@pytest.mark.req("PPMF-API-021")
@pytest.mark.parametrize("named", [None, "unknown", "", "127.0.0.1"])
def test_a_proxy_that_names_nobody_locks_nobody_out(
    servers: Pair, tmp_path: Path, named: str | None
) -> None:
    session = opened(servers)
    config = config_of(RECSYS, tmp_path / "recsys")
    config = replace(config, api=replace(config.api, proxy="127.0.0.1"))
    more = {} if named is None else {"X-Forwarded-For": named}
    with (
        listening(config, servers.recsys.database, servers.clock) as ports,
        httpx.Client(trust_env=False) as http,
    ):
        row = f"http://127.0.0.1:{ports['api']}/v1/sessions/{session.id.hex()}/uploads/0"
        for _ in range(25):
            assert http.get(row, headers={**more, **bearer("A" * 43)}).status_code == 401
        assert http.get(row, headers={**more, **bearer(servers.tokens["u1"])}).status_code == 404


@pytest.mark.req("PPMF-API-009")
@pytest.mark.parametrize("proxy", ["127.0.0.1", "192.0.2.1", ""])
def test_users_behind_a_proxy_are_told_apart_only_if_the_proxy_is_known(
    servers: Pair, tmp_path: Path, proxy: str
) -> None:
    session = opened(servers)
    config = config_of(RECSYS, tmp_path / "recsys")
    config = replace(config, api=replace(config.api, proxy=proxy))
    with (
        listening(config, servers.recsys.database, servers.clock) as ports,
        httpx.Client(trust_env=False) as http,
    ):
        row = f"http://127.0.0.1:{ports['api']}/v1/sessions/{session.id.hex()}/uploads/0"
        for _ in range(20):
            http.get(row, headers={"X-Forwarded-For": "198.51.100.7", **bearer("A" * 43)})
        right = bearer(servers.tokens["u1"])
        other = http.get(row, headers={"X-Forwarded-For": "203.0.113.9", **right})
        assert other.status_code == (404 if proxy == "127.0.0.1" else 429)


def closed_while_it_sends(one: socket.socket, more: bytes) -> bool:
    """Whether the server closes a connection on which a byte comes now and then."""
    one.settimeout(0.1)
    for _ in range(200):
        try:
            one.sendall(more)
            if one.recv(1) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def test_headers_are_bounded(ports: Ports) -> None:
    with connection(ports) as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
        with suppress(OSError):  # it is closed before all is sent
            for _ in range(100):
                one.sendall(b"y" * 10_000)
            assert rest_of(one).startswith(b"HTTP/1.1 400 ")


@pytest.mark.req("PPMF-API-019")
def test_the_operators_address_is_another_one(servers: Pair, ports: Ports) -> None:
    session = opened(servers)
    servers.recsys.sessions.note_error(session.id, PeerError("csp cannot be reached"))
    Measures(servers.recsys.database).link(up=False)
    clock_watch.confirm(servers.recsys.database)
    with httpx.Client(trust_env=False) as http:
        users, operator = (f"http://127.0.0.1:{ports[name]}" for name in ("api", "monitoring"))
        assert http.get(operator + "/readyz").text == "ready\n"
        http.get(users + "/healthz")
        http.get(users + "/v1/sessions/" + "7" * 64)
        text = http.get(operator + "/metrics").text
        for path in ("/metrics", "/readyz"):
            assert http.get(users + path).status_code == 404
        assert http.get(operator + "/healthz").status_code == 404
    assert 'ppmf_sessions{state="open"} 1.0' in text
    assert "ppmf_sessions_in_trouble 1.0" in text
    assert "ppmf_link_up 0.0" in text
    assert "ppmf_clock_in_doubt 0.0" in text
    assert "ppmf_disk_free_bytes " in text
    assert 'ppmf_http_requests_total{method="GET",route="/healthz",status="200"} 1.0' in text
    assert 'route="/v1/sessions/{session}",status="404"' in text
    assert "7777" not in text, "no path is a label"


def test_a_database_that_cannot_be_read_is_not_ready(
    servers: Pair, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OSError(5, "gone")

    monkeypatch.setattr("ppmf_service.database.Database.rows", gone)
    with httpx.Client(trust_env=False) as http:
        assert http.get(f"http://127.0.0.1:{ports['monitoring']}/readyz").status_code == 503


def test_an_address_that_is_taken_is_one_clear_error(servers: Pair, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = config_of(RECSYS, tmp_path / "recsys", taken.getsockname()[1])
        with (
            pytest.raises(OSError, match="cannot be had"),
            listening(config, servers.recsys.database, servers.clock),
        ):
            pass


@pytest.mark.req("PPMF-API-008")
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_client_that_does_not_read_its_answers_is_given_up(
    servers: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encrypted: bool
) -> None:
    monkeypatch.setattr(server, "STALL_SECONDS", 0.5)
    session = opened(servers)
    asked = f"GET /v1/sessions/{session.id.hex()} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 1000
    config = config_of(RECSYS, tmp_path / "recsys")
    if encrypted:
        config = with_certificate(config, *web_certificate(tmp_path))
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    with listening(config, servers.recsys.database, servers.clock) as ports, ExitStack() as stack:
        one = stack.enter_context(connection(ports))
        if encrypted:
            one = stack.enter_context(blind.wrap_socket(one))
        one.settimeout(10)
        with pytest.raises((ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)):
            send_on(one, asked)


def send_on(one: socket.socket, data: bytes) -> None:
    """Send the same, and read nothing, until the connection ends."""
    while True:
        one.sendall(data)


def test_a_body_that_nobody_reads_has_to_come_in_time_too(ports: Ports) -> None:
    with connection(ports) as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert one.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        assert closed_while_it_sends(one, b"x")


@pytest.mark.req("PPMF-API-008")
def test_no_user_takes_the_room_of_all_by_slow_uploads(servers: Pair, ports: Ports) -> None:
    session = opened(servers)
    head = (
        f"PUT /v1/sessions/{session.id.hex()}/uploads/0 HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {servers.tokens['u1']}\r\nContent-Type: application/cbor\r\n"
        "Content-Length: 100\r\n\r\n"
    )
    with ExitStack() as stack:
        found = [stack.enter_context(connection(ports)) for _ in range(5)]
        for one in found:
            one.sendall(head.encode())
        answered, _, _ = select.select(found, [], [], 20)
        assert len(answered) == 1
        answer = answered[0].recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: " in answer.lower()
    data = message(servers, session, 0)
    row = f"http://127.0.0.1:{ports['api']}/v1/sessions/{session.id.hex()}/uploads/0"
    headers = {**CBOR, **bearer(servers.tokens["u1"])}
    codes = (
        httpx.put(row, content=data, headers=headers, trust_env=False).status_code
        for _ in range(100)  # until the server has noticed that the others are gone
    )
    assert next(code for code in codes if code != 429) == 201

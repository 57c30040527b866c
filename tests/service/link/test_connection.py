# SPDX-License-Identifier: Apache-2.0
"""The link over TLS on loopback: who may use it, how it is found again, and a training over it."""

from __future__ import annotations

import multiprocessing
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from ppmf_reference import fixed
from ppmf_secure.link import frames
from ppmf_secure.link.frames import Direction
from ppmf_secure.link.messages import Messages
from ppmf_secure.link.streams import WINDOW, Streams
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Session
from ppmf_service.link import connection
from ppmf_service.link.connection import Timing, TlsLink
from ppmf_service.link.tls import Identity, check_peer, context
from ppmf_spec.errors import StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Role
from ppmf_spec.wire import Bulk
from tests.support.link_identities import identities
from tests.support.linked_servers import STREAM, keep_uploads, server
from tests.support.ratings import ratings_of
from tests.support.sessions import session_of

QUICK = Timing(greeting=5.0, ping=0.05, silence=20.0, pause=(0.01, 0.05))
PATIENCE = 60.0
"""The seconds after which a test gives up; nothing is expected to take as long."""


class Pair:
    """Two links in one process, and what they told of trouble."""

    def __init__(
        self, known: dict[Role, Identity], timing: Timing | dict[Role, Timing] = QUICK
    ) -> None:
        self.trouble: dict[Role, list[str]] = {RECSYS: [], CSP: []}
        self.links: dict[Role, TlsLink] = {}
        self.known = known
        self.timing = timing if isinstance(timing, dict) else dict.fromkeys(known, timing)
        self.port = 0

    def start(self, role: Role) -> TlsLink:
        link = self.links[role] = TlsLink(
            role,
            ("127.0.0.1", self.port),
            self.known[role],
            Coins.system(),
            timing=self.timing[role],
            on_trouble=self.trouble[role].append,
        )
        link.start()
        if role is CSP:
            self.port = link.port
        return link


@contextmanager
def started(
    known: dict[Role, Identity], timing: Timing | dict[Role, Timing] = QUICK
) -> Iterator[Pair]:
    pair = Pair(known, timing)
    try:
        for role in (CSP, RECSYS):
            pair.start(role)
        yield pair
    finally:
        for link in pair.links.values():
            link.close()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


def both_connected(pair: Pair) -> None:
    until(lambda: all(link.connected for link in pair.links.values()))


def next_message(link: TlsLink, messages: Messages) -> bytes:
    end = time.monotonic() + PATIENCE
    while (found := messages.receive(None)) is None:
        assert time.monotonic() < end, "no message came"
        link.wait(0.1, messages.stream)
    return bytes(found)


@pytest.mark.req("PPMF-LNK-002", "PPMF-LNK-007")
def test_messages_pass_both_ways_though_the_connections_are_cut() -> None:
    with started(identities()) as pair:
        both_connected(pair)
        links = pair.links
        both = {role: Messages(link, link.open(1)) for role, link in links.items()}
        large = bytes(range(256)) * (3 * WINDOW // 256)
        sender = threading.Thread(target=lambda: both[CSP].send([b"large", large]))
        sender.start()
        for number in range(5):
            both[RECSYS].send([b"%d" % number])
            assert next_message(links[CSP], both[CSP]) == b"%d" % number
            links[(RECSYS, CSP)[number % 2]].cut()
        assert next_message(links[RECSYS], both[RECSYS]) == b"large" + large
        sender.join()
        assert pair.trouble[RECSYS]
        assert links[RECSYS].generation == links[CSP].generation == 1


@pytest.mark.req("PPMF-LNK-007", "PPMF-LNK-019")
def test_a_connection_that_has_carried_its_records_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most, written = 200, list[int]()
    known: WeakKeyDictionary[ssl.SSLSocket, int] = WeakKeyDictionary()
    write = connection._write

    def counted(end: ssl.SSLSocket, frame: Sequence[Bulk]) -> None:
        if end not in known:
            known[end] = len(written)
            written.append(0)
        written[known[end]] += connection._most_records(frame)
        write(end, frame)

    monkeypatch.setattr(connection, "MOST_RECORDS", most)
    monkeypatch.setattr(connection, "_write", counted)
    with started(identities()) as pair:
        both_connected(pair)
        both = {role: Messages(link, link.open(1)) for role, link in pair.links.items()}
        large = bytes(range(256)) * (1 << 15)
        both[CSP].send([b"large", large])
        assert next_message(pair.links[RECSYS], both[RECSYS]) == b"large" + large
        assert pair.links[RECSYS].generation == pair.links[CSP].generation == 1
    records = len(large) >> 14
    assert len(written) > records // most
    longest = connection._most_records([bytes(17), bytes(frames.MOST_DATA)])
    assert max(written) <= most + longest


@pytest.mark.req("PPMF-LNK-008")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_server_that_starts_anew_is_found_again(role: Role) -> None:
    with started(identities()) as pair:
        both_connected(pair)
        other = pair.links[role.peer]
        stream = other.open(3)
        pair.links[role].close()
        pair.start(role)
        until(lambda: other.generation == 2)
        both_connected(pair)
        assert stream.lost is not None


@pytest.mark.req("PPMF-LNK-012")
def test_a_peer_that_is_silent_is_given_up_and_found_again() -> None:
    timing = {
        RECSYS: Timing(ping=0.05, silence=0.3, pause=(0.01, 0.05)),
        CSP: Timing(ping=PATIENCE),
    }
    with started(identities(), timing) as pair:
        both_connected(pair)
        before = pair.links[RECSYS]._pair
        until(lambda: pair.links[RECSYS]._pair not in (None, before))
        assert any("nothing was heard" in line for line in pair.trouble[RECSYS])
        assert pair.links[RECSYS].generation == 1


def mistaken() -> dict[str, tuple[Role, dict[Role, Identity]]]:
    ours, theirs = identities(), identities("others")
    mixed = Identity(theirs[RECSYS].certificate, theirs[RECSYS].key, ours[RECSYS].peer)
    fooled = Identity(ours[RECSYS].certificate, ours[RECSYS].key, theirs[CSP].certificate)
    return {
        "RecSys has another certificate": (CSP, {CSP: ours[CSP], RECSYS: mixed}),
        "CSP has another certificate": (RECSYS, {CSP: ours[CSP], RECSYS: fooled}),
    }


@pytest.mark.req("PPMF-LNK-001")
@pytest.mark.parametrize("case", mistaken())
def test_a_server_with_another_certificate_is_refused(case: str) -> None:
    role, known = mistaken()[case]
    with started(known) as pair:
        until(lambda: pair.trouble[role])
        assert "certificate" in pair.trouble[role][0] or "ALERT" in pair.trouble[role][0].upper()
        until(lambda: pair.trouble[role.peer])
        assert not any(link.connected for link in pair.links.values())


@pytest.mark.req("PPMF-LNK-001")
def test_nobody_is_let_in_without_a_certificate_or_by_an_older_tls() -> None:
    known = identities()
    pair = Pair(known)
    link = pair.start(CSP)
    try:
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        nobody.check_hostname, nobody.verify_mode = False, ssl.CERT_NONE
        older = context(known[RECSYS], Coins.system(), server=False)
        older.minimum_version, older.maximum_version = (ssl.TLSVersion.TLSv1_2,) * 2
        for made in (nobody, older):
            plain = socket.create_connection(("127.0.0.1", link.port))
            with pytest.raises(OSError, match="."), plain, made.wrap_socket(plain) as end:
                end.recv(1)
        until(lambda: len(pair.trouble[CSP]) == 2)
    finally:
        link.close()


@pytest.mark.req("PPMF-LNK-001", "PPMF-LNK-003")
def test_a_peer_that_says_something_else_first_is_let_go() -> None:
    known = identities()
    pair = Pair(known)
    link = pair.start(CSP)

    def told(line: str) -> bool:
        return any(line in text for text in pair.trouble[CSP])

    try:
        for first, line in (
            (frames.ping(), "begins with a hello"),
            (b"\xff" * 17, "kind 255"),
            (b"", "before a hello"),
        ):
            dialled = context(known[RECSYS], Coins.system(), server=False)
            plain = socket.create_connection(("127.0.0.1", link.port))
            with plain, dialled.wrap_socket(plain) as end:
                end.sendall(first)
            until(partial(told, line))
        assert not link.connected
    finally:
        link.close()


HELLO = frames.Hello(RECSYS, Direction.UP, bytes(16), b"", bytes(16), ((0, 0, 1 << 20),))


@pytest.mark.req("PPMF-LNK-003")
@pytest.mark.parametrize(
    "other",
    [
        {"incarnation": bytes(15) + b"\x01"},
        {"peer": bytes(16)},
        {"streams": ((0, 0, 1 << 19),)},
        {"streams": ((0, 0, 1 << 20), (1, 0, 1))},
    ],
    ids=["incarnation", "peer", "limit", "streams"],
)
def test_two_hellos_of_a_pair_that_differ_are_refused(other: dict[str, Any]) -> None:
    known = identities()
    pair = Pair(known)
    link = pair.start(CSP)
    with ExitStack() as stack:
        stack.callback(link.close)
        for said in (HELLO, replace(HELLO, direction=Direction.DOWN, **other)):
            dialled = context(known[RECSYS], Coins.system(), server=False)
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", link.port)))
            stack.enter_context(dialled.wrap_socket(plain)).sendall(frames.hello(said))
        until(lambda: pair.trouble[CSP])
    assert pair.trouble[CSP] == ["link: two hellos of one pair that differ"]


@pytest.mark.req("PPMF-LNK-003")
def test_both_hellos_are_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may open a stream while its server dials."""
    said = Streams.hello

    def changing(streams: Streams, *given: Any, **more: Any) -> frames.Hello:
        found = said(streams, *given, **more)
        if streams.me is RECSYS:
            streams.open(10 + len(streams._streams))
        return found

    monkeypatch.setattr(Streams, "hello", changing)
    with started(identities()) as pair:
        both_connected(pair)
        assert pair.trouble == {RECSYS: [], CSP: []}


@pytest.mark.req("PPMF-LNK-001")
def test_others_who_only_connect_do_not_keep_the_peer_out() -> None:
    pair = Pair(identities(), replace(QUICK, greeting=60.0))
    link = pair.start(CSP)
    with ExitStack() as stack:
        stack.callback(link.close)
        for _ in range(40):
            other = socket.create_connection(
                ("127.0.0.1", link.port), source_address=("127.0.0.2", 0)
            )
            stack.enter_context(other)
        stack.callback(pair.start(RECSYS).close)
        both_connected(pair)


@pytest.mark.req("PPMF-SRV-003")
def test_the_dates_of_a_certificate_mean_nothing() -> None:
    with started(identities(ends=1999)) as pair:
        both_connected(pair)


@pytest.mark.req("PPMF-LNK-002")
def test_an_address_that_is_in_use_is_an_error_at_once() -> None:
    known = identities()
    link = TlsLink(CSP, ("127.0.0.1", 0), known[CSP], Coins.system())
    link.start()
    try:
        with pytest.raises(OSError, match="in use"):
            TlsLink(CSP, ("127.0.0.1", link.port), known[CSP], Coins.system()).start()
    finally:
        link.close()


RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
PARAMETERS = Parameters(rank=2, iterations=2)
SUITE = "paillier-512-insecure"
SESSION = session_of(PARAMETERS, RATINGS.users, RATINGS.items, SUITE)


def serve(
    role: Role, session: Session, folder: Path, port: int, known: Identity, control: Connection
) -> None:
    """The main function of a server's process: one epoch over TLS."""
    link = TlsLink(role, ("127.0.0.1", port), known, Coins.system(), timing=QUICK)
    link.start()
    if role is CSP:
        control.send(link.port)
    until(lambda: link.connected)
    stream = link.open(STREAM)
    driver = server(
        role, session, cipher_suite(session.suite), folder, link, stream, Coins.system()
    )
    result: Any = driver.complete()
    link.finish(stream)
    until(lambda: stream.drained)
    control.send(result)
    control.recv()
    link.close()


@pytest.mark.req("PPMF-LNK-002", "PPMF-LNK-011")
def test_two_processes_train_over_tls_as_the_oracle_does(tmp_path: Path) -> None:
    keep_uploads(SESSION, cipher_suite(SUITE), RATINGS, tmp_path / "kept")
    known, results, port = identities(), {}, 0
    spawn = multiprocessing.get_context("spawn")
    processes, controls = [], {}
    for role in (CSP, RECSYS):
        controls[role], theirs = spawn.Pipe()
        arguments = (role, SESSION, tmp_path / "kept", port, known[role], theirs)
        process = spawn.Process(target=serve, args=arguments, daemon=True)
        process.start()
        theirs.close()
        processes.append(process)
        port = port or controls[role].recv()
    for role, control in controls.items():
        results[role] = control.recv()
    for control in controls.values():
        control.send("end")
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    assert results[RECSYS] == fixed.train(RATINGS, PARAMETERS)


def test_the_repr_of_an_identity_shows_no_key() -> None:
    assert "PRIVATE" not in repr(identities()[CSP])


@pytest.mark.req("PPMF-LNK-001")
def test_check_peer_refuses_a_certificate_that_is_not_the_pinned_one() -> None:
    """The library would accept what the pinned certificate signed; the link does not."""

    class End:
        def version(self) -> str:
            return "TLSv1.3"

        def getpeercert(self, binary_form: bool) -> bytes:
            return b"another one"

    with pytest.raises(StateError, match="not the one of the configuration"):
        check_peer(End(), identities()[CSP])  # type: ignore[arg-type]

# SPDX-License-Identifier: Apache-2.0
"""All that servers tell anybody during whole runs, searched for everything that nobody may know.

Secret is every byte that was drawn, sent or kept in the runs, but for what the files of the
sessions publish: shares, keys, seeds and masks are among them. Besides: tokens, codes, what is made
of them, uploads and their digests, and who rated what. Told is what is logged, counted and
answered, what the operators' commands print with and without --json, reports, and exceptions.
"""

from __future__ import annotations

import base64
import io
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anyio.from_thread import start_blocking_portal
from httpx import Client

from ppmf import main, serving
from ppmf.commands import status
from ppmf_secure.arrays import Bytes
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.upload import keystream, open_seal, plain_bits, user_rows
from ppmf_secure.session.enrolment import consent_key, read_token, token_digest, write_code
from ppmf_service.api.csp_api import csp_app
from ppmf_service.api.metrics import Metrics
from ppmf_service.api.server import monitoring_app
from ppmf_service.api.users_api import users_app
from ppmf_service.logs import Log
from ppmf_service.states import State
from ppmf_service.storage import Storage, opened
from ppmf_service.uploads import read_upload, upload_digest
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.service.test_whole_runs import of_ratings
from tests.support.engines import World
from tests.support.ratings import ratings_of
from tests.support.served import AppTransport
from tests.support.sessions import SIGNING
from tests.support.tellings import Secrets

COMMANDS = (
    ["-v", "status", "--all"],
    ["status", "--all", "--json"],
    ["session", "list"],
    ["session", "list", "--json"],
    ["session", "show", "{key}"],
    ["session", "show", "{key}", "--json"],
    ["report", "{key}"],
    ["report", "{key}", "--json"],
    ["enrol", "list"],
    ["enrol", "list", "--json"],
)
"""What the operator of either server looks at."""

PATHS = ("", "/{id}/status", "/{id}/uploads/0", "/{id}/uploads/7", "/{id}/nothing")
"""What everybody may ask below /v1/sessions, but for what is published."""

STATES = (State.OPEN, State.CLOSED, State.TRAINING, State.FINISHED)


@dataclass
class Listener:
    """What two servers told, by where, and what is secret of it."""

    world: World
    capsys: pytest.CaptureFixture[str]
    told: dict[str, list[str]] = field(default_factory=dict)
    drawn: list[bytes] = field(default_factory=list)
    secrets: list[bytes] = field(default_factory=list)
    letters: set[str] = field(default_factory=set)
    files: list[bytes] = field(default_factory=list)

    def tell(self, where: str, text: str) -> None:
        self.told.setdefault(where, []).append(text)

    def enrolled(self) -> None:
        """Note what the users have, and what the servers keep of it."""
        servers = self.world.servers
        for user, token in servers.tokens.items():
            code = servers.codes[user]
            self.letters |= {token, write_code(code), write_code(code)[:13]}
            self.secrets += [read_token(token), token_digest(token), code, consent_key(code)]
        for key in SIGNING.values():
            self.secrets.append(key.private_numbers().private_value.to_bytes(32, "big"))

    def uploaded(self, key: bytes) -> None:
        """Note the secrets of a session: RecSys' and CSP's, before they are erased."""
        session = self.world.session(key)
        sessions = self.world.server(CSP).sessions
        sealing = sessions.sealing_key(key)
        self.secrets.append(sealing.secret_bytes())
        for row in range(len(session.users)):
            found = self.world.server(RECSYS).database.row(
                "SELECT message FROM uploads WHERE row = ? AND session = ?",
                (row, self.world.row(RECSYS, key).number),
            )
            if found is None:
                continue
            message = read_upload(session, found[0])
            masked = bytes(message.masked)
            seed, consent = open_seal(session, message.user, sealing, message.sealed)
            self.secrets += [found[0], upload_digest(found[0]), masked, message.sealed[33:], seed]
            self.secrets += [consent, keystream(session, message.user, seed)]
        self.secrets += [plain_bits(session, row) for _, row in user_rows(self.world.ratings)]

    def published(self, key: bytes) -> None:
        """Note what may be told of a session: its file, and ids and digests that are public."""
        for role in (RECSYS, CSP):
            sessions = self.world.server(role).sessions
            self.files.append(sessions.file(key))
            for row in sessions.all():
                self.files += [one for one in (row.id, row.proposed, row.profiles_digest) if one]

    def kept(self, key: bytes) -> None:
        """Note the shares that the servers keep for later epochs."""
        for role in (RECSYS, CSP):
            folder = self.world.configs[role].session_folder(key)
            self.secrets += [path.read_bytes() for path in folder.rglob("*") if path.is_file()]

    def look(self, key: bytes) -> None:
        """Ask both servers, as everybody and as the operators do."""
        for role in (RECSYS, CSP):
            for command in COMMANDS:
                words = [word.format(key=key.hex()) for word in command]
                self.capsys.readouterr()
                assert main.main([*words, "--config", str(role)]) in (0, 1)
                found = self.capsys.readouterr()
                self.tell(f"ppmf {' '.join(command)}", found.out + found.err)
            for path in self.world.configs[role].reports_folder.glob("*"):
                self.tell("reports", path.read_text())

    def ask(self, key: bytes) -> None:
        """Ask both servers, as everybody does, and for their counts."""
        with start_blocking_portal() as portal:
            for role in (RECSYS, CSP):
                config, database = self.world.configs[role], self.world.server(role).database
                counts = Metrics()
                make = users_app if role is RECSYS else csp_app
                users = make(config, database, self.world.clock, counts)
                operator = monitoring_app(database, counts)
                with Client(transport=AppTransport(users, portal)) as http:
                    for path in PATHS:
                        url = f"http://127.0.0.1/v1/sessions{path}".format(id=key.hex())
                        token = self.world.servers.tokens["u1"]
                        for headers in ({}, {"Authorization": f"Bearer {token}"}):
                            answer = http.request("GET", url, headers=headers)
                            if answer.status_code != 200 or "uploads" not in path:
                                self.tell("answers", f"{answer.headers}\n{answer.text}")
                with Client(transport=AppTransport(operator, portal)) as http:
                    for path in ("/metrics", "/readyz"):
                        self.tell("counts", http.get(f"http://127.0.0.1{path}").text)

    def until(self, key: bytes, state: State) -> None:
        """Wait for a state of a session at RecSys."""
        self.world.until(lambda: self.world.row(RECSYS, key).state is state)

    def logs(self) -> None:
        """What the engines logged, as it stands in their log, and every error of it as a whole."""
        for role in (RECSYS, CSP):
            stream = io.StringIO()
            log = Log(stream, least=logging.DEBUG)
            for name, members in self.world.logged[role]:
                log.event(name, **members)
                for error in members.values():
                    if isinstance(error, BaseException):
                        self.tell("exceptions", whole(error))
            self.tell("log", stream.getvalue())
            for row in self.world.server(role).sessions.all():
                self.tell("rows", repr(row))
                self.tell("rows", repr(self.world.server(role).sessions.events(row.key)))

    def all(self) -> Secrets:
        """All that is secret."""
        return Secrets((*self.drawn, *self.secrets), self.files)


def whole(error: BaseException) -> str:
    """An exception with its cause, as Python shows it with all its members."""
    shown = traceback.format_exception(error)
    chain: BaseException | None = error
    while chain is not None:
        shown.append(f"{chain!r} {chain.args!r} {getattr(chain, '__notes__', '')}")
        chain = chain.__cause__ or chain.__context__
    return "".join(shown)


@contextmanager
def listening(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, items: int
) -> Iterator[Listener]:
    """Two servers of which all is noted that they draw and send."""
    cells = {(row, at): (row * at) % 8 - 4 for row in range(3) for at in range(row, items, 2 + row)}
    ratings = ratings_of(3, items, cells)
    ratings = replace(ratings, items=tuple(f"movie-7391-{at:03}" for at in range(items)))
    world = World(folder, ratings=ratings)
    found = Listener(world, capsys)
    draw, pieces = Coins.draw, wire.pieces_of

    def drawing(coins: Coins, count: int) -> Bytes:
        made = draw(coins, count)
        found.drawn.append(made.tobytes())
        return made

    def sending(envelope: wire.Envelope) -> Any:
        made = pieces(envelope)
        found.drawn.append(b"".join(made))
        return made

    @contextmanager
    def storage(config: Path, role: Role | None = None) -> Iterator[Storage]:
        with opened(world.configs[role or Role(str(config))], world.clock) as made:
            yield made

    monkeypatch.setattr(Coins, "draw", drawing)
    monkeypatch.setattr(wire, "pieces_of", sending)
    monkeypatch.setattr(serving, "storage", storage)
    monkeypatch.setattr(status, "_runs", lambda _: True)
    try:
        yield found
    finally:
        world.servers.close()


def session_to_v(heard: Listener, states: tuple[State, ...]) -> bytes:
    """A session in which all goes well; operators look while it is trained, and afterwards."""
    world = heard.world
    key = world.opened()
    world.upload_all(key)
    heard.uploaded(key)
    for state in states:
        heard.until(key, state)
        heard.kept(key)
        heard.ask(key)
        if state is State.TRAINING:
            heard.look(key)
    return key


def session_with_damage(heard: Listener) -> bytes:
    """A session whose uploads the disk has damaged."""
    world = heard.world
    key = world.opened(nonce=bytes(range(16)))
    world.upload_all(key)
    heard.uploaded(key)
    with world.server(RECSYS).database.transaction() as connection:
        connection.execute("UPDATE uploads SET message = zeroblob(1) WHERE message NOT NULL")
    world.server(RECSYS).uploads.freeze(key)
    world.until(lambda: world.row(RECSYS, key).last_error is not None)
    heard.ask(key)
    return key


def session_of_too_few(heard: Listener) -> bytes:
    """A session that ends since one user is missing."""
    world = heard.world
    key = world.opened(nonce=bytes(range(1, 17)), least=3)
    world.upload_all(key, but=1)
    heard.uploaded(key)
    world.server(RECSYS).uploads.freeze(key)
    world.until(lambda: world.row(RECSYS, key).last_error is not None)
    heard.ask(key)
    return key


def check(heard: Listener, where: set[str], forms: set[str]) -> None:
    """Nothing secret was told at any of these places, which are all there are."""
    secrets = heard.all()
    assert len(secrets) > 1000
    assert heard.told.keys() == {f"ppmf {' '.join(command)}" for command in COMMANDS} | where
    for place, texts in heard.told.items():
        text = "\n".join(texts)
        assert len(text) > 10, place
        assert secrets.found(text) == [], place
        assert [one for one in heard.letters if one in text] == [], place
        assert [one for one in forms if one in text] == [], place


@pytest.mark.req("PPMF-SRV-019", "PPMF-API-019", "PPMF-API-020", "PPMF-SEC-004")
def test_nothing_that_is_told_while_a_session_is_trained_is_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(tmp_path, monkeypatch, capsys, items=20) as heard:
        heard.enrolled()
        key = session_to_v(heard, (State.TRAINING,))
        forms = of_ratings(heard.world.ratings, heard.world.session(key))
        heard.published(key)
        heard.logs()
    check(heard, {"answers", "counts", "reports", "log", "rows"}, forms)


@pytest.mark.slow
@pytest.mark.req("PPMF-SRV-019", "PPMF-API-019", "PPMF-API-020", "PPMF-SEC-004")
def test_nothing_that_whole_runs_tell_is_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A session that comes to V, one that meets damage, one that too few take part in."""
    with listening(tmp_path, monkeypatch, capsys, items=80) as heard:
        world = heard.world
        heard.enrolled()
        first = session_to_v(heard, STATES)
        forms = of_ratings(world.ratings, world.session(first))
        world.until(lambda: all(world.row(role, first).erased for role in (RECSYS, CSP)))
        heard.look(first)
        for key in (first, session_with_damage(heard), session_of_too_few(heard)):
            heard.published(key)
            heard.look(key)
        heard.logs()
    assert "damaged" in "".join(heard.told["exceptions"])
    check(heard, {"answers", "counts", "reports", "log", "rows", "exceptions"}, forms)


def test_secrets_are_found_however_they_are_written() -> None:
    """The search itself: of each kind of secret, in each way of writing, and of nothing else."""
    data = Coins.seeded("tests/tellings").bytes(64)
    secrets = Secrets([data])
    part = data[5:21]
    words = np.frombuffer(data, dtype="<u8")
    ways = [
        part.hex(),
        part.hex().upper(),
        "a" + part.hex(),
        base64.b64encode(part).decode(),
        base64.urlsafe_b64encode(part).decode().rstrip("="),
        base64.b64encode(data[3:40]).decode(),
        str(list(part)),
        " ".join(map(str, part)),
        repr(part),
        repr(bytearray(part))[10:-1],
        repr(words),
        str(int(words[2])),
        str(int(words.view("<i8")[3])),
        str(int.from_bytes(data[8:16], "big")),
    ]
    for way in ways:
        assert secrets.found(f"before {way} after"), way
    for other in (part[:7].hex(), bytes(100).hex(), "0123456789" * 10, "movie-7391-001", ""):
        assert secrets.found(other) == []
    assert Secrets([data], [b"x" + data]).found(part.hex()) == []
    assert whole(EncodingError(part.hex())).count(part.hex()) >= 2

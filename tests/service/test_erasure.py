# SPDX-License-Identifier: Apache-2.0
"""What a server erases, when, and that no byte of it stays in its files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.admission import write_rows
from ppmf_secure.session import proposals
from ppmf_secure.session.session import Session
from ppmf_service.config import LinkConfig, Listen, ServerConfig
from ppmf_service.erasure import Erasure, erase_folder
from ppmf_service.session_rows import UnknownSessionError
from ppmf_service.states import State
from ppmf_service.uploads import Receipt, upload_digest
from ppmf_spec.errors import StateError
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.services import EXPIRES, START, Pair, Server, message, opened, proposal_of, to
from tests.support.sessions import SIGNING

DIGEST = bytes(range(32))
MARK = b"a share of a checkpoint, which nobody may find"


def config_of(role: Role, server: Server) -> ServerConfig:
    nowhere = Listen("127.0.0.1", 0)
    folder = server.path.parent
    link = LinkConfig("127.0.0.1", 0, folder / "peer.pem")
    return ServerConfig(role, folder, folder / "signing.pem", None, nowhere, nowhere, link)


def erasure_of(servers: Pair, role: Role) -> Erasure:
    server = servers.of(role)
    return Erasure(config_of(role, server), server.database, server.sessions)


def bytes_of(server: Server) -> bytes:
    """All bytes of all files of a server."""
    return b"".join(path.read_bytes() for path in server.path.parent.rglob("*") if path.is_file())


def trained(servers: Pair, label: str = "session", nonce: int = 0) -> tuple[Session, list[bytes]]:
    """A session in its training, with files of checkpoints; and the secrets of each server."""
    session = opened(servers, proposal_of(("u1", "u2", "u3"), nonce=nonce), label)
    sent = [message(servers, session, row) for row in range(3)]
    for row, data in enumerate(sent):
        servers.recsys.uploads.put(session.id, row, 1, data)
    secrets = [part for data in sent for part in (data[-60:], upload_digest(data))]
    for role in (RECSYS, CSP):
        server = servers.of(role)
        server.sessions.admit(session.id, write_rows((0, 2), 3))
        to(server, session, State.CLOSED, State.SETTING_UP, State.TRAINING)
        secrets.append(server.sessions.tag_key(session.id, Coins.seeded(role)))
        folder = config_of(role, server).session_folder(session.id)
        folder.mkdir(parents=True)
        (folder / "model-3.state").write_bytes(MARK)
        (folder / "in").mkdir()
        (folder / "in" / "more").write_bytes(MARK)
    secrets.append(servers.csp.sessions.sealing_key(session.id).secret_bytes())
    return session, [*secrets, MARK]


def finish(servers: Pair, role: Role, session: Session) -> None:
    if role is RECSYS:
        servers.recsys.sessions.publish(session.id, DIGEST)
    else:
        receipt = proposals.sign_receipt(SIGNING["recsys"], session.id, DIGEST)
        servers.csp.sessions.receipt(session.id, DIGEST, receipt)


def left(server: Server, secrets: list[bytes]) -> int:
    content = bytes_of(server)
    return sum(secret in content for secret in secrets)


@pytest.mark.req("PPMF-SRV-013", "PPMF-SRV-014", "PPMF-SRV-017")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_secrets_go_once_v_is_published_and_not_before(servers: Pair, role: Role) -> None:
    session, secrets = trained(servers)
    server, erasure = servers.of(role), erasure_of(servers, role)
    assert erasure.sweep() == []
    with pytest.raises(StateError, match="still needs its secrets"):
        erasure.erase(session.id)
    assert left(server, secrets) == (8 if role is RECSYS else 3)
    finish(servers, role, session)
    assert erasure.sweep() == [session.id]
    assert left(server, secrets) == 0
    assert erasure.sweep() == []
    row = server.sessions.get(session.id)
    assert (row.erased, row.buried, row.state) == (START, None, State.FINISHED)
    # users still fetch the session, and see whether they took part
    assert server.sessions.signed_session(session.id).session == session
    if role is RECSYS:
        assert server.uploads.receipt(session.id, 0) == Receipt(1, b"", False, True)
        with pytest.raises(StateError, match="were erased"):
            next(server.uploads.frozen(session.id))
    else:
        with pytest.raises(StateError, match="it was erased"):
            server.sessions.sealing_key(session.id)
    with pytest.raises(StateError, match="it was erased"):
        server.sessions.tag_key(session.id, Coins.seeded("again"))


@pytest.mark.req("PPMF-SRV-014")
def test_csp_waits_for_the_receipt(servers: Pair) -> None:
    session, secrets = trained(servers)
    server, erasure = servers.csp, erasure_of(servers, CSP)
    server.sessions.publish(session.id, DIGEST)  # V is there, and no receipt of RecSys
    assert erasure.sweep() == []
    assert left(server, secrets) == 3
    finish(servers, CSP, session)
    assert erasure.sweep() == [session.id]


@pytest.mark.req("PPMF-SRV-013")
@pytest.mark.parametrize("end", [State.FAILED, State.ABANDONED])
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_what_was_given_up_is_erased_at_once(servers: Pair, role: Role, end: State) -> None:
    session, secrets = trained(servers)
    servers.of(role).sessions.move(session.id, end)
    assert erasure_of(servers, role).sweep() == [session.id]
    assert left(servers.of(role), secrets) == 0


@pytest.mark.req("PPMF-SRV-015", "PPMF-SRV-009", "PPMF-SRV-017")
@pytest.mark.parametrize("role", [RECSYS, CSP])
@pytest.mark.parametrize("done", [False, True])
def test_a_session_that_expires_leaves_a_tombstone(servers: Pair, role: Role, done: bool) -> None:
    session, secrets = trained(servers)
    server, erasure = servers.of(role), erasure_of(servers, role)
    proposal = server.sessions.proposal(session.id)
    if done:
        finish(servers, role, session)
    server.sessions.note_error(session.id, StateError("something about u1"))
    servers.clock.advance(EXPIRES - START - 1)
    erasure.sweep()
    assert server.sessions.get(session.id).buried is None
    servers.clock.advance(1)
    assert erasure.sweep() == [session.id]
    row = server.sessions.get(session.id)
    assert row.state is (State.FINISHED if done else State.ABANDONED)
    assert (row.buried, row.users, row.items, row.admitted_count) == (EXPIRES, 3, 4, 2)
    assert row.profiles_digest == (DIGEST if done else None)
    assert (row.signed, row.admitted, row.last_error) == (False, None, None)
    # of the session file nothing stays either
    assert left(server, [*secrets, session.acceptance.nonce, b"something about"]) == 0
    for ask in (server.sessions.signed_session, server.sessions.proposal, server.sessions.file):
        with pytest.raises(StateError, match="it was erased"):
            ask(session.id)
    assert server.database.rows("SELECT * FROM uploads") == []
    assert [event.because for event in server.sessions.events(session.id)] == [""] * (6 + 1)
    # the id is known for ever, and never run again
    assert server.sessions.propose(proposal).number == row.number
    assert server.sessions.propose(proposal).state.final
    assert erasure.sweep() == []


@pytest.mark.req("PPMF-SRV-015")
def test_no_trace_of_who_would_have_taken_part_is_left_when_it_expires(servers: Pair) -> None:
    """A digest of a set of users can be tried out by whoever knows whom to try."""
    session = opened(servers)
    shown = hashlib.sha256(b"who").digest()
    servers.csp.sessions.show(session.id, shown, StateError("look"))
    servers.csp.sessions.confirm(session.id, shown)
    servers.clock.advance(EXPIRES - START)
    erasure_of(servers, CSP).sweep()
    row = servers.csp.sessions.get(session.id)
    assert (row.buried is not None, row.shown, row.confirmed) == (True, None, None)
    assert not left(servers.csp, [shown])


@pytest.mark.req("PPMF-SRV-015")
def test_a_session_without_an_end_stays_until_it_is_done(servers: Pair) -> None:
    session = opened(servers, proposal_of(("u1", "u2"), closes=0, expires=0))
    servers.clock.advance(10**9)
    assert erasure_of(servers, RECSYS).sweep() == []
    assert servers.recsys.sessions.get(session.id).state is State.OPEN


def test_a_proposal_that_nobody_accepted_expires_too(servers: Pair) -> None:
    key = servers.recsys.sessions.propose(proposal_of(("u1", "u2"))).key
    servers.clock.advance(EXPIRES - START)
    assert erasure_of(servers, RECSYS).sweep() == [key]
    assert servers.recsys.sessions.get(key).state is State.ABANDONED
    with pytest.raises(UnknownSessionError):
        servers.recsys.sessions.get(bytes(32))


@pytest.mark.req("PPMF-SRV-017")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_other_sessions_keep_what_they_need(servers: Pair, role: Role) -> None:
    first, gone = trained(servers)
    second, kept = trained(servers, "second", 1)
    finish(servers, role, first)
    before = left(servers.of(role), kept)
    assert erasure_of(servers, role).sweep() == [first.id]
    assert left(servers.of(role), [secret for secret in gone if secret not in kept]) == 0
    assert left(servers.of(role), kept) == before
    assert servers.of(role).sessions.get(second.id).erased is None


@pytest.mark.req("PPMF-SRV-017")
@pytest.mark.parametrize("how", ["withdrawn", "replaced", "token"])
def test_what_a_user_takes_back_goes_with_the_erasure(servers: Pair, how: str) -> None:
    session, server = opened(servers), servers.recsys
    data = message(servers, session, 0)
    server.uploads.put(session.id, 0, 1, data)
    if how == "withdrawn":
        server.uploads.withdraw(session.id, 0, 2)
    elif how == "replaced":
        server.uploads.put(session.id, 0, 2, message(servers, session, 0, 2))
    else:
        server.members.enrol_tokens({"u1": bytes(32)})
    assert erasure_of(servers, RECSYS).sweep() == []
    assert left(server, [data[-60:], upload_digest(data)]) == 0


def test_a_reader_in_the_way_delays_the_log_and_not_the_erasure(servers: Pair) -> None:
    session, secrets = trained(servers)
    server, erasure = servers.recsys, erasure_of(servers, RECSYS)
    finish(servers, RECSYS, session)
    other = Server(server.path.parent, servers.clock)
    with other.database.transaction():
        pass
    reader = other.database._connection()
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM uploads").fetchall()
    reader.execute("PRAGMA busy_timeout = 0")
    server.database.rows("PRAGMA busy_timeout = 0")
    server.sessions.note_error(session.id, StateError("a write that the reader does not see"))
    assert erasure.sweep() == [session.id]
    assert server.sessions.get(session.id).erased is not None
    reader.execute("ROLLBACK")
    other.close()
    assert erasure.sweep() == []
    assert left(server, secrets) == 0


def test_a_folder_is_erased_without_following_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"stays")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(outside / "file")
    (folder / "other").symlink_to(outside)
    (folder / "big").write_bytes(b"x" * (3 << 20))
    erase_folder(folder)
    assert not folder.exists()
    assert (outside / "file").read_bytes() == b"stays"
    erase_folder(folder)
    folder.symlink_to(outside)
    erase_folder(folder)
    assert (outside / "file").read_bytes() == b"stays"


def test_an_erasure_that_a_crash_cut_short_is_done_again(
    servers: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, secrets = trained(servers)
    finish(servers, RECSYS, session)
    broken = erasure_of(servers, RECSYS)

    def crash() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(broken._database, "transaction", crash)
    with pytest.raises(KeyboardInterrupt):
        broken.erase(session.id)  # the files are gone, and the database does not say so
    monkeypatch.undo()
    assert servers.recsys.sessions.get(session.id).erased is None
    assert erasure_of(servers, RECSYS).sweep() == [session.id]
    assert left(servers.recsys, secrets) == 0


@pytest.mark.req("PPMF-SRV-013", "PPMF-LNK-015")
def test_a_v_that_was_written_and_not_published_is_erased(servers: Pair) -> None:
    """The operator gave the session up between the two, or the server was killed there."""
    session = opened(servers)
    server = servers.recsys
    config = config_of(RECSYS, server)
    path = config.profiles_file(session.id)
    path.parent.mkdir(mode=0o700, parents=True)
    path.write_bytes(b"V")
    server.sessions.move(session.id, State.ABANDONED, because="given up")
    Erasure(config, server.database, server.sessions).sweep()
    assert not path.exists()

# SPDX-License-Identifier: Apache-2.0
"""Backups: what is in them, and that putting one back repeats nothing that is done once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ppmf_service import backup, database
from ppmf_service.backup import Backup, check_place, make, restore
from ppmf_service.config import ServerConfig
from ppmf_service.database import FILE, Database
from ppmf_service.enrolment import Members
from ppmf_service.page import TITLES
from ppmf_service.states import State
from ppmf_spec.errors import StateError
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.service.test_erasure import bytes_of, config_of, erasure_of, finish, trained
from tests.support.engines import World
from tests.support.services import START, Pair, message, opened, proposal_of


def put_back(servers: Pair, role: Role, folder: Path) -> Backup:
    """A server's disk is lost, and the backup put back."""
    server = servers.of(role)
    server.close()
    shutil.rmtree(server.path.parent)
    found = restore(config_of(role, server), folder, servers.clock)
    server.open()
    return found


@pytest.mark.req("PPMF-SRV-021", "PPMF-SRV-017")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_backup_has_no_secret_of_any_session(servers: Pair, role: Role, tmp_path: Path) -> None:
    first, secrets = trained(servers, "first", 1)
    finish(servers, role, first)
    _, more = trained(servers, "second", 2)
    third = opened(servers, proposal_of(("u1", "u2", "u3"), nonce=3), "third")
    servers.recsys.uploads.put(third.id, 0, 1, message(servers, third, 0))
    config = config_of(role, servers.of(role))
    folder = tmp_path / "backup"
    made = make(config, servers.of(role).database, folder)
    assert made == Backup(START, 3, 3, 2, 1)
    held = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    kept = [*secrets, *more, message(servers, third, 0)[-60:]]
    assert sum(secret in bytes_of(servers.of(role)) for secret in kept) >= 3
    assert not [secret for secret in kept if secret in held]
    assert not list(folder.glob("*-wal"))


@pytest.mark.req("PPMF-SRV-021", "PPMF-SRV-009")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_what_was_not_over_is_given_up_and_never_run_again(
    servers: Pair, role: Role, tmp_path: Path
) -> None:
    first, _ = trained(servers, "first", 1)
    finish(servers, role, first)
    erasure_of(servers, role).sweep()
    second = opened(servers, proposal_of(("u1", "u2", "u3"), nonce=2), "second")
    server = servers.of(role)
    proposal = server.sessions.proposal(second.id)
    folder = tmp_path / "backup"
    (server.path.parent / TITLES).write_text("{}")
    make(config_of(role, server), server.database, folder)
    assert put_back(servers, role, folder).users == 3
    assert (server.path.parent / TITLES).read_text() == "{}"
    assert server.sessions.get(first.id).state is State.FINISHED
    assert server.sessions.signed_session(first.id).session == first
    row = server.sessions.get(second.id)
    assert (row.state, row.erased) == (State.ABANDONED, START)
    assert "restored from a backup" in (row.last_error or ("", ""))[1]
    assert server.sessions.events(second.id)[-1].state is State.ABANDONED
    assert server.sessions.propose(proposal).state.final
    if role is RECSYS:
        with pytest.raises(StateError, match="not open"):
            server.uploads.put(second.id, 0, 1, message(servers, second, 0))
        assert server.members.token_user(b"") is None
    assert server.members.users() == ("u1", "u2", "u3")


def test_only_a_backup_is_put_back_and_only_where_there_is_nothing(
    servers: Pair, tmp_path: Path
) -> None:
    server = servers.recsys
    config, folder = config_of(RECSYS, server), tmp_path / "backup"
    make(config, server.database, folder)
    with pytest.raises(StateError, match="is not empty"):
        make(config, server.database, folder)
    with pytest.raises(StateError, match="there is a database already"):
        restore(config, folder, servers.clock)
    server.close()
    shutil.move(server.path.parent, tmp_path / "copy")
    with pytest.raises(StateError, match="holds no backup"):
        restore(config, tmp_path / "nothing", servers.clock)
    with pytest.raises(StateError, match="no backup that `ppmf backup` made"):
        restore(config, tmp_path / "copy", servers.clock)
    assert not list(config.folder.glob("*.sqlite*"))


@pytest.mark.req("PPMF-SRV-021", "PPMF-SRV-017")
@pytest.mark.parametrize("left", [f"{FILE}-wal", f"{FILE}-shm", "sessions/x", "transcripts/x"])
def test_a_backup_is_not_put_back_beside_what_a_lost_database_has_left(
    servers: Pair, tmp_path: Path, left: str
) -> None:
    """The old log would be played into it, and secrets that no session knows never erased."""
    server = servers.recsys
    config, folder = config_of(RECSYS, server), tmp_path / "backup"
    make(config, server.database, folder)
    server.close()
    for path in config.folder.glob(f"{FILE}*"):
        path.unlink()
    kept = config.folder / left
    kept.parent.mkdir(mode=0o700, exist_ok=True)
    kept.write_bytes(b"")
    if left.startswith("transcripts"):  # nobody erases these
        assert restore(config, folder, servers.clock).users == 3
        return
    with pytest.raises(StateError, match="move the whole folder away first"):
        restore(config, folder, servers.clock)
    assert not config.database.exists()


@pytest.mark.req("PPMF-SRV-021")
def test_a_server_goes_on_while_a_backup_is_made(
    servers: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the copying takes; what it has is as it was at one moment."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    server = servers.recsys
    running = Database.open(server.path, servers.clock)
    insert = backup._insert

    def slowly(*given: Any) -> None:
        with running.transaction() as connection:
            connection.execute("DELETE FROM members")
        insert(*given)

    monkeypatch.setattr(backup, "_insert", slowly)
    made = make(config_of(RECSYS, server), server.database, tmp_path / "backup")
    assert made.users == 3
    assert Members(running).users() == ()
    running.close()


@pytest.mark.req("PPMF-SRV-021")
def test_a_copy_of_the_database_is_noticed(servers: Pair, tmp_path: Path) -> None:
    server = servers.recsys
    check_place(server.database)
    check_place(server.database)
    server.close()
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    shutil.copy2(server.path, copy / FILE)
    other = Database.open(copy / FILE, servers.clock)
    with pytest.raises(StateError, match="a copy of the database that this server ran with"):
        check_place(other)
    check_place(other, moved=True)
    check_place(other)
    other.close()


def restored_world(world: World, role: Role, folder: Path) -> None:
    """A server of a running pair loses its disk; its backup is put back, and it starts again."""
    config: ServerConfig = world.configs[role]
    world.server(role).close()
    shutil.rmtree(config.folder)
    backup.restore(config, folder, world.clock)
    world.server(role).open()
    world.restart(role)


@pytest.mark.req("PPMF-SRV-021")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_the_peer_ends_what_a_restored_server_has_given_up(tmp_path: Path, role: Role) -> None:
    world = World(tmp_path / "world")
    key = world.opened()
    make(world.configs[role], world.server(role).database, tmp_path / "backup")
    world.upload_all(key)
    folder = world.configs[role.peer].session_folder(world.session(key).id)
    world.until((folder / "model-1.state").exists)  # the training goes on meanwhile
    restored_world(world, role, tmp_path / "backup")
    world.until(world.is_in(key, State.ABANDONED))
    assert not folder.exists() or not list(folder.iterdir())
    assert not world.configs[RECSYS].profiles_file(world.session(key).id).exists()


@pytest.mark.req("PPMF-SRV-022", "PPMF-SRV-028")
def test_a_restored_csp_asks_before_each_catalogue_is_trained(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    make(world.configs[CSP], world.server(CSP).database, tmp_path / "backup")
    restored_world(world, CSP, tmp_path / "backup")

    def told(key: bytes) -> str:
        return (world.row(CSP, key).last_error or ("", ""))[1]

    first = world.opened(nonce=bytes([1]) * 16)
    world.upload_all(first)
    world.until(lambda: "restored from a backup" in told(first))
    assert "trained before, or may have been" in told(first)
    world.confirm(first)
    world.until(world.is_in(first, State.FINISHED))
    second = world.opened(nonce=bytes([2]) * 16)
    world.upload_all(second)
    world.until(lambda: "0 users joined" in told(second))
    assert "restored" not in told(second)  # now it knows who took part last


def test_every_column_of_a_session_is_kept_or_left_out_on_purpose(servers: Pair) -> None:
    """A column that is added is thought about, since it may be a secret."""
    columns = {row[1] for row in servers.csp.database.rows("PRAGMA table_info(sessions)")}
    kept = {name.strip() for name in backup._KEPT.split(",")}
    assert kept | {*backup._OF_THE_END} | {*backup._LEFT_OUT} == columns
    assert len(kept) + len(backup._OF_THE_END) + len(backup._LEFT_OUT) == len(columns)
    tables = {
        row[0]
        for row in servers.csp.database.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
    }
    here = {"place", "clock", "differences"}  # of this server as it runs
    thought_of = {"sessions", "events", "uploads", "backups", *backup._AS_THEY_ARE}
    assert thought_of | here == tables


@pytest.mark.req("PPMF-SRV-030")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_backup_of_csp_has_nothing_of_a_proposal_that_was_never_accepted(
    servers: Pair, tmp_path: Path, role: Role
) -> None:
    server, folder = servers.of(role), tmp_path / "backup"
    opened(servers)
    waiting = server.sessions.propose(proposal_of(("u1", "u2"), nonce=7))
    make(config_of(role, server), server.database, folder)
    found = (folder / FILE).read_bytes()
    assert (waiting.proposed in found) is (role is RECSYS)
    made = put_back(servers, role, folder)
    assert (made.sessions, made.given_up) == ((2, 2) if role is RECSYS else (1, 1))
    assert servers.of(role).sessions.known(waiting.proposed) is (role is RECSYS)


@pytest.mark.req("PPMF-SRV-030")
def test_a_proposal_in_an_older_backup_is_not_put_back(servers: Pair, tmp_path: Path) -> None:
    server, folder = servers.csp, tmp_path / "backup"
    waiting = server.sessions.propose(proposal_of(("u1", "u2"), nonce=7))
    make(config_of(RECSYS, server), server.database, folder)  # as an earlier version did at CSP
    put_back(servers, CSP, folder)
    row = servers.csp.sessions.get(waiting.proposed)
    assert row.state is State.ABANDONED
    assert not servers.csp.sessions.has_proposal(waiting.proposed)


@pytest.mark.req("PPMF-SRV-021")
def test_a_session_that_is_newer_than_the_backup_ends_only_at_its_operators_word(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "world")
    make(world.configs[CSP], world.server(CSP).database, tmp_path / "backup")
    key = world.opened()
    restored_world(world, CSP, tmp_path / "backup")
    world.upload_all(key)
    world.until(lambda: "no such session here" in str(world.row(RECSYS, key).last_error))
    assert not world.server(CSP).sessions.known(key)
    world.server(RECSYS).sessions.move(key, State.ABANDONED)
    again = world.opened(nonce=bytes([9]) * 16)  # and the pair goes on
    assert world.states(again) == (State.OPEN, State.OPEN)


@pytest.mark.req("PPMF-RES-016", "PPMF-ADM-007", "PPMF-LNK-014")
@pytest.mark.parametrize("changed", [False, True])
def test_a_copy_that_was_put_back_all_the_same_repeats_nothing(
    tmp_path: Path, changed: bool
) -> None:
    """RecSys' folder as it was while the intake was open, against what the guide says: the epoch is
    another one than those that CSP has seen, and another closing is refused.
    """
    world = World(tmp_path / "world")
    key = world.opened()
    world.upload_all(key)
    folder, copy = world.configs[RECSYS].folder, tmp_path / "copy"
    world.server(RECSYS).close()
    shutil.copytree(folder, copy)
    world.server(RECSYS).open()
    world.restart(RECSYS)
    kept = world.configs[CSP].session_folder(world.session(key).id)
    world.until((kept / "model-1.state").exists)
    before = world.row(CSP, key).epoch
    world.server(RECSYS).close()
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    world.server(RECSYS).open()
    if changed:
        world.server(RECSYS).uploads.withdraw(key, 0, 2)
    world.restart(RECSYS)
    if not changed:
        world.until(world.is_in(key, State.FINISHED))
        assert world.profiles(key) == world.expected()
        assert world.row(RECSYS, key).epoch == world.row(CSP, key).epoch == before + 1
        return
    world.clock.advance(3600)  # the intake closes without them
    world.until(lambda: world.row(RECSYS, key).last_error is not None)
    kind, line = world.row(RECSYS, key).last_error or ("", "")
    assert (kind, "another" in line) == ("state", True), line
    for _ in range(20):
        world.turn()
    assert not world.configs[RECSYS].profiles_file(world.session(key).id).exists()

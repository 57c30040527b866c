# SPDX-License-Identifier: Apache-2.0
"""The database: transactions, several threads and processes, and what goes wrong with files."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from ppmf_secure.transport.store import in_use
from ppmf_service import database as module
from ppmf_service.clock import SettableClock
from ppmf_service.database import Database
from ppmf_spec.errors import EncodingError, StateError
from tests.support.services import Pair, message, opened

INSERT = "INSERT INTO members (user, made) VALUES (?, 0)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "service.sqlite"


def opened_at(path: Path) -> Database:
    return Database.open(path, SettableClock())


def users(database: Database) -> list[str]:
    return [row[0] for row in database.rows("SELECT user FROM members ORDER BY user")]


def test_a_transaction_is_kept_whole_or_not_at_all(path: Path) -> None:
    database = opened_at(path)
    with database.transaction() as connection:
        connection.execute(INSERT, ("a",))
        with database.transaction() as inner:  # a part of the one around it
            inner.execute(INSERT, ("b",))

    def broken() -> None:
        with database.transaction() as connection:
            connection.execute(INSERT, ("c",))
            with database.transaction() as inner:
                inner.execute(INSERT, ("d",))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert users(database) == ["a", "b"]
    database.close()
    reopened = opened_at(path)
    assert users(reopened) == ["a", "b"]
    reopened.close()


@pytest.mark.req("PPMF-SRV-005")
def test_what_was_committed_is_synchronised_to_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # without the stand-in of tests/conftest.py
    monkeypatch.setattr(sqlite3, "connect", sqlite3.Connection)
    database = opened_at(path)
    found = {
        pragma: database.rows(f"PRAGMA {pragma}")[0][0]
        for pragma in ("synchronous", "journal_mode", "secure_delete", "foreign_keys")
    }
    database.close()
    assert found == {"synchronous": 2, "journal_mode": "wal", "secure_delete": 1, "foreign_keys": 1}


def test_threads_have_connections_of_their_own_and_wait_for_each_other(path: Path) -> None:
    database = opened_at(path)

    def write() -> None:
        for _ in range(5):
            with database.transaction() as connection:
                count = connection.execute("SELECT count(*) FROM members").fetchone()[0]
                connection.execute(INSERT, (f"{count:03}",))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # each read what the others had written: no number twice
    assert users(database) == [f"{number:03}" for number in range(40)]
    with database.transaction():  # a connection of a thread that ended is closed when one is opened
        pass
    database.close()


def test_another_process_sees_what_is_committed_and_nothing_else(path: Path) -> None:
    database = opened_at(path)
    program = (
        "import sys; from pathlib import Path; from ppmf_service.clock import SettableClock\n"
        "from ppmf_service.database import Database\n"
        "found = Database.open(Path(sys.argv[1]), SettableClock())\n"
        "print([row[0] for row in found.rows('SELECT user FROM members')])\n"
    )

    def other() -> str:
        run = [sys.executable, "-c", program, str(path)]
        return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()

    with database.transaction() as connection:
        connection.execute(INSERT, ("a",))
    assert other() == "['a']"
    database.close()


@pytest.mark.parametrize("place", [0, 100, 5000])
@pytest.mark.req("PPMF-SRV-020")
def test_a_damaged_database_ends_in_one_line(path: Path, place: int) -> None:
    database = opened_at(path)
    with database.transaction() as connection:
        for number in range(2000):
            connection.execute(INSERT, (f"user {number}",))
    database.truncate_log()
    database.close()
    content = bytearray(path.read_bytes())
    content[place : place + 4000] = b"\x55" * 4000
    path.write_bytes(content)

    def use() -> None:
        with closing(opened_at(path)) as found:
            found.check()

    with pytest.raises(EncodingError) as refusal:
        use()
    assert str(refusal.value) == f"{path}: damaged, or no database; put back its last backup"


def test_a_text_file_is_no_database(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_text("not a database, but long enough to be looked at" * 40)
    path.chmod(0o600)
    with pytest.raises(EncodingError, match="no database"):
        opened_at(path)


def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (a)")
    other.close()
    path.chmod(0o600)
    with pytest.raises(StateError, match="of another program"):
        opened_at(path)


@pytest.mark.req("PPMF-SRV-027")
def test_a_database_of_a_later_version_is_left_alone(path: Path) -> None:
    database = opened_at(path)
    with database.transaction() as connection:
        connection.execute(f"PRAGMA user_version = {len(module.MIGRATIONS) + 1}")
    database.close()
    with pytest.raises(StateError, match="later version"):
        opened_at(path)


@pytest.mark.req("PPMF-SRV-027")
def test_a_database_of_an_earlier_version_is_brought_up_once_its_server_stopped(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = module.MIGRATIONS
    monkeypatch.setattr(module, "MIGRATIONS", now[:-1])
    opened_at(path).close()
    monkeypatch.setattr(module, "MIGRATIONS", now)
    with in_use(path.parent):  # by a server of that version
        with pytest.raises(StateError, match="earlier version of ppmf, whose server runs: stop"):
            opened_at(path)
        with closing(sqlite3.connect(path)) as found:
            assert found.execute("PRAGMA user_version").fetchone() == (len(now) - 1,)
    opened_at(path).close()
    with in_use(path.parent):
        opened_at(path).close()  # there is nothing to be done


@pytest.mark.req("PPMF-SRV-027")
@pytest.mark.parametrize("alone", [False, True])
def test_a_number_that_stands_for_another_form_ends_in_one_line(path: Path, alone: bool) -> None:
    """As when two changes of the form got one number, before they came together."""
    for version in (len(module.MIGRATIONS), len(module.MIGRATIONS) - 1):
        opened_at(path).close()
        with closing(sqlite3.connect(path)) as found:
            found.execute("DROP TABLE took_part")
            found.execute(f"PRAGMA user_version = {version}")
            found.commit()
        with pytest.raises(StateError, match=f"not of the form that its number, {version}, stands"):
            Database.open(path, SettableClock(), alone=alone)
        with closing(sqlite3.connect(path)) as found:
            assert found.execute("PRAGMA user_version").fetchone() == (version,)
        path.unlink()


@pytest.mark.req("PPMF-SRV-027")
def test_a_server_brings_up_its_own_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = module.MIGRATIONS
    monkeypatch.setattr(module, "MIGRATIONS", now[:-1])
    opened_at(path).close()
    monkeypatch.setattr(module, "MIGRATIONS", now)
    with in_use(path.parent):
        Database.open(path, SettableClock(), alone=True).close()
        opened_at(path).close()


@pytest.mark.req("PPMF-SRV-002")
def test_a_database_that_others_can_read_is_refused(path: Path, tmp_path: Path) -> None:
    opened_at(path).close()
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0
    path.chmod(0o640)
    with pytest.raises(StateError, match="others may use this file"):
        opened_at(path)
    path.chmod(0o600)
    path.parent.chmod(0o750)
    with pytest.raises(StateError, match="others may use this folder"):
        opened_at(path)
    path.parent.chmod(0o700)
    link = path.with_name("link.sqlite")
    link.symlink_to(path)
    with pytest.raises(StateError, match="not a file of one's own"):
        opened_at(link)


def test_a_full_disk_ends_in_one_line_and_loses_nothing(servers: Pair) -> None:
    session, server = opened(servers), servers.recsys
    first = message(servers, session, 0)
    server.uploads.put(session.id, 0, 1, first)
    with server.database.transaction() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    server.database.rows(f"PRAGMA max_page_count = {pages}")

    def write() -> None:
        with server.database.transaction() as connection:
            connection.execute(INSERT, ("lost",))
            connection.execute(INSERT, ("x" * 200_000,))

    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as refusal:
        write()
    assert refusal.value.errno == errno.ENOSPC
    assert refusal.value.filename == str(server.path)
    server.close()
    server.open()
    assert server.uploads.count(session.id) == 1
    assert "lost" not in users(server.database)
    assert server.uploads.put(session.id, 0, 1, first).value == "same"


def test_a_database_that_is_locked_for_too_long_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    database = opened_at(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="another program has locked"), database.transaction():
        pass
    other.execute("ROLLBACK")
    other.close()
    with database.transaction():
        pass
    database.close()


def test_a_statement_that_is_wrong_is_a_bug_and_not_an_error_of_the_user(path: Path) -> None:
    database = opened_at(path)
    with pytest.raises(sqlite3.OperationalError):
        database.rows("SELECT nothing FROM nowhere")

    def twice() -> None:
        with database.transaction() as connection:
            connection.execute(INSERT, ("a",))
            connection.execute(INSERT, ("a",))

    with pytest.raises(sqlite3.IntegrityError):
        twice()
    assert users(database) == []
    database.close()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of a server: one SQLite file, which all its processes and threads share.

A transaction takes the one lock of the file when it begins, so what it read is still so when it
writes. Once it has ended, what it wrote survives a loss of power, by a write-ahead log and
`synchronous = FULL` (PPMF-SRV-005). What is deleted or replaced is overwritten with zeros
(`secure_delete`), and `truncate_log` empties the log, which holds it still (PPMF-SRV-017). An error
of SQLite shows no value, so nothing secret (PPMF-SRV-019).
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Self

from ppmf_secure.session.private_files import private_folder
from ppmf_secure.transport.store import in_use
from ppmf_service.clock import Clock
from ppmf_spec.errors import EncodingError, PpmfError, StateError

FILE = "service.sqlite"
APPLICATION_ID = 0x70706D66  # "ppmf"
BUSY_SECONDS = 20.0

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE sessions (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            proposed BLOB NOT NULL UNIQUE,  -- SHA-256 of the proposal
            id BLOB UNIQUE,                 -- of the session, once it is accepted
            catalogue BLOB NOT NULL,        -- SHA-256 of the item ids
            users INTEGER NOT NULL,
            items INTEGER NOT NULL,
            closes INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            trial INTEGER NOT NULL,
            state TEXT NOT NULL,
            since INTEGER NOT NULL,
            phase TEXT NOT NULL DEFAULT '',
            done INTEGER NOT NULL DEFAULT 0,
            total INTEGER NOT NULL DEFAULT 0,
            epoch INTEGER NOT NULL DEFAULT 0,
            error_kind TEXT,
            error_text TEXT,
            proposal BLOB,
            acceptance BLOB,
            by_csp BLOB,
            signed BLOB,                    -- the session file
            sealing BLOB,                   -- CSP's private key for seals
            tag_key BLOB,                   -- of the files of checkpoints
            admitted BLOB,                  -- the bits of the admission
            admitted_count INTEGER,
            confirmed INTEGER NOT NULL DEFAULT 0,
            profiles_digest BLOB,
            receipt BLOB,                   -- RecSys' signature of that digest
            erased INTEGER,
            buried INTEGER
        ) STRICT
        """,
        """
        CREATE TABLE events (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            session INTEGER NOT NULL REFERENCES sessions (number),
            at INTEGER NOT NULL,
            state TEXT NOT NULL,
            because TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX events_of_session ON events (session)",
        """
        CREATE TABLE uploads (
            session INTEGER NOT NULL REFERENCES sessions (number),
            row INTEGER NOT NULL,
            serial BLOB NOT NULL,           -- 8 bytes, the highest first
            withdrawn INTEGER NOT NULL,
            digest BLOB,                    -- SHA-256 of the message
            message BLOB,                   -- none if withdrawn or erased, as the digest
            at INTEGER NOT NULL,
            PRIMARY KEY (session, row)
        ) STRICT
        """,
        """
        CREATE TABLE members (
            user TEXT PRIMARY KEY,
            token BLOB UNIQUE,              -- at RecSys: SHA-256 of the token
            consent BLOB,                   -- at CSP: the consent key
            made INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE trained (              -- who was admitted last, by catalogue
            catalogue BLOB NOT NULL,
            user BLOB NOT NULL,             -- a digest of catalogue and pseudonym
            session INTEGER NOT NULL REFERENCES sessions (number),
            PRIMARY KEY (catalogue, user)
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE epochs (               -- what each epoch took
            session INTEGER NOT NULL REFERENCES sessions (number),
            epoch INTEGER NOT NULL,
            began INTEGER NOT NULL,
            ended INTEGER,
            outcome TEXT NOT NULL,
            memory INTEGER NOT NULL,        -- the most bytes of the process
            PRIMARY KEY (session, epoch)
        ) STRICT
        """,
        """
        CREATE TABLE phases (               -- what each phase of an epoch took
            session INTEGER NOT NULL REFERENCES sessions (number),
            epoch INTEGER NOT NULL,
            place INTEGER NOT NULL,
            phase TEXT NOT NULL,
            seconds REAL NOT NULL,
            sent INTEGER NOT NULL,
            received INTEGER NOT NULL,
            PRIMARY KEY (session, epoch, phase)
        ) STRICT
        """,
        """
        CREATE TABLE samples (              -- how far an epoch was, and the bytes until then
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            session INTEGER NOT NULL REFERENCES sessions (number),
            epoch INTEGER NOT NULL,
            seconds REAL NOT NULL,          -- since the epoch began
            phase TEXT NOT NULL,
            done INTEGER NOT NULL,
            total INTEGER NOT NULL,
            sent INTEGER NOT NULL,
            received INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX samples_of_session ON samples (session, epoch)",
        """
        CREATE TABLE erasures (             -- what was erased, and when
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            session INTEGER NOT NULL REFERENCES sessions (number),
            at INTEGER NOT NULL,
            what TEXT NOT NULL,
            count INTEGER NOT NULL,
            bytes INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX erasures_of_session ON erasures (session)",
        """
        CREATE TABLE links (                -- when the peer was met and lost
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            up INTEGER NOT NULL,
            why TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE backups (              -- of which backup this database was restored
            at INTEGER PRIMARY KEY,
            last INTEGER NOT NULL           -- the number of its last session
        ) STRICT
        """,
        """
        CREATE TABLE place (                -- in which file a server ran with this database
            inode INTEGER NOT NULL
        ) STRICT
        """,
    ),
    (
        "ALTER TABLE sessions ADD COLUMN told INTEGER NOT NULL DEFAULT 0",
        "UPDATE sessions SET told = 1 WHERE receipt IS NOT NULL",
        "ALTER TABLE sessions DROP COLUMN confirmed",
        "ALTER TABLE sessions ADD COLUMN shown BLOB",  # who would be admitted, as the operator saw
        "ALTER TABLE sessions ADD COLUMN confirmed BLOB",  # the same, once they confirmed it
        # what is looked at twice in a second must not grow with the sessions that have ended
        "CREATE INDEX sessions_due ON sessions (number) WHERE told = 0 AND buried IS NULL",
        "CREATE INDEX sessions_whole ON sessions (number) WHERE erased IS NULL AND buried IS NULL",
        "CREATE INDEX sessions_expire ON sessions (expires) WHERE buried IS NULL",
        "CREATE INDEX sessions_by_state ON sessions (state)",
    ),
    (
        """
        CREATE TABLE clock (                -- whether the clock can be believed: see clock_watch
            trusted REAL NOT NULL,
            last INTEGER NOT NULL,
            left REAL NOT NULL,
            slack INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE took_part (            -- who was admitted, by session
            session INTEGER NOT NULL REFERENCES sessions (number),
            user BLOB NOT NULL,             -- a digest of catalogue and pseudonym
            PRIMARY KEY (session, user)
        ) STRICT, WITHOUT ROWID
        """,
        "INSERT INTO took_part (session, user) SELECT session, user FROM trained",
        "DROP TABLE trained",
        """
        CREATE TABLE differences (          -- what CSP's operator is shown before they confirm
            session INTEGER NOT NULL REFERENCES sessions (number),
            earlier INTEGER NOT NULL REFERENCES sessions (number),
            joined INTEGER NOT NULL,
            gone INTEGER NOT NULL,
            stayed INTEGER NOT NULL,
            PRIMARY KEY (session, earlier)
        ) STRICT
        """,
        "CREATE INDEX sessions_by_catalogue ON sessions (catalogue)",
    ),
    (
        # how the workers of an epoch did when they were last asked
        "ALTER TABLE epochs ADD COLUMN workers INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE epochs ADD COLUMN workers_there INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE epochs ADD COLUMN workers_memory INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE epochs ADD COLUMN workers_cpu REAL NOT NULL DEFAULT 0",
        "ALTER TABLE epochs ADD COLUMN workers_at INTEGER NOT NULL DEFAULT 0",
    ),
)
"""The statements that lead from each version of the schema to the next one."""


class Database:
    """The database in a file; one connection for each thread that uses it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self._own = threading.local()
        self._lock = threading.Lock()
        self._open: list[tuple[weakref.ref[threading.Thread], sqlite3.Connection]] = []

    @classmethod
    def open(cls, path: Path, clock: Clock, *, alone: bool = False) -> Self:
        """The database of that file, which is made if there is none; its folder is private.

        alone: whether the caller keeps the server of this folder from running, or is it. Raises
        StateError if the file is another user's, of another program, of a later version of this one
        or of a form that it does not know, or of an earlier one whose server runs (PPMF-SRV-027),
        EncodingError if it is damaged, OSError if the system does not let it be used.
        """
        private_folder(path.parent)
        _make_private_file(path)
        database = cls(path, clock)
        try:
            database._migrate(alone=alone)
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that may write: all of it is kept at its end, or nothing of it.

        One that begins inside another one of the same thread is a part of that one. Raises as
        `open`, and StateError if another program keeps the lock too long.
        """
        with self._translated():
            connection = self._connection()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A transaction that only reads: it sees all as it was at one moment, and others may write
        meanwhile. Raises as `open`.
        """
        with self._translated():
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """What a statement that reads alone finds. Raises as `open`."""
        with self._translated():
            return self._connection().execute(statement, values).fetchall()

    def row(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Row | None:
        """The first row that a statement finds, if any. Raises as `open`."""
        with self._translated():
            found: sqlite3.Row | None = self._connection().execute(statement, values).fetchone()
            return found

    def part(self, table: str, column: str, number: int, at: int, size: int) -> bytes:
        """Some bytes of a long value, of which no more is read. Raises as `open`."""
        with (
            self._translated(),
            self._connection().blobopen(table, column, number, readonly=True) as value,
        ):
            value.seek(at)
            return value.read(size)

    def version(self) -> int:
        """A number that is another one after each transaction of another thread or process that
        wrote. Raises as `open`.
        """
        row = self.row("PRAGMA data_version")
        assert row is not None, "SQLite has one"
        return int(row[0])

    def check(self) -> None:
        """Look through the whole file. Raises EncodingError if it is damaged (PPMF-SRV-020)."""
        found = self.rows("PRAGMA quick_check(1)")
        if [tuple(row) for row in found] != [("ok",)]:
            raise _damaged(self.path)

    def truncate_log(self) -> bool:
        """Write the log into the file and empty it; whether nobody was in the way."""
        row = self.row("PRAGMA wal_checkpoint(TRUNCATE)")
        return row is not None and row[0] == 0

    def close(self) -> None:
        """Close the connections of all threads; no thread may be using one."""
        with self._lock:
            for _, connection in self._open:
                connection.close()
            self._open.clear()
            self._own = threading.local()

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if found is None:
            found = self._own.connection = self._connect()
        return found

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.row_factory = sqlite3.Row
            for pragma in ("secure_delete = ON", "synchronous = FULL", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise StateError(f"{self.path}: this file system has no write-ahead log")
        except BaseException:
            connection.close()
            raise
        with self._lock:
            gone = [pair for pair in self._open if not _alive(pair[0])]
            for pair in gone:
                pair[1].close()
                self._open.remove(pair)
            self._open.append((weakref.ref(threading.current_thread()), connection))
        return connection

    def _migrate(self, *, alone: bool) -> None:
        with ExitStack() as held:
            if not alone and self._earlier():
                try:
                    held.enter_context(in_use(self.path.parent))
                except StateError:
                    raise StateError(
                        f"{self.path}: made by an earlier version of ppmf, whose server runs: stop "
                        "it before you use this version"
                    ) from None
            self._bring_up()

    def _earlier(self) -> bool:
        """Whether this is a database of an earlier form, and not one that is still empty."""
        with self.snapshot() as connection:
            version: int = connection.execute("PRAGMA user_version").fetchone()[0]
            return 0 < version < len(MIGRATIONS)

    def _bring_up(self) -> None:
        """Bring the database to the form of this version."""
        with self.transaction() as connection:
            owner = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if owner != APPLICATION_ID and (owner or version or tables):
                raise StateError(f"{self.path}: the database of another program")
            if version > len(MIGRATIONS):
                raise StateError(f"{self.path}: made by a later version of ppmf")
            if version and _columns(connection) != _columns_of(MIGRATIONS[:version]):
                raise StateError(
                    f"{self.path}: not of the form that its number, {version}, stands for; use the "
                    "version of ppmf that made it"
                )
            for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Give what SQLite refuses the form that the rest of the program knows."""
        try:
            yield
        except sqlite3.Error as error:
            refusal = _refusal(self.path, error)
            if refusal is None:
                raise
            raise refusal from None


def _columns(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """The columns of a database, each with its table: its form, as far as a program notices it."""
    found = connection.execute(
        "SELECT one.name, its.name FROM sqlite_master AS one "
        "JOIN pragma_table_info(one.name) AS its "
        "WHERE one.type = 'table' AND one.name NOT LIKE 'sqlite%'"
    )
    return frozenset((str(table), str(column)) for table, column in found)


@cache
def _columns_of(migrations: tuple[tuple[str, ...], ...]) -> frozenset[tuple[str, str]]:
    """The columns to which such statements lead."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in (one for statements in migrations for one in statements):
            connection.execute(statement)
        return _columns(connection)


def _refusal(path: Path, error: sqlite3.Error) -> PpmfError | OSError | None:
    """The error of the project for one of SQLite; None for what can only be a bug."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _damaged(path)
        case sqlite3.SQLITE_FULL:
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        case sqlite3.SQLITE_IOERR:
            return OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StateError(f"{path}: another program has locked this file for too long")
    return None


def _damaged(path: Path) -> EncodingError:
    return EncodingError(f"{path}: damaged, or no database; put back its last backup")


def _alive(reference: weakref.ref[threading.Thread]) -> bool:
    thread = reference()
    return thread is not None and thread.is_alive()


def _make_private_file(path: Path) -> None:
    """Make an empty file with mode 0600 if there is none; SQLite's other files take its mode.

    Raises StateError if it is a link, another user's, or open to others (PPMF-SRV-002).
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise StateError(f"{path}: not a file of one's own") from None
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise StateError(f"{path}: others may use this file; close it (chmod 600)") from None

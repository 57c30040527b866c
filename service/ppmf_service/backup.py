# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a server that may be put back: what is used once is not in them (PPMF-SRV-021, -022).

A plain copy of a server's folder, put back later, would turn back time. What was withdrawn would be
there again, what was erased too, and users who were counted out of a training could be counted into
a second one of the same session, so that the two results show what these few have rated. So a
backup holds what has to outlast a lost disk, and nothing of a session that could begin or go on:

- the enrolment: digests of tokens at RecSys, consent keys at CSP;
- of every session its ids, digests, counts and times; and of one that was not over, that it was
  given up, but for proposals that CSP had not accepted;
- who took part, by session (PPMF-SRV-028);
- the item profiles that were published, the titles that the page shows, and the reports.

No upload, key for seals, checkpoint or key of tags is ever in a backup, so what a server erases is
erased from its backups as well.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ppmf_secure.session.private_files import private_folder
from ppmf_secure.transport.store import write_durably
from ppmf_service.clock import Clock
from ppmf_service.config import ServerConfig
from ppmf_service.database import FILE, Database
from ppmf_service.page import TITLES
from ppmf_service.states import State
from ppmf_spec.errors import StateError
from ppmf_spec.roles import CSP, Role

_COPIED = ("profiles", "reports")
"""The folders of public files, and of reports."""

_OF_A_SERVER = (FILE, f"{FILE}-wal", f"{FILE}-shm", "sessions")
"""What must not be there where a backup is put back: the log of another database would be played
into this one, and the files of sessions that are given up would be erased by nobody."""

_AS_THEY_ARE = ("members", "took_part", "epochs", "phases", "samples", "erasures", "links")

_FINAL = tuple(str(state) for state in State if state.final)
_MARKS = ", ".join("?" * len(_FINAL))

_KEPT = (
    "number, proposed, id, catalogue, users, items, closes, expires, trial, phase, done, total, "
    "epoch, proposal, acceptance, by_csp, signed, admitted, admitted_count, "
    "profiles_digest, receipt, buried"
)
"""The columns of a session that a backup has as they are."""

_OF_THE_END = ("state", "since", "erased", "error_kind", "error_text", "told")
"""Those that say that a session is over, of one that was not as well."""

_LEFT_OUT = ("sealing", "tag_key", "shown", "confirmed")
"""Those that a backup has nothing of: secrets, and what an operator has to look at anew."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds: when it was made, and how many of each there are.

    given_up: the sessions that were not over when it was made.
    """

    at: int
    users: int
    sessions: int
    given_up: int
    profiles: int


def make(config: ServerConfig, database: Database, folder: Path) -> Backup:
    """Write a backup of a server, which may run meanwhile, into a new private folder.

    Raises StateError if the folder holds anything, and OSError as the system does.
    """
    private_folder(folder)
    if any(folder.iterdir()):
        raise StateError(f"{folder}: is not empty; a backup belongs in a folder of its own")
    made = Database.open(folder / FILE, database.clock)
    try:
        _copy(database, made, config.role)
        found = _described(made, folder)
    finally:
        made.truncate_log()
        made.close()
    _copy_files(config.folder, folder)
    return found


def restore(config: ServerConfig, folder: Path, clock: Clock) -> Backup:
    """Put a backup back, in the place of a storage that is not there.

    Raises StateError if there is a database or a part of one already, or if the folder is no backup
    but, for example, a copy of a server's folder; EncodingError if it is damaged.
    """
    for name in _OF_A_SERVER:
        if os.path.lexists(config.folder / name):
            what = "a database" if name == FILE else "a part of a server's storage"
            raise StateError(
                f"{config.folder / name}: there is {what} already; if it is the damaged one, move "
                "the whole folder away first"
            )
    if not (folder / FILE).is_file():
        raise StateError(f"{folder}: holds no backup: {FILE} is missing")
    private_folder(config.folder)
    tried = config.folder / "restored.sqlite"
    try:
        write_durably(tried, (folder / FILE).read_bytes())
        source = Database.open(tried, clock)
        try:
            source.check()
            found = _described(source, folder)
            if config.role is CSP:  # an earlier version left it in (PPMF-SRV-030)
                with source.transaction() as connection:
                    connection.execute("UPDATE sessions SET proposal = NULL WHERE id IS NULL")
            source.truncate_log()
        finally:
            source.close()
    except BaseException:
        for path in config.folder.glob(f"{tried.name}*"):
            path.unlink()
        raise
    _copy_files(folder, config.folder)
    tried.replace(config.database)
    return found


def check_place(database: Database, *, moved: bool = False) -> None:
    """Note in which file a server runs with this database, when it does so first.

    A file that was copied is another one, so a copy of a folder that was put back is noticed, but
    for one that was written into the old file or is a snapshot of the whole disk. moved: the
    operator says that this is the one database of this server. Raises StateError for another file
    (PPMF-SRV-021).
    """
    inode = database.path.stat().st_ino
    with database.transaction() as connection:
        row = connection.execute("SELECT inode FROM place").fetchone()
        if row is not None and row[0] != inode and not moved:
            raise StateError(
                f"{database.path}: a copy of the database that this server ran with; put back a "
                "backup by `ppmf restore`, or, if you moved the folder and no other copy runs or "
                "ran since, say so by `ppmf session moved`"
            )
        connection.execute("DELETE FROM place")
        connection.execute("INSERT INTO place (inode) VALUES (?)", (inode,))


def _copy(database: Database, made: Database, role: Role) -> None:
    """Copy the rows that a backup has, all as they were at one moment.

    At CSP a proposal that was not accepted is left out: nothing of it is to stay (PPMF-SRV-030).
    """
    now = database.clock.now()
    with made.transaction() as to, database.snapshot() as of:
        left_out = set()
        if role is CSP:
            proposed = of.execute(
                "SELECT number FROM sessions WHERE state = ?", (str(State.PROPOSED),)
            )
            left_out = {row["number"] for row in proposed}
        names = [name.strip() for name in _KEPT.split(",")]
        given_up = f"this server was restored from a backup of {_shown(now)}"
        for row in of.execute(f"SELECT {_KEPT}, {', '.join(_OF_THE_END)} FROM sessions"):
            if row["number"] in left_out:
                continue
            values = {name: row[name] for name in names}
            over = row["state"] in _FINAL
            values |= {
                "state": row["state"] if over else str(State.ABANDONED),
                "since": row["since"] if over else now,
                "erased": row["erased"] or now,
                "error_kind": row["error_kind"] if over else StateError.kind,
                "error_text": row["error_text"] if over else given_up,
                "told": row["told"] if over else 0,
            }
            _insert(to, "sessions", values)
        for row in of.execute("SELECT session, at, state, because FROM events ORDER BY number"):
            if row["session"] not in left_out:
                _insert(to, "events", dict(row))
        for row in of.execute(f"SELECT number FROM sessions WHERE state NOT IN ({_MARKS})", _FINAL):
            if row["number"] in left_out:
                continue
            because = {"at": now, "state": str(State.ABANDONED), "because": given_up}
            _insert(to, "events", {"session": row["number"], **because})
        for row in of.execute(
            "SELECT session, row, serial, withdrawn, at FROM uploads WHERE session IN "
            f"(SELECT number FROM sessions WHERE state IN ({_MARKS}))",
            _FINAL,
        ):
            _insert(to, "uploads", dict(row))
        for table in _AS_THEY_ARE:
            for row in of.execute(f"SELECT * FROM {table}"):
                _insert(to, table, dict(row))
        last = of.execute("SELECT coalesce(max(number), 0) FROM sessions").fetchone()[0]
        _insert(to, "backups", {"at": now, "last": last})


def _insert(connection: sqlite3.Connection, table: str, values: Mapping[str, object]) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))


def _described(database: Database, folder: Path) -> Backup:
    """What a backup holds; StateError if it is none."""
    row = database.row(
        "SELECT at, (SELECT count(*) FROM members), (SELECT count(*) FROM sessions), "
        "(SELECT count(*) FROM sessions WHERE state = 'abandoned' AND since = at), "
        "(SELECT count(*) FROM sessions WHERE profiles_digest IS NOT NULL), last, "
        "(SELECT max(number) FROM sessions) FROM backups ORDER BY at DESC"
    )
    if row is None or (row[6] or 0) > row[5]:
        raise StateError(
            f"{folder}: is no backup that `ppmf backup` made; a copy of a server's "
            "folder must not be put back, since it would repeat what is done once"
        )
    return Backup(*row[:5])


def _copy_files(source: Path, to: Path) -> None:
    """Copy the files beside the database that a backup has."""
    for name in _COPIED:
        for path in _files(source / name):
            (to / name).mkdir(mode=0o700, exist_ok=True)
            write_durably(to / name / path.name, path.read_bytes())
    if (source / TITLES).is_file():
        write_durably(to / TITLES, (source / TITLES).read_bytes())


def _files(folder: Path) -> Iterator[Path]:
    """The files of a folder, if it is there; links are passed over."""
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.is_file() and not path.is_symlink():
                yield path


def _shown(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server erases, and when (chapter 8, "What a server keeps, and what it erases").

A session's secrets go as soon as nobody needs them: at RecSys once V is published, at CSP once it
has RecSys' receipt, at both when the session is given up or expires. When it has expired the rest
goes too, and a tombstone stays, which keeps the id, digests and counts, so that no server ever runs
a session twice. Files are overwritten before they are removed, and the database overwrites what it
deletes; a backup, or a disk that writes elsewhere, may hold it still.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ppmf_service.config import ServerConfig
from ppmf_service.database import Database
from ppmf_service.measures import Measures
from ppmf_service.session_rows import SessionRow
from ppmf_service.sessions import Sessions
from ppmf_service.states import State
from ppmf_spec.errors import StateError
from ppmf_spec.roles import CSP

_ZEROS = bytes(1 << 20)

FILES = "files of checkpoints, closing, admission and bits"
UPLOADS = "uploads, with their digests"
SEALING = "the private key for seals"
TAGS = "the key of the files' tags"
SESSION_FILE = "the session file, with the list of users"
RECEIPTS = "receipts of users"
"""What an erasure is called in a report."""


class Erasure:
    """The erasure of a server's sessions."""

    def __init__(
        self, config: ServerConfig, database: Database, sessions: Sessions | None = None
    ) -> None:
        self._config = config
        self._database = database
        self._sessions = sessions or Sessions(database)
        self._measures = Measures(database)
        self._log_due = True  # an earlier process may have ended before it

    def sweep(self, by: int | None = None) -> list[bytes]:
        """Erase all that is due; the keys of the sessions that changed.

        by: the time by which sessions have expired, or 0 if nobody knows (PPMF-SRV-026); that of
        the server's clock if it is None. It is cheap where nothing is due, and may be called again
        and again: what a crash left undone is done then (PPMF-SRV-013 to -015). Raises OSError for
        the first file that cannot be erased, once all else is.
        """
        changed: list[bytes] = []
        failed: OSError | None = None
        now = self._database.clock.now() if by is None else by
        for row in self._sessions.to_erase(now):
            try:
                if self._sweep_one(row, now):
                    changed.append(row.key)
            except OSError as error:  # that of one session keeps no other from being erased
                failed = failed or error
        self._truncate_log()
        if failed is not None:
            raise failed
        return changed

    def _sweep_one(self, row: SessionRow, now: int) -> bool:
        """Erase what is due of one session; whether anything was."""
        changed = False
        expired = 0 < row.expires <= now
        unaccepted = row.state is State.PROPOSED and self._config.role is CSP
        if expired and unaccepted:
            self._sessions.forget(row.key)
            self._log_due = True
            return False  # nothing is left of which anything could be said
        if expired and not row.state.final:
            self._sessions.move(row.key, State.ABANDONED, because="it has expired")
            row = self._sessions.get(row.key)
        if row.erased is None and self._secrets_due(row):
            self.erase(row.key)
            changed = True
        if row.buried is None and expired:
            self.bury(row.key)
            changed = True
        return changed

    def erase(self, key: bytes) -> None:
        """Erase the secrets of a session: uploads, the key for seals, checkpoints and the key of
        their tags (PPMF-SRV-013).

        Raises StateError if the session may still need them.
        """
        row = self._sessions.get(key)
        if not self._secrets_due(row):
            raise StateError(f"a session that is {row.state} still needs its secrets")
        files, size = 0, 0
        if row.id is not None:
            folder = self._config.session_folder(row.id)
            files, size = _count(folder)
            erase_folder(folder)
            if row.profiles_digest is None:  # a V that was written, and then not published
                self._config.profiles_file(row.id).unlink(missing_ok=True)
        with self._database.transaction() as connection:
            self._measures.erased(row.number, FILES, files, size)
            uploads = connection.execute(
                "SELECT count(*), coalesce(sum(length(message)), 0) FROM uploads "
                "WHERE session = ? AND message IS NOT NULL",
                (row.number,),
            ).fetchone()
            self._measures.erased(row.number, UPLOADS, *uploads)
            for what, column in ((SEALING, "sealing"), (TAGS, "tag_key")):
                found = connection.execute(
                    f"SELECT count({column}), coalesce(length({column}), 0) FROM sessions "
                    "WHERE number = ?",
                    (row.number,),
                ).fetchone()
                self._measures.erased(row.number, what, *found)
            connection.execute(
                "UPDATE uploads SET message = NULL, digest = NULL WHERE session = ?", (row.number,)
            )
            if row.id is None and self._config.role is CSP:
                connection.execute(
                    "UPDATE sessions SET proposal = NULL WHERE number = ?", (row.number,)
                )
            connection.execute(
                "UPDATE sessions SET sealing = NULL, tag_key = NULL, erased = ? WHERE number = ?",
                (self._database.clock.now(), row.number),
            )
        self._log_due = True
        self._truncate_log()

    def bury(self, key: bytes) -> None:
        """Erase all of a session but its tombstone (PPMF-SRV-009, -015). Raises as `erase`."""
        row = self._sessions.get(key)
        if row.erased is None:
            self.erase(key)
        with self._database.transaction() as connection:
            self._measures.erased(row.number, SESSION_FILE, int(row.signed))
            (receipts,) = connection.execute(
                "SELECT count(*) FROM uploads WHERE session = ?", (row.number,)
            ).fetchone()
            self._measures.erased(row.number, RECEIPTS, receipts)
            connection.execute("DELETE FROM uploads WHERE session = ?", (row.number,))
            connection.execute("DELETE FROM differences WHERE session = ?", (row.number,))
            connection.execute("UPDATE events SET because = '' WHERE session = ?", (row.number,))
            connection.execute(
                "UPDATE sessions SET proposal = NULL, acceptance = NULL, by_csp = NULL, "
                "signed = NULL, admitted = NULL, shown = NULL, confirmed = NULL, "
                "error_kind = NULL, error_text = NULL, buried = ? "
                "WHERE number = ?",
                (self._database.clock.now(), row.number),
            )
        self._log_due = True
        self._truncate_log()

    def _secrets_due(self, row: SessionRow) -> bool:
        """Whether nobody needs the secrets of a session any more."""
        if row.state is State.FINISHED:
            return row.receipt is not None if self._config.role is CSP else True
        return row.state.final

    def _truncate_log(self) -> None:
        if self._log_due:
            self._log_due = not self._database.truncate_log()


def _count(folder: Path) -> tuple[int, int]:
    """How many files a folder has, and how many bytes they have."""
    if folder.is_symlink() or not folder.is_dir():
        return 0, 0
    sizes = [
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    ]
    return len(sizes), sum(sizes)


def erase_folder(folder: Path) -> None:
    """Overwrite and remove the files of a folder, and the folder; nothing if it is not there.

    A link is removed and not followed.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            erase_folder(path)
            continue
        if not path.is_symlink():
            _overwrite(path)
        path.unlink()
    folder.rmdir()


def _overwrite(path: Path) -> None:
    with suppress(FileNotFoundError), path.open("r+b", buffering=0) as file:
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(_ZEROS[:left])
        os.fsync(file.fileno())

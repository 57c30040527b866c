# SPDX-License-Identifier: GPL-3.0-or-later
"""A catalogue that was trained before: who took part then, and what CSP's operator is asked.

Two trainings on the same items that differ in a few users can show what these few have rated
(PPMF-SRV-018, -022, -024).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from ppmf_secure.protocols.admission import read_rows
from ppmf_service.session_rows import SessionRow, SessionRows, short
from ppmf_spec import strict_cbor
from ppmf_spec.errors import PpmfError, StateError

TRAINED_BEFORE = "this catalogue was trained before"
"""How the error begins by which CSP's operator is shown how many users differ (PPMF-SRV-018)."""

_TOOK_PART = b"ppmf/v2/took-part/"
_SHOWN = b"ppmf/shown/"


@dataclass(frozen=True, slots=True)
class Difference:
    """How the users of a training differ from those of the last one of the same catalogue.

    last: the id of that session. joined: how many users take part who did not then; left: how many
    do not who did; stayed: how many take part in both.
    """

    last: bytes
    joined: int
    left: int
    stayed: int


class TrainedBefore(SessionRows):
    """What is kept of earlier trainings, and how a new one differs from them."""

    def difference(self, key: bytes, users: Iterable[str]) -> Difference | None:
        """How the users who are about to be admitted differ from those who were in the last other
        session of the same catalogue; None if there is none (PPMF-SRV-018).
        """
        row = self.get(key)
        found = self._database.rows(
            "SELECT trained.user, sessions.id FROM trained JOIN sessions "
            "ON sessions.number = trained.session WHERE trained.catalogue = ? AND session != ?",
            (row.catalogue, row.number),
        )
        if not found:
            return None
        before = {bytes(one[0]) for one in found}
        now = {took_part(row.catalogue, user) for user in users}
        return Difference(found[0][1], len(now - before), len(before - now), len(now & before))

    def trained_unseen(self, key: bytes) -> int | None:
        """When the backup was made of which this database was restored, if the catalogue of this
        session may have been trained between that and the restoring; None if that is known not to
        matter (PPMF-SRV-022).
        """
        row = self.get(key)
        found = self._database.row(
            "SELECT at FROM backups WHERE last >= (SELECT coalesce(max(session), 0) FROM trained "
            "WHERE catalogue = ? AND session != ?) ORDER BY at DESC",
            (row.catalogue, row.number),
        )
        return None if found is None else int(found[0])

    def to_show(self, key: bytes, users: Iterable[str]) -> bytes:
        """The digest of what the operator is shown: who would be admitted now, which session of the
        same catalogue was the last, and whether there may have been another one since a backup.
        """
        row = self.get(key)
        last = self._database.row(
            "SELECT max(session) FROM trained WHERE catalogue = ? AND session != ?",
            (row.catalogue, row.number),
        )
        seen = [0 if last is None else last[0] or 0, self.trained_unseen(key) or 0]
        now = sorted({took_part(row.catalogue, user) for user in users})
        return hashlib.sha256(_SHOWN + strict_cbor.encode([*seen, *now])).digest()

    def show(self, key: bytes, shown: bytes, error: PpmfError) -> None:
        """Note what the operator is shown, and its line, in one step."""
        with self._database.transaction() as connection:
            self._set(connection, self.get(key), shown=shown)
            self.note_error(key, error)

    def confirm(self, key: bytes, shown: bytes) -> None:
        """Let the training of a catalogue that was trained before begin, as CSP's operator.

        shown: which difference the operator has looked at. Raises StateError if it is another one
        by now (PPMF-SRV-024).
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            if row.shown != shown:
                raise StateError(
                    f"session {short(row.key)}: others would take part now; look again"
                )
            self._set(connection, row, confirmed=shown)

    def _remember(self, connection: sqlite3.Connection, row: SessionRow, admitted: bytes) -> None:
        """Keep who takes part, for the next session of the same catalogue."""
        users = self.signed_session(row.key).session.users
        connection.execute("DELETE FROM trained WHERE catalogue = ?", (row.catalogue,))
        connection.executemany(
            "INSERT INTO trained (catalogue, user, session) VALUES (?, ?, ?)",
            (
                (row.catalogue, took_part(row.catalogue, users[at]), row.number)
                for at in read_rows(admitted, row.users, "admission")
            ),
        )


def took_part(catalogue: bytes, user: str) -> bytes:
    """What is kept of a user who took part, 32 bytes."""
    return hashlib.sha256(_TOOK_PART + catalogue + user.encode()).digest()

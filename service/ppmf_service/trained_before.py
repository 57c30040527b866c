# SPDX-License-Identifier: GPL-3.0-or-later
"""A catalogue that was trained before: who took part then, and what CSP's operator is asked.

Two trainings on the same items that differ in a few users can show what these few have rated
(PPMF-SRV-022, -028, -029).
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
"""How the error begins by which CSP's operator is shown how many users differ (PPMF-SRV-028)."""

_TOOK_PART = b"ppmf/v2/took-part/"
_SHOWN = b"ppmf/shown/"


@dataclass(frozen=True, slots=True)
class Difference:
    """How the users of a training differ from those of an earlier one of the same catalogue.

    earlier: the id of that session. joined: how many users take part who did not then; left: how
    many do not who did; stayed: how many take part in both.
    """

    earlier: bytes
    joined: int
    left: int
    stayed: int

    @property
    def few(self) -> int:
        """How many users differ: of the fewer, the results show the more."""
        return self.joined + self.left


class TrainedBefore(SessionRows):
    """What is kept of earlier trainings, and how a new one differs from them."""

    def trained_before(self, key: bytes) -> list[int]:
        """The numbers of the other sessions of the same catalogue in which enough users were
        admitted, the newest first.
        """
        row = self.get(key)
        found = self._database.rows(
            "SELECT number FROM sessions WHERE catalogue = ? AND number != ? AND EXISTS "
            "(SELECT 1 FROM took_part WHERE session = number) ORDER BY number DESC",
            (row.catalogue, row.number),
        )
        return [int(one[0]) for one in found]

    def differences(self, key: bytes, users: Iterable[str]) -> list[Difference]:
        """How the users who are about to be admitted differ from those who were in each other
        session of the same catalogue, the newest first (PPMF-SRV-028).
        """
        row = self.get(key)
        now = {took_part(row.catalogue, user) for user in users}
        differences = []
        for number in self.trained_before(key):
            found = self._database.rows("SELECT user FROM took_part WHERE session = ?", (number,))
            before = {bytes(one[0]) for one in found}
            named = self._database.row("SELECT id FROM sessions WHERE number = ?", (number,))
            assert named is not None, "a session is never removed once it has an id"
            counts = len(now - before), len(before - now), len(now & before)
            differences.append(Difference(bytes(named[0]), *counts))
        return differences

    def trained_unseen(self, key: bytes) -> int | None:
        """When the backup was made of which this database was restored, if the catalogue of this
        session may have been trained between that and the restoring; None if that is known not to
        matter (PPMF-SRV-022).
        """
        row = self.get(key)
        found = self._database.row(
            "SELECT at FROM backups WHERE last >= ? ORDER BY at DESC",
            (max(self.trained_before(row.key), default=0),),
        )
        return None if found is None else int(found[0])

    def to_show(self, key: bytes, users: Iterable[str]) -> bytes:
        """The digest of what the operator is shown: who would be admitted now, which sessions of
        the same catalogue there were, and whether there may have been others since a backup.
        """
        row = self.get(key)
        now = sorted({took_part(row.catalogue, user) for user in users})
        seen: list[strict_cbor.Encodable] = [
            self.trained_unseen(key) or 0,
            tuple(self.trained_before(key)),
            tuple(now),
        ]
        return hashlib.sha256(_SHOWN + strict_cbor.encode(seen)).digest()

    def show(
        self, key: bytes, shown: bytes, error: PpmfError, differences: Iterable[Difference] = ()
    ) -> None:
        """Note what the operator is shown, and its line, in one step."""
        with self._database.transaction() as connection:
            row = self.get(key)
            self._set(connection, row, shown=shown)
            self.note_error(key, error)
            connection.execute("DELETE FROM differences WHERE session = ?", (row.number,))
            connection.executemany(
                "INSERT INTO differences (session, earlier, joined, gone, stayed) "
                "VALUES (?, ?, ?, ?, ?)",
                (
                    (row.number, self.get(one.earlier).number, one.joined, one.left, one.stayed)
                    for one in differences
                ),
            )

    def shown_differences(self, key: bytes) -> list[Difference]:
        """The differences that the operator is shown, the newest session first."""
        found = self._database.rows(
            "SELECT sessions.id, joined, gone, stayed FROM differences JOIN sessions "
            "ON sessions.number = earlier WHERE session = ? ORDER BY earlier DESC",
            (self.get(key).number,),
        )
        return [Difference(bytes(one[0]), one[1], one[2], one[3]) for one in found]

    def confirm(self, key: bytes, shown: bytes) -> None:
        """Let the training of a catalogue that was trained before begin, as CSP's operator.

        shown: which difference the operator has looked at. Raises StateError if it is another one
        by now (PPMF-SRV-029).
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            if row.shown != shown:
                raise StateError(
                    f"session {short(row.key)}: others would take part now; look again"
                )
            self._set(connection, row, confirmed=shown)

    def _remember(self, connection: sqlite3.Connection, row: SessionRow, admitted: bytes) -> None:
        """Keep who takes part, for later sessions of the same catalogue."""
        users = self.signed_session(row.key).session.users
        connection.executemany(
            "INSERT INTO took_part (session, user) VALUES (?, ?)",
            (
                (row.number, took_part(row.catalogue, users[at]))
                for at in read_rows(admitted, row.users, "admission")
            ),
        )


def took_part(catalogue: bytes, user: str) -> bytes:
    """What is kept of a user who took part, 32 bytes."""
    return hashlib.sha256(_TOOK_PART + catalogue + user.encode()).digest()

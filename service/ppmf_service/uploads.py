# SPDX-License-Identifier: GPL-3.0-or-later
"""The uploads of users at RecSys: taken in, replaced, withdrawn, frozen (chapter 8, "Uploads").

An upload is acknowledged after the transaction that holds it has ended, and the closing is one
transaction as well, so it holds every upload that was acknowledged and no other. Each is kept as
the message that came, `upload` of chapter 5, with its digest: damage on the disk is found before
the upload is used.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ppmf_secure.protocols.admission import (
    IntakeClosedError,
    check_newer,
    check_upload,
    read_rows,
)
from ppmf_secure.session.session import Session
from ppmf_service.database import Database
from ppmf_service.session_rows import SessionRow, short
from ppmf_service.sessions import Sessions
from ppmf_service.states import State
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, RangeError, StateError
from ppmf_spec.roles import RECSYS, USERS

SERIAL_BYTES = 8
MOST_SERIAL = (1 << 8 * SERIAL_BYTES) - 1


class Outcome(Enum):
    """What an upload or a withdrawal did: the user's first, the same again, or another one."""

    CREATED = "created"
    SAME = "same"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What RecSys tells a user of their upload, and nobody else.

    serial: of the last upload or withdrawal. digest: SHA-256 of the message of the upload, b"" if
    it was withdrawn or erased. withdrawn: whether it was. admitted: None before the admission.
    """

    serial: int
    digest: bytes
    withdrawn: bool
    admitted: bool | None


class Uploads:
    """The table of uploads; a session is named as in `Sessions`, a user by their row."""

    def __init__(self, database: Database, sessions: Sessions | None = None) -> None:
        self._database = database
        self._sessions = sessions or Sessions(database)

    def put(self, key: bytes, row: int, serial: int, data: bytes) -> Outcome:
        """Take in the upload of a user, durably (PPMF-ADM-001, -002, PPMF-SRV-010).

        data: the message. Raises EncodingError and RangeError for one that is not right, or not of
        this row and serial; IntakeClosedError unless the intake is open; SerialError for a serial
        that is not larger than the last. The same serial and bytes again are never refused.
        """
        session = self._sessions.signed_session(key).session
        check_row(session, row)
        message = read_upload(session, data)
        if message.user != session.users[row] or message.serial != serial:
            raise RangeError("upload: not of the user and the serial of its address")
        digest = upload_digest(data)
        with self._database.transaction() as connection:
            found = self._sessions.get(key)
            last = _last(connection, found, row)
            if last is not None and last.serial == serial and last.is_upload(digest):
                return Outcome.SAME
            self._check_open(found)
            check_newer(message.user, serial, None if last is None else last.serial)
            _write(connection, found, row, serial, self._database.clock.now(), digest, data)
        return Outcome.CREATED if last is None or last.withdrawn else Outcome.REPLACED

    def withdraw(self, key: bytes, row: int, serial: int) -> Outcome:
        """Withdraw what a user sent, durably; raises as `put` (PPMF-SRV-011).

        The same serial again is never refused, if it was a withdrawal.
        """
        session = self._sessions.signed_session(key).session
        check_row(session, row)
        if not 1 <= serial <= MOST_SERIAL:
            raise RangeError("withdrawal: serials count from 1 to 2^64 - 1")
        with self._database.transaction() as connection:
            found = self._sessions.get(key)
            last = _last(connection, found, row)
            if last is not None and last.serial == serial and last.withdrawn:
                return Outcome.SAME
            self._check_open(found)
            check_newer(session.users[row], serial, None if last is None else last.serial)
            _write(connection, found, row, serial, self._database.clock.now())
        return Outcome.CREATED if last is None else Outcome.REPLACED

    def receipt(self, key: bytes, row: int) -> Receipt:
        """The receipt of a user; serial 0 and no digest if nothing came from them."""
        found = self._sessions.get(key)
        if not 0 <= row < found.users:
            raise RangeError("row: none of the session's")
        one = self._database.row(
            "SELECT serial, digest, withdrawn FROM uploads WHERE session = ? AND row = ?",
            (found.number, row),
        )
        admitted = None
        if found.admitted is not None:
            admitted = row in read_rows(found.admitted, found.users, "admission")
        if one is None:
            return Receipt(0, b"", False, admitted)
        return Receipt(int.from_bytes(one[0], "big"), one[1] or b"", bool(one[2]), admitted)

    def freeze(self, key: bytes, because: str = "") -> int:
        """Close the intake, in one transaction; how many users are present (PPMF-SRV-012).

        Raises StateError unless the intake was open or is closed already.
        """
        with self._database.transaction():
            found = self._sessions.get(key)
            if found.state is State.OPEN:
                self._sessions.move(key, State.CLOSED, because=because)
            elif found.state in (State.PROPOSED, State.ACCEPTED):
                raise StateError(f"session {short(found.key)}: it is {found.state}, not open")
            return self.count(key)

    def frozen(self, key: bytes) -> Iterator[bytes]:
        """The messages of all users who are present, by row.

        Raises StateError while the intake is open or after the erasure, EncodingError if the disk
        has damaged one (PPMF-SRV-020).
        """
        found = self._sessions.get(key)
        if found.state in (State.PROPOSED, State.ACCEPTED, State.OPEN):
            raise StateError(f"session {short(found.key)}: its intake is not closed")
        if found.erased is not None:
            raise StateError(f"session {short(found.key)}: its uploads were erased")
        rows = self._database.rows(
            "SELECT row FROM uploads WHERE session = ? AND message IS NOT NULL ORDER BY row",
            (found.number,),
        )
        for (row,) in rows:
            one = self._database.row(
                "SELECT digest, message FROM uploads WHERE session = ? AND row = ?",
                (found.number, row),
            )
            if one is None or upload_digest(one[1]) != one[0]:
                raise EncodingError(
                    f"{self._database.path}: damaged: an upload of session {short(found.key)} is "
                    "not what was acknowledged"
                )
            yield one[1]

    def count(self, key: bytes) -> int:
        """How many users are present."""
        found = self._database.row(
            "SELECT count(*) FROM uploads WHERE session = ? AND message IS NOT NULL",
            (self._sessions.get(key).number,),
        )
        return 0 if found is None else int(found[0])

    def _check_open(self, found: SessionRow) -> None:
        """Raise IntakeClosedError unless the intake is open, by this server's clock."""
        now = self._database.clock.now()
        late = 0 < found.closes <= now or 0 < found.expires <= now
        if found.state is not State.OPEN or late:
            state = "closed" if late else found.state
            raise IntakeClosedError(f"session {short(found.key)}: its intake is not open ({state})")


@dataclass(frozen=True, slots=True, repr=False)
class _Last:
    """The last that came from a user."""

    serial: int
    digest: bytes | None
    withdrawn: bool

    def is_upload(self, digest: bytes) -> bool:
        return self.digest is not None and hmac.compare_digest(self.digest, digest)


def read_upload(session: Session, data: bytes) -> wire.Upload:
    """The upload in the bytes of a message, checked by itself (PPMF-ADM-001).

    Raises EncodingError, RangeError and StateError as `Link.decode` and `check_upload`.
    """
    message = wire.Link(session.id, 0, USERS, RECSYS).decode(data, wire.Upload)
    check_upload(session, message)
    return message


def upload_digest(data: bytes) -> bytes:
    """The digest of an upload, for RecSys' storage and the user's receipt alone (PPMF-SEC-004)."""
    return hashlib.sha256(data).digest()


def check_row(session: Session, row: int) -> None:
    """Raise RangeError for a row of no user."""
    if not 0 <= row < len(session.users):
        raise RangeError("row: none of the session's")


def _last(connection: sqlite3.Connection, found: SessionRow, row: int) -> _Last | None:
    one = connection.execute(
        "SELECT serial, digest, withdrawn FROM uploads WHERE session = ? AND row = ?",
        (found.number, row),
    ).fetchone()
    return None if one is None else _Last(int.from_bytes(one[0], "big"), one[1], bool(one[2]))


def _write(
    connection: sqlite3.Connection,
    found: SessionRow,
    row: int,
    serial: int,
    now: int,
    digest: bytes | None = None,
    message: bytes | None = None,
) -> None:
    connection.execute(
        "INSERT INTO uploads (session, row, serial, withdrawn, digest, message, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session, row) DO UPDATE SET "
        "serial = excluded.serial, withdrawn = excluded.withdrawn, digest = excluded.digest, "
        "message = excluded.message, at = excluded.at",
        (
            found.number,
            row,
            serial.to_bytes(SERIAL_BYTES, "big"),
            int(digest is None),
            digest,
            message,
            now,
        ),
    )

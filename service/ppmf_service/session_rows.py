# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of a server's sessions: what is known of each, and its parts.

A session is known by 32 bytes: by the digest of its proposal from the beginning, and by its id once
CSP has accepted it. Every method takes either.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.session import set_up
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_secure.session.proposals import read_acceptance, read_proposal
from ppmf_secure.session.session import Acceptance, Proposal
from ppmf_secure.session.set_up import SignedSession
from ppmf_service.database import Database
from ppmf_service.recent import Recent
from ppmf_service.states import TRANSITIONS, State
from ppmf_spec.errors import PpmfError, StateError, told

MOST_ERROR = 500
"""The characters of an error that are kept."""

_COLUMNS = (
    "number, proposed, id, catalogue, users, items, closes, expires, trial, state, since, phase, "
    "done, total, epoch, error_kind, error_text, signed IS NOT NULL AS signed, admitted, "
    "admitted_count, shown, confirmed, profiles_digest, receipt, told, erased, buried"
)


class UnknownSessionError(StateError):
    """There is no such session here."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """What a server knows of one session, without its secrets.

    number: in this database. proposed: the digest of the proposal. id: of the session, or None
    before it is accepted. catalogue: the digest of the item ids. users, items: how many.
    closes, expires: seconds since 1970, or 0. since: when `state` began.
    phase, done, total: how far a training is, in half-steps. epoch: the last that began.
    last_error: the class and the line of the last error, if there was one.
    signed: whether the session file is here.
    admitted: the bits of the admission, admitted_count: how many users these are.
    shown: the digest of who would be admitted, if the operator has to confirm it, and confirmed:
    the one that they confirmed last (PPMF-SRV-029).
    profiles_digest, receipt: of V, and RecSys' signature of it.
    told: whether the peer is known to know how the session ended.
    erased: when the secrets were erased. buried: when the rest was, and only a tombstone stayed.
    """

    number: int
    proposed: bytes
    id: bytes | None
    catalogue: bytes
    users: int
    items: int
    closes: int
    expires: int
    trial: bool
    state: State
    since: int
    phase: str
    done: int
    total: int
    epoch: int
    last_error: tuple[str, str] | None
    signed: bool
    admitted: bytes | None
    admitted_count: int | None
    shown: bytes | None
    confirmed: bytes | None
    profiles_digest: bytes | None
    receipt: bytes | None
    told: bool
    erased: int | None
    buried: int | None

    @property
    def to_confirm(self) -> bool:
        """Whether CSP's operator has to confirm who takes part (PPMF-SRV-028, -029)."""
        return self.state is State.CLOSED and self.shown != self.confirmed

    @property
    def key(self) -> bytes:
        """The 32 bytes by which this session is best known."""
        return self.id or self.proposed


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a session's state: when, to which, and why."""

    at: int
    state: State
    because: str


class SessionRows:
    """The table of sessions, as it is read. All methods raise UnknownSessionError for a key that no
    session has.

    suites: finds the cipher suite of a name.
    """

    def __init__(
        self, database: Database, suites: Callable[[str], CipherSuite] = cipher_suite
    ) -> None:
        self._database = database
        self._suites = suites
        self._read: Recent[int, SignedSession] = Recent()

    # -- rows --------------------------------------------------------------------------------------

    def get(self, key: bytes) -> SessionRow:
        """The session of that id or of that digest of a proposal."""
        found = self._find("id = ? OR proposed = ?", key, key)
        if not found:
            raise UnknownSessionError("there is no such session here")
        return found[0]

    def find(self, prefix: str) -> SessionRow:
        """The session whose key begins with these hexadecimal digits.

        Raises UnknownSessionError if there is none, StateError if there are several.
        """
        found = [
            row
            for row in self.all()
            if any(key and key.hex().startswith(prefix.lower()) for key in (row.id, row.proposed))
        ]
        if not found or not prefix:
            raise UnknownSessionError(f"there is no session {told(prefix)} here")
        if len(found) > 1:
            raise StateError(f"{len(found)} sessions begin with {told(prefix)}")
        return found[0]

    def known(self, key: bytes) -> bool:
        """Whether there is such a session."""
        return bool(self._find("id = ? OR proposed = ?", key, key))

    def all(self) -> list[SessionRow]:
        """All sessions, the oldest first."""
        return self._find("1")

    def due(self) -> list[SessionRow]:
        """The sessions that go on, and those of whose end the peer may not know yet, the oldest
        first. How long this takes does not depend on how many others have ended.
        """
        return self._find("told = 0 AND buried IS NULL")

    def active(self) -> list[SessionRow]:
        """The sessions that are in no final state, the oldest first; it takes as long as `due`."""
        return [row for row in self.due() if not row.state.final]

    def to_erase(self, now: int) -> list[SessionRow]:
        """The sessions of which something may have to be erased at that time, the oldest first; it
        takes as long as `due`.
        """
        return self._find(
            "number IN (SELECT number FROM sessions WHERE erased IS NULL AND buried IS NULL UNION "
            "SELECT number FROM sessions WHERE buried IS NULL AND expires BETWEEN 1 AND ?)",
            now,
        )

    def waiting(self) -> tuple[int, int]:
        """How many proposals are not accepted yet, and their bytes."""
        found = self._database.row(
            "SELECT count(*), coalesce(sum(length(proposal)), 0) FROM sessions WHERE state = ?",
            (State.PROPOSED,),
        )
        assert found is not None, "a sum is one row"
        return found[0], found[1]

    def held(self, since: int) -> tuple[int, int]:
        """How many sessions were accepted since that time, and the bytes of all proposals that are
        kept.
        """
        accepted = self._database.row(
            "SELECT count(*) FROM events WHERE state = ? AND at >= ?", (State.ACCEPTED, since)
        )
        kept = self._database.row(
            "SELECT coalesce(sum(length(proposal)), 0) FROM sessions WHERE buried IS NULL"
        )
        assert accepted is not None and kept is not None, "a sum is one row"  # noqa: PT018
        return accepted[0], kept[0]

    def events(self, key: bytes) -> list[Event]:
        """The changes of a session's state, the oldest first."""
        rows = self._database.rows(
            "SELECT at, state, because FROM events WHERE session = ? ORDER BY number",
            (self.get(key).number,),
        )
        return [Event(at, State(state), because) for at, state, because in rows]

    # -- the parts of a session --------------------------------------------------------------------

    def signed_session(self, key: bytes) -> SignedSession:
        """The session with both signatures. Raises StateError before both are there, and after it
        was erased.
        """
        row = self.get(key)
        found = self._read.get(row.number)
        if found is None or not row.signed:
            self._read.forget(row.number)  # it may have been erased since
            found = set_up.read(self.file(key), f"session {short(row.key)}")
            self._read.keep(row.number, found)
        return found

    def file(self, key: bytes) -> bytes:
        """The session file, as users fetch it (PPMF-SES-013). Raises as `signed_session`."""
        return self._part(key, "signed")

    def proposal(self, key: bytes) -> Proposal:
        """The proposal of a session. Raises StateError after it was erased."""
        return read_proposal(self._part(key, "proposal"))

    def has_proposal(self, key: bytes) -> bool:
        """Whether the proposal of a session is still here."""
        found = self._database.row(
            "SELECT 1 FROM sessions WHERE number = ? AND proposal IS NOT NULL",
            (self.get(key).number,),
        )
        return found is not None

    def acceptance(self, key: bytes) -> tuple[Acceptance, bytes]:
        """CSP's acceptance of a session and CSP's signature. Raises StateError if there is none."""
        return read_acceptance(self._part(key, "acceptance")), self._part(key, "by_csp")

    def sealing_key(self, key: bytes) -> SealingKey:
        """CSP's key pair for the seals of a session. Raises StateError if it was erased."""
        return SealingKey(self._part(key, "sealing"))

    def note_error(self, key: bytes, error: PpmfError) -> None:
        """Note an error after which the session goes on, such as a peer that is away."""
        with self._database.transaction() as connection:
            text = str(error)[:MOST_ERROR]
            self._set(connection, self.get(key), error_kind=error.kind, error_text=text)

    # -- for the steps -----------------------------------------------------------------------------

    def _find(self, condition: str, *values: object) -> list[SessionRow]:
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM sessions WHERE {condition} ORDER BY number", values
        )
        return [_row(found) for found in rows]

    def _part(self, key: bytes, column: str) -> bytes:
        """A part of a session; StateError if it is not there yet, or not any more."""
        row = self.get(key)
        found = self._database.row(f"SELECT {column} FROM sessions WHERE number = ?", (row.number,))
        if found is None or found[0] is None:
            raise StateError(f"session {short(row.key)}: {lacking_part(row)}")
        return bytes(found[0])

    def _set(self, connection: sqlite3.Connection, row: SessionRow, **values: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        connection.execute(
            f"UPDATE sessions SET {names} WHERE number = ?", (*values.values(), row.number)
        )

    def _move(
        self, connection: sqlite3.Connection, row: SessionRow, state: State, because: str
    ) -> None:
        if state not in TRANSITIONS[row.state]:
            raise StateError(f"session {short(row.key)}: {state} does not follow {row.state}")
        self._set(connection, row, state=state, since=self._database.clock.now())
        self._note(connection, row.number, state, because)

    def _note(
        self, connection: sqlite3.Connection, number: int, state: State, because: str
    ) -> None:
        connection.execute(
            "INSERT INTO events (session, at, state, because) VALUES (?, ?, ?, ?)",
            (number, self._database.clock.now(), state, because[:MOST_ERROR]),
        )


def short(key: bytes) -> str:
    """A session's key as it is shown to people: enough to tell sessions apart."""
    return key.hex()[:12]


def lacking_part(row: SessionRow) -> str:
    """Why a part of a session is not here."""
    if row.erased is not None:
        return "it was erased"
    return f"it is {row.state}, and has no such part yet"


def _row(found: sqlite3.Row) -> SessionRow:
    values = dict(zip(found.keys(), found, strict=True))
    kind, text = values.pop("error_kind"), values.pop("error_text")
    values["last_error"] = None if kind is None else (kind, text)
    values["state"] = State(values["state"])
    for name in ("trial", "told", "signed"):
        values[name] = bool(values[name])
    return SessionRow(**values)

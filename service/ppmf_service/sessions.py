# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions of a server, from proposal to tombstone (chapter 8, "Sessions").

A session is known by 32 bytes: by the digest of its proposal from the beginning, and by its id once
CSP has accepted it. Every method takes either. What a method does is in the database before it
returns, and every step may be repeated: an answer that was lost is asked for again.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.protocols.admission import read_rows
from ppmf_secure.protocols.ratings_product import fitted_scheme
from ppmf_secure.session import set_up
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_secure.session.kept_files import KEY_BYTES
from ppmf_secure.session.proposals import (
    catalogue_digest,
    check_receipt,
    proposal_digest,
    read_acceptance,
    read_proposal,
    write_acceptance,
    write_proposal,
)
from ppmf_secure.session.session import Acceptance, Proposal, Session
from ppmf_secure.session.set_up import SignedSession
from ppmf_service.database import Database
from ppmf_service.keys import public_point
from ppmf_service.states import TRANSITIONS, State
from ppmf_spec import strict_cbor
from ppmf_spec.errors import ParametersError, PpmfError, StateError, told

TRAINED_BEFORE = "this catalogue was trained before"
"""How the error begins by which CSP's operator is shown how many users differ (PPMF-SRV-018)."""

_TOOK_PART = b"ppmf/v2/took-part/"
_SHOWN = b"ppmf/shown/"
MOST_READ = 16
"""How many sessions are kept in memory as they were read."""

_MOST_ERROR = 500
"""The characters of an error that are kept."""

_COLUMNS = (
    "number, proposed, id, catalogue, users, items, closes, expires, trial, state, since, phase, "
    "done, total, epoch, error_kind, error_text, signed IS NOT NULL AS signed, admitted, "
    "admitted_count, shown, confirmed, profiles_digest, receipt, told, erased, buried"
)


K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """What was read of the sessions that were asked for last, for all threads; each may be large,
    and of those that are over nothing is to stay.
    """

    def __init__(self, most: int = MOST_READ) -> None:
        self._most = most
        self._found: dict[K, V] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._found)

    def get(self, key: K) -> V | None:
        """What was kept, if it still is."""
        return self._found.get(key)

    def keep(self, key: K, value: V) -> V:
        """Keep something, in the place of what was kept first if there is too much; returns it."""
        with self._lock:
            self._found.pop(key, None)
            self._found[key] = value
            if len(self._found) > self._most:
                del self._found[next(iter(self._found))]
        return value

    def forget(self, key: K) -> None:
        """Keep it no more."""
        with self._lock:
            self._found.pop(key, None)


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
    the one that they confirmed last (PPMF-SRV-024).
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
        """Whether CSP's operator has to confirm who takes part (PPMF-SRV-018, -024)."""
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


class Sessions:
    """The table of sessions. All methods raise UnknownSessionError for a key of none.

    suites: finds the cipher suite of a name.
    """

    def __init__(
        self, database: Database, suites: Callable[[str], CipherSuite] = cipher_suite
    ) -> None:
        self._database = database
        self._suites = suites
        self._read: Recent[int, SignedSession] = Recent()

    # -- reading -----------------------------------------------------------------------------------

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

    def to_erase(self) -> list[SessionRow]:
        """The sessions of which something may have to be erased now, the oldest first; it takes as
        long as `due`.
        """
        return self._find(
            "number IN (SELECT number FROM sessions WHERE erased IS NULL AND buried IS NULL UNION "
            "SELECT number FROM sessions WHERE buried IS NULL AND expires BETWEEN 1 AND ?)",
            self._database.clock.now(),
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

    # -- how a session comes about -----------------------------------------------------------------

    def propose(self, proposal: Proposal) -> SessionRow:
        """Note a proposal: RecSys its own, CSP one that RecSys sent. The same one again is the same
        session, whatever became of it (PPMF-SRV-006, -009).
        """
        data = write_proposal(proposal)
        digest = proposal_digest(data)
        with self._database.transaction() as connection:
            if not self.known(digest):
                values = {
                    "proposed": digest,
                    "catalogue": catalogue_digest(proposal.items),
                    "users": len(proposal.users),
                    "items": len(proposal.items),
                    "closes": _stored(proposal.closes),
                    "expires": _stored(proposal.expires),
                    "trial": int(proposal.trial),
                    "state": State.PROPOSED,
                    "since": self._database.clock.now(),
                    "proposal": data,
                }
                names, marks = ", ".join(values), ", ".join("?" * len(values))
                connection.execute(
                    f"INSERT INTO sessions ({names}) VALUES ({marks})", tuple(values.values())
                )
                self._note(connection, self.get(digest).number, State.PROPOSED, "")
            return self.get(digest)

    def forget(self, key: bytes) -> None:
        """Keep nothing of a proposal that was never accepted. Raises StateError if it was
        (PPMF-SRV-009, -023).
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            if row.id is not None:
                raise StateError(f"session {short(row.key)}: it was accepted")
            connection.execute("DELETE FROM events WHERE session = ?", (row.number,))
            connection.execute("DELETE FROM sessions WHERE number = ?", (row.number,))

    def accept(
        self,
        key: bytes,
        signing_key: ec.EllipticCurvePrivateKey,
        coins: Coins,
        *,
        peer: bytes | None = None,
    ) -> bytes:
        """Accept a proposal, as CSP, which signs it; the id of the session. Once more, the same.

        peer: the point of the signing key of the RecSys that CSP knows. Raises StateError if the
        proposal is of another one or has expired, or CSP has not the consent keys of all its users,
        ParametersError if it fits no suite or could overflow (PPMF-SRV-007, -008).
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            if row.id is not None:
                return row.id
            proposal = self.proposal(key)
            if peer is not None and proposal.signing_key != peer:
                raise StateError("the proposal is of another RecSys than the one of the link")
            if row.expires and self._database.clock.now() >= row.expires:
                raise StateError(f"session {short(row.key)}: it has expired")
            lacking = lacking_members(connection, proposal.users, "consent")
            if lacking:
                raise StateError(
                    f"session {short(row.key)}: {lacking} of its {row.users} users have no code "
                    "of this enrolment"
                )
            acceptance, sealing = set_up.accept(signing_key, coins)
            session = Session(proposal, acceptance)
            fitted_scheme(session, self._suites(session.suite))
            self._set(
                connection,
                row,
                id=session.id,
                acceptance=write_acceptance(acceptance),
                by_csp=set_up.sign(signing_key, session.id),
                sealing=sealing.secret_bytes(),
            )
            self._move(connection, row, State.ACCEPTED, "")
        return session.id

    def accepted(
        self,
        key: bytes,
        acceptance: Acceptance,
        by_csp: bytes,
        signing_key: ec.EllipticCurvePrivateKey,
        *,
        peer: bytes | None = None,
    ) -> SessionRow:
        """Note CSP's acceptance, as RecSys, which signs the session then. Once more, the same.

        peer: the point of the signing key of the CSP that RecSys knows. Raises StateError for an
        acceptance of another one, another than the first, or one whose signature is not CSP's
        (PPMF-SRV-007).
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            data = write_acceptance(acceptance)
            if row.id is not None and data != self._part(key, "acceptance"):
                raise StateError(f"session {short(row.key)}: accepted twice, differently")
            if row.id is None:
                if peer is not None and acceptance.signing_key != peer:
                    raise StateError("the acceptance is of another CSP than the one of the link")
                session = Session(self.proposal(key), acceptance)
                set_up.check_signature(
                    acceptance.signing_key, session.id, by_csp, "CSP's signature"
                )
                if public_point(signing_key) != session.proposal.signing_key:
                    raise StateError("the session was proposed with another signing key")
                signed = SignedSession(session, set_up.sign(signing_key, session.id), by_csp)
                self._set(
                    connection,
                    row,
                    id=session.id,
                    acceptance=data,
                    by_csp=by_csp,
                    signed=set_up.write(signed),
                )
                self._move(connection, row, State.ACCEPTED, "")
            return self.get(key)

    def opened(self, key: bytes, by_recsys: bytes | None = None) -> SessionRow:
        """Open the intake: both signatures are at both servers. Once more, the same.

        by_recsys: RecSys' signature, which CSP gets last; None at RecSys, which made it.
        Raises StateError for a signature that is not RecSys' (PPMF-SRV-007).
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            if not row.signed:
                if by_recsys is None:
                    raise StateError(f"session {short(row.key)}: {_lacking(row)}")
                acceptance, by_csp = self.acceptance(key)
                signed = SignedSession(Session(self.proposal(key), acceptance), by_recsys, by_csp)
                set_up.check_both(signed)
                self._set(connection, row, signed=set_up.write(signed))
            if row.state is State.ACCEPTED:
                self._move(connection, row, State.OPEN, "")
            return self.get(key)

    # -- states ------------------------------------------------------------------------------------

    def move(self, key: bytes, state: State, *, because: str = "") -> SessionRow:
        """Go to a state, and note when and why; to be there already is no change.

        Raises StateError for a state that may not follow (PPMF-SRV-004).
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            if row.state is not state:
                self._move(connection, row, state, because)
            return self.get(key)

    def progress(self, key: bytes, phase: str, done: int, total: int) -> None:
        """Note how far a training is, in half-steps."""
        with self._database.transaction() as connection:
            self._set(connection, self.get(key), phase=phase, done=done, total=total)

    def began(self, key: bytes, epoch: int) -> None:
        """Note the number of the epoch that begins."""
        with self._database.transaction() as connection:
            self._set(connection, self.get(key), epoch=epoch)

    def note_error(self, key: bytes, error: PpmfError) -> None:
        """Note an error after which the session goes on, such as a peer that is away."""
        with self._database.transaction() as connection:
            text = str(error)[:_MOST_ERROR]
            self._set(connection, self.get(key), error_kind=error.kind, error_text=text)

    def clear_error(self, key: bytes) -> None:
        """Note that the last error does not matter any more."""
        with self._database.transaction() as connection:
            self._set(connection, self.get(key), error_kind=None, error_text=None)

    def note_told(self, key: bytes) -> None:
        """Note that the peer knows how a session has ended."""
        with self._database.transaction() as connection:
            self._set(connection, self.get(key), told=1)

    def fail(self, key: bytes, error: PpmfError) -> SessionRow:
        """End a session with an error."""
        with self._database.transaction():
            self.note_error(key, error)
            return self.move(key, State.FAILED, because=f"{error.kind}: {error}"[:_MOST_ERROR])

    # -- what a session has ------------------------------------------------------------------------

    def sealing_key(self, key: bytes) -> SealingKey:
        """CSP's key pair for the seals of a session. Raises StateError if it was erased."""
        return SealingKey(self._part(key, "sealing"))

    def tag_key(self, key: bytes, coins: Coins) -> bytes:
        """The key of the tags of a session's files, 32 bytes, which is drawn when it is first asked
        for. Raises StateError if it was erased (PPMF-RES-008).
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            found = connection.execute(
                "SELECT tag_key FROM sessions WHERE number = ?", (row.number,)
            ).fetchone()[0]
            if found is None and row.erased is None:
                self._set(connection, row, tag_key=coins.bytes(KEY_BYTES))
        return self._part(key, "tag_key")

    def admit(self, key: bytes, admitted: bytes, *, remember: bool = False) -> None:
        """Note the bits of the admission (PPMF-ADM-005).

        remember: whether to keep who these are, as CSP, for the next session of the same catalogue
        (PPMF-SRV-018). Raises StateError for other bits than before.
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            if row.admitted is not None:
                if row.admitted != admitted:
                    raise StateError(f"session {short(row.key)}: a second admission, another one")
                return
            count = len(read_rows(admitted, row.users, "admission"))
            self._set(connection, row, admitted=admitted, admitted_count=count)
            if remember:
                self._remember(connection, row, admitted)

    def publish(self, key: bytes, profiles_digest: bytes) -> SessionRow:
        """End a session: V is there. profiles_digest: SHA-256 of its file."""
        with self._database.transaction() as connection:
            row = self.get(key)
            if row.profiles_digest not in (None, profiles_digest):
                raise StateError(f"session {short(row.key)}: a second V, another one")
            self._set(connection, row, profiles_digest=profiles_digest)
            return self.move(key, State.FINISHED)

    def receipt(self, key: bytes, profiles_digest: bytes, signature: bytes) -> SessionRow:
        """End a session at CSP: RecSys' receipt, a signature of V's digest, is there.

        Raises StateError for a signature that is not RecSys' (PPMF-SRV-016).
        """
        check_receipt(self.signed_session(key).session, profiles_digest, signature)
        with self._database.transaction() as connection:
            row = self.publish(key, profiles_digest)
            self._set(connection, row, receipt=signature, told=1)
            return self.get(key)

    # -- training again ----------------------------------------------------------------------------

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

    # -- within ------------------------------------------------------------------------------------

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
            raise StateError(f"session {short(row.key)}: {_lacking(row)}")
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
            (number, self._database.clock.now(), state, because[:_MOST_ERROR]),
        )

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


def lacking_members(connection: sqlite3.Connection, users: Iterable[str], column: str) -> int:
    """How many of these users have nothing in that column of the enrolment."""
    found = connection.execute(f"SELECT user FROM members WHERE {column} IS NOT NULL")
    return len(set(users) - {row[0] for row in found})


def short(key: bytes) -> str:
    """A session's key as it is shown to people: enough to tell sessions apart."""
    return key.hex()[:12]


def _lacking(row: SessionRow) -> str:
    if row.erased is not None:
        return "it was erased"
    return f"it is {row.state}, and has no such part yet"


def _stored(seconds: int) -> int:
    if seconds >= 1 << 63:
        raise ParametersError("closes or expires: later than this server can count")
    return seconds


def _row(found: sqlite3.Row) -> SessionRow:
    values = dict(zip(found.keys(), found, strict=True))
    kind, text = values.pop("error_kind"), values.pop("error_text")
    values["last_error"] = None if kind is None else (kind, text)
    values["state"] = State(values["state"])
    for name in ("trial", "told", "signed"):
        values[name] = bool(values[name])
    return SessionRow(**values)

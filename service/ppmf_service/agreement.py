# SPDX-License-Identifier: GPL-3.0-or-later
"""How a session comes about at both servers (chapter 8, "Sessions").

What a method does is in the database before it returns, and every step may be repeated: an answer
that was lost is asked for again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric import ec

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.ratings_product import fitted_scheme
from ppmf_secure.session import set_up
from ppmf_secure.session.proposals import (
    catalogue_digest,
    proposal_digest,
    write_acceptance,
    write_proposal,
)
from ppmf_secure.session.session import Acceptance, Proposal, Session
from ppmf_secure.session.set_up import SignedSession
from ppmf_service.keys import public_point
from ppmf_service.session_rows import SessionRow, SessionRows, lacking_part, short
from ppmf_service.states import State
from ppmf_spec.errors import ParametersError, StateError


class Agreement(SessionRows):
    """The steps from a proposal to an open intake."""

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
                    raise StateError(f"session {short(row.key)}: {lacking_part(row)}")
                acceptance, by_csp = self.acceptance(key)
                signed = SignedSession(Session(self.proposal(key), acceptance), by_recsys, by_csp)
                set_up.check_both(signed)
                self._set(connection, row, signed=set_up.write(signed))
            if row.state is State.ACCEPTED:
                self._move(connection, row, State.OPEN, "")
            return self.get(key)


def lacking_members(connection: sqlite3.Connection, users: Iterable[str], column: str) -> int:
    """How many of these users have nothing in that column of the enrolment."""
    found = connection.execute(f"SELECT user FROM members WHERE {column} IS NOT NULL")
    return len(set(users) - {row[0] for row in found})


def _stored(seconds: int) -> int:
    if seconds >= 1 << 63:
        raise ParametersError("closes or expires: later than this server can count")
    return seconds

# SPDX-License-Identifier: GPL-3.0-or-later
"""The enrolment that a server keeps: digests of tokens at RecSys, consent keys at CSP.

Users are known by pseudonyms, which both servers know. What tokens and codes are says
`ppmf_secure.session.enrolment`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.session import Session
from ppmf_secure.session.set_up import CONSENT_KEY_BYTES
from ppmf_service.database import Database
from ppmf_service.recent import Recent
from ppmf_service.sessions import Sessions
from ppmf_service.states import State
from ppmf_spec.errors import RangeError
from ppmf_spec.ids import canonical_order, check_id

_MEMBERS = "SELECT user, made FROM members ORDER BY made, user"


class Members:
    """The table of enrolled users, by their pseudonyms."""

    def __init__(self, database: Database, sessions: Sessions | None = None) -> None:
        self._database = database
        self._sessions = sessions or Sessions(database)
        self._rows: Recent[bytes, Mapping[str, int]] = Recent()

    def users(self) -> tuple[str, ...]:
        """The pseudonyms of all, in canonical order."""
        return canonical_order(user for user, _ in self.all())

    def all(self) -> list[tuple[str, int]]:
        """The pseudonym of each user, and when they were enrolled last."""
        return [(str(row[0]), int(row[1])) for row in self._database.rows(_MEMBERS)]

    def enrolled(self, column: Literal["token", "consent"]) -> list[str]:
        """The pseudonyms of those who have a token here, or a consent key."""
        found = self._database.rows(f"SELECT user FROM members WHERE {column} IS NOT NULL")
        return [str(row[0]) for row in found]

    def enrol_tokens(self, digests: Mapping[str, bytes]) -> None:
        """Keep the digests of the tokens of these users, at RecSys (PPMF-ENR-006).

        A user who has a token already loses it, and every upload under it in a session whose intake
        is open is withdrawn (PPMF-ENR-008). Raises EncodingError for a pseudonym that is no id.
        """
        self._enrol("token", digests)

    def enrol_consent_keys(self, keys: Mapping[str, bytes]) -> None:
        """Keep the consent keys of these users, at CSP (PPMF-ENR-005, -008). Raises as above.

        A user who has one already loses it: what they sent under it is not admitted.
        """
        self._enrol("consent", keys)

    def remove(self, users: Iterable[str]) -> None:
        """Forget these users, and withdraw what they sent in sessions whose intake is open."""
        with self._database.transaction() as connection:
            for user in users:
                self._withdraw(user)
                connection.execute("DELETE FROM members WHERE user = ?", (user,))

    def token_user(self, digest: bytes) -> str | None:
        """The user of the token with that digest, if there is one."""
        found = self._database.row("SELECT user FROM members WHERE token = ?", (digest,))
        return None if found is None else str(found[0])

    def token_row(self, key: bytes, digest: bytes) -> int | None:
        """The row, in that session, of the user of the token with that digest; None if the token is
        nobody's, or of a user who is not of that session.
        """
        user = self.token_user(digest)
        return None if user is None else self._rows_of(key).get(user)

    def consent_keys(self, session: Session, coins: Coins) -> dict[str, bytes]:
        """The consent keys of a session's users, at CSP, as they are now.

        A user who was removed since the session was accepted gets a fresh key, which nobody knows,
        so that nothing they sent is admitted (PPMF-ENR-008).
        """
        rows = self._database.rows("SELECT user, consent FROM members WHERE consent IS NOT NULL")
        known = {row[0]: bytes(row[1]) for row in rows}
        return {user: known.get(user) or coins.bytes(CONSENT_KEY_BYTES) for user in session.users}

    def _enrol(self, column: str, values: Mapping[str, bytes]) -> None:
        for number, user in enumerate(values, start=1):
            check_id(user, f"pseudonym number {number}")
        if any(len(value) != 32 for value in values.values()):
            raise RangeError("enrolment: 32 bytes are due for each user")
        now = self._database.clock.now()
        with self._database.transaction() as connection:
            for user, value in values.items():
                had = connection.execute(
                    f"SELECT {column} FROM members WHERE user = ?", (user,)
                ).fetchone()
                if column == "token" and had is not None and had[0] not in (None, value):
                    self._withdraw(user)
                connection.execute(
                    f"INSERT INTO members (user, {column}, made) VALUES (?, ?, ?) "
                    f"ON CONFLICT (user) DO UPDATE SET {column} = excluded.{column}, "
                    "made = excluded.made",
                    (user, value, now),
                )

    def _withdraw(self, user: str) -> None:
        """Withdraw what a user sent in every session whose intake is open."""
        with self._database.transaction() as connection:
            for session in self._sessions.all():
                row = None
                if session.state is State.OPEN:
                    row = self._rows_of(session.key).get(user)
                if row is not None:
                    connection.execute(
                        "UPDATE uploads SET withdrawn = 1, digest = NULL, message = NULL "
                        "WHERE session = ? AND row = ?",
                        (session.number, row),
                    )

    def _rows_of(self, key: bytes) -> Mapping[str, int]:
        found = self._rows.get(key)
        if found is None:
            users = self._sessions.signed_session(key).session.users
            found = self._rows.keep(key, {user: row for row, user in enumerate(users)})
        return found

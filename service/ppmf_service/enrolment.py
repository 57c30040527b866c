# SPDX-License-Identifier: GPL-3.0-or-later
"""Enrolment: a token at RecSys and a consent code at CSP for each user (chapter 8, "Enrolment").

RecSys keeps the SHA-256 of a token, CSP the consent key that follows from a code. Neither token nor
code is derived from the other, RecSys never holds a code, and CSP never holds a token. Users are
known by pseudonyms, which both servers know.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.session import Session
from ppmf_secure.session.set_up import CONSENT_KEY_BYTES
from ppmf_service.database import Database
from ppmf_service.sessions import Sessions
from ppmf_service.states import State
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.ids import canonical_order, check_id

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""The letters of codes and pseudonyms: no I, L, O and U, which look like others or make words."""

CODE_BYTES = 16
CODE_LETTERS = 27
"""Those of a code with its check letter."""

TOKEN_BYTES = 32
TOKEN_LETTERS = 43
PSEUDONYM_LETTERS = 12

_CONSENT_KEY = b"ppmf/v2/consent-key/"
_MEMBERS = "SELECT user, made FROM members ORDER BY made, user"
_SAME = str.maketrans("ILO", "110", " -")
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_REDUCED = 0b100101  # x^5 + x^2 + 1


# -- codes -----------------------------------------------------------------------------------------


def make_code(coins: Coins) -> bytes:
    """A fresh code, 16 bytes (PPMF-ENR-001)."""
    return coins.bytes(CODE_BYTES)


def write_code(code: bytes) -> str:
    """The 27 letters of a code, of which the last is its check letter (PPMF-ENR-002, -003).

    >>> write_code(bytes(16))
    '000000000000000000000000000'
    """
    number = int.from_bytes(code, "big") << 2
    values = [number >> 5 * at & 31 for at in reversed(range(CODE_LETTERS - 1))]
    return "".join(ALPHABET[value] for value in (*values, check_value(values)))


def read_code(text: str) -> bytes:
    """The code that somebody typed: small letters, blanks and hyphens are taken, I and L for 1, and
    O for 0 (PPMF-ENR-004).

    Raises EncodingError, which shows nothing of the code, for any other letter, a wrong number of
    letters, or a wrong check letter.
    """
    plain = text.strip().upper().translate(_SAME) if text.isascii() else ""
    if len(plain) != CODE_LETTERS:
        raise EncodingError(f"code: {CODE_LETTERS} letters are due, without counting hyphens")
    values = [_VALUES.get(letter, -1) for letter in plain]
    if -1 in values:
        raise EncodingError("code: a letter that no code has")
    *body, check = values
    if check != check_value(body):
        raise EncodingError("code: a letter is wrong, or two have changed places")
    number = 0
    for value in body:
        number = number << 5 | value
    if number & 3:
        raise EncodingError("code: no code ends so")
    return (number >> 2).to_bytes(CODE_BYTES, "big")


def check_value(values: Iterable[int]) -> int:
    """The value of the check letter of these letters' values (PPMF-ENR-003).

    With it, the letters are the coefficients of a polynomial over the field of 32 elements that is
    0 at x, whose powers differ for all places of a code. So one wrong letter is found, and so are
    any two that change places.
    """
    found = 0
    for value in (*values, 0):
        found = found << 1 ^ value
        found ^= _REDUCED if found & 32 else 0
    return found


def consent_key(code: bytes) -> bytes:
    """The consent key of a code, 32 bytes (PPMF-ENR-005)."""
    return HKDF(SHA256(), CONSENT_KEY_BYTES, salt=None, info=_CONSENT_KEY).derive(code)


# -- tokens and pseudonyms -------------------------------------------------------------------------


def make_token(coins: Coins) -> str:
    """A fresh token: 32 bytes in the 43 letters of base64url (PPMF-ENR-006)."""
    return base64.urlsafe_b64encode(coins.bytes(TOKEN_BYTES)).rstrip(b"=").decode()


def read_token(text: str) -> bytes:
    """The 32 bytes of a token. Raises EncodingError, which shows nothing of it, if it is none."""
    try:
        if len(text) != TOKEN_LETTERS:
            raise ValueError
        found = base64.b64decode(text + "=", b"-_", validate=True)
        if base64.urlsafe_b64encode(found).rstrip(b"=") != text.encode():
            raise ValueError
    except (ValueError, binascii.Error):
        raise EncodingError("token: not of the form that an invitation has") from None
    return found


def token_digest(text: str) -> bytes:
    """What RecSys keeps of a token: SHA-256 of its 32 bytes. Raises as `read_token`."""
    return hashlib.sha256(read_token(text)).digest()


def make_pseudonym(coins: Coins) -> str:
    """A fresh pseudonym of 60 bits, which says nothing of the user (PPMF-ENR-007)."""
    return "".join(ALPHABET[value & 31] for value in coins.bytes(PSEUDONYM_LETTERS))


# -- what the servers keep -------------------------------------------------------------------------


class Members:
    """The table of enrolled users, by their pseudonyms."""

    def __init__(self, database: Database, sessions: Sessions | None = None) -> None:
        self._database = database
        self._sessions = sessions or Sessions(database)
        self._rows: dict[bytes, Mapping[str, int]] = {}

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
            found = self._rows[key] = {user: row for row, user in enumerate(users)}
        return found

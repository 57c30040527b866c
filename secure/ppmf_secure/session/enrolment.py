# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user is known by: a token at RecSys, a consent code at CSP (chapter 8, "Enrolment").

RecSys keeps the digest of a token, CSP the consent key that follows from a code. Neither token nor
code is derived from the other, RecSys never holds a code, and CSP never holds a token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.set_up import CONSENT_KEY_BYTES
from ppmf_spec.errors import EncodingError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""The letters of codes and pseudonyms: no I, L, O and U, which look like others or make words."""

CODE_BYTES = 16
CODE_LETTERS = 27
"""Those of a code with its check letter."""

TOKEN_BYTES = 32
TOKEN_LETTERS = 43
PSEUDONYM_LETTERS = 12

_CONSENT_KEY = b"ppmf/v2/consent-key/"
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

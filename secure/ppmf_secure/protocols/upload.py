# SPDX-License-Identifier: GPL-3.0-or-later
"""The upload: the users' ratings come to the two servers as Boolean shares.

A user writes what they rated as bits, in a code of which every string is a row of valid ratings
(`primitives.rating_code`), and masks the bits with a keystream under a fresh seed. The masked bits
go to RecSys. With them goes the seed, sealed to CSP's key together with the user's consent, and
RecSys passes the seal on (`protocols.admission`). Each server then holds one share of every bit and
learns nothing: RecSys because the keystream of an unknown seed is pseudorandom and the seal hides
the seed (`primitives.sealing`), CSP because it sees the seed alone, which does not depend on the
ratings. (Chapter 4, "The upload".)

CSP knows every mask, so RecSys must never send it anything that depends on the masked bits of one
user, such as a digest: CSP could test guesses with it (PPMF-SEC-004).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ppmf_secure.arrays import Bytes
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import RatingCode, Row
from ppmf_secure.primitives.sealing import KEY_BYTES, SealingKey, seal, sealed_bytes
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.ratings import Ratings

SEED_BYTES = 32
CONSENT_BYTES = 32
CONSENT_KEY_BYTES = 32
PAYLOAD_BYTES = SEED_BYTES + CONSENT_BYTES
SEAL_BYTES = sealed_bytes(PAYLOAD_BYTES)


def user_rows(ratings: Ratings) -> Iterator[tuple[str, Row]]:
    """The id and the row of every user on the list, also of one who rated nothing."""
    order = np.argsort(ratings.user, kind="stable")
    ends = np.searchsorted(ratings.user[order], np.arange(1, ratings.n_users))
    for user, theirs in zip(ratings.users, np.split(order, ends), strict=True):
        yield user, Row(ratings.item[theirs], ratings.value[theirs])


def upload(
    session: Session, user: str, serial: int, row: Row, consent_key: bytes, coins: Coins
) -> wire.Upload:
    """The message of a user with that row.

    serial: 1 for the user's first upload of the session, larger for each that replaces another.
    consent_key: the user's, which CSP knows and RecSys does not.
    A user who tries again must send the same bytes again; for changed ratings this function must be
    called again, with another serial (PPMF-UPL-014, -015). Raises RangeError for a rating that is
    not on the scale.
    """
    seed = coins.bytes(SEED_BYTES)
    masked = mask(plain_bits(session, row), keystream(session, user, seed))
    payload = seed + consent(consent_key, session, user, serial)
    sealed = seal_upload(session, user, payload, coins.bytes(KEY_BYTES))
    return wire.Upload(user, serial, masked, sealed)


def upload_bytes(session: Session) -> int:
    """The length of a user's bits: for each item one that says whether it is rated, and t of the
    code (PPMF-COD-005).
    """
    return RatingCode.of(session.parameters).row_bytes(len(session.items))


def plain_bits(session: Session, row: Row) -> bytes:
    """The bits of a row, before they are masked (PPMF-COD-005).

    Raises RangeError for a rating that is not on the scale.
    """
    return RatingCode.of(session.parameters).plain_bits(row, len(session.items))


def planes(session: Session, data: bytes | memoryview) -> Bytes:
    """A user's bits or a share of them, as a user's part (1 + t, ceil(m / 8)) of `RatingBits`;
    raises as `RatingCode.planes` does.
    """
    return RatingCode.of(session.parameters).planes(data, len(session.items))


def keystream(session: Session, user: str, seed: bytes) -> bytes:
    """The mask of a user's bits, which is CSP's share of them (PPMF-UPL-010)."""
    info = b"ppmf/v2/upload/" + session.id + user.encode()
    key = HKDF(SHA256(), 32, salt=None, info=info).derive(seed)
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    return stream.update(bytes(upload_bytes(session)))


def mask(plain: bytes, stream: bytes) -> bytes:
    """The field `masked`: the exclusive or of a user's bits and a keystream, and RecSys' share of
    the bits (PPMF-UPL-011).
    """
    both = (np.frombuffer(part, dtype=np.uint8) for part in (plain, stream))
    return np.bitwise_xor(*both).tobytes()


def consent(key: bytes, session: Session, user: str, serial: int) -> bytes:
    """What shows CSP that this user made the upload of that serial (PPMF-UPL-012).

    key: the user's consent key, 32 bytes, which the user and CSP know and RecSys does not.
    """
    text = b"ppmf/v2/consent/" + session.id + serial.to_bytes(8, "little") + user.encode()
    return hmac.digest(key, text, "sha256")


def seal_upload(session: Session, user: str, payload: bytes, material: bytes) -> bytes:
    """The seed and the consent of an upload, joined and sealed to CSP's key of the session, 112
    bytes; `material` is that of `sealing.seal` (PPMF-UPL-013).
    """
    return seal(session.sealing_key, _binding(session, user), payload, material)


def open_seal(session: Session, user: str, key: SealingKey, sealed: bytes) -> tuple[bytes, bytes]:
    """The seed and the consent that CSP finds in a seal (PPMF-UPL-013).

    Raises EncodingError on a wrong length, RangeError for a point of small order, and StateError
    if it was made for another session, user or key, or altered.
    """
    payload = key.open(sealed, _binding(session, user), PAYLOAD_BYTES, f"seal of user {user}")
    return payload[:SEED_BYTES], payload[SEED_BYTES:]


def _binding(session: Session, user: str) -> bytes:
    return b"ppmf/v2/seal/" + session.id + user.encode()

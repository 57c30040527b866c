# SPDX-License-Identifier: GPL-3.0-or-later
"""A short secret sealed to the holder of a key: HPKE (RFC 9180), one message in base mode.

A user seals the seed of the masks to CSP's key; RecSys forwards the seal and learns nothing of it.
The algorithms are DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305 (PPMF-UPL-004). The
seal is bound to `info`, which names session and user: it opens under no other. It is secure against
chosen ciphertexts (RFC 9180, section 9.1) under the gap Diffie-Hellman assumption on Curve25519,
HKDF being a random oracle.

The library `cryptography` opens seals. It does not make them: it draws ephemeral keys of its own,
and here all randomness comes from `Coins`. So the sender's half of the RFC is written out.
"""

from __future__ import annotations

import hmac
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import EncodingError, RangeError, StateError

KEY_BYTES = 32
TAG_BYTES = 16

_KEM_ID = b"KEM" + b"\x00\x20"
_SUITE_ID = b"HPKE" + b"\x00\x20" + b"\x00\x01" + b"\x00\x03"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_ANY_SCALAR = X25519PrivateKey.from_private_bytes(bytes(KEY_BYTES))


def sealed_bytes(payload: int) -> int:
    """Length of the seal of a payload of so many bytes."""
    return KEY_BYTES + payload + TAG_BYTES


class SealingKey:
    """A key pair in its owner's hands. Never printed: its `repr` names nothing of the key."""

    def __init__(self, secret: bytes) -> None:
        self._secret = X25519PrivateKey.from_private_bytes(secret)
        self.public = self._secret.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, coins: Coins) -> SealingKey:
        """A fresh pair (PPMF-UPL-009)."""
        return cls(_derived_secret(coins.bytes(KEY_BYTES)))

    def open(self, sealed: bytes, info: bytes, payload: int, where: str) -> bytes:
        """The payload, of so many bytes; `where` names the seal in errors (PPMF-UPL-008).

        Raises what `check_seal` raises, and StateError for a seal that was made for another key or
        another `info`, or was altered: these look alike.
        """
        check_seal(sealed, payload, where)
        try:
            return _SUITE.decrypt(sealed, self._secret, info)
        except InvalidTag:
            reason = "it was made for another key, session or user, or altered"
            raise StateError(f"{where}: {reason}") from None

    def __repr__(self) -> str:
        return "SealingKey(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret key is not to be pickled")


def seal(public: bytes, info: bytes, payload: bytes, material: bytes) -> bytes:
    """SealBase of the RFC: the encapsulated key, then the ciphertext; no additional data.

    material: 32 uniform bytes for this seal alone, from which comes the ephemeral key
    (PPMF-UPL-004).
    """
    ephemeral = X25519PrivateKey.from_private_bytes(_derived_secret(material))
    encapsulated = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    secret = _expand(
        _KEM_ID, _extract(_KEM_ID, b"", b"eae_prk", shared), b"shared_secret", encapsulated + public
    )
    context = (
        b"\x00"  # base mode: no pre-shared key, the sender not authenticated
        + _extract(_SUITE_ID, b"", b"psk_id_hash", b"")
        + _extract(_SUITE_ID, b"", b"info_hash", info)
    )
    schedule = _extract(_SUITE_ID, secret, b"secret", b"")
    key = _expand(_SUITE_ID, schedule, b"key", context)
    nonce = _expand(_SUITE_ID, schedule, b"base_nonce", context, 12)
    return encapsulated + ChaCha20Poly1305(key).encrypt(nonce, payload, None)


def check_key(public: bytes, where: str) -> bytes:
    """The key itself (PPMF-UPL-009).

    Raises EncodingError on another length, RangeError for a point of small order. Such a point has
    one shared secret with everybody: zero (RFC 7748, section 6.1).
    """
    if len(public) != KEY_BYTES:
        raise EncodingError(f"{where}: {len(public)} bytes instead of {KEY_BYTES}")
    try:
        _ANY_SCALAR.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise RangeError(f"{where}: a point of small order") from None
    return public


def check_seal(sealed: bytes, payload: int, where: str) -> None:
    """Refuse what anyone can see to be no seal of so many bytes: see `check_key`."""
    if len(sealed) != sealed_bytes(payload):
        raise EncodingError(f"{where}: {len(sealed)} bytes instead of {sealed_bytes(payload)}")
    check_key(sealed[:KEY_BYTES], where)


def _derived_secret(material: bytes) -> bytes:
    """The private key of DeriveKeyPair (the RFC, section 7.1.3)."""
    return _expand(_KEM_ID, _extract(_KEM_ID, b"", b"dkp_prk", material), b"sk", b"")


def _extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    """LabeledExtract of the RFC, section 4: 32 bytes."""
    return hmac.digest(salt, b"HPKE-v1" + suite + label + material, "sha256")


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int = 32) -> bytes:
    """LabeledExpand of the RFC, section 4, for at most one block of HMAC: 32 bytes."""
    text = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, text + b"\x01", "sha256")[:length]

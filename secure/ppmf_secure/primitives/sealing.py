# SPDX-License-Identifier: GPL-3.0-or-later
"""A short secret sealed to the holder of a key, by HPKE (RFC 9180), one message in base mode.

A user seals the seed of their mask and their consent to CSP's key. RecSys forwards the seal and
learns nothing of what is in it. The suite of HPKE is DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
AES-256-GCM (PPMF-UPL-013). The seal is bound to `info`, which names session and user, and opens
under no other. It is secure against chosen ciphertexts (RFC 9180, section 9.1) if gap
Diffie-Hellman is hard on Curve25519, HKDF-SHA256 is a random oracle and AES-256-GCM is an
authenticated cipher (chapter 6, "Assumptions, step by step").

The library `cryptography` opens seals here, but it does not make them, since it draws ephemeral
keys itself and a party's randomness comes from `Coins` alone. The sender's part of the RFC is
therefore written out.
"""

from __future__ import annotations

import hmac
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import EncodingError, RangeError, StateError

KEY_BYTES = 32
TAG_BYTES = 16

_KEM_ID = b"KEM" + b"\x00\x20"
_SUITE_ID = b"HPKE" + b"\x00\x20" + b"\x00\x01" + b"\x00\x02"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_ANY_SCALAR = X25519PrivateKey.from_private_bytes(bytes(KEY_BYTES))


def sealed_bytes(payload: int) -> int:
    """The length of the seal of a payload of so many bytes."""
    return KEY_BYTES + payload + TAG_BYTES


class SealingKey:
    """A key pair, as its owner holds it. Its `repr` shows nothing of the key."""

    def __init__(self, secret: bytes) -> None:
        self._secret = X25519PrivateKey.from_private_bytes(secret)
        self.public = self._secret.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, coins: Coins) -> SealingKey:
        """A fresh key pair (PPMF-SES-011)."""
        return cls(_derived_secret(coins.bytes(KEY_BYTES)))

    def open(self, sealed: bytes, info: bytes, payload: int, where: str) -> bytes:
        """The payload of a seal, `payload` bytes; `where` names the seal in errors (PPMF-UPL-013).

        Raises what `check_seal` raises, and StateError for a seal that was altered or was made for
        another key or another `info`, which cannot be told apart.
        """
        check_seal(sealed, payload, where)
        try:
            return _SUITE.decrypt(sealed, self._secret, info)
        except InvalidTag:
            reason = "it was made for another key, session or user, or altered"
            raise StateError(f"{where}: {reason}") from None

    def secret_bytes(self) -> bytes:
        """The private key, 32 bytes, for the process of its owner alone."""
        return self._secret.private_bytes_raw()

    def __repr__(self) -> str:
        return "SealingKey(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret key is not to be pickled")


def seal(public: bytes, info: bytes, payload: bytes, material: bytes) -> bytes:
    """The seal of a payload: the encapsulated key, then the ciphertext (SealBase of the RFC).

    material: 32 uniform bytes for this seal alone; the ephemeral key is derived from them. There is
    no additional data (PPMF-UPL-013).
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
    return encapsulated + AESGCM(key).encrypt(nonce, payload, None)


def check_key(public: bytes, where: str) -> bytes:
    """The public key itself, once it is checked; `where` names it in errors (PPMF-SES-009).

    Raises EncodingError on another length, RangeError for a point of small order, whose shared
    secret with every key is zero (RFC 7748, section 6.1).
    """
    if len(public) != KEY_BYTES:
        raise EncodingError(f"{where}: {len(public)} bytes instead of {KEY_BYTES}")
    try:
        _ANY_SCALAR.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise RangeError(f"{where}: a point of small order") from None
    return public


def check_seal(sealed: bytes, payload: int, where: str) -> None:
    """Check what can be checked of a seal without the key: its length and its encapsulated key.

    Raises EncodingError and RangeError as `check_key` does.
    """
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

# SPDX-License-Identifier: GPL-3.0-or-later
"""A short secret sealed to the holder of a Paillier key (PROTOCOL.md, the run, step 2).

A user seals her 32-byte seed and what binds it to the session to CSP's key; RecSys forwards the
ciphertext and learns nothing of it under DCR. Paillier is malleable: that a seal was not altered on
its way rests on RecSys following the protocol, and CSP's check of the binding.
"""

from __future__ import annotations

from ppmf_secure.ahe.paillier_keys import MIN_BITS, PublicKey, SecretKey
from ppmf_secure.coins import Coins
from ppmf_spec.errors import RangeError

MAX_PAYLOAD = (MIN_BITS - 1) // 8
"""Bytes that fit below every allowed modulus."""


def seal(public: PublicKey, payload: bytes, coins: Coins) -> bytes:
    """A fresh encryption of the payload as one big-endian integer; one ciphertext long."""
    if len(payload) > MAX_PAYLOAD:
        raise RangeError(f"sealed payload: {len(payload)} bytes, at most {MAX_PAYLOAD} allowed")
    return public.write([public.encrypt(int.from_bytes(payload, "big"), coins)])


def unseal(secret: SecretKey, sealed: bytes, length: int, where: str) -> bytes:
    """The payload, `length` bytes; `where` names the seal in errors.

    Raises EncodingError on a wrong length, RangeError on a ciphertext outside its group or a
    plaintext that is longer than the payload (as under another key).
    """
    (ciphertext,) = secret.public.read(sealed, 1, where)
    message = secret.decrypt_short(ciphertext, 8 * length)
    if message >> (8 * length):
        raise RangeError(f"{where}: the plaintext does not fit in {length} bytes")
    return message.to_bytes(length, "big")

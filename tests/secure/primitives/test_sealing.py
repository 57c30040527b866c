# SPDX-License-Identifier: Apache-2.0
"""Sealed seeds are HPKE: the RFC's own example, the library's own sender, and what is refused."""

from __future__ import annotations

import pickle

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.sealing import (
    KEY_BYTES,
    SealingKey,
    _derived_secret,
    check_key,
    seal,
    sealed_bytes,
)
from ppmf_spec.errors import EncodingError, RangeError, StateError

STANDARD = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
KEY = SealingKey(bytes(range(KEY_BYTES)))

# RFC 9180, appendix A.2.1. It has another cipher, which does not change the encapsulated key; the
# RFC has no example of X25519 with AES-256-GCM.
MATERIAL = "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b"
ENCAPSULATED = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
RECEIVER = "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"


@pytest.mark.req("PPMF-UPL-013")
def test_the_encapsulated_key_is_that_of_the_rfcs_example() -> None:
    sealed = seal(bytes.fromhex(RECEIVER), b"info", b"beauty", bytes.fromhex(MATERIAL))
    assert sealed[:KEY_BYTES].hex() == ENCAPSULATED


@pytest.mark.req("PPMF-UPL-013")
@given(
    payload=st.binary(max_size=64),
    info=st.binary(max_size=100),
    coins=st.text("uv", max_size=5),
)
def test_a_seal_opens_to_its_payload(payload: bytes, info: bytes, coins: str) -> None:
    draw = Coins.seeded(coins)
    material = draw.bytes(32)
    key = SealingKey.generate(Coins(material))
    secret = X25519PrivateKey.from_private_bytes(_derived_secret(Coins(material).bytes(32)))
    sealed = seal(key.public, info, payload, draw.bytes(32))
    assert len(sealed) == sealed_bytes(len(payload)) == 48 + len(payload)
    assert key.open(sealed, info, len(payload), "seal of x") == payload
    assert STANDARD.decrypt(sealed, secret, info) == payload, "the library opens ours,"
    theirs = STANDARD.encrypt(payload, X25519PublicKey.from_public_bytes(key.public), info)
    assert key.open(theirs, info, len(payload), "seal of x") == payload, "and we open its own"


@pytest.mark.req("PPMF-UPL-013")
@given(bit=st.integers(0, 8 * sealed_bytes(32) - 1))
def test_an_altered_seal_does_not_open(bit: int) -> None:
    sealed = bytearray(seal(KEY.public, b"info", bytes(32), b"m" * 32))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StateError, match="seal of x: it was made for another key, session or user"):
        KEY.open(bytes(sealed), b"info", 32, "seal of x")


@pytest.mark.req("PPMF-UPL-013")
def test_a_seal_opens_for_its_key_and_info_alone() -> None:
    sealed = seal(KEY.public, b"info", bytes(32), b"m" * 32)
    with pytest.raises(StateError, match="seal of x"):
        KEY.open(sealed, b"other", 32, "seal of x")
    with pytest.raises(StateError, match="seal of x"):
        SealingKey(b"k" * 32).open(sealed, b"info", 32, "seal of x")
    with pytest.raises(EncodingError, match="seal of x: 79 bytes instead of 80"):
        KEY.open(sealed[1:], b"info", 32, "seal of x")
    with pytest.raises(RangeError, match="seal of x: a point of small order"):
        KEY.open(bytes(80), b"info", 32, "seal of x")


@pytest.mark.req("PPMF-SES-009")
def test_points_of_small_order_are_refused_and_others_not() -> None:
    """Of order 1, 2, 4: u = 0, 1, -1 mod 2^255 - 19, each in every encoding of 255 bits."""
    prime = 2**255 - 19
    small = [u for point in (0, 1, prime - 1) for u in (point, point + prime) if u < 2**255]
    assert len(small) == 5
    for u in small:
        with pytest.raises(RangeError, match="the key: a point of small order"):
            check_key(u.to_bytes(32, "little"), "the key")
    with pytest.raises(EncodingError, match="the key: 33 bytes instead of 32"):
        check_key(bytes(33), "the key")
    nine = (9).to_bytes(32, "little")
    assert check_key(nine, "the key") == nine
    assert check_key(KEY.public, "the key") == KEY.public


def test_a_sealing_key_follows_from_its_coins_and_is_not_printed() -> None:
    one, again, other = (SealingKey.generate(Coins.seeded(name)) for name in "aab")
    assert one.public == again.public != other.public
    assert repr(one) == "SealingKey(...)"
    with pytest.raises(TypeError, match="^a secret key is not to be pickled$"):
        pickle.dumps(one)
    secret = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    assert secret.public_key().public_bytes_raw() == KEY.public

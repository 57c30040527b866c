# SPDX-License-Identifier: Apache-2.0
"""Paillier keys: what they look like, what they encrypt, what they refuse."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import gcd
from typing import ClassVar

import gmpy2
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier import keys
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_spec.errors import EncodingError, ParametersError, RangeError

BITS = 512


@cache
def _key(label: str = "key", bits: int = BITS) -> SecretKey:
    return SecretKey.generate(bits, Coins.seeded(label))


def _wire(value: int, size: int = BITS // 8) -> bytes:
    return value.to_bytes(size, "big")


def _prime(bits: int) -> int:
    return int(gmpy2.next_prime(3 << (bits - 2)))


@pytest.mark.req("PPMF-AHE-003")
@pytest.mark.parametrize("bits", [512, 528, 768])
def test_key_generation(bits: int) -> None:
    key = _key(bits=bits)
    p, q, modulus = int(key._p), int(key._q), int(key.public.modulus)
    assert p * q == modulus
    assert modulus.bit_length() == key.public.bits == bits
    for prime in (p, q):
        assert gmpy2.is_prime(prime)
        assert prime >> (bits // 2 - 2) == 3
    assert gcd(modulus, (p - 1) * (q - 1)) == 1
    assert abs(p - q) > 1 << (bits // 2 - 100)
    assert key.public.ciphertext_bytes == bits // 4


def test_a_key_is_a_function_of_its_coins() -> None:
    again = SecretKey.generate(BITS, Coins.seeded("key"))
    assert again.public.to_bytes() == _key().public.to_bytes()
    assert _key("another").public.to_bytes() != _key().public.to_bytes()


@pytest.mark.parametrize("bits", [0, 496, 520, 2049])
def test_unusable_sizes_are_refused(bits: int) -> None:
    with pytest.raises(ParametersError, match=f"{bits} bits"):
        SecretKey.generate(bits, Coins.seeded("sizes"))


@settings(max_examples=40)
@given(part=st.fractions(0, 1), label=st.text(max_size=3))
def test_both_encryptions_decrypt(part: Fraction, label: str) -> None:
    key, coins = _key(), Coins.seeded(label)
    message = int(part * (int(key.public.modulus) - 1))
    for encrypt in (key.encrypt, key.public.encrypt):
        assert key.decrypt(encrypt(message, coins)) == message
    assert key.decrypt(key.public.plain(message)) == message


@pytest.mark.req("PPMF-AHE-006")
def test_anyone_encrypts_with_a_unit_of_the_coins() -> None:
    """(1 + m N) r^N, r the next number of the coins that is prime to N; no other randomness."""
    public, stream = _key().public, Coins.seeded("a unit")
    modulus, square = int(public.modulus), int(public.square)
    unit = stream.below(modulus)
    assert gcd(unit, modulus) == 1
    expected = (1 + 5 * modulus) * pow(unit, modulus, square) % square
    assert public.encrypt(5, Coins.seeded("a unit")) == expected
    assert public.residue(Coins.seeded("a unit")) == pow(unit, modulus, square)


def test_messages_outside_the_plaintexts_are_refused_unnamed() -> None:
    key, coins = _key(), Coins.seeded("outside")
    for message in (-1, int(key.public.modulus)):
        for encrypt in (key.encrypt, key.public.encrypt):
            with pytest.raises(RangeError) as refused:
                encrypt(message, coins)
            assert str(message) not in str(refused.value)


@pytest.mark.req("PPMF-AHE-006")
def test_the_owner_reaches_every_residue_equally_often() -> None:
    """The argument of `SecretKey.encrypt`, checked by counting on a modulus of six bits."""
    p, q = 5, 7
    square = (p * q) ** 2
    residues = {pow(r, p * q, square) for r in range(1, p * q) if gcd(r, p * q) == 1}
    at_p = [pow(u, p, p * p) for u in range(1, p)]
    at_q = [pow(u, q, q * q) for u in range(1, q)]
    assert len(residues) == (p - 1) * (q - 1) == len(set(at_p)) * len(set(at_q))
    assert {(z % p**2, z % q**2) for z in residues} == {(a, b) for a in at_p for b in at_q}


@pytest.mark.req("PPMF-AHE-006")
def test_the_owner_encrypts_with_a_residue() -> None:
    """Without its message, an owner's ciphertext is an N-th residue, a new one each time."""
    key, coins = _key(), Coins.seeded("residues")
    modulus, square = key.public.modulus, key.public.square
    order = (key._p - 1) * (key._q - 1)
    seen = set()
    for message in (0, 1, int(modulus) - 1):
        residue = key.encrypt(message, coins) * gmpy2.invert(key.public.plain(message), square)
        assert gmpy2.powmod(residue, order, square) == 1
        seen.add(int(residue % square))
    assert len(seen) == 3


@pytest.mark.req("PPMF-AHE-003")
def test_primes_are_the_first_of_the_coins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of big-endian numbers with the two top bits and the lowest one set; tested in 64 rounds."""
    stream = Coins.seeded("first primes")
    found: list[int] = []
    rounds: set[int] = set()
    while len(found) < 2:
        number = int.from_bytes(stream.bytes(32), "big") | 2**255 | 2**254 | 1
        if sympy.isprime(number):
            found.append(number)
    is_prime = gmpy2.is_prime

    def counting(number: int, count: int = 25) -> bool:
        rounds.add(count)
        return bool(is_prime(number, count))

    monkeypatch.setattr(gmpy2, "is_prime", counting)
    key = SecretKey.generate(BITS, Coins.seeded("first primes"))
    assert [int(key._p), int(key._q)] == found
    assert rounds == {64}


@pytest.mark.req("PPMF-AHE-003")
def test_primes_that_are_too_close_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to a distance of 2^156 at 512 bits; a q below p is no closer than one above."""
    p = _prime(256) + 2**200
    for sign in (1, -1):
        far = p + sign * 2**156
        drawn = iter([p, p, p + 2**156 - 1, p - 2**156 + 1, far])
        monkeypatch.setattr(keys, "_prime", lambda bits, coins, drawn=drawn: next(drawn))
        key = SecretKey.generate(BITS, Coins.seeded("unused"))
        assert (key._p, key._q) == (p, far)


@pytest.mark.req("PPMF-AHE-006")
def test_the_owner_draws_from_all_units_modulo_each_prime() -> None:
    """The smallest, 1, and the largest, p - 1 and q - 1; and the residues they make by CRT."""
    key = _key()
    p, q, square = int(key._p), int(key._q), int(key.public.square)

    class Extreme(Coins):
        largest = False
        bounds: ClassVar[list[int]] = []

        def below(self, bound: int) -> int:
            self.bounds.append(bound)
            return bound - 1 if self.largest else 0

    coins = Extreme.seeded("extreme")
    assert key.encrypt(0, coins) == 1
    assert coins.bounds == [p - 1, q - 1]
    coins.largest = True
    residue = int(key.encrypt(0, coins))
    assert residue < square
    assert residue % p**2 == pow(p - 1, p, p**2)
    assert residue % q**2 == pow(q - 1, q, q**2)


@pytest.mark.req("PPMF-AHE-003")
def test_public_key_round_trip() -> None:
    public = _key().public
    data = public.to_bytes()
    assert len(data) == BITS // 8
    assert PublicKey.parse(data, BITS).modulus == public.modulus


@pytest.mark.req("PPMF-AHE-004")
@pytest.mark.parametrize("size", [0, BITS // 8 - 1, BITS // 8 + 1, 2 * BITS // 8])
def test_public_key_of_another_length(size: int) -> None:
    with pytest.raises(EncodingError, match=f"{size} bytes instead of 64"):
        PublicKey.parse(b"\xff" * size, BITS)


@pytest.mark.req("PPMF-AHE-004")
@pytest.mark.parametrize(
    ("modulus", "reason"),
    [
        (0, "0 bits, not 512"),
        (_prime(256) * _prime(250), "506 bits, not 512"),
        ((1 << 511) + 2, "small prime"),
        (997 * _prime(502), "small prime"),
        (_prime(512), "not a product of two primes"),
        (_prime(256) ** 2, "not a product of two primes"),
    ],
    ids=["zero", "short", "even", "997", "prime", "square"],
)
def test_bad_moduli_are_refused(modulus: int, reason: str) -> None:
    with pytest.raises(RangeError, match=reason):
        PublicKey.parse(_wire(modulus), BITS)


@pytest.mark.req("PPMF-AHE-005")
def test_ciphertexts_round_trip_in_fixed_length() -> None:
    public = _key().public
    ciphertexts = [gmpy2.mpz(1), public.encrypt(7, Coins.seeded("trip")), public.square - 1]
    data = public.write(ciphertexts)
    assert len(data) == 3 * public.ciphertext_bytes
    assert public.read(data, 3, "trip") == ciphertexts
    assert public.read(b"", 0, "trip") == []


@pytest.mark.req("PPMF-AHE-005")
@pytest.mark.parametrize("at", [0, 1, 2])
def test_ciphertexts_outside_the_group_are_named(at: int) -> None:
    key = _key()
    public = key.public
    bad = {
        "outside": [0, public.square, public.square + 5],
        "not prime to N": [public.modulus, key._p, 2 * key._q, key._p**2],
    }
    for reason, values in bad.items():
        for value in values:
            ciphertexts = [public.encrypt(7, Coins.seeded("group")) for _ in range(3)]
            ciphertexts[at] = value
            with pytest.raises(RangeError, match=f"^row 5: ciphertext {at} is {reason}"):
                public.read(public.write(ciphertexts), 3, "row 5")


@pytest.mark.req("PPMF-AHE-005")
@pytest.mark.parametrize("change", [-1, 1, 128])
def test_ciphertexts_of_another_length(change: int) -> None:
    with pytest.raises(EncodingError, match="^row 5: "):
        _key().public.read(bytes(256 + change), 2, "row 5")


@pytest.mark.req("PPMF-ERR-002")
def test_secrets_are_not_printed() -> None:
    key = _key()
    for value in (key._p, key._q):
        assert str(value) not in f"{key!r} {key} {key.public!r}"
    assert repr(key) == "SecretKey(...)"

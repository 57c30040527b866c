# SPDX-License-Identifier: Apache-2.0
"""Randomisers: the bound on their distance from uniform, and what is drawn."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product
from math import gcd, log2, prod

import gmpy2
import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.encryption.paillier.randomisers import (
    PoolShape,
    Randomisers,
    distance_squared,
    pool_shape,
)

SIZES = [512, 768, 1024, 2048, 3072, 4096]


@cache
def _key() -> SecretKey:
    return SecretKey.generate(512, Coins.seeded("randomisers"))


def _log2(value: Fraction) -> float:
    return log2(value.numerator) - log2(value.denominator)


def _is_residue(value: int) -> bool:
    """N-th residues mod N^2 are the elements whose order divides phi(N)."""
    key = _key()
    order = (key._p - 1) * (key._q - 1)
    return bool(gmpy2.powmod(value, order, key.public.square) == 1)


@pytest.mark.req("PPMF-AHE-011")
@pytest.mark.parametrize("draws", [1, 3, 1 << 10, 1 << 20, (1 << 24) - 1])
@pytest.mark.parametrize("bits", SIZES)
def test_all_draws_together_stay_below_two_to_the_minus_forty_one(bits: int, draws: int) -> None:
    """The docstring's sum once more, in logarithms and term by term."""
    shape = pool_shape(bits, draws)
    t, k = shape.bases, 8 * shape.exponent_bytes
    terms = [2 * log2(d) + t * log2(1 / d + 2.0**-k) for d in range(2, min(4000, 2**k))]
    terms.append(bits - k * t)
    total = sum(2.0**term for term in terms)
    assert log2(draws) + log2(total) / 2 - 1 < -40.5
    exact = distance_squared(bits, t, k)
    assert exact * draws**2 <= Fraction(1, 2**82)
    assert -1 < _log2(exact) - (log2(total) - 2) < 1


@pytest.mark.parametrize("bits", SIZES)
def test_fewer_bases_or_bits_exceed_the_bound(bits: int) -> None:
    """A pool is no larger than its bound asks for, within one window or base."""
    shape = pool_shape(bits, 1 << 20)
    wanted = Fraction(1, 1 << 61) ** 2
    assert distance_squared(bits, shape.bases, 8 * shape.exponent_bytes) <= wanted
    assert distance_squared(bits, 120, 64) > wanted
    assert distance_squared(bits, shape.bases, (bits + 110) // shape.bases) > wanted
    assert shape.bases * shape.exponent_bytes <= max(123, bits / 8 + 18)


@pytest.mark.parametrize(
    ("bits", "draws", "bases", "exponent_bytes"),
    [
        (512, 1, 83, 1),
        (2048, 5, 89, 3),
        (3072, 528, 133, 3),
        (3072, 1 << 10, 133, 3),
        (3072, 3_000_000, 134, 3),
        (4096, 1, 88, 6),
    ],
)
def test_the_pools_of_some_runs(bits: int, draws: int, bases: int, exponent_bytes: int) -> None:
    """What is drawn from the coins depends on them: 133 bases of 3 bytes, not 100 of 4."""
    assert pool_shape(bits, draws) == PoolShape(bases, exponent_bytes)


@pytest.mark.req("PPMF-AHE-011")
@pytest.mark.parametrize(
    ("bits", "t", "k"), [(6, 4, 2), (5, 5, 1), (512, 81, 8), (3072, 133, 24), (3072, 20, 8)]
)
def test_the_bound_is_that_of_chapter_4(bits: int, t: int, k: int) -> None:
    """Its three terms over one denominator, (16!)^t 16^(t-3) (t-3) 2^(kt)."""
    whole = prod(range(2, 17))
    common = [whole**t, 16 ** (t - 3) * (t - 3), 2 ** (k * t)]
    scaled = sum((v**2 - 1) * (2**k + v) ** t * (whole // v) ** t * common[1] for v in range(2, 17))
    scaled += 2**t * common[0] * common[2] + 2**bits * common[0] * common[1]
    assert distance_squared(bits, t, k) == Fraction(scaled, 4 * prod(common))


def test_two_exponents_collide_as_often_as_their_differences_have_powers() -> None:
    """Step (2) of the lemma: over pairs of bases, Pr[g^d h^d' = 1] is 1 / |G^gcd(d, d')|."""
    modulus = 5 * 7
    group = [g for g in range(modulus) if gcd(g, modulus) == 1]
    for d, other in product(range(-3, 4), repeat=2):
        powers = {pow(g, gcd(d, other), modulus) for g in group}
        ones = sum(
            pow(g, d, modulus) * pow(h, other, modulus) % modulus == 1
            for g, h in product(group, repeat=2)
        )
        assert ones * len(powers) == len(group) ** 2
        assert len(group) == len(powers) * gcd(gcd(d, other), 4) * gcd(gcd(d, other), 6)


@pytest.mark.req("PPMF-AHE-011")
@pytest.mark.parametrize(("p", "q"), [(5, 7), (7, 11), (5, 17)])
@pytest.mark.parametrize(("bases", "exponent_bits"), [(4, 2), (5, 1)])
def test_the_bound_holds_where_all_can_be_counted(
    p: int, q: int, bases: int, exponent_bits: int
) -> None:
    """|G| C - 1 of the lemma, by counting differences, for moduli of a few bits."""
    values = range(1 << exponent_bits)
    collisions = Fraction(0)
    for e in product(values, repeat=bases):
        d = gcd(*e) if any(e) else 0
        pairs = prod((2 if x else 1) * ((1 << exponent_bits) - x) for x in e)
        index = gcd(d, p - 1) * gcd(d, q - 1)
        collisions += Fraction(pairs * index, 1 << (2 * exponent_bits * bases))
    bound = distance_squared((p * q).bit_length(), bases, exponent_bits)
    assert 0 < (collisions - 1) / 4 <= bound


@pytest.mark.req("PPMF-AHE-006", "PPMF-AHE-011")
def test_every_draw_is_a_fresh_residue() -> None:
    pool, coins = Randomisers(_key().public, 4), Coins.seeded("fresh")
    count = pool_shape(512, 4).bases + 50
    drawn = [int(pool.draw(coins)) for _ in range(count)]
    assert len(set(drawn)) == count
    assert all(_is_residue(value) for value in drawn)
    assert not _is_residue(int(_key().public.plain(1)))


def test_products_have_the_exponents_of_the_coins() -> None:
    """From tables: prod g_i^e_i with e_i the little-endian integers of the coins' next bytes."""
    public, coins = _key().public, Coins.seeded("products")
    pool, shape = Randomisers(public, 1), pool_shape(public.bits, 1)
    bases = [pool.draw(coins) for _ in range(shape.bases)]
    size = shape.exponent_bytes
    for label in ("one", "two"):
        data = Coins.seeded(label).bytes(shape.bases * size)
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        expected = gmpy2.mpz(1)
        for base, chunk in zip(bases, chunks, strict=True):
            power = gmpy2.powmod(base, int.from_bytes(chunk, "little"), public.square)
            expected = expected * power % public.square
        assert pool.draw(Coins.seeded(label)) == expected


def test_tables_cover_exponents_of_several_bytes() -> None:
    """At 2048 bits exponents have two bytes or more; the residues may be those of a small key."""
    public = _key().public
    pool = Randomisers(public, 1)
    pool._shape = pool_shape(2048, 1 << 20)
    assert pool._shape.exponent_bytes == 2
    coins = Coins.seeded("wide")
    bases = [pool.draw(coins) for _ in range(pool._shape.bases)]
    data = Coins.seeded("wide exponents").bytes(2 * len(bases))
    expected = gmpy2.mpz(1)
    for number, base in enumerate(bases):
        exponent = int.from_bytes(data[2 * number : 2 * number + 2], "little")
        expected = expected * gmpy2.powmod(base, exponent, public.square) % public.square
    assert pool.draw(Coins.seeded("wide exponents")) == expected


def test_small_runs_build_no_tables() -> None:
    pool, coins = Randomisers(_key().public, 1 << 20), Coins.seeded("lazy")
    for _ in range(pool_shape(512, 1 << 20).bases):
        pool.draw(coins)
    assert not pool._tables
    pool.draw(coins)
    assert pool._tables

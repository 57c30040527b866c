# SPDX-License-Identifier: GPL-3.0-or-later
"""Fresh N-th residues mod N^2, many under one key, for a party that does not know its factors.

Every answer of the homomorphic product needs a randomiser of full size. Without it, the randomness
of the answer would be a product of powers of the randomness of the owner's ciphertexts, which the
owner knows, with the secret matrix in the exponents (chapter 6, "Assumptions, step by step").
Computing r^N for each randomiser would cost a third of the product itself. Here only the first t
randomisers are computed in this way. They are kept as bases g_1, ..., g_t, and every later one is
g_1^e_1 ... g_t^e_t for fresh uniform exponents of k bits, from tables of the powers for each byte
of each exponent.

`distance_squared` bounds how far this is from uniform. The bound is statistical and needs no
assumption. It holds given the bases. So it does not matter that the owner, who can extract the
randomness of every ciphertext they decrypt, has seen the bases as the first t randomisers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from gmpy2 import mpz

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey
from ppmf_secure.primitives.encryption.paillier.slots import STATISTICAL_BITS

_WINDOW = 8  # bits of an exponent that a table covers, so that digits are bytes of the coins
_EXACT_DIVISORS = 16


def distance_squared(modulus_bits: int, bases: int, exponent_bits: int) -> Fraction:
    """An upper bound on the square of the statistical distance of one product from uniform.

    The distance is that between (g, h(e)) and (g, u), where h(e) = g_1^e_1 ... g_t^e_t. Here
    g = g_1, ..., g_t and u are independent and uniform in the group G of N-th residues mod N^2, and
    e = e_1, ..., e_t are independent and uniform in [0, 2^k). `bases` is t >= 4, `exponent_bits` is
    k, and N has at most `modulus_bits` bits. The proof is that of the leftover hash lemma
    (Impagliazzo, Levin, Luby, STOC 1989), with the collision probability of this family in this
    group:

    (1) For random variables (g, y) on G^t x G with g uniform, Cauchy-Schwarz gives
        distance <= 1/2 sqrt(|G| C - 1), where C = Pr[h(e) = h(e')] for two exponents and one g.
    (2) Let D = gcd of all e_i - e'_i. If D > 0, g -> h(e) / h(e') = g_1^(e_1-e'_1) ... is a
        homomorphism of G^t onto G^D, the D-th powers, so it is 1 with probability 1 / |G^D|.
        D = 0 means e = e', which has probability 2^-kt.
    (3) G is isomorphic to Z_N^* (r -> r^N), a product of two cyclic groups, of orders p - 1 and
        q - 1. So [G : G^D] = gcd(D, p-1) gcd(D, q-1) <= D^2, and |G| < N < 2^modulus_bits.
    (4) So |G| C - 1 <= sum over D >= 2 of Pr[gcd = D] (D^2 - 1) + |G| 2^-kt.
    (5) Pr[gcd = D] <= Pr[D divides every e_i - e'_i] <= (1/D + 2^-k)^t, since given e'_i at most
        ceil(2^k / D) of the 2^k values of e_i agree with it mod D.
    (6) As D < 2^k, (5) is at most (2/D)^t, and beyond L the sum is at most
        2^t sum of D^(2-t) over D > L <= 2^t L^(3-t) / (t-3), by the integral.

    The term of D = 2 is the largest: 3 * 2^-t, as all exponents of two products agree in parity
    with probability 2^-t, and G / G^2 has four elements. So t is twice the wanted bits, whatever
    the size of the key, and the total entropy kt of the exponents exceeds the bits of the key by
    the same margin.
    """
    t, k, last = bases, exponent_bits, _EXACT_DIVISORS
    divisors = sum(
        (d * d - 1) * (Fraction(1, d) + Fraction(1, 2**k)) ** t for d in range(2, last + 1)
    )
    beyond = Fraction(2**t, last ** (t - 3) * (t - 3))
    return (divisors + beyond + Fraction(2**modulus_bits, 2 ** (k * t))) / 4


@dataclass(frozen=True, slots=True)
class PoolShape:
    """The number of bases, and of bytes of each exponent."""

    bases: int
    exponent_bytes: int


def pool_shape(modulus_bits: int, draws: int) -> PoolShape:
    """The fewest bases and bytes that keep `draws` products within 2^-41 in all (PPMF-AHE-011).

    The exponents of the draws are independent, so that, given the bases, their distances add up.
    """
    wanted = Fraction(1, (draws << STATISTICAL_BITS) ** 2)
    bases = 2 * (STATISTICAL_BITS + draws.bit_length() - 1)
    while True:
        windows = -(-(modulus_bits + bases) // _WINDOW)
        size = max(1, windows // bases)
        count = max(bases, -(-windows // size))
        if distance_squared(modulus_bits, count, _WINDOW * size) <= wanted:
            return PoolShape(count, size)
        bases += 1


class Randomisers:
    """The randomisers of one run under one public key (PPMF-AHE-011).

    draws: a bound on how many will be drawn, which enters the statistical distance alone.
    The tables have t k/8 * 256 residues, 78 MB at 3072 bits. They are made when the first t
    randomisers are used up, so that a run that needs fewer does without them.
    """

    def __init__(self, public: PublicKey, draws: int) -> None:
        self._public = public
        self._shape = pool_shape(public.bits, draws)
        self._bases: list[mpz] = []
        self._tables: list[list[mpz]] = []

    def draw(self, coins: Coins) -> mpz:
        """A fresh randomiser: an N-th residue mod N^2."""
        if len(self._bases) < self._shape.bases:
            base = self._public.residue(coins)
            self._bases.append(base)
            return base
        if not self._tables:
            self._tables = list(self._build())
        square, product = self._public.square, mpz(1)
        for table, digit in zip(self._tables, coins.bytes(len(self._tables)), strict=True):
            product = product * table[digit] % square
        return product

    def _build(self) -> Iterator[list[mpz]]:
        """The tables: for each byte j of each exponent the powers g^(256^j d), d = 0, ..., 255."""
        square = self._public.square
        for base in self._bases:
            step = base
            for _ in range(self._shape.exponent_bytes):
                table = [mpz(1)]
                for _ in range(1 << _WINDOW):
                    table.append(table[-1] * step % square)
                step = table.pop()
                yield table

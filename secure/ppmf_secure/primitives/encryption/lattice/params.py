# SPDX-License-Identifier: GPL-3.0-or-later
"""The lattice of `rlwe-8192` and its budget (chapter 4, "Lattice suites: parameters").

The budget bounds noise and flood so that every answer hides X and decrypts exactly. The ring is
Z_q[X] / (X^N + 1), the plaintexts are polynomials over Z_2^k with the k of the session, and a
message m is encoded as round(q m / 2^k). With x a row of X, lifted to [-2^(k-1), 2^(k-1)), Q
decrypts

    sum over j of x_j (m_j + m'_j + e_j)  +  zero  +  round(q rho / 2^k)  +  flood  mod q

where m_j and m'_j are the encodings of both servers' shares of M_j. It is q v / 2^k + err for
v = (x M + rho) mod 2^k, since q times an integer vanishes mod q. Here |e_j| <= 21, each of the two
roundings errs by at most 1/2, and a public-key encryption of zero is e u + e1 + e2 s with ternary u
and s, so at most 21 (2 N + 1) in each coefficient. Without the flood, err and its distance from
round(q v / 2^k), which is one more rounding, are within

    Nb = 2^(k-1) rows (21 + 1) + 21 (2 N + 1) + 1.

- *Hiding.* The flood is uniform on [-2^t, 2^t) with 2^t >= Nb 2^40 outputs, t as small as that
  allows. Shifted by at most Nb it is within Nb / 2^(t+1) <= 2^-41 / outputs of itself, in
  statistical distance. So
  all decryptions under one key together are within 2^-41 of round(q v / 2^k) + flood with v
  uniform, which says nothing of X. A key serves one epoch. A resumed run has a new key but perhaps
  the same X, so the distances add up to E 2^-41 after E epochs. The only assumption is that coins
  are uniform (`coins`).
- *Exactness.* Rounding to the kept primes (`rounding`), whose product is q', adds an error below
  (N + 2) / 2, and decoding in floats adds one below 2^-41. So v always comes out exactly if

      (Nb + 2^t) / q + (N + 2) / (2 q') < 2^-(k+1) (1 - 2^-40),

  which `Budget.of` checks in exact integers.

A session takes as few primes as the budgets of its matrices allow, from the list of its suite, and
keeps as few of them as they allow (`chosen`): q and q' are the smaller, the less is k.

*Security.* For N = 8192, a uniform ternary secret, errors of standard deviation 3.19 and 128 bits
against classical attacks,

- log2 q <= 214 by the Security Guidelines for Implementing Homomorphic Encryption (Bossuat et al.,
  IACR ePrint 2024/463; IACR Communications in Cryptology 1(4), 2025), the stricter;
- log2 q <= 218 by the Homomorphic Encryption Standard (Albrecht et al., HomomorphicEncryption.org,
  November 2018), table 1.

Neither table was at hand: 218 is quoted from libraries that enforce it, 214 from the output of the
authors' script (github.com/gong-cr/FHE-Security-Guidelines). Here log2 q = 213.29, rounded up: an
eleventh prime, which makes it 234.6, would break both. The centred binomial errors, which are sums
of 21 differences of two bits, have deviation sqrt(21 / 2) = 3.24. That q is a product of primes,
and of which, matters to the arithmetic only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt, log2, prod

from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_spec.errors import ParametersError

WORD_BITS = 64
STATISTICAL_BITS = 40
"""The flood is larger than the noise by this many bits, and by those of the union bound."""

ERROR_BOUND = 21
"""The largest absolute value of an error: the number of its differences of two bits."""

EXACT = 1 << 53
"""Integers up to this absolute value are exact in float64."""

REDUCE_MARGIN = 1 << 23
"""`ring.reduce` takes integers up to EXACT - REDUCE_MARGIN."""

REDUCE_SLACK = 3
"""The results of `ring.reduce` are at most (p - 1) / 2 + REDUCE_SLACK."""

SMALLEST_PRIME = 1 << 20
"""The least prime of a lattice, next to which REDUCE_SLACK hardly counts."""

LARGE_PRIMES = (
    2641921,
    2641153,
    2639873,
    2638849,
    2636033,
    2634241,
    2633473,
    2626817,
    2626049,
    2624513,
)
"""The ten largest primes that are 1 modulo 256, so that there are roots for the bands of `layout`,
with p^3 < 2^64, so that three residues fill a word (PPMF-RLW-001).

With one more, q would be too large for N = 8192: see *Security*.
"""


@dataclass(frozen=True, slots=True)
class Lattice:
    """The public parameters of the ring and of its arithmetic in float64.

    degree: N. primes: the factors of q, of a session or all that a suite has. kept: answers are
    sent modulo so many of them, the first.
    terms: the longest sum that is one matrix product; a longer one is computed in parts.
    Raises ParametersError if the arithmetic would not be exact.
    """

    degree: int
    primes: tuple[int, ...]
    kept: int
    terms: int

    def __post_init__(self) -> None:
        largest, degree = max(self.primes), self.degree
        if degree < 4 or degree & (degree - 1):
            raise ParametersError(f"lattice: degree {degree} is no power of two from 4 up")
        if len(set(self.primes)) < len(self.primes):
            raise ParametersError("lattice: the primes are not distinct")
        if min(self.primes) < SMALLEST_PRIME or largest**3 >= 1 << WORD_BITS:
            raise ParametersError("lattice: the primes are not between 2^20 and 2^(64/3)")
        if not 0 < self.kept < len(self.primes):
            raise ParametersError(f"lattice: {self.kept} of {len(self.primes)} primes kept")
        if self.terms < 1 or self._largest_sum > EXACT - REDUCE_MARGIN:
            raise ParametersError(f"lattice: sums of {self.terms} products are not exact")
        # the error of a negacyclic product stays below 1/4: `ring` has the argument
        if degree * largest * degree.bit_length() * (10 * isqrt(degree) + 34) >= EXACT >> 2:
            raise ParametersError(f"lattice: products of degree {degree} are not exact")

    @property
    def _largest_sum(self) -> int:
        """The largest sum of `terms` products of residues, a residue, a negacyclic product, and an
        error.
        """
        half = (max(self.primes) - 1) // 2 + REDUCE_SLACK
        return self.terms * half * half + half + self.degree * max(self.primes) + ERROR_BOUND

    @property
    def modulus(self) -> int:
        """The modulus q of encrypted rows."""
        return prod(self.primes)

    @property
    def kept_primes(self) -> tuple[int, ...]:
        """The primes of an answer."""
        return self.primes[: self.kept]

    @property
    def kept_modulus(self) -> int:
        """The modulus q' of answers."""
        return prod(self.kept_primes)


STANDARD = Lattice(8192, LARGE_PRIMES, kept=4, terms=5120)
"""The lattice of `rlwe-8192`, with 128 bits of security (PPMF-RLW-001)."""

TOY = Lattice(64, LARGE_PRIMES, kept=4, terms=8)
"""The lattice of `rlwe-64-insecure`: the same arithmetic at a small degree, for tests."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The bound Nb of the noise in an answer, and t of the flood, which is uniform on [-2^t, 2^t).

    noise: Nb. flood_bits: t.
    """

    noise: int
    flood_bits: int

    @classmethod
    def of(cls, lattice: Lattice, layout: Layout) -> Budget:
        """The budget of one matrix, a function of public sizes alone (PPMF-RLW-007).

        Raises ParametersError on a layout without rows or outputs, and if a decryption could fail.
        """
        layout.check()
        degree, q, kept = lattice.degree, lattice.modulus, lattice.kept_modulus
        noise = (
            (ERROR_BOUND + 1) * layout.rows * (1 << (layout.ring_bits - 1))
            + ERROR_BOUND * (2 * degree + 1)
            + 1
        )
        flood_bits = STATISTICAL_BITS + (noise * layout.outputs - 1).bit_length()
        error = 2 * (noise + (1 << flood_bits)) * kept + (degree + 2) * q
        if (error << layout.ring_bits) + (q * kept >> 40) >= q * kept:
            raise ParametersError(
                f"lattice of degree {degree}: {layout.rows} rows and {layout.outputs} outputs make "
                f"noise of 2^{log2(noise):.1f} and a flood of 2^{flood_bits}, "
                f"over q / 2^{layout.ring_bits + 1} = 2^{log2(q) - layout.ring_bits - 1:.1f}"
            )
        return cls(noise, flood_bits)


def chosen(suite: Lattice, layouts: Sequence[Layout], *, keep_most: bool = False) -> Lattice:
    """The lattice of a session: the first primes of its suite's, as few as its matrices need, of
    which as few are kept as they allow (PPMF-RLW-017).

    keep_most: whether to keep all but one instead, so that an answer hides little of what was
        before its rounding; for tests.
    Raises ParametersError if all primes are too few.
    """
    for count in range(2, len(suite.primes) + 1):
        for kept in range(1, count):
            lattice = replace(suite, primes=suite.primes[:count], kept=kept)
            if _fits(lattice, layouts):
                return replace(lattice, kept=count - 1) if keep_most else lattice
    largest = replace(suite, kept=len(suite.primes) - 1)
    for layout in layouts:
        Budget.of(largest, layout)
    raise AssertionError("what fits the largest lattice was found")


def _fits(lattice: Lattice, layouts: Sequence[Layout]) -> bool:
    try:
        for layout in layouts:
            Budget.of(lattice, layout)
    except ParametersError:
        return False
    return True

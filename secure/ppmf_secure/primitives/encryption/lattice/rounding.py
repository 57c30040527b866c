# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways between words mod 2^64 and residues: encoding, lifting, switching, decoding.

*Encoding.* In a ring of k bits round(q m / 2^k) is round(q m' / 2^64) for m' = 2^(64-k) m, which is
a shift of the word that also drops all bits of m above the lowest k. With r the word q m' mod 2^64,
read as signed, it is (q m' - r) / 2^64.
Modulo a prime p of q this is -r 2^-64, so that no multiple precision is needed. With
r = h 2^32 + l it is h (-2^-32 mod p) + l (-2^-64 mod p). This is below 2^52.93, since the constants
are centred.

*Switching* goes from q to the product q' of the kept primes. Let D be the product of the others,
y_j = c_j (D / p_j)^-1 mod p_j, and k the computed nearest integer of the sum of y_j / p_j. Then
r = sum of y_j D / p_j - k D is c mod D. As the sum errs by less than 2^-45, |r| <= (1/2 + 2^-45) D.
So (c - r) / D is an integer within 1/2 + 2^-45 of c / D. Modulo a kept prime it is
c D^-1 - sum of y_j p_j^-1 + k, which is a table of constants times the residues, below 2^44.

The sum for k is rounded on the way, and close to a half its last bit decides what is sent. It is
therefore not computed as a matrix product, whose order of additions the library chooses. Each y_j
times the float64 nearest to 1 / p_j is rounded, and these are added in the order of the primes,
with a rounding each. An answer is then a function of the coins and the inputs alone.

With both components rounded in this way, c0' + c1' s is within
(N + 1) (1/2 + 2^-45) < (N + 2) / 2 of (c0 + c1 s) / D, for a ternary s.

*Decoding.* With y_j = c_j (q' / p_j)^-1 mod p_j, 2^k c / q' is the sum of y_j 2^k / p_j mod 2^k.
With 2^k = A p + B, y 2^k / p = y A + (y B) / p, where y B < 2^43 is exact. The integer parts are
added mod 2^64, the fractions v / p as floats, with an error far below 2^-41 for ten primes. By the
budget (`params`) their sum is within (1 - 2^-40) / 2 of the result, which is the nearest integer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.encryption.lattice.params import WORD_BITS, Lattice
from ppmf_secure.primitives.encryption.lattice.ring import Residues, centred, combine, reduce
from ppmf_secure.primitives.encryption.lattice.sampling import FLOOD_LIMB_BITS

Scales = NDArray[np.float64]
"""Constants (primes, limbs): the residue modulo prime i is the sum of scales[i, l] limbs[l]."""

_HALF_WORD = 32

_SWITCHED_AT_ONCE = 1 << 15
"""Numbers rounded at once, so that their residues stay in the cache."""


def halves(words: Words) -> Residues:
    """The limbs h, l (2, ...) of words, read as signed: h 2^32 + l with 0 <= l < 2^32."""
    limbs = np.empty((2, *words.shape))
    limbs[0] = words.view(np.int64) >> _HALF_WORD
    limbs[1] = words & np.uint64((1 << _HALF_WORD) - 1)
    return limbs


class Rounding:
    """The constants of one lattice, and the operations that need them."""

    def __init__(self, lattice: Lattice, ring_bits: int) -> None:
        primes, kept, q = lattice.primes, lattice.kept_primes, lattice.modulus
        self._primes, self._kept, self._dropped = primes, kept, primes[lattice.kept :]
        self._ring_bits, self._above = ring_bits, np.uint64(WORD_BITS - ring_bits)
        self._low_modulus = np.uint64(q % (1 << WORD_BITS))
        self.encoding: Scales = np.array(
            [[centred(-pow(2, -32, p), p), centred(-pow(2, -64, p), p)] for p in primes], float
        )
        self.lifting: Scales = np.array([[centred(1 << 32, p), 1] for p in primes], float)
        gone = q // lattice.kept_modulus
        self._to_digits = [centred(pow(gone // p, -1, p), p) for p in self._dropped]
        self._inverses = [1 / p for p in self._dropped]
        # rows: the kept primes; columns: the kept residues, then the digits
        table = np.zeros((len(kept), len(primes)))
        for i, p in enumerate(kept):
            table[i, i] = centred(pow(gone, -1, p), p)
            table[i, len(kept) :] = [centred(-pow(each, -1, p), p) for each in self._dropped]
        self._switch_table = table
        self._from_kept = [centred(pow(lattice.kept_modulus // p, -1, p), p) for p in self._kept]

    def message_limbs(self, words: Words) -> Residues:
        """The limbs (2, ...) of messages; the scales `encoding` make them residues of
        round(q m / 2^k) (PPMF-RLW-006).
        """
        return halves((words << self._above) * self._low_modulus)

    def encode(self, words: Words, errors: Residues | None = None) -> Residues:
        """The integers (primes, n), not reduced, of round(q m / 2^k) for n messages of any shape,
        with errors of that shape added (PPMF-RLW-006). They are below 2^52.94.
        """
        count = words.size
        limbs = self.message_limbs(words).reshape(2, count)
        if errors is None:
            return self.encoding @ limbs
        ones = np.ones((len(self._primes), 1))
        with_errors: Residues = np.concatenate([self.encoding, ones], axis=1) @ np.concatenate(
            [limbs, errors.reshape(1, count)]
        )
        return with_errors

    def hiding(self, flood_bits: int) -> Scales:
        """The scales that make residues of all that is added to c0: mask, error and flood.

        Their limbs are, in this order: the two of a mask; the error; 1; those of a flood on
        [0, 2^flood_bits), from which 2^(flood_bits - 1) is taken. The sums are below 2^52.95.
        """
        weights = [1, -(1 << (flood_bits - 1))]
        weights += [1 << at for at in range(0, flood_bits, FLOOD_LIMB_BITS)]
        rest = [[centred(weight, p) for weight in weights] for p in self._primes]
        return np.concatenate([self.encoding, np.array(rest, float)], axis=1)

    def lift(self, words: Words) -> Residues:
        """The residues (primes, ...) of the lowest k bits of words, read as signed."""
        signed = (words << self._above).view(np.int64) >> np.int64(self._above)
        limbs = halves(signed.view(np.uint64))
        return np.stack(
            [
                reduce(combine(scales, limbs), prime)
                for scales, prime in zip(self.lifting, self._primes, strict=True)
            ]
        )

    def switch(self, residues: Residues | NDArray[np.int32], out: NDArray[np.int32]) -> None:
        """Write the residues of c q' / q, rounded, to out (kept, n), from those of c (primes, n)
        (PPMF-RLW-010).
        """
        kept = len(self._kept)
        for first in range(0, residues.shape[1], _SWITCHED_AT_ONCE):
            part = residues[:, first : first + _SWITCHED_AT_ONCE].astype(np.float64)
            for digit, scale, prime in zip(
                part[kept:], self._to_digits, self._dropped, strict=True
            ):
                digit *= scale
                reduce(digit, prime)
            quotient = self._quotient(part[kept:])
            for row, residue, prime in zip(out, self._switch_table @ part, self._kept, strict=True):
                residue += quotient
                row[first : first + _SWITCHED_AT_ONCE] = reduce(residue, prime)

    def _quotient(self, digits: Residues) -> Residues:
        """The number k for each column of digits (dropped primes, n)."""
        total: Residues = digits[0] * self._inverses[0]
        term = np.empty_like(total)
        for digit, inverse in zip(digits[1:], self._inverses[1:], strict=True):
            np.multiply(digit, inverse, out=term)
            total += term
        return np.rint(total, out=total)

    def decode(self, residues: Residues) -> Words:
        """The words round(2^k c / q') mod 2^k, from the residues (kept, n) of c, which are
        overwritten (PPMF-RLW-012).
        """
        words = np.zeros(residues.shape[1:], dtype=np.uint64)
        fractions = np.zeros(residues.shape[1:])
        for digit, scale, prime in zip(residues, self._from_kept, self._kept, strict=True):
            digit *= scale
            reduce(digit, prime)
            whole, rest = divmod(1 << self._ring_bits, prime)
            words += digit.astype(np.int64).view(np.uint64) * np.uint64(whole)
            digit *= rest
            quotient = np.rint(digit / prime)
            words += quotient.astype(np.int64).view(np.uint64)
            digit -= quotient * prime
            fractions += digit / prime
        words += np.rint(fractions).astype(np.int64).view(np.uint64)
        return (words << self._above) >> self._above

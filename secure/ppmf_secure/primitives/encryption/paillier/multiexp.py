# SPDX-License-Identifier: GPL-3.0-or-later
"""Multi-exponentiation: many products prod_j g_j^x_j mod n of the same bases, x_j of k bits.

It is Pippenger's bucket method (N. Pippenger, "On the evaluation of powers and related problems",
FOCS 1976) in the form for fixed bases (Brickell, Gordon, McCurley, Wilson, EUROCRYPT 1992). The
digits of the exponents, of w bits each, put the stored powers g_j^(2^(w i)) into buckets. Running
products then raise bucket d to the power d, for all d at once. A product costs at most
ceil(k / w) s + 2^(w+1) multiplications, and the stored powers k s squarings, once.

The running time depends on the exponents, which are secrets of the party that computes. Whoever can
time a party's work is outside the model (chapter 6, "What is not protected").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from gmpy2 import mpz

from ppmf_secure.arrays import Words

EXPONENT_BITS = 64


def levels(window: int, bits: int = EXPONENT_BITS) -> int:
    """The number of digits of an exponent, and so of stored powers of each base."""
    return -(-bits // window)


def best_window(terms: int, bits: int = EXPONENT_BITS) -> int:
    """The bits of a digit with which products of so many terms take the fewest multiplications."""
    return min(range(1, 17), key=lambda w: levels(w, bits) * terms + (2 << w))


def digits(exponents: Words, window: int, bits: int = EXPONENT_BITS) -> Words:
    """The digits (r, levels, s) of exponents (r, s), of `window` bits each, the lowest first."""
    shifts = np.arange(0, bits, window, dtype=np.uint64)
    return (exponents[:, None, :] >> shifts[:, None]) & np.uint64((1 << window) - 1)


class FixedBases:
    """Bases g_1, ..., g_s modulo n, ready for any number of vectors of exponents.

    bits: those of an exponent. The stored powers, ceil(bits / w) residues for each base, are made
    when they are first needed.
    """

    def __init__(self, bases: Sequence[mpz], modulus: mpz, bits: int = EXPONENT_BITS) -> None:
        self.window = best_window(len(bases), bits)
        self._bits = bits
        self._bases = list(bases)
        self._modulus = modulus
        self._stored: list[mpz] = []

    def products(self, exponents: Words) -> list[mpz]:
        """The products prod_j g_j^x_j mod n, one for each row x of exponents (r, s)."""
        if not self._stored:
            self._stored = self._powers()
        return [
            self._product(row.ravel().tolist())
            for row in digits(exponents, self.window, self._bits)
        ]

    def forget(self) -> None:
        """Drop the stored powers; the next call of `products` makes them again."""
        self._stored = []

    def _powers(self) -> list[mpz]:
        """The powers to store: g_1, ..., g_s, then their 2^w-th powers, then the 2^(2w)-th, ..."""
        modulus, window = self._modulus, self.window
        stored = level = self._bases
        for _ in range(levels(window, self._bits) - 1):
            for _ in range(window):
                level = [base * base % modulus for base in level]
            stored = stored + level
        return stored

    def _product(self, chosen: Iterable[int]) -> mpz:
        """One product, from the digits that belong to the stored powers."""
        modulus = self._modulus
        buckets = [mpz(1)] * (1 << self.window)
        for power, digit in zip(self._stored, chosen, strict=True):
            if digit:
                buckets[digit] = buckets[digit] * power % modulus
        running = total = mpz(1)
        for bucket in buckets[:0:-1]:
            running = running * bucket % modulus
            total = total * running % modulus
        return total

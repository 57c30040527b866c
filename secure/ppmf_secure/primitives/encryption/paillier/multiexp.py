# SPDX-License-Identifier: GPL-3.0-or-later
"""Many products of powers of the same bases: prod_j g_j^x_j mod n, 64-bit exponents.

Pippenger's bucket method (N. Pippenger, "On the evaluation of powers and related problems", FOCS
1976), in the form for fixed bases (Brickell, Gordon, McCurley, Wilson, EUROCRYPT 1992): the
exponents' w-bit digits select, among the stored g_j^(2^(w i)), factors of one common set of
buckets; bucket d is then raised to d, all at once, by running products. A product costs at most
ceil(64/w) s + 2^(w+1) multiplications; the 64 s squarings of the stored powers are paid once.

The running time depends on the exponents. They are the secrets of the party that computes, whose
clock is outside the model (chapter 6, "What is not protected").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from ppmf_secure.arrays import Words

EXPONENT_BITS = 64


def levels(window: int) -> int:
    """Digits of `window` bits in an exponent, and stored powers of each base."""
    return -(-EXPONENT_BITS // window)


def best_window(terms: int) -> int:
    """The window that costs the fewest multiplications for products of so many terms."""
    return min(range(1, 17), key=lambda w: levels(w) * terms + (2 << w))


def digits(exponents: Words, window: int) -> NDArray[np.uint64]:
    """The `window`-bit digits of exponents (r, s), least significant first: (r, levels, s)."""
    shifts = np.arange(0, EXPONENT_BITS, window, dtype=np.uint64)
    return (exponents[:, None, :] >> shifts[:, None]) & np.uint64((1 << window) - 1)


class FixedBases:
    """Bases g_1..g_s modulo n, ready for any number of exponent vectors.

    The stored powers are made when first needed: ceil(64/w) residues a base.
    """

    def __init__(self, bases: Sequence[mpz], modulus: mpz) -> None:
        self.window = best_window(len(bases))
        self._bases = list(bases)
        self._modulus = modulus
        self._stored: list[mpz] = []

    def products(self, exponents: Words) -> list[mpz]:
        """prod_j g_j^x_j mod n for each row x of exponents (r, s)."""
        if not self._stored:
            self._stored = self._powers()
        return [self._product(row.ravel().tolist()) for row in digits(exponents, self.window)]

    def forget(self) -> None:
        """Drop the stored powers: the next products make them again."""
        self._stored = []

    def _powers(self) -> list[mpz]:
        """g_1..g_s, then their 2^w-th powers, then the 2^(2w)-th, ..."""
        modulus, window = self._modulus, self.window
        stored = level = self._bases
        for _ in range(levels(window) - 1):
            for _ in range(window):
                level = [base * base % modulus for base in level]
            stored = stored + level
        return stored

    def _product(self, chosen: Iterable[int]) -> mpz:
        """One product, from the digit of each stored power."""
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

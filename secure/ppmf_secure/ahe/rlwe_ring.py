# SPDX-License-Identifier: GPL-3.0-or-later
"""Residue arithmetic in float64, exact: reduction, negacyclic products, matrix products.

A residue is an integer in a float64 array, of absolute value at most (p - 1) / 2 + 3: centred, up to
what `reduce` leaves. Nothing is ever rounded but where this text says by how much.

*reduce*: for an integer |x| <= 2^53 - 2^23 the computed x (1/p) errs by less than 2^-52 times
2^53 / p times 2 < 1, so its nearest integer k is within 1/2 + 2^-19 of x / p, k p is at most
|x| + p < 2^53 and exact, and so is x - k p, of absolute value at most p (1/2 + 2^-19)
<= (p - 1) / 2 + 3.

*Folded*: the product of a polynomial of coefficients |a| <= p with a ternary one, mod X^N + 1, by
the right-angle convolution: (a_k + i a_(k+N/2)) w^k, w = exp(i pi / N), transformed at length N/2, is
a at half of the roots of X^N + 1, which are enough for a real a. The error of a transform relative
to the 2-norm is at most log2(N/2) (mu + 4 u (sqrt 2 + mu)), u = 2^-53, mu <= 4 u the error of
its twiddles (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2; radix 4
rounds no more often): below 10 u log2 N. Three transforms, three products with twists and the
pointwise one are below 32 u log2 N together, and the norms of the factors are at most p sqrt N and
sqrt N: each coefficient errs by less than 32 u p N log2 N, which is 2^-9.9 at N = 8192. `Lattice`
checks that it stays below 1/4: rounding gives the product.

*ResidueMatrix.times*: a sum of `terms` products of two residues is below 2^53, so a float64 matrix
product is exact whatever the order of its additions, fused or not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.ahe.rlwe_params import Lattice

Residues = NDArray[np.float64]
Spectrum = NDArray[np.complex128]

_REDUCED_AT_ONCE = 1 << 16
"""Numbers reduced at once: what keeps a scratch array in the cache."""

_BLOCK_COLUMNS = 512
"""Columns stored and multiplied at once: with 2,000 rows, 8 MB as float64."""


def reduce(values: Residues, prime: int) -> Residues:
    """Integers up to 2^53 - 2^23, contiguous, made residues mod `prime` in place; returned."""
    inverse, modulus = 1.0 / prime, float(prime)
    flat = values.reshape(-1)
    scratch = np.empty(min(flat.size, _REDUCED_AT_ONCE))
    for first in range(0, flat.size, _REDUCED_AT_ONCE):
        part = flat[first : first + _REDUCED_AT_ONCE]
        multiple = scratch[: part.size]
        np.multiply(part, inverse, out=multiple)
        np.rint(multiple, out=multiple)
        np.multiply(multiple, modulus, out=multiple)
        np.subtract(part, multiple, out=part)
    return values


def centred(value: int, prime: int) -> int:
    """The residue of an integer of any size, in [-(p - 1) / 2, (p - 1) / 2]."""
    half = (prime - 1) // 2
    return (value + half) % prime - half


def combine(scales: NDArray[np.float64], limbs: Residues) -> Residues:
    """The sum of scales[l] limbs[l], a new array: for limbs that keep it below 2^53."""
    total = limbs[0] * scales[0]
    for scale, limb in zip(scales[1:], limbs[1:], strict=True):
        total += scale * limb
    return total


class Folded:
    """Products in Z[X] / (X^N + 1) of one ternary factor and one of residues."""

    def __init__(self, degree: int) -> None:
        self._half = degree // 2
        self._twist = np.exp(1j * np.pi / degree * np.arange(self._half))
        self._untwist = np.conj(self._twist)

    def transform(self, values: NDArray[np.generic]) -> Spectrum:
        """Polynomials (..., N) of any real type at half of the roots: (..., N/2)."""
        folded = np.empty((*values.shape[:-1], self._half), dtype=np.complex128)
        folded.real, folded.imag = values[..., : self._half], values[..., self._half :]
        folded *= self._twist
        return np.fft.fft(folded)

    def product(self, one: Spectrum, other: Spectrum) -> Residues:
        """The product (..., N), in integers, not reduced, from the transforms of its factors."""
        folded = np.fft.ifft(one * other)
        folded *= self._untwist
        values = np.empty((*folded.shape[:-1], 2 * self._half))
        np.rint(folded.real, out=values[..., : self._half])
        np.rint(folded.imag, out=values[..., self._half :])
        return values


class ResidueMatrix:
    """An integer matrix (rows, columns) modulo each prime of a lattice, ready to be multiplied.

    Kept as int32 in contiguous arrays (primes, rows, 512 columns); float64 only while multiplied.
    """

    def __init__(self, lattice: Lattice, rows: int, columns: int) -> None:
        self._lattice = lattice
        self._rows = rows
        self.columns = columns
        self._blocks = [
            (slice(first, last), np.empty((len(lattice.primes), rows, last - first), np.int32))
            for first in range(0, columns, _BLOCK_COLUMNS)
            for last in [min(first + _BLOCK_COLUMNS, columns)]
        ]

    def put(self, rows: slice, values: NDArray[np.int32]) -> None:
        """Fill in some rows: residues (primes, rows, columns)."""
        for columns, block in self._blocks:
            block[:, rows] = values[:, :, columns]

    def times(self, x: Residues, index: int) -> Residues:
        """X (r, rows) times the matrix modulo prime number `index`: (r, columns).

        A sum of at most `terms` terms is not reduced: below 2^53 with a folded product added.
        """
        prime, step = self._lattice.primes[index], self._lattice.terms
        cuts = [slice(at, min(at + step, self._rows)) for at in range(0, self._rows, step)]
        product = np.empty((len(x), self.columns))
        buffer = np.empty(min(step, self._rows) * _BLOCK_COLUMNS)
        for columns, block in self._blocks:
            out = product[:, columns]
            for number, cut in enumerate(cuts):
                stored = block[index, cut]
                factor = buffer[: stored.size].reshape(stored.shape)
                np.copyto(factor, stored)
                if len(cuts) == 1:
                    np.matmul(x, factor, out=out)
                elif number == 0:
                    out[:] = reduce(x[:, cut] @ factor, prime)
                else:
                    out += reduce(x[:, cut] @ factor, prime)
        return product

# SPDX-License-Identifier: GPL-3.0-or-later
"""Residue arithmetic in float64, exact: reduction, negacyclic products, matrix products.

A residue is an integer in a float64 array, of absolute value at most (p - 1) / 2 + 3: centred, up
to what `reduce` leaves. Nothing is ever rounded but where this text says by how much.

*reduce*: for an integer |x| <= 2^53 - 2^23 and p < 2^(64/3) the computed x (1/p) is within 2^-52 of
x / p, relatively, so within 2 / p; its nearest integer k is within 1/2 + 2 / p of x / p; k p is at
most |x| + p < 2^53 and exact, and so is x - k p, of absolute value at most p / 2 + 2.

*NegacyclicProduct*: the product c of a polynomial a of coefficients |a_k| <= p with a ternary s, mod X^N + 1,
by the right-angle convolution: (a_k + i a_(k+N/2)) w^k, w = exp(i pi / N), transformed at length
N/2, is a at half of the roots of X^N + 1, which are enough for a real a. A transform errs, relative
to the 2-norm, by at most log2(N/2) (mu + 4 u (sqrt 2 + mu)), u = 2^-53, mu <= 4 u the error of its
twiddles (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2; radix 4
rounds no more often): by less than 10 u log2 N. What those of a and s add to a coefficient of c is
at most 20 u log2 N times |a|_2 |s|_2 <= p N; the transform back adds 10 u log2 N times |c|_2 <=
|a|_2 |s|_1 <= p N sqrt N; the twists and the pointwise product add less than 24 u p N. So a
coefficient errs by less than u p N log2 N (10 sqrt N + 24), which is 0.03 at N = 8192, and
`Lattice` checks that it is below 1/4: rounding gives the product.

*ResidueMatrix.times*: a sum of `terms` products of two residues is below 2^53, so a float64 matrix
product is exact whatever the order of its additions, fused or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.primitives.encryption.lattice.params import Lattice

Residues = NDArray[np.float64]
Spectrum = NDArray[np.complex128]

_REDUCED_AT_ONCE = 1 << 16
"""Numbers reduced at once: what keeps a scratch array in the cache."""

_TRANSFORMED_AT_ONCE = 16
"""Polynomials transformed back at once: 1 MB at N = 8192."""

_BLOCK_COLUMNS = 512
"""Columns stored and multiplied at once: with 2,000 rows, 8 MB as float64."""

_ROWS_JOINED_AT_ONCE = 256
"""Rows put together at once from their two parts: what fits the cache."""


def reduce(values: Residues, prime: int) -> Residues:
    """Integers up to 2^53 - 2^23, contiguous, made residues mod `prime` in place; returned."""
    if not values.flags.c_contiguous:
        raise ValueError("only a contiguous array can be reduced in place")
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
    total: Residues = limbs[0] * scales[0]
    for scale, limb in zip(scales[1:], limbs[1:], strict=True):
        total += scale * limb
    return total


class NegacyclicProduct:
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
        """The product (rows, N), in integers, not reduced: `one` (rows, N/2), `other` for all."""
        values = np.empty((len(one), 2 * self._half))
        for first in range(0, len(one), _TRANSFORMED_AT_ONCE):
            part = slice(first, first + _TRANSFORMED_AT_ONCE)
            folded = np.fft.ifft(one[part] * other)
            folded *= self._untwist
            np.rint(folded.real, out=values[part, : self._half])
            np.rint(folded.imag, out=values[part, self._half :])
        return values


class Scratch:
    """Arrays for passing results, kept from call to call: fresh memory is slow to touch.

    Not thread-safe: of the matrices that share one, only one may be multiplied at a time.
    """

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[np.uint8]] = {}

    def take(self, purpose: str, shape: tuple[int, ...]) -> Residues:
        """The array of that purpose, of any content: only one is in use at a time."""
        return self._bytes(purpose, 8 * prod(shape)).view(np.float64).reshape(shape)

    def take_integers(self, purpose: str, shape: tuple[int, ...]) -> NDArray[np.int32]:
        """The same, of 32-bit integers."""
        return self._bytes(purpose, 4 * prod(shape)).view(np.int32).reshape(shape)

    def _bytes(self, purpose: str, size: int) -> NDArray[np.uint8]:
        if purpose not in self._kept or self._kept[purpose].size < size:
            self._kept[purpose] = np.empty(size, dtype=np.uint8)
        return self._kept[purpose][:size]


@dataclass(frozen=True)
class _Block:
    """Some columns of a matrix: residues low, or high 2^16 + low, (primes, rows, columns)."""

    columns: slice
    low: NDArray[np.int32] | NDArray[np.uint16]
    high: NDArray[np.int8] | None

    @classmethod
    def empty(cls, shape: tuple[int, int], columns: slice, *, compact: bool) -> _Block:
        """For (primes, rows) and some columns."""
        full = (*shape, columns.stop - columns.start)
        if compact:
            return cls(columns, np.empty(full, np.uint16), np.empty(full, np.int8))
        return cls(columns, np.empty(full, np.int32), None)

    def put(self, rows: slice, values: NDArray[np.int32]) -> None:
        """Fill in some rows of these columns."""
        if self.high is None:
            self.low[:, rows] = values
        else:
            self.low[:, rows] = values & 0xFFFF
            self.high[:, rows] = values >> 16

    def floats(self, index: int, rows: slice, scratch: Scratch) -> Residues:
        """Some rows modulo prime number `index`, in a scratch array."""
        low = self.low[index, rows]
        values = scratch.take("factor", low.shape)
        if self.high is None:
            np.copyto(values, low)
            return values
        high = self.high[index, rows]
        joined = scratch.take_integers("joined", (_ROWS_JOINED_AT_ONCE, low.shape[1]))
        for first in range(0, len(low), _ROWS_JOINED_AT_ONCE):
            part = slice(first, min(first + _ROWS_JOINED_AT_ONCE, len(low)))
            whole = joined[: part.stop - first]
            np.copyto(whole, high[part])
            np.left_shift(whole, 16, out=whole)
            np.bitwise_or(whole, low[part], out=whole)
            np.copyto(values[part], whole)
        return values


class ResidueMatrix:
    """An integer matrix (rows, columns) modulo each prime of a lattice, ready to be multiplied.

    Kept in contiguous blocks of 512 columns by prime, four bytes a residue, or, `compact`, three,
    which makes products a tenth slower; as float64 only while multiplied.
    """

    def __init__(self, lattice: Lattice, rows: int, columns: int, *, compact: bool) -> None:
        self._lattice = lattice
        self._rows = rows
        shape = len(lattice.primes), rows
        self._blocks = [
            _Block.empty(shape, slice(at, min(at + _BLOCK_COLUMNS, columns)), compact=compact)
            for at in range(0, columns, _BLOCK_COLUMNS)
        ]

    def put(self, rows: slice, values: NDArray[np.int32]) -> None:
        """Fill in some rows: residues (primes, rows, columns), in [-(p - 1) / 2, (p - 1) / 2]."""
        for block in self._blocks:
            block.put(rows, values[:, :, block.columns])

    def times(self, x: Residues, index: int, out: Residues, scratch: Scratch) -> None:
        """Out (r, columns) = x (r, rows) times the matrix, modulo prime number `index`.

        A sum of at most `terms` terms is not reduced: below 2^53 with a folded product added.
        """
        prime, step = self._lattice.primes[index], self._lattice.terms
        cuts = [slice(at, min(at + step, self._rows)) for at in range(0, self._rows, step)]
        for block in self._blocks:
            columns = block.columns
            for number, cut in enumerate(cuts):
                factor = block.floats(index, cut, scratch)
                if len(cuts) == 1:
                    np.matmul(x, factor, out=out[:, columns])
                elif number == 0:
                    out[:, columns] = reduce(x[:, cut] @ factor, prime)
                else:
                    out[:, columns] += reduce(x[:, cut] @ factor, prime)

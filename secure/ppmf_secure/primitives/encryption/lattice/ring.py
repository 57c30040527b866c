# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact arithmetic of residues in float64: reduction, negacyclic products, matrix products.

A residue is an integer in an array of float64, of absolute value at most (p - 1) / 2 + 3. Nothing
is rounded but where this text says by how much.

*reduce*: For an integer |x| <= 2^53 - 2^23 and p < 2^(64/3) the computed x (1/p) is within 2^-52 of
x / p, relatively, so within 2 / p. Its nearest integer k is within 1/2 + 2 / p of x / p. The
product k p is at most |x| + p < 2^53 and exact, and so is x - k p, of absolute value at most
p / 2 + 2.

*NegacyclicProduct*: It is the product c of a polynomial a, with coefficients |a_k| <= p, and a
ternary s, mod X^N + 1, by the right-angle convolution. The numbers (a_k + i a_(k+N/2)) w^k,
w = exp(i pi / N), transformed at length N/2, are a at half of the roots of X^N + 1, which are
enough for a real a. A transform errs, relative to the 2-norm, by at most
log2(N/2) (mu + 4 u (sqrt 2 + mu)), where u = 2^-53 and mu <= 4 u is the error of its twiddles
(Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2; radix 4 rounds no
more often). This is less than 10 u log2 N. The errors of the transforms of a and s add at most
20 u log2 N times |a|_2 |s|_2 <= p N to a coefficient of c. The transform back adds 10 u log2 N
times |c|_2 <= |a|_2 |s|_1 <= p N sqrt N. The twists and the pointwise product add less than
24 u p N. So a coefficient errs by less than u p N log2 N (10 sqrt N + 24), which is 0.03 at
N = 8192. `Lattice` checks that it is below 1/4, so that rounding gives the product.

*ResidueMatrix.times*: A sum of `terms` products of two residues is below 2^53, so a float64 matrix
product is exact in whatever order it is added up, fused or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.arrays import Bytes
from ppmf_secure.primitives.encryption.lattice.params import Lattice

Residues = NDArray[np.float64]
Spectrum = NDArray[np.complex128]

_REDUCED_AT_ONCE = 1 << 16
"""Numbers reduced at once, so that a scratch array stays in the cache."""

_TRANSFORMED_AT_ONCE = 16
"""Polynomials transformed back at once: 1 MB of them at N = 8192."""

_BLOCK_COLUMNS = 512
"""Columns stored and multiplied at once: 8 MB as float64 with 2,000 rows."""

_ROWS_JOINED_AT_ONCE = 256
"""Rows put together at once from their two parts, so that they fit the cache."""


def reduce(values: Residues, prime: int) -> Residues:
    """The residues mod `prime` of integers up to 2^53 - 2^23, in the same, contiguous array."""
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
    """The residue in [-(p - 1) / 2, (p - 1) / 2] of an integer of any size."""
    half = (prime - 1) // 2
    return (value + half) % prime - half


def combine(scales: NDArray[np.float64], limbs: Residues) -> Residues:
    """The sum of scales[l] limbs[l] in a new array; the limbs must keep it below 2^53."""
    total: Residues = limbs[0] * scales[0]
    for scale, limb in zip(scales[1:], limbs[1:], strict=True):
        total += scale * limb
    return total


class NegacyclicProduct:
    """Products in Z[X] / (X^N + 1) of a ternary polynomial and one of residues."""

    def __init__(self, degree: int) -> None:
        self._half = degree // 2
        self._twist = np.exp(1j * np.pi / degree * np.arange(self._half))
        self._untwist = np.conj(self._twist)

    def transform(self, values: NDArray[np.generic]) -> Spectrum:
        """The values of polynomials (..., N), of any real type, at half of the roots (..., N/2)."""
        folded = np.empty((*values.shape[:-1], self._half), dtype=np.complex128)
        folded.real, folded.imag = values[..., : self._half], values[..., self._half :]
        folded *= self._twist
        return np.fft.fft(folded)

    def product(self, one: Spectrum, other: Spectrum) -> Residues:
        """The products (rows, N) of `one` (rows, N/2) with `other`, in integers, not reduced."""
        values = np.empty((len(one), 2 * self._half))
        for first in range(0, len(one), _TRANSFORMED_AT_ONCE):
            part = slice(first, first + _TRANSFORMED_AT_ONCE)
            folded = np.fft.ifft(one[part] * other)
            folded *= self._untwist
            np.rint(folded.real, out=values[part, : self._half])
            np.rint(folded.imag, out=values[part, self._half :])
        return values


class Scratch:
    """Arrays for intermediate results, kept from call to call, since new memory is slow to touch.

    It is not thread-safe: of the matrices that share one, only one may be multiplied at a time.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Bytes] = {}

    def take(self, purpose: str, shape: tuple[int, ...]) -> Residues:
        """The array for a purpose, with any content. Only one is in use at a time."""
        return self._bytes(purpose, 8 * prod(shape)).view(np.float64).reshape(shape)

    def take_integers(self, purpose: str, shape: tuple[int, ...]) -> NDArray[np.int32]:
        """The array for a purpose, as integers of 32 bits."""
        return self._bytes(purpose, 4 * prod(shape)).view(np.int32).reshape(shape)

    def _bytes(self, purpose: str, size: int) -> Bytes:
        if purpose not in self._kept or self._kept[purpose].size < size:
            self._kept[purpose] = np.empty(size, dtype=np.uint8)
        return self._kept[purpose][:size]


@dataclass(frozen=True)
class _Block:
    """Some columns of a matrix: residues (primes, rows, columns).

    A residue is `low`, or high 2^16 + low where the matrix is compact.
    """

    columns: slice
    low: NDArray[np.int32] | NDArray[np.uint16]
    high: NDArray[np.int8] | None

    @classmethod
    def empty(cls, shape: tuple[int, int], columns: slice, *, compact: bool) -> _Block:
        """A block of that shape, (primes, rows), for some columns."""
        full = (*shape, columns.stop - columns.start)
        if compact:
            return cls(columns, np.empty(full, np.uint16), np.empty(full, np.int8))
        return cls(columns, np.empty(full, np.int32), None)

    def put(self, rows: slice, values: NDArray[np.int32]) -> None:
        """Store some rows of these columns."""
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

    It is kept in contiguous blocks of 512 columns for each prime. A residue takes four bytes or, in
    a `compact` matrix, three, which makes products a tenth slower. Residues are float64 only while
    they are multiplied.
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
        """Store some rows: residues (primes, rows, columns) in [-(p - 1) / 2, (p - 1) / 2]."""
        for block in self._blocks:
            block.put(rows, values[:, :, block.columns])

    def times(self, x: Residues, index: int, out: Residues, scratch: Scratch) -> None:
        """Write x (r, rows) times the matrix to out (r, columns), modulo prime number `index`.

        A sum of at most `terms` terms is not reduced; with a negacyclic product added to it, it
        stays below 2^53.
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

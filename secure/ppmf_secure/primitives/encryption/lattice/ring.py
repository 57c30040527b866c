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

*BandTransform*: With g bands (see `layout`) a polynomial is one in y = X^(N/g) whose coefficients
are polynomials of N / g coefficients, and y^g = -1. Its values at the g odd powers of a root psi of
order 2g modulo p say all of it; a product with a polynomial in y alone is taken value by value. The
transforms are sums of at most 128 products of residues, so they are exact too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.arrays import Bytes
from ppmf_secure.primitives.encryption.lattice.params import Lattice
from ppmf_secure.primitives.room import MEMORY, Room

Residues = NDArray[np.float64]
Spectrum = NDArray[np.complex128]

_REDUCED_AT_ONCE = 1 << 16
"""Numbers reduced at once, so that a scratch array stays in the cache."""

_TRANSFORMED_AT_ONCE = 4
"""Polynomials transformed back at once: 256 KB of them at N = 8192."""

_LONGEST_TRANSFORM = 16
"""Transforms of more values are taken in two steps."""

_ROWS_AT_ONCE = 256
_COLUMNS_AT_ONCE = 2048
"""Rows and columns of a matrix multiplied at once: 4 MB as float64, so that they fit the cache."""


def reduce(values: Residues, prime: int) -> Residues:
    """The residues mod `prime` of integers up to 2^53 - 2^23, in the same array.

    The array is contiguous, or has two axes and contiguous rows.
    """
    if values.flags.c_contiguous:
        lines = values.reshape(1, -1)
    elif values.ndim == 2 and values.strides[1] == values.itemsize:
        lines = values
    else:
        raise ValueError("only an array of contiguous rows can be reduced in place")
    inverse, modulus = 1.0 / prime, float(prime)
    scratch = np.empty(min(lines.shape[1], _REDUCED_AT_ONCE))
    for line in lines:
        for first in range(0, line.size, _REDUCED_AT_ONCE):
            part = line[first : first + _REDUCED_AT_ONCE]
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
        # with the 1 / (N / 2) of the transform back, a power of two
        self._untwist = np.conj(self._twist) / self._half

    def transform(self, values: NDArray[np.generic]) -> Spectrum:
        """The values of polynomials (..., N), of any real type, at half of the roots (..., N/2)."""
        folded = np.empty((*values.shape[:-1], self._half), dtype=np.complex128)
        folded.real, folded.imag = values[..., : self._half], values[..., self._half :]
        folded *= self._twist
        return np.fft.fft(folded, out=folded)

    def product(self, one: Spectrum, other: Spectrum, count: int | None = None) -> Residues:
        """The products (rows, N) of `one` (rows, N/2) with `other`, in integers, not reduced.

        count: how many coefficients of each are wanted, the first; all if it is not given.
        """
        wanted = 2 * self._half if count is None else count
        low, high = min(wanted, self._half), max(0, wanted - self._half)
        values = np.empty((len(one), wanted))
        for first in range(0, len(one), _TRANSFORMED_AT_ONCE):
            part = slice(first, first + _TRANSFORMED_AT_ONCE)
            whole = one[part] * other
            folded = np.fft.ifft(whole, norm="forward", out=whole)[:, :low]
            folded *= self._untwist[:low]
            np.rint(folded.real, out=values[part, :low])
            np.rint(folded.imag[:, :high], out=values[part, self._half :])
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


class ResidueMatrix:
    """Integer matrices (layers, rows, columns) modulo each prime of a lattice, ready to multiply.

    A residue takes four bytes or, in `compact` matrices, three, high 2^16 + low, which makes
    products a tenth slower. Residues are float64 only while they are multiplied.

    room: where the residues lie. In files they are multiplied by blocks of whole rows, so that each
        is read once, from the first to the last.
    """

    def __init__(
        self,
        lattice: Lattice,
        rows: int,
        columns: int,
        *,
        layers: int = 1,
        compact: bool,
        room: Room = MEMORY,
    ) -> None:
        self._lattice = lattice
        self._rows, self._columns = rows, columns
        full = len(lattice.primes), layers, rows, columns
        low = room.take(full, np.uint16 if compact else np.int32)
        self._stored = [low]
        self._low: NDArray[np.int32] | NDArray[np.uint16] = low.values
        self._high: NDArray[np.int8] | None = None
        if compact:
            high = room.take(full, np.int8)
            self._stored.append(high)
            self._high = high.values
        self._by_rows = low.by_rows

    def put(self, index: int, rows: slice, values: Residues | NDArray[np.int32]) -> None:
        """Store some rows of each layer (layers, r, columns), for one prime.

        The residues are in [-(p - 1) / 2 - 3, (p - 1) / 2 + 3].
        """
        if self._high is None:
            self._low[index, :, rows] = values
        else:
            whole = values.astype(np.int32, copy=False)
            self._low[index, :, rows] = whole & 0xFFFF
            self._high[index, :, rows] = whole >> 16
        if self._by_rows:
            for stored in self._stored:
                stored.done(stored.values[index])

    def times(
        self, x: Residues, index: int, out: Residues, scratch: Scratch, *, layer: int = 0
    ) -> None:
        """Write x (r, rows) times a layer to out (r, columns), for one prime.

        The rows of `out` are contiguous. The sums are not reduced; with a negacyclic product added
        to them they stay below 2^53.
        """
        firsts = range(0, self._columns, _COLUMNS_AT_ONCE)
        parts = [slice(first, min(first + _COLUMNS_AT_ONCE, self._columns)) for first in firsts]
        for some in [parts] if self._by_rows else [[part] for part in parts]:
            self._sum(x, (index, layer), some, out, scratch)

    def _sum(
        self,
        x: Residues,
        matrix: tuple[int, int],
        parts: Sequence[slice],
        out: Residues,
        scratch: Scratch,
    ) -> None:
        """The product for some parts of the columns, block of rows after block of rows. Blocks of
        more than `terms` terms together are reduced.

        matrix: the numbers of the prime and of the layer.
        """
        prime, most = self._lattice.primes[matrix[0]], self._lattice.terms
        terms, step = 0, min(_ROWS_AT_ONCE, most)
        for first in range(0, self._rows, step):
            rows = slice(first, min(first + step, self._rows))
            terms += rows.stop - first
            too_many = terms > most
            if too_many:
                terms = rows.stop - first
            self._soon(matrix, slice(rows.stop, rows.stop + step))
            for columns in parts:
                total = out[:, columns]
                factor = self._floats((*matrix, rows, columns), scratch)
                if not first:
                    np.matmul(x[:, rows], factor, out=total)
                    continue
                if too_many:
                    # what is reduced counts as one term, and `Lattice` leaves room for that
                    reduce(total, prime)
                more = scratch.take("more", total.shape)
                np.matmul(x[:, rows], factor, out=more)
                total += more
            self._done(matrix, rows)

    def _soon(self, matrix: tuple[int, int], rows: slice) -> None:
        """Say that some rows come next, where they lie in files."""
        if self._by_rows:
            for stored in self._stored:
                stored.soon(stored.values[(*matrix, rows)])

    def _done(self, matrix: tuple[int, int], rows: slice) -> None:
        """Say that some rows are multiplied, where they lie in files."""
        if self._by_rows:
            for stored in self._stored:
                stored.done(stored.values[(*matrix, rows)])

    def _floats(self, place: tuple[int, int, slice, slice], scratch: Scratch) -> Residues:
        """Some rows and columns of a layer for one prime, in a scratch array."""
        low = self._low[place]
        values = scratch.take("factor", low.shape)
        if self._high is None:
            np.copyto(values, low)
        else:
            joined = scratch.take_integers("joined", low.shape)
            np.copyto(joined, self._high[place])
            np.left_shift(joined, 16, out=joined)
            np.bitwise_or(joined, low, out=joined)
            np.copyto(values, joined)
        return values


@dataclass(frozen=True, slots=True)
class BandTransform:
    """The values of polynomials in y, y^g = -1, and back, modulo one prime.

    forward (g, g): applied to the coefficients, which are bands, it gives the values, those at
        psi^(2v + 1) for v = 0, ..., g - 1.
    reverse (g, g): applied to g numbers x_b, it gives the values of the sum of x_b y^(-b).
    inner (h, g / h, g / h), outer (h, h): the two steps that lead back, see `bands`.
    """

    forward: Residues
    reverse: Residues
    inner: Residues
    outer: Residues
    prime: int

    @classmethod
    @cache
    def of(cls, prime: int, size: int) -> BandTransform:
        """The transform of g = `size` bands, which must divide (p - 1) / 2."""
        root = _root(prime, 2 * size)
        powers = [pow(root, exponent, prime) for exponent in range(2 * size)]

        def table(exponents: NDArray[np.int_], scale: int = 1) -> Residues:
            scaled = np.array([centred(power * scale, prime) for power in powers], np.float64)
            return scaled[exponents % (2 * size)]

        odd = 2 * np.arange(size) + 1
        exponents = np.outer(odd, np.arange(size))
        short = max(1, size // _LONGEST_TRANSFORM)
        long = size // short
        inner = odd.reshape(short, long).T[:, None] * -np.arange(short)[:, None]
        outer = np.outer(np.arange(long) * short, -odd[:long])
        return cls(
            table(exponents),
            table(-exponents),
            table(inner),
            table(outer, pow(size, -1, prime)),
            prime,
        )

    def bands(self, values: Residues, scratch: Scratch) -> Residues:
        """The bands (r, g, N / g), not reduced, that have these values, which are residues.

        With v = v0 + h v1 and b = (g / h) b0 + b1 the exponent -(2v + 1) b of psi is, modulo 2g,
        -(2v + 1) b1 - (g / h) (2 v0 + 1) b0. So the sums over v1, by v0 and b1, are taken first,
        and then those over v0.
        """
        count, size, band = values.shape
        long, short = len(self.outer), size // len(self.outer)
        if short > 1:
            by_v0 = values.reshape(count, short, long, band).swapaxes(1, 2)
            sums = scratch.take("sums", by_v0.shape)
            values = reduce(np.matmul(self.inner, by_v0, out=sums), self.prime)
        bands = scratch.take("bands", (count, long, short * band))
        np.matmul(self.outer, values.reshape(bands.shape), out=bands)
        return bands.reshape(count, size, band)


def _root(prime: int, order: int) -> int:
    """A number of that order modulo a prime; the order is a power of two from 2 up."""
    if (prime - 1) % order:
        raise ValueError(f"no root of order {order} modulo {prime}")
    candidates = (pow(number, (prime - 1) // order, prime) for number in range(2, prime))
    return next(root for root in candidates if pow(root, order // 2, prime) == prime - 1)


class GroupMatrix:
    """The c1 of all groups of a matrix, by their values: products with packed rows of integers.

    size: the rows of a group, g. room: where the values lie.
    """

    def __init__(
        self, lattice: Lattice, groups: int, size: int, *, compact: bool, room: Room = MEMORY
    ) -> None:
        self._lattice = lattice
        self._groups, self._size = groups, size
        self._band = lattice.degree // size
        self._transforms = [BandTransform.of(prime, size) for prime in lattice.primes]
        # a layer for each value
        self._values = ResidueMatrix(
            lattice, groups, self._band, layers=size, compact=compact, room=room
        )

    def put(self, groups: slice, first: NDArray[np.int32]) -> None:
        """Store the c1 (primes, groups, N) of some groups."""
        for index, prime in enumerate(self._lattice.primes):
            values: Residues | NDArray[np.int32]
            values = first[index].reshape(-1, self._size, self._band)
            if self._size > 1:
                values = reduce(self._transforms[index].forward @ values, prime)
            self._values.put(index, groups, values.swapaxes(0, 1))

    def times(self, x: Residues, index: int, scratch: Scratch) -> Iterator[tuple[slice, Residues]]:
        """The sum over groups c of p_c(y) c1_c, for each row of x (r, rows of the matrix), for one
        prime. It is not reduced (PPMF-RLW-008).

        A few rows of sums (., N) come at a time, with their place among the r, in an array that the
        caller may change and that serves again.
        """
        values = scratch.take("values", (len(x), self._size, self._band))
        for number, factor in enumerate(self._factors(x, index, scratch)):
            self._values.times(factor, index, values[:, number], scratch, layer=number)
        prime, transform = self._lattice.primes[index], self._transforms[index]
        for first in range(0, len(x), _TRANSFORMED_AT_ONCE):
            part = slice(first, min(first + _TRANSFORMED_AT_ONCE, len(x)))
            some = values[part]
            if self._size > 1:
                some = transform.bands(reduce(some, prime), scratch)
            yield part, some.reshape(len(some), -1)

    def _factors(self, x: Residues, index: int, scratch: Scratch) -> Residues:
        """The values (g, r, groups) of all p_c(y), for one prime."""
        if self._size == 1:
            return x[None]
        full, rest = divmod(x.shape[1], self._size)
        by_band = scratch.take("by band", (self._size, len(x), self._groups))
        whole = x[:, : full * self._size].reshape(len(x), full, self._size)
        by_band[:, :, :full] = whole.transpose(2, 0, 1)
        if rest:
            by_band[:rest, :, full] = x[:, full * self._size :].T
            by_band[rest:, :, full] = 0
        factors = self._transforms[index].reverse @ by_band.reshape(self._size, -1)
        return reduce(factors, self._lattice.primes[index]).reshape(by_band.shape)

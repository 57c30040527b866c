# SPDX-License-Identifier: Apache-2.0
"""Residue arithmetic in floats against Python's integers, at the bounds that make it exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.lattice.params import (
    EXACT,
    LARGE_PRIMES,
    STANDARD,
    TOY,
    Lattice,
)
from ppmf_secure.primitives.encryption.lattice.ring import (
    BandTransform,
    GroupMatrix,
    NegacyclicProduct,
    ResidueMatrix,
    Scratch,
    centred,
    combine,
    reduce,
)

LARGEST = 2**53 - 2**23
PRIME = LARGE_PRIMES[0]
HALF = (PRIME - 1) // 2


@given(
    value=st.integers(-LARGEST, LARGEST)
    | st.builds(
        lambda k, r: max(-LARGEST, min(LARGEST, k * PRIME // 2 + r)),
        st.integers(-(2**33), 2**33),
        st.integers(-2, 2),
    )
)
def test_reduction_is_exact_to_the_bound(value: int) -> None:
    (reduced,) = reduce(np.array([value], dtype=float), PRIME).tolist()
    assert reduced == int(reduced)
    assert (int(reduced) - value) % PRIME == 0
    assert abs(reduced) <= HALF + 3


def test_reduction_of_more_than_fits_at_once() -> None:
    values = np.arange(-100_000, 100_000, dtype=float).reshape(4, -1) * 40_000_003
    expected = [int(value) % PRIME for value in values.ravel()]
    reduced = reduce(values, PRIME)
    assert reduced is values
    assert [int(value) % PRIME for value in values.ravel()] == expected


def test_reduction_of_some_columns() -> None:
    values = np.full((3, 100_000), PRIME + 1.0)
    reduce(values[:, 5:80_000], PRIME)
    assert (values[:, 5:80_000] == 1).all()
    assert (values[:, :5] == PRIME + 1).all()
    assert (values[:, 80_000:] == PRIME + 1).all()


def test_reduction_in_place_needs_contiguous_rows() -> None:
    for values in (np.zeros((4, 4))[:, ::2], np.zeros((2, 4, 4))[:, :, :2]):
        with pytest.raises(ValueError, match="contiguous"):
            reduce(values, PRIME)


@given(value=st.integers(-(2**200), 2**200), prime=st.sampled_from(LARGE_PRIMES))
@example(value=HALF, prime=PRIME)
@example(value=-HALF, prime=PRIME)
@example(value=HALF + 1, prime=PRIME)
@example(value=-HALF - 1, prime=PRIME)
def test_centred(value: int, prime: int) -> None:
    found = centred(value, prime)
    assert (found - value) % prime == 0
    assert abs(found) <= (prime - 1) // 2


def test_combine() -> None:
    limbs = np.arange(12, dtype=float).reshape(3, 4)
    assert combine(np.array([2.0, 10.0, 100.0]), limbs).tolist() == [840, 952, 1064, 1176]


def _schoolbook(one: list[int], other: list[int]) -> list[int]:
    """The product mod X^N + 1, through one product of large integers (Kronecker)."""
    degree, width = len(one), 64
    offset = sum(1 << (width * at) for at in range(degree))
    first, second = (
        sum(value << (width * at) for at, value in enumerate(factor)) for factor in (one, other)
    )
    total = first * second + (offset + (offset << (width * degree))) * (1 << (width - 1))
    digits = [
        (total >> (width * at) & ((1 << width) - 1)) - (1 << (width - 1))
        for at in range(2 * degree)
    ]
    return [low - high for low, high in zip(digits[:degree], digits[degree:], strict=True)]


def test_schoolbook_itself() -> None:
    """(1 + 2X + 3X^2 - X^3)(X - X^3) = X + 2X^2 + 2X^3 - 3X^4 - 3X^5 + X^6, X^4 = -1."""
    assert _schoolbook([1, 2, 3, -1], [0, 1, 0, -1]) == [3, 4, 1, 2]


ternary_lists = arrays(np.int8, 64, elements=st.integers(-1, 1))
residue_lists = arrays(np.int32, 64, elements=st.integers(-PRIME, PRIME))


@given(one=residue_lists, other=ternary_lists)
def test_folded_products(one: NDArray[np.int32], other: NDArray[np.int8]) -> None:
    negacyclic = NegacyclicProduct(64)
    product = negacyclic.product(negacyclic.transform(one[None]), negacyclic.transform(other))
    assert product[0].tolist() == _schoolbook(one.tolist(), other.tolist())


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 64])
def test_the_first_coefficients_of_a_product(count: int) -> None:
    coins, negacyclic = Coins.seeded("some"), NegacyclicProduct(64)
    one = negacyclic.transform((coins.words((20, 64)) % np.uint64(PRIME)).astype(np.int32))
    other = negacyclic.transform(coins.bits((64,)))
    whole = negacyclic.product(one, other)
    assert np.array_equal(negacyclic.product(one, other, count), whole[:, :count])


def test_folded_products_of_more_rows_than_fit_at_once() -> None:
    coins, degree = Coins.seeded("rows"), 8
    rows = (coins.words((53, degree)) % np.uint64(2 * PRIME + 1)).astype(np.int32) - PRIME
    other = coins.bits((degree,)).astype(np.int8) - coins.bits((degree,)).astype(np.int8)
    negacyclic = NegacyclicProduct(degree)
    product = negacyclic.product(negacyclic.transform(rows), negacyclic.transform(other))
    assert product.tolist() == [_schoolbook(row, other.tolist()) for row in rows.tolist()]


@pytest.mark.parametrize("kind", ["largest", "aligned", "alternating", "random"])
def test_folded_products_at_full_degree(kind: str) -> None:
    """The largest coefficient there can be is p N; twenty rows are more than fit at once."""
    degree = STANDARD.degree
    coins = Coins.seeded(kind)
    signs = coins.bits((degree,)).astype(np.int8) * 2 - 1
    one = np.full(degree, PRIME, dtype=np.int32)
    other = np.ones(degree, dtype=np.int8)
    if kind == "aligned":
        # so that the last coefficient of the product adds up p N
        one, other = one * signs, signs[::-1].copy()
    elif kind == "alternating":
        one[::2] *= -1
    elif kind == "random":
        one = (coins.words(degree) % np.uint64(2 * PRIME + 1)).astype(np.int32) - PRIME
        other = signs * coins.bits((degree,)).astype(np.int8)
    negacyclic = NegacyclicProduct(degree)
    product = negacyclic.product(
        negacyclic.transform(np.stack([one] * 20)), negacyclic.transform(other)
    )
    expected = _schoolbook(one.tolist(), other.tolist())
    if kind in ("largest", "aligned"):
        assert max(expected) == PRIME * degree
    assert product[0].tolist() == expected
    assert (product == product[0]).all()


def test_folded_products_err_by_less_than_was_proved() -> None:
    """Before rounding: 0.03 was proved for the worst case; errors add up far more kindly."""
    degree = STANDARD.degree
    negacyclic = NegacyclicProduct(degree)
    one = np.full(degree, PRIME)
    spectrum = negacyclic.transform(one) * negacyclic.transform(np.ones(degree))
    exact = np.fft.ifft(spectrum, norm="forward") * negacyclic._untwist
    values = np.concatenate([exact.real, exact.imag])
    assert 0 < np.abs(values - np.rint(values)).max() < 0.03


def _products(
    lattice: Lattice, x: NDArray[np.float64], stored: NDArray[np.int32], *, compact: bool
) -> list[NDArray[np.float64]]:
    """X times the stored matrix, modulo each prime."""
    rows, columns = stored.shape[1:]
    matrix = ResidueMatrix(lattice, rows, columns, compact=compact)
    found = []
    for index in range(len(lattice.primes)):
        for first in range(0, rows, 300):
            matrix.put(index, slice(first, first + 300), stored[index, first : first + 300])
        out = np.empty((len(x), columns))
        matrix.times(x, index, out, Scratch())
        found.append(out)
    return found


@settings(max_examples=30)
@given(
    rows=st.integers(1, 20),
    columns=st.integers(1, 5),
    many=st.integers(0, 3),
    compact=st.booleans(),
    data=st.data(),
)
def test_matrix_products_by_prime(
    rows: int, columns: int, many: int, compact: bool, data: st.DataObject
) -> None:
    """Sums of up to 20 terms, 8 at once."""
    lattice, residues = replace(TOY, primes=TOY.primes[:3], kept=1), st.integers(-HALF, HALF)
    stored = data.draw(arrays(np.int32, (3, rows, columns), elements=residues))
    x = data.draw(arrays(np.int32, (many, rows), elements=residues)).astype(float)
    for index, product in enumerate(_products(lattice, x, stored, compact=compact)):
        expected = x.astype(int).astype(object) @ stored[index].astype(object)
        assert ((product.astype(int) - expected) % lattice.primes[index] == 0).all()


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("rows", [300, 5120, 5121, 10_300])
def test_the_longest_sums_of_the_largest_residues(rows: int, compact: bool) -> None:
    """Rows and columns that are more than are multiplied at once, and sums that must be reduced."""
    lattice = replace(STANDARD, primes=STANDARD.primes[:2], kept=1)
    stored = np.full((2, rows, 1027), HALF, dtype=np.int32)
    stored[:, :, -1] = -HALF
    x = np.full((2, rows), HALF + 3.0)
    x[1] *= -1
    total = rows * HALF * (HALF + 3)
    for index, product in enumerate(_products(lattice, x, stored, compact=compact)):
        for value, sign in ((product[0, 0], 1), (product[1, -1], 1), (product[0, -1], -1)):
            assert (int(value) - sign * total) % lattice.primes[index] == 0
        assert (product[:, :-1] == product[:, :1]).all()
        assert np.abs(product).max() < EXACT - STANDARD.degree * PRIME


@pytest.mark.parametrize("compact", [False, True])
def test_the_layers_of_a_matrix(compact: bool) -> None:
    lattice = replace(TOY, primes=TOY.primes[:2], kept=1)
    stored = np.arange(-60, 60, dtype=np.int32).reshape(3, 20, 2) * 10_000
    matrix = ResidueMatrix(lattice, 20, 2, layers=3, compact=compact)
    matrix.put(1, slice(0, 15), stored[:, :15])
    matrix.put(1, slice(15, 20), stored[:, 15:].astype(float))
    x = np.arange(40.0).reshape(2, 20)
    for layer in range(3):
        out = np.empty((2, 2))
        matrix.times(x, 1, out, Scratch(), layer=layer)
        assert ((out - x @ stored[layer]) % lattice.primes[1] == 0).all()


@pytest.mark.req("PPMF-RLW-015")
@pytest.mark.parametrize("size", [1, 2, 16, 32, 128])
def test_the_values_of_a_polynomial_in_y(size: int) -> None:
    """At the odd powers of a root of order 2g, in whatever order; and back."""
    for prime in LARGE_PRIMES:
        transform = BandTransform.of(prime, size)
        root = next(r for r in transform.forward[:, 1 % size].astype(int).tolist())
        points = [pow(root, 2 * k + 1, prime) for k in range(size)] if size > 1 else [prime - 1]
        assert all(pow(point, size, prime) == prime - 1 for point in points)
        assert len(set(points)) == size
        expected = [[pow(point, b, prime) for b in range(size)] for point in points]
        assert ((transform.forward - expected) % prime == 0).all()
        units = np.eye(size)[:, :, None]
        values = reduce((transform.forward @ units), prime)
        assert (reduce(transform.bands(values, Scratch()), prime) == units).all()
        inverses = np.array([[pow(v, -1, prime) for v in row] for row in expected], float)
        assert ((transform.reverse - inverses) % prime == 0).all()
        tables = transform.forward, transform.reverse, transform.inner, transform.outer
        for table in tables:
            assert np.abs(table).max() <= (prime - 1) // 2


def test_bands_that_a_prime_does_not_allow() -> None:
    with pytest.raises(ValueError, match="no root of order 512 modulo 2641153"):
        BandTransform.of(2641153, 256)


@pytest.mark.req("PPMF-RLW-008")
@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize(("rows", "size"), [(5, 1), (10, 1), (3, 2), (40, 2), (7, 16), (64, 64)])
def test_groups_times_packed_rows(rows: int, size: int, compact: bool) -> None:
    """Against products of polynomials of N coefficients: p_c has x in steps of N / g."""
    coins, degree, groups = Coins.seeded("groups"), TOY.degree, -(-rows // size)
    lattice = replace(TOY, primes=TOY.primes[:2], kept=1)
    drawn = (coins.words((groups, degree)) % np.uint64(PRIME)).astype(np.int32) - HALF
    x = ((coins.words((3, rows)) % np.uint64(PRIME)).astype(np.int32) - HALF).astype(float)
    matrix = GroupMatrix(lattice, groups, size, compact=compact)
    matrix.put(slice(0, groups - 1), np.stack([drawn[:-1]] * 2))
    matrix.put(slice(groups - 1, groups), np.stack([drawn[-1:]] * 2))
    for index, prime in enumerate(lattice.primes):
        out = np.full((3, degree), np.nan)
        for part, sums in matrix.times(x, index, Scratch()):
            out[part] = sums
        for row, found in zip(x.astype(int).tolist(), out.astype(int).tolist(), strict=True):
            expected = [0] * degree
            for group in range(groups):
                factor = [0] * degree
                for band, value in enumerate(row[group * size : (group + 1) * size]):
                    factor[-band * (degree // size) % degree] = -value if band else value
                product = _schoolbook(factor, drawn[group].tolist())
                expected = [one + other for one, other in zip(expected, product, strict=True)]
            assert all((a - b) % prime == 0 for a, b in zip(found, expected, strict=True))


def test_scratch_is_kept() -> None:
    scratch = Scratch()
    first = scratch.take("a", (4, 5))
    assert np.shares_memory(first, scratch.take("a", (2, 3)))
    assert not np.shares_memory(first, scratch.take("b", (2, 3)))
    assert np.shares_memory(first, scratch.take("a", (5, 4)))
    assert scratch.take("a", (5, 5)).shape == (5, 5)
    one = scratch.take_integers("c", (3,))
    assert not np.shares_memory(one, scratch.take_integers("d", (3,)))
    assert scratch.take_integers("a", (5, 3)).dtype == np.int32

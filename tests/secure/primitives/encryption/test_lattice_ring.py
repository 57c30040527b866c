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
from ppmf_secure.primitives.encryption.lattice.params import LARGE_PRIMES, STANDARD, TOY, Lattice
from ppmf_secure.primitives.encryption.lattice.ring import (
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


def test_reduction_in_place_needs_a_contiguous_array() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        reduce(np.zeros((4, 4))[:, ::2], PRIME)


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
    exact = np.fft.ifft(spectrum) * negacyclic._untwist
    values = np.concatenate([exact.real, exact.imag])
    assert 0 < np.abs(values - np.rint(values)).max() < 0.03


def _products(
    lattice: Lattice, x: NDArray[np.float64], stored: NDArray[np.int32], *, compact: bool
) -> list[NDArray[np.float64]]:
    """X times the stored matrix, modulo each prime."""
    rows, columns = stored.shape[1:]
    matrix = ResidueMatrix(lattice, rows, columns, compact=compact)
    for first in range(0, rows, 300):
        matrix.put(slice(first, first + 300), stored[:, first : first + 300])
    found = []
    for index in range(len(lattice.primes)):
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
    """One more than fits, and three matrix products; more columns than a block has.

    And 300 rows: of a compact matrix 256 are joined at once, then the rest.
    """
    lattice = replace(STANDARD, primes=STANDARD.primes[:2], kept=1)
    stored = np.full((2, rows, 515), HALF, dtype=np.int32)
    stored[:, :, -1] = -HALF
    x = np.full((2, rows), HALF + 3.0)
    x[1] *= -1
    total = rows * HALF * (HALF + 3)
    for index, product in enumerate(_products(lattice, x, stored, compact=compact)):
        for value, sign in ((product[0, 0], 1), (product[1, 514], 1), (product[0, 514], -1)):
            assert (int(value) - sign * total) % lattice.primes[index] == 0
        assert (product[:, :514] == product[:, :1]).all()


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

# SPDX-License-Identifier: Apache-2.0
"""Products of powers against their definition."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.multiexp import (
    FixedBases,
    best_window,
    digits,
    levels,
)

MODULUS = mpz(2**127 - 1) * mpz(2**89 - 1)
LAST = 2**64 - 1

words = st.integers(0, LAST) | st.sampled_from([0, 1, LAST, 1 << 63])


def _bases(count: int) -> list[mpz]:
    coins = Coins.seeded("bases")
    return [mpz(coins.below(int(MODULUS))) for _ in range(count)]


def _expected(bases: list[mpz], row: list[int]) -> mpz:
    return prod(pow(int(b), x, int(MODULUS)) for b, x in zip(bases, row, strict=True)) % MODULUS


@settings(max_examples=40)
@given(
    exponents=st.tuples(st.integers(0, 3), st.integers(1, 9)).flatmap(
        lambda shape: arrays(np.uint64, shape, elements=words)
    )
)
def test_products_are_products_of_powers(exponents: np.ndarray) -> None:
    bases = _bases(exponents.shape[1])
    fixed = FixedBases(bases, MODULUS)
    expected = [_expected(bases, row) for row in exponents.tolist()]
    assert fixed.products(exponents) == expected
    fixed.forget()
    assert fixed.products(exponents) == expected


@pytest.mark.parametrize("terms", [1, 2, 40, 300])
def test_extreme_exponents(terms: int) -> None:
    bases = _bases(terms)
    rows = np.array([[0] * terms, [LAST] * terms, [1] * terms, [1 << 63] * terms], dtype=np.uint64)
    expected = [_expected(bases, row) for row in rows.tolist()]
    assert FixedBases(bases, MODULUS).products(rows) == expected
    assert expected[0] == 1


@pytest.mark.parametrize("window", [1, 3, 6, 7, 8, 11, 16])
def test_digits_make_up_the_exponent(window: int) -> None:
    exponents = np.array([[0, LAST, 1 << 63], [1, 0x0123456789ABCDEF, 255]], dtype=np.uint64)
    found = digits(exponents, window)
    assert found.shape == (2, levels(window), 3)
    assert int(found.max()) < 1 << window
    weights = [1 << (window * level) for level in range(levels(window))]
    sums = [
        [sum(w * d for w, d in zip(weights, column, strict=True)) for column in row.T.tolist()]
        for row in found
    ]
    assert sums == exponents.tolist()


def test_the_window_grows_with_the_terms() -> None:
    windows = [best_window(terms) for terms in (1, 10, 100, 1000, 10_000)]
    assert windows == sorted(windows)
    assert windows[2:4] == [6, 8]

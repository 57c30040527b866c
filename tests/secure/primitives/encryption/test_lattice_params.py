# SPDX-License-Identifier: Apache-2.0
"""The lattice of `rlwe-8192`: its primes, what it refuses, and the budget of noise and flood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import log2, prod

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice.layout import LARGEST_GROUP
from ppmf_secure.primitives.encryption.lattice.params import (
    EXACT,
    LARGE_PRIMES,
    REDUCE_MARGIN,
    STANDARD,
    TOY,
    Budget,
    Lattice,
)
from ppmf_spec.errors import ParametersError


@pytest.mark.req("PPMF-RLW-001")
def test_the_primes_are_the_largest_with_roots_of_which_three_fit_a_word() -> None:
    prime = 2_642_300
    found: list[int] = []
    while len(found) < len(LARGE_PRIMES):
        prime = sympy.prevprime(prime)
        if prime**3 < 2**64 and prime % (2 * LARGEST_GROUP) == 1:
            found.append(prime)
    assert tuple(found) == LARGE_PRIMES
    assert log2(STANDARD.modulus) <= 214


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (partial(replace, degree=48), "degree 48 is no power of two"),
        (partial(replace, degree=2), "degree 2 is no power of two"),
        (partial(replace, degree=1 << 18), "products of degree 262144 are not exact"),
        (partial(replace, primes=(*LARGE_PRIMES, LARGE_PRIMES[3])), "not distinct"),
        (partial(replace, primes=(*LARGE_PRIMES, 2_642_257)), "not between 2"),
        (partial(replace, primes=(*LARGE_PRIMES, 1_048_573)), "not between 2"),
        (partial(replace, kept=0), "0 of 10 primes kept"),
        (partial(replace, kept=10), "10 of 10 primes kept"),
        (partial(replace, terms=0), "sums of 0 products"),
        (partial(replace, terms=5162), "sums of 5162 products are not exact"),
    ],
)
def test_lattices_of_inexact_arithmetic_are_refused(
    change: Callable[[Lattice], Lattice], message: str
) -> None:
    with pytest.raises(ParametersError, match=message):
        change(STANDARD)


def test_lattices_at_the_edge_of_exact_arithmetic() -> None:
    """One term more, or the next prime, and a sum or a folded product may err."""
    assert Lattice(4, (2_433_689, 1_048_583), kept=1, terms=1).kept_modulus == 2_433_689
    sums = Lattice(16, (2_433_689, 1_048_583), kept=1, terms=6082)
    assert sums._largest_sum <= EXACT - REDUCE_MARGIN
    with pytest.raises(ParametersError, match="sums of 6083 products"):
        replace(sums, terms=6083)
    assert EXACT - REDUCE_MARGIN < sums._largest_sum + 1_216_847**2 <= EXACT
    products = Lattice(1 << 15, (2_329_147, 1_048_583), kept=1, terms=8)
    with pytest.raises(ParametersError, match="products of degree 32768"):
        replace(products, primes=(2_329_189, 1_048_583))


@pytest.mark.req("PPMF-RLW-007")
def test_a_budget_at_its_edge() -> None:
    """All terms of the inequality count here: 66 / 2 q' is a thousandth of what may be used up."""
    small = (1048583, 1048589, 1048601, 1048609, 1048613, 1048627, 1048633, 1048661, 1048681)
    layout = Layout(1, (), 1 << 28)
    fits = Lattice(64, (*small, 2_098_441), kept=4, terms=8)
    assert Budget.of(fits, layout).flood_bits == 136
    assert Budget.of(fits, replace(layout, blocks=(1, 0))).flood_bits == 136
    with pytest.raises(ParametersError, match=r"a flood of 2\^136"):
        Budget.of(replace(fits, primes=(*small, 2_098_427)), layout)
    # below one, but by less than the 2^-40 that is left for decoding in floats
    close = (*small[:6], 1_048_897, 1_048_991, 1_085_801, 2_025_553)
    error = 2 * (Budget.of(fits, layout).noise + 2**136) * prod(close[:4]) + 66 * prod(close)
    left = 1 - Fraction(error << 64, prod(close) * prod(close[:4]))
    assert Fraction(1, 2**41) < left < Fraction(1, 2**40)
    with pytest.raises(ParametersError, match=r"a flood of 2\^136"):
        Budget.of(replace(fits, primes=close), layout)


@pytest.mark.req("PPMF-RLW-007")
@given(
    rows=st.integers(1, 10**5),
    outputs=st.integers(1, 10**9) | st.integers(0, 30).map(lambda bits: 1 << bits),
    lattice=st.sampled_from([STANDARD, TOY]),
)
def test_the_budget_in_fractions(rows: int, outputs: int, lattice: Lattice) -> None:
    """Nb and the flood as the design says them, and nothing accepted that could fail."""
    degree, q, kept = lattice.degree, lattice.modulus, lattice.kept_modulus
    union = 2**40 * outputs
    noise = 2**63 * rows * (21 + 1) + 21 * (2 * degree + 1) + 1
    try:
        budget = Budget.of(lattice, Layout(rows, (1,), outputs))
    except ParametersError:
        assert (noise * (1 + 2 * union)) / q + Fraction(degree + 2, kept) > Fraction(1, 2**65)
        return
    flood = 2**budget.flood_bits
    assert budget.noise == noise
    assert noise * union <= flood < 2 * noise * union
    assert outputs * 2**40 * budget.noise <= flood
    switching = Fraction(degree + 1, 2 * kept)
    room = Fraction(1, 2) - 2**64 * (Fraction(noise + flood) / q + switching)
    assert room > Fraction(1, 2**41)
    assert noise + flood < Fraction(q, 2**65)


@pytest.mark.req("PPMF-RLW-007")
def test_the_budget_at_the_size_of_movielens() -> None:
    for rows, packed, flood_bits in [(1682, 943, 141), (943, 1682, 140), (6040, 3706, 143)]:
        outputs = 20 * 86 * (943 + 1682)
        budget = Budget.of(STANDARD, Layout(rows, (packed, packed), outputs))
        assert budget.flood_bits == flood_bits


@pytest.mark.req("PPMF-RLW-007")
def test_layouts_out_of_budget_are_refused_with_the_figures() -> None:
    Budget.of(STANDARD, Layout(30_000, (1,), 1 << 25))
    with pytest.raises(ParametersError, match=r"60000 rows .* 2\^83.3 .* flood of 2\^149, over"):
        Budget.of(STANDARD, Layout(60_000, (1,), 1 << 25))
    for layout in (Layout(0, (1,), 1), Layout(1, (1,), 0), Layout(1, (-1,), 1)):
        with pytest.raises(ParametersError, match="matrix layout"):
            Budget.of(STANDARD, layout)
